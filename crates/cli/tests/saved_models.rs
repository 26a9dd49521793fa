//! SavedModels on the command line: the same results and exit codes as for TorchScript.

use serde_json::Value;
use std::fs;
use testkit::command::{CELLS, DIGIT, Outcome, document, listing, run, saved_model};

const DIGITS: &str = "examples/models/digits_keras";
const CANCER: &str = "examples/models/breast_cancer_keras";

#[test]
fn an_image_gets_arrays_document_and_heatmap() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    let arguments =
        ["explain", DIGITS, "--input", DIGIT, "--layout", "nhwc", "--out", &out.to_string_lossy()];
    let said = run(arguments)?.succeeded()?.out;
    assert!(said.contains("explained: digit 3") && said.contains("ledger        closes"), "{said}");
    let document = document(&out)?;
    assert_eq!(document["coverage"], 1.0);
    assert_eq!(document["inputs"][0]["shape"], serde_json::json!([1, 8, 8, 1]));
    assert_eq!(document["model"]["sha256"].as_str().map(str::len), Some(64));
    let framework = document["versions"]["framework"].as_str().unwrap_or_default();
    assert!(framework.starts_with("TensorFlow 2."), "{framework}");
    assert!(listing(&out)?.iter().any(|file| file.starts_with("heatmap-")), "{:?}", listing(&out)?);
    Ok(())
}

#[test]
fn a_table_is_explained_in_both_modes() -> Outcome {
    for mode in ["default", "contrastive"] {
        let arguments = ["explain", CANCER, "--input", CELLS, "--row", "0,1", "--mode", mode, "--json"];
        let document: Value = serde_json::from_str(&run(arguments)?.succeeded()?.out)?;
        assert_eq!(document["totals"]["closes"], true, "{mode}");
        assert_eq!(document["target"].as_array().map(Vec::len), Some(2), "{mode}");
    }
    Ok(())
}

#[test]
fn texts_that_the_model_cuts_itself_are_shown() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    let texts = r#"text=[["The dog sat!"],["a <cat>"]]"#;
    let arguments =
        ["explain", saved_model("text_export"), "--input", texts, "--out", &out.to_string_lossy()];
    let said = run(arguments)?.succeeded()?.out;
    assert!(said.contains("most 0      The dog sat!") && said.contains("text 1"), "{said}");
    let document = document(&out)?;
    let tokens = &document["inputs"][0]["tokens"];
    assert_eq!(tokens[1][0]["text"], "a <cat>");
    let of = |sample: usize| tokens[sample][0]["relevance"]["positive"].as_f64().unwrap_or_default();
    let total = document["inputs"][0]["total"]["positive"].as_f64().unwrap_or_default();
    assert!((of(0) + of(1) - total).abs() < 1e-6 && of(0) != 0.0, "{tokens}");
    assert!(fs::read_to_string(out.join("tokens.html"))?.contains("a &lt;cat&gt;"));

    // Some columns hold texts.
    let words = |texts: &str| {
        let words = format!("word={texts}");
        let inputs = ["kind=[[1,5,1],[0,2,3]]", "number=[[0.1,-0.7],[0.3,2.0]]", &words];
        run([&["explain", saved_model("categories_export"), "--json", "--input"][..], &inputs].concat())
    };
    let document: Value =
        serde_json::from_str(&words(r#"[["dog","zebra"],["the","cat"]]"#)?.succeeded()?.out)?;
    let received = document["inputs"].as_array().into_iter().flatten();
    assert!(received.clone().count() == 3 && received.clone().all(|input| input["total"]["positive"] != 0.0));
    assert!(words(r#"[["dog","zebra"],["the"]]"#)?.failed(2)?.contains("different lengths"));
    Ok(())
}

#[test]
fn a_table_fills_the_inputs_that_its_columns_name() -> Outcome {
    let room = tempfile::tempdir()?;
    let table = room.path().join("people.csv");
    fs::write(&table, "name,age,rate,job,children\nAnn,31.5,0.3,cat,2\nBob,52,1.5,nowhere,0\n")?;
    let explain = |more: &[&str]| {
        run([&["explain", saved_model("applicants_export"), "--json", "--input"], more].concat())
    };
    let relevance = |more: &[&str]| -> Result<Vec<(String, f64)>, Box<dyn std::error::Error>> {
        let document: Value = serde_json::from_str(&explain(more)?.succeeded()?.out)?;
        let inputs = document["inputs"].as_array().cloned().unwrap_or_default();
        let total = |input: &Value| input["total"]["positive"].as_f64().unwrap_or_default();
        Ok(inputs.iter().map(|input| (input["name"].to_string(), total(input))).collect())
    };
    let of_table = relevance(&[&table.to_string_lossy()])?;
    assert!(of_table.len() == 4 && of_table.iter().all(|(_, total)| *total != 0.0), "{of_table:?}");
    let one_by_one =
        ["age=[[31.5],[52]]", "rate=[0.3,1.5]", r#"job=[["cat"],["nowhere"]]"#, "children=[[2],[0]]"];
    assert_eq!(of_table, relevance(&one_by_one)?);
    let missing = explain(&[&table.to_string_lossy(), "--drop", "job"])?;
    assert!(missing.failed(5)?.contains("nothing is given for job"));
    Ok(())
}

#[test]
fn inspect_and_verify() -> Outcome {
    let inspection: Value = serde_json::from_str(&run(["inspect", CANCER, "--json"])?.succeeded()?.out)?;
    assert_eq!(inspection["coverage"], 1.0);
    assert!(inspection["parameters"].as_u64().is_some_and(|count| count > 100));
    let said = run(["verify", CANCER, "--input", CELLS])?.succeeded()?.out;
    assert!(said.contains("0 differ") && said.contains("every step accounts"), "{said}");
    let rules: Value = serde_json::from_str(&run(["ops", "--json"])?.succeeded()?.out)?;
    let of = |framework: &str| {
        rules.as_array().into_iter().flatten().filter(|rule| rule["framework"] == framework).count()
    };
    assert!(of("torch") > 200 && of("tensorflow") > 100, "{} and {}", of("torch"), of("tensorflow"));
    Ok(())
}

#[test]
fn what_does_not_fit_has_its_exit_code() -> Outcome {
    let room = tempfile::tempdir()?;
    let explain = |more: &[&str]| run([&["explain", CANCER, "--input", CELLS][..], more].concat());
    assert!(explain(&["--signature", "training"])?.failed(2)?.contains("serving_default"));
    explain(&["--tags", "gpu"])?.failed(2)?;
    explain(&["--output", "7"])?.failed(2)?;
    run(["explain", CANCER, "--input", DIGIT])?.failed(5)?;
    assert!(explain(&["--tensorflow", "/nowhere"])?.failed(6)?.contains("TensorFlow"));
    fs::write(room.path().join("saved_model.pb"), "no graph")?;
    run(["explain", &room.path().to_string_lossy(), "--input", CELLS])?.failed(3)?;
    fs::remove_file(room.path().join("saved_model.pb"))?;
    run(["explain", &room.path().to_string_lossy(), "--input", CELLS])?.failed(3)?;
    Ok(())
}

#[test]
fn a_text_is_filled_up_and_has_the_type_of_the_signature() -> Outcome {
    let line = ["explain", saved_model("embedding_export"), "--tokenizer", "tests/text/words.json", "--json"];
    let text = |options: &[&str]| run([&line, options].concat());
    let said = text(&["--text", "a a the a", "--pad-to", "5"])?.succeeded()?.out;
    let document: Value = serde_json::from_str(&said)?;
    assert_eq!(document["inputs"][0]["shape"], serde_json::json!([1, 5]));
    assert_eq!(document["inputs"][0]["tokens"][0].as_array().map(Vec::len), Some(4));
    text(&["--text", "a a the a"])?.failed(5)?;
    Ok(())
}
