//! The other commands, and what the program itself says.

use serde_json::Value;
use std::fs;
use std::path::Path;
use testkit::command::{CANCER, CELLS, DIGIT, DIGITS, Outcome, program, run, torchscript};

#[test]
fn inspect_shows_the_model() -> Outcome {
    let said = run(["inspect", DIGITS])?.succeeded()?.out;
    for part in ["image", "Tensor", "Conv2d", "aten::conv2d", "weighted sum", "coverage   100"] {
        assert!(said.contains(part), "`{part}` is missing from\n{said}");
    }
    let document: Value = serde_json::from_str(&run(["inspect", DIGITS, "--json"])?.succeeded()?.out)?;
    assert_eq!(document["inputs"][0]["name"], "image");
    assert_eq!(document["coverage"], 1.0);
    Ok(())
}

#[test]
fn inspect_names_the_parts_of_an_output() -> Outcome {
    let said = run(["inspect", torchscript("output_nested.pt"), "--json"])?.succeeded()?.out;
    let outputs = serde_json::from_str::<Value>(&said)?["outputs"].clone();
    let named = |index: usize| (outputs[index]["name"].as_str(), outputs[index]["kind"].as_str());
    assert_eq!(named(0), (Some("output[0].KEY[N]"), Some("Tensor")));
    assert_eq!(named(1), (Some("output[1][0]"), Some("Tensor")));
    assert_eq!(named(2), (Some("output[1][1]"), Some("int")));
    assert_eq!(named(3), (Some("output[2]"), Some("Optional[Tensor]")));
    Ok(())
}

#[test]
fn inspect_names_what_has_no_rule() -> Outcome {
    let said = run(["inspect", torchscript("unsupported.pt")])?.succeeded()?.out;
    let line = said.lines().find(|line| line.contains("matrix_exp")).ok_or("not listed")?;
    assert!(line.contains("NO RULE"), "{line}");
    assert!(!said.contains("coverage   100"), "{said}");
    Ok(())
}

#[test]
fn inspect_names_the_rules_of_a_set() -> Outcome {
    let said = run(["inspect", DIGITS, "--rules", "epsilon-plus"])?.succeeded()?.out;
    let line = |operator: &str| said.lines().find(|line| line.contains(operator)).unwrap_or_default();
    assert!(said.contains("by the rule set epsilon-plus"), "{said}");
    for (operator, rules) in
        [("aten::conv2d", "z-plus or epsilon"), ("aten::relu", "pass"), ("max_pool2d", "backtrace")]
    {
        assert!(line(operator).contains(rules), "{operator}: {said}");
    }

    let room = tempfile::tempdir()?;
    let file = room.path().join("set.toml");
    let rows = "[[step]]\nkinds = [\"convolution\", \"linear\", \"matrix-product\", \"sum\", \"winner\"]\nrule = \"backtrace\"\n";
    fs::write(&file, format!("name = \"mine\"\nothers = \"refused\"\n\n{rows}"))?;
    let file = file.to_string_lossy();
    let refused = run(["inspect", DIGITS, "--rules", &file])?;
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(
        refused.out.lines().any(|line| line.contains("aten::relu") && line.contains("REFUSED")),
        "{refused:?}"
    );
    for operator in ["aten::batch_norm (of the kind norm)", "aten::relu (of the kind rectifier)"] {
        assert!(
            refused.err.contains("the rule set mine has no rule for") && refused.err.contains(operator),
            "{refused:?}"
        );
    }
    let document: Value =
        serde_json::from_str(&run(["inspect", DIGITS, "--rules", "epsilon", "--json"])?.succeeded()?.out)?;
    let operators = document["rules"]["operators"].as_array().ok_or("no operators")?;
    let relu = operators.iter().find(|entry| entry["operator"] == "aten::relu").ok_or("no relu")?;
    assert_eq!(relu["rules"], serde_json::json!(["pass"]));
    assert!(document["coverage"].is_number());
    run(["inspect", DIGITS, "--rules", "epsilom"])?.failed(2)?;
    Ok(())
}

#[test]
fn verify_replays_and_balances() -> Outcome {
    let said = run(["verify", CANCER, "--input", CELLS])?.succeeded()?.out;
    assert!(said.contains("0 differ") && said.contains("every step accounts"), "{said}");
    let document: Value =
        serde_json::from_str(&run(["verify", DIGITS, "--input", DIGIT, "--json"])?.succeeded()?.out)?;
    assert_eq!(document["ledger_closes"], true);
    assert!(document["replay"]["checked"].as_u64() > Some(5));
    Ok(())
}

#[test]
fn ops_lists_the_operators() -> Outcome {
    assert!(run(["ops"])?.succeeded()?.out.contains("aten::conv2d"));
    let operators: Vec<Value> = serde_json::from_str(&run(["ops", "--json"])?.succeeded()?.out)?;
    assert!(operators.len() > 100);
    Ok(())
}

#[test]
fn help_and_version() -> Outcome {
    assert!(run(["--help"])?.succeeded()?.out.contains("Exit codes"));
    assert!(run(["explain", "--help"])?.succeeded()?.out.contains("--target"));
    assert_eq!(run(["--version"])?.succeeded()?.out, format!("dlbacktrace {}\n", env!("CARGO_PKG_VERSION")));
    Ok(())
}

#[test]
fn a_wrong_libtorch_is_6_and_told_with_what_mends_it() -> Outcome {
    let room = tempfile::tempdir()?;
    fs::write(room.path().join("libtorch_cpu.so"), "not a library")?;
    let output = program().arg("ops").env("LD_LIBRARY_PATH", room.path()).output()?;
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(6), "{said}");
    for part in ["libtorch_cpu.so", "libtorch 2.13.0", "cargo xtask setup"] {
        assert!(said.contains(part), "`{part}` is missing from {said}");
    }
    assert_eq!(said.lines().count(), 1);
    Ok(())
}

#[test]
fn a_program_alone_says_what_it_misses() -> Outcome {
    let room = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let alone = room.path().join("dlbacktrace");
    fs::hard_link(env!("CARGO_BIN_EXE_dlbacktrace"), &alone)?;
    let output = std::process::Command::new(&alone).arg("ops").output()?;
    assert_eq!(output.status.code(), Some(6));
    assert!(String::from_utf8(output.stderr)?.contains("cargo xtask install"));

    // Installed, the library stands in ../lib.
    let library =
        Path::new(env!("CARGO_BIN_EXE_dlbacktrace")).with_file_name("deps").join("libdlbacktrace_cli.so");
    fs::create_dir_all(room.path().join("bin"))?;
    fs::create_dir_all(room.path().join("lib"))?;
    fs::rename(&alone, room.path().join("bin/dlbacktrace"))?;
    std::os::unix::fs::symlink(library.canonicalize()?, room.path().join("lib/libdlbacktrace_cli.so"))?;
    let output = std::process::Command::new(room.path().join("bin/dlbacktrace")).arg("ops").output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
