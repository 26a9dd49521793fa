//! A failure is told in a few lines, has its exit code, and leaves earlier results alone.

use std::fs;
use std::path::Path;
use testkit::command::{CANCER, CELLS, DIGIT, DIGITS, Outcome, listing, run, torchscript};
use testkit::fixtures::{TORCHSCRIPT, checkout};

#[test]
fn usage_is_2() -> Outcome {
    let room = tempfile::tempdir()?;
    let file = room.path().join("file");
    fs::write(&file, "")?;
    let file = file.to_string_lossy();
    for options in [
        &["--input", "missing.npy"][..],
        &["--input", "image=nonsense"],
        &["--input", "README.md"],
        &["--input", "examples/data/digits_test.npz:nothing"],
        &["--input", DIGIT, "--output", "nothing"],
        &["--input", DIGIT, "--output", "7"],
        &["--input", DIGIT, "--target", "10"],
        &["--input", DIGIT, "--start", "missing.npy"],
        &["--input", DIGIT, "--mode", "contrastive", "--task", "next-token"],
        &["--input", DIGIT, "--out", &file],
    ] {
        run([&["explain", DIGITS], options].concat())?.failed(2)?;
    }
    for line in [&["explain"][..], &["explore"], &["explain", DIGITS, "--gates", "maybe"], &[]] {
        let run = run(line)?;
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.out.is_empty() && !run.err.is_empty());
    }
    Ok(())
}

#[test]
fn a_model_that_cannot_be_loaded_is_3() -> Outcome {
    let room = tempfile::tempdir()?;
    let whole = fs::read(checkout().join(DIGITS))?;
    for (name, content) in
        [("empty.pt", &whole[..0]), ("cut.pt", &whole[..whole.len() / 2]), ("text.pt", b"hello")]
    {
        let path = room.path().join(name);
        fs::write(&path, content)?;
        for command in ["explain", "inspect", "verify"] {
            run([command, &path.to_string_lossy()])?.failed(3)?;
        }
    }
    run(["inspect", "missing.pt"])?.failed(3)?;
    run(["inspect", "examples"])?.failed(3)?;
    Ok(())
}

#[test]
fn an_operator_without_a_rule_is_4_unless_allowed() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    let out_text = out.to_string_lossy();
    let line = [
        "explain",
        torchscript("unsupported.pt"),
        "--input",
        torchscript("unsupported.safetensors"),
        "--out",
        &out_text,
    ];
    let said = run(line)?.failed(4)?;
    assert!(said.contains("matrix_exp"), "{said}");
    assert!(!out.exists());

    let said = run([&line[..], &["--allow-unruled"]].concat())?.succeeded()?.out;
    assert!(said.contains("unruled"), "{said}");
    Ok(())
}

#[test]
fn inputs_that_do_not_fit_are_5() -> Outcome {
    let room = tempfile::tempdir()?;
    let digit = fs::read(checkout().join(DIGIT))?;
    let tensors = fs::read(TORCHSCRIPT.path("mlp_traced.safetensors"))?;
    let npz = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/data/digits_test.npz"))?;
    for (name, content) in [
        ("cut.png", &digit[..digit.len() / 2]),
        ("cut.jpg", b"\xff\xd8\xff\xe0"),
        ("cut.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'"),
        ("empty.npy", b""),
        ("cut.npz", &npz[..npz.len() / 2]),
        ("cut.safetensors", &tensors[..tensors.len() / 2]),
        ("text.csv", b"a,b\n1,red\n2,green\n"),
        ("empty.csv", b""),
        ("binary.csv", b"\xff\xfe\x00\x01,\n\x00"),
        ("cut.json", b"[[1, 2"),
        ("ragged.json", b"[[1, 2], [3]]"),
        ("deep.json", &[b'['; 100_000]),
        // Undamaged, but not what the model takes.
        ("flat.json", b"[1, 2, 3]"),
        ("text.json", b"\"text\""),
        ("many.json", b"{\"a\": [1], \"b\": [2]}"),
    ] {
        let path = room.path().join(name);
        fs::write(&path, content)?;
        let said = run(["explain", DIGITS, "--input", &path.to_string_lossy(), "--json"])?.failed(5)?;
        assert!(said.len() < 1000, "the message for {name} is too long: {said}");
    }
    for inputs in [
        &[][..],
        &["--input", DIGIT, DIGIT],
        &["--input", "other=examples/data/digit_3.png"],
        &["--input", DIGIT, "--resize", "5x3"],
        &["--input", DIGIT, "--channels", "3"],
        &["--input", DIGIT, "--mean", "0.1,0.2"],
        &["--input", DIGIT, "--crop", "9"],
        &["--input", "image=3"],
    ] {
        run([&["explain", DIGITS, "--json"], inputs].concat())?.failed(5)?;
    }
    run(["explain", torchscript("raises.pt"), "--input", torchscript("raises.safetensors"), "--json"])?
        .failed(5)?;
    Ok(())
}

#[test]
fn what_helps_is_named() -> Outcome {
    let doubles =
        ["explain", torchscript("mlp_f64.pt"), "--input", torchscript("mlp_f64.safetensors"), "--json"];
    assert!(run([&doubles[..], &["--dtype", "f32"]].concat())?.failed(5)?.contains("--dtype"));
    run(doubles)?.succeeded()?;
    let colours = ["explain", DIGITS, "--input", DIGIT, "--channels", "rgb", "--json"];
    assert!(run(colours)?.failed(5)?.contains("--channels 1"));
    Ok(())
}

#[test]
fn a_failed_run_leaves_earlier_results_alone() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    let out_text = out.to_string_lossy();
    run(["explain", DIGITS, "--input", DIGIT, "-q", "--out", &out_text])?.succeeded()?;
    let contents = || -> Result<Vec<Vec<u8>>, Box<dyn std::error::Error>> {
        Ok(listing(&out)?.iter().map(|name| fs::read(out.join(name))).collect::<Result<_, _>>()?)
    };
    let before = contents()?;
    run(["explain", DIGITS, "--input", "missing.npy", "--out", &out_text])?.failed(2)?;
    run(["explain", DIGITS, "--input", DIGIT, "--channels", "3", "--out", &out_text])?.failed(5)?;
    // The run fails while it moves results into place, because a directory has the name of a picture.
    fs::create_dir(out.join("bars-features.png"))?;
    let said = run(["explain", CANCER, "--input", CELLS, "--row", "0", "--out", &out_text])?;
    let made: Vec<_> = listing(&out)?.into_iter().filter(|name| name.starts_with("bars")).collect();
    assert_eq!(made, ["bars-features.png"], "{said:?}");
    said.failed(1)?;
    fs::remove_dir(out.join("bars-features.png"))?;
    assert!(contents()? == before, "the results changed");
    assert_eq!(listing(room.path())?, ["out"], "nothing is left beside them");
    Ok(())
}

#[test]
fn a_place_that_cannot_be_written_to_is_told_before_the_work() -> Outcome {
    let file = tempfile::NamedTempFile::new()?;
    let below = file.path().join("out");
    let said = run(["explain", "missing.pt", "--out", &below.to_string_lossy()])?.failed(2)?;
    assert!(said.contains("not a directory"), "{said}");
    Ok(())
}
