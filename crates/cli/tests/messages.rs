//! What the command says when it cannot do what was asked: in the user's words, with what to do, and with the exit code
//! that README promises.

use std::fs;
use std::process::Stdio;
use testkit::command::{CANCER, CELLS, DIGIT, DIGITS, Outcome, program, run, saved_model, torchscript};
use testkit::fixtures::checkout;

/// Words that only a framework or this program's author understands.
const INTERNAL: [&str; 8] =
    ["Exception raised from", "frame #", "Traceback", "c10::", "at::", "{{function_node", "[Op:", "os error"];

/// Model and options after `explain`, exit code, and words of the message. `{room}` is the directory of files made
/// below; `{fixtures}` and `{savedmodels}` are the folders of the named fixture.
const MESSAGES: &[(&[&str], i32, &[&str])] = &[
    // The model.
    (&["missing.pt"], 3, &["there is no model missing.pt"]),
    (&["{room}/empty.pt"], 3, &["empty.pt", "0 bytes"]),
    (&["{room}/cut.pt"], 3, &["cut.pt", "damaged"]),
    (&["README.md"], 3, &["README.md is a text file", "torch.jit.trace"]),
    (&["{fixtures}/mlp_traced.safetensors"], 3, &["safetensors", "load_state_dict"]),
    (&["examples/models"], 3, &["digits_cnn.pt", "digits_keras"]),
    (&["{fixtures}/no_forward.pt"], 3, &["forward"]),
    (&[DIGITS, "--library", "missing.so"], 6, &["missing.so"]),
    (
        &["{fixtures}/unsupported.pt", "-i", "{fixtures}/unsupported.safetensors"],
        4,
        &["linalg_matrix_exp", "Exponential", "no relevance rule"],
    ),
    (&[KERAS, "--signature", "train"], 2, &["train", "serving_default"]),
    (&[KERAS, "--tags", "gpu"], 2, &["gpu", "serve"]),
    (&[DIGITS, "--signature", "train"], 2, &["digits_cnn.pt is a TorchScript archive", "no signature"]),
    (&[DIGITS, "--tags", "serve"], 2, &["digits_cnn.pt is a TorchScript archive", "no tags"]),
    (
        &[KERAS, "--library", "missing.so"],
        2,
        &["breast_cancer_keras is a SavedModel", "no libraries of operators"],
    ),
    (&[DIGITS, "-i", DIGIT, "--scaler", "NaN"], 2, &["the scaler is NaN"]),
    (&[DIGITS, "-i", DIGIT, "--task", "segmentation", "--threshold", "NaN"], 2, &["the threshold is NaN"]),
    (&[KERAS, "--tensorflow", "/nowhere"], 6, &["/nowhere", "TensorFlow"]),
    // Missing inputs.
    (&[DIGITS], 5, &["nothing is given for image", "--input image=FILE"]),
    (&[DIGITS, "-i", "missing.npy"], 2, &["there is no file missing.npy"]),
    (&[DIGITS, "-i", "examples"], 2, &["examples", "directory"]),
    (&[DIGITS, "-i", "image="], 2, &["--input image=", "give a file"]),
    (&[DIGITS, "-i", "image=nonsense"], 2, &["nonsense", ".npy", "JSON"]),
    (&[DIGITS, "-i", "README.md"], 2, &["README.md", ".npy"]),
    (&[DIGITS, "-i", "photo=examples/data/digit_3.png"], 5, &["there is no input photo", "image: Tensor"]),
    (&[DIGITS, "-i", DIGIT, DIGIT], 5, &["image: Tensor", "more inputs"]),
    (&[DIGITS, "-i", "examples/data/digits_test.npz:nothing"], 2, &["nothing", "image, label"]),
    (&[DIGITS, "-i", "image=[[1,2],[3]]"], 2, &["different lengths"]),
    // Inputs that cannot be read.
    (&[DIGITS, "-i", "{room}/cut.png"], 5, &["cut.png", "complete image"]),
    (&[DIGITS, "-i", "{room}/empty.npy"], 5, &["empty.npy", "npy"]),
    (&[DIGITS, "-i", "{room}/bad.npz"], 5, &["bad.npz"]),
    (&[DIGITS, "-i", "{room}/bad.json"], 5, &["bad.json", "JSON"]),
    (&[CANCER, "-i", "{room}/blank.csv"], 5, &["blank.csv", "row 1", "column `b` (1)", "blank", "--drop"]),
    (&[CANCER, "-i", "{room}/words.csv"], 5, &["words.csv", "--drop 'city'"]),
    (&[CANCER, "-i", "{room}/blank.csv", "--columns", "size"], 5, &["no column `size`", "a, b"]),
    (&[CANCER, "-i", "{room}/blank.csv", "--row", "9"], 5, &["no row 9"]),
    // Inputs that do not fit.
    (&[DIGITS, "-i", DIGIT, "--channels", "3"], 5, &["channels", "--channels 1"]),
    (&[DIGITS, "-i", DIGIT, "--crop", "99"], 5, &["--crop 99x99", "--resize"]),
    (&[DIGITS, "-i", DIGIT, "--mean", "0.1,0.2"], 5, &["--mean has 2 numbers"]),
    (&[DIGITS, "-i", "image=3"], 5, &["image", "Tensor"]),
    (&["{fixtures}/mlp_traced.pt", "-i", "{room}/nan.json"], 5, &["nan.json"]),
    (&["{fixtures}/embedding.pt", "-i", "[[1.5, 2, 3, 1, 2, 3]]"], 5, &["takes integers", "1.5", "[0, 0]"]),
    (
        &["{savedmodels}/applicants_export", "-i", "{room}/half.csv"],
        5,
        &["row 0", "column `children`", "`2.5`", "an integer"],
    ),
    (&["{fixtures}/raises.pt", "-i", "{fixtures}/raises.safetensors"], 5, &["one sample at a time"]),
    (&["{savedmodels}/raises", "-i", "{savedmodels}/raises.safetensors"], 5, &["one sample at a time"]),
    (
        &["{savedmodels}/pixels_rescaled", "-i", DIGIT],
        5,
        &["picture takes pictures of 6×6 pixels", "8×8", "--resize 6x6"],
    ),
    // What is explained.
    (&[DIGITS, "-i", DIGIT, "--target", "10"], 2, &["10"]),
    (&[DIGITS, "-i", DIGIT, "--target", "cat"], 2, &["--target cat", "digit 0, digit 1"]),
    (
        &["{fixtures}/mlp_traced.pt", "-i", "{room}/x.json", "--target", "cat"],
        2,
        &["--target cat", "--labels"],
    ),
    (&[DIGITS, "-i", DIGIT, "--versus", "cow"], 2, &["--versus cow", "digit 0, digit 1"]),
    (&[DIGITS, "-i", DIGIT, "--versus", "3"], 2, &["unit 3 is explained", "choose another unit"]),
    (&[DIGITS, "-i", DIGIT, "--versus", "10"], 2, &["no unit 10", "--versus", "0 to 9"]),
    (&[DIGITS, "-i", DIGIT, "--versus", "5", "--target", "all"], 2, &["--versus", "--start"]),
    (&[DIGITS, "-i", DIGIT, "--versus", "5", "--task", "segmentation"], 2, &["--versus", "--start"]),
    (&[DIGITS, "-i", DIGIT, "--versus", "5", "--box", "0"], 2, &["--versus", "--box"]),
    (&[DIGITS, "-i", DIGIT, "--versus", "5", "--mode", "contrastive"], 2, &["--versus", "default mode"]),
    (&[DIGITS, "-i", DIGIT, "--versus", "others", "--from-logits"], 2, &["--from-logits", "leave that out"]),
    (
        &["{fixtures}/mlp_traced.pt", "-i", "{room}/x.json", "--versus", "cat"],
        2,
        &["--versus cat", "others", "--labels"],
    ),
    (&[DIGITS, "-i", DIGIT, "--labels", "a,b,c"], 2, &["3 names", "10 units"]),
    (&[DIGITS, "-i", DIGIT, "--labels", "missing.txt"], 2, &["there is no file missing.txt"]),
    (&[DIGITS, "-i", DIGIT, "--output", "scores"], 2, &["scores", "output"]),
    (&[DIGITS, "-i", DIGIT, "--start", "missing.npy"], 2, &["missing.npy"]),
    (&[DIGITS, "-i", DIGIT, "--numeric-input", "age"], 2, &["age", "image"]),
    // Where results go.
    (&[DIGITS, "-i", DIGIT, "--out", "README.md"], 2, &["README.md is not a directory"]),
    (&[DIGITS, "-i", DIGIT, "--out", "/proc/out"], 1, &["cannot write /proc", "another directory"]),
    // Texts.
    (&["tests/text/fixed_length.pt", "--text", "a", "--tokenizer", "missing.json"], 2, &["missing.json"]),
    (
        &["tests/text/fixed_length.pt", "--text", "a", "--tokenizer", "{room}/x.json"],
        5,
        &["x.json", "tokenizer"],
    ),
];

const KERAS: &str = "examples/models/breast_cancer_keras";

fn room() -> Result<tempfile::TempDir, Box<dyn std::error::Error>> {
    let room = tempfile::tempdir()?;
    let root = checkout();
    let (model, digit) = (fs::read(root.join(DIGITS))?, fs::read(root.join(DIGIT))?);
    for (name, content) in [
        ("empty.pt", &b""[..]),
        ("cut.pt", &model[..model.len() / 2]),
        ("cut.png", &digit[..digit.len() / 2]),
        ("empty.npy", b""),
        ("bad.npz", b"PK\x03\x04"),
        ("bad.json", b"{"),
        ("nan.json", b"[[1, NaN]]"),
        ("x.json", b"[[0.5, -1, 2, 0.1]]"),
        ("blank.csv", b"a,b\n1,2\n3,\n"),
        ("words.csv", b"age,city\n1,Oslo\n2,Rome\n"),
        ("half.csv", b"age,rate,job,children\n31.5,0.3,cat,2.5\n"),
    ] {
        fs::write(room.path().join(name), content)?;
    }
    Ok(room)
}

#[test]
fn every_message_says_what_is_wrong_and_what_to_do() -> Outcome {
    let room = room()?;
    let place = room.path().to_string_lossy();
    let mut wrong = Vec::new();
    for (arguments, code, words) in MESSAGES {
        let filled = |text: &&str| match text.strip_prefix('{').and_then(|text| text.split_once("}/")) {
            Some(("fixtures", file)) => torchscript(file).to_owned(),
            Some(("savedmodels", file)) => saved_model(file).to_owned(),
            _ => text.replace("{room}", &place),
        };
        let arguments: Vec<String> = ["explain"].iter().chain(*arguments).map(filled).collect();
        let out = room.path().join("out").to_string_lossy().into_owned();
        let given = arguments.iter().any(|text| text == "--out");
        let arguments = arguments
            .iter()
            .cloned()
            .chain((!given).then(|| ["--out".to_owned(), out]).into_iter().flatten());
        let ran = run(arguments.clone())?;
        let said = ran.err.clone();
        let missing: Vec<_> = words.iter().filter(|word| !said.contains(**word)).collect();
        let internal: Vec<_> = INTERNAL.iter().filter(|word| said.contains(**word)).collect();
        if ran.failed(*code).is_err() || !missing.is_empty() || !internal.is_empty() {
            let line: Vec<String> = arguments.collect();
            wrong.push(format!(
                "{}\n  not code {code}, without {missing:?}, or with {internal:?}: {said}",
                line.join(" ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!room.path().join("out").exists());
    Ok(())
}

#[test]
fn what_a_framework_says_is_shown_when_it_is_asked_for() -> Outcome {
    let line = ["explain", torchscript("raises.pt"), "-i", torchscript("raises.safetensors"), "--json"];
    let short = run(line)?.failed(5)?;
    let whole = run([&line[..], &["--verbose"]].concat())?;
    assert_eq!(whole.code, Some(5));
    assert!(whole.err.len() > short.len() && whole.err.contains("Traceback of TorchScript"), "{whole:?}");
    Ok(())
}

#[test]
fn an_interrupt_ends_every_command_at_its_work() -> Outcome {
    for (command, wanted) in [("explain", "--out"), ("explain", "--json"), ("verify", "--json")] {
        let room = tempfile::tempdir()?;
        let (table, out) = (room.path().join("table.csv"), room.path().join("deep/out"));
        assert!(std::process::Command::new("mkfifo").arg(&table).status()?.success());
        let mut child = program();
        child.args([command, CANCER, "--input"]).arg(&table).arg(wanted);
        if wanted == "--out" {
            child.arg(&out);
        }
        let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // Opening waits until the command reads its input. It then waits for data that never come.
        let _never_written = fs::OpenOptions::new().write(true).open(&table)?;
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
        let output = child.wait_with_output()?;
        assert_eq!(output.status.code(), Some(130), "{command} {wanted}");
        assert_eq!(String::from_utf8(output.stderr)?, "error: interrupted\n", "{command} {wanted}");
        assert!(output.stdout.is_empty() && !room.path().join("deep").exists(), "{command} {wanted}");
    }
    Ok(())
}

#[test]
fn an_interrupt_leaves_nothing_behind() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("deep/out");
    // Many rows make many pictures, so writing takes a while.
    let table = room.path().join("table.csv");
    let rows = fs::read_to_string(checkout().join(CELLS))?;
    fs::write(&table, &rows)?;
    let mut child = program()
        .args([
            "explain",
            CANCER,
            "--all-values",
            "--input",
            &table.to_string_lossy(),
            "--out",
            &out.to_string_lossy(),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let staged = || {
        let entries = fs::read_dir(room.path().join("deep")).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".dlbacktrace-")).count()
    };
    while staged() == 0 && child.try_wait()?.is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    let code = child.wait()?.code();
    // The run may have ended just before.
    assert!(
        code == Some(130) || (code == Some(0) && out.join("explanation.json").exists()),
        "{killed:?} {code:?}"
    );
    assert_eq!(staged(), 0);
    assert_eq!(code == Some(130), !out.exists());
    Ok(())
}
