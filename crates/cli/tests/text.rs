//! `dlbacktrace explain` of texts.

use ndarray_npy::write_npy;
use serde_json::Value;
use std::fs;
use testkit::command::{Outcome, Run, document, listing, run};
use testkit::fixtures::checkout;

const BERT: &str = "tests/models/bert.pt";
const PIECES: &str = "tests/text/pieces.json";

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn explain(options: &[&str], out: &str) -> Result<Run, Box<dyn std::error::Error>> {
    run([&["explain", BERT, "--tokenizer", PIECES, "--out", out], options].concat())
}

/// Text and relevance of each token of the first input.
fn tokens(document: &Value, sample: usize) -> Vec<(String, f64)> {
    let tokens = document["inputs"][0]["tokens"][sample].as_array().cloned().unwrap_or_default();
    let token = |token: &Value| {
        (token["text"].as_str().unwrap_or_default().to_owned(), number(&token["relevance"]["positive"]))
    };
    tokens.iter().map(token).collect()
}

fn texts(tokens: &[(String, f64)]) -> Vec<&str> {
    tokens.iter().map(|(text, _)| text.as_str()).collect()
}

fn close(a: &[(String, f64)], b: &[(String, f64)]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() <= 1e-4 * b.1.abs().max(1e-3))
}

#[test]
fn a_text_is_explained_as_its_tokens_are() -> Outcome {
    let room = tempfile::tempdir()?;
    let path = |name: &str| room.path().join(name).to_string_lossy().into_owned();
    let (out, by_hand) = (path("out"), path("by-hand"));
    let said = explain(&["--text", "The movie was boring."], &out)?.succeeded()?.out;
    assert!(said.contains("[CLS]") && said.contains("ing") && !said.contains('\u{1b}'), "{said}");
    assert_eq!(listing(out.as_ref())?, ["explanation.json", "relevance.npz", "tokens.html", "tokens.png"]);
    let text = document(out.as_ref())?;
    let found = tokens(&text, 0);
    assert_eq!(texts(&found), ["[CLS]", "The", "movie", "was", "bor", "ing", ".", "[SEP]"]);

    // The numbers of the tokens, looked up in the vocabulary.
    let vocabulary: Value = serde_json::from_slice(&fs::read(checkout().join("tests/text/pieces.json"))?)?;
    let ids: Vec<i64> = ["[CLS]", "the", "movie", "was", "bor", "##ing", ".", "[SEP]"]
        .iter()
        .filter_map(|token| vocabulary["model"]["vocab"][token].as_i64())
        .collect();
    write_npy(path("ids.npy"), &ndarray::Array2::from_shape_vec((1, ids.len()), ids.clone())?)?;
    write_npy(path("ones.npy"), &ndarray::Array2::<i64>::ones((1, ids.len())))?;
    write_npy(path("zeros.npy"), &ndarray::Array2::<i64>::zeros((1, ids.len())))?;
    let given = [("input_ids", "ids"), ("attention_mask", "ones"), ("token_type_ids", "zeros")];
    let given: Vec<String> =
        given.iter().map(|(name, file)| format!("{name}={}", path(&format!("{file}.npy")))).collect();
    let line = [
        &["explain", BERT, "--out", &by_hand, "--input"][..],
        &given.iter().map(String::as_str).collect::<Vec<_>>(),
    ];
    run(line.concat())?.succeeded()?;
    let pictures = listing(by_hand.as_ref())?;
    assert!(pictures.iter().any(|file| file.contains("input_ids")), "{pictures:?}");
    assert!(!pictures.iter().any(|file| file.contains("attention_mask")), "one too many: {pictures:?}");
    let plain = document(by_hand.as_ref())?;
    assert_eq!(plain["inputs"][0]["total"], text["inputs"][0]["total"]);
    assert_eq!(plain["prediction"], text["prediction"]);
    let sum: f64 = found.iter().map(|(_, relevance)| relevance).sum();
    assert!((sum - number(&text["inputs"][0]["total"]["positive"])).abs() < 1e-5);

    let page = fs::read_to_string(room.path().join("out/tokens.html"))?;
    assert!(
        page.contains(">movie</span>")
            && page.contains("##ing")
            && !page.contains("<script")
            && !page.contains("http")
    );
    Ok(())
}

#[test]
fn words_are_the_sums_of_their_parts() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().to_string_lossy();
    explain(&["--text", "so boring."], &out)?.succeeded()?;
    let parts = tokens(&document(room.path())?, 0);
    explain(&["--text", "so boring.", "--words"], &out)?.succeeded()?;
    let words = tokens(&document(room.path())?, 0);
    assert_eq!(texts(&words), ["[CLS]", "so", "boring", ".", "[SEP]"]);
    assert_eq!(texts(&parts), ["[CLS]", "so", "bor", "ing", ".", "[SEP]"]);
    assert!((words[2].1 - parts[2].1 - parts[3].1).abs() < 1e-9);
    Ok(())
}

#[test]
fn a_batch_is_its_texts_and_padding_is_not_shown() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().to_string_lossy();
    explain(&["--text", "good", "--text", "the film was not very good, not ok"], &out)?.succeeded()?;
    let both = document(room.path())?;
    explain(&["--text", "good"], &out)?.succeeded()?;
    let alone = tokens(&document(room.path())?, 0);
    assert_eq!(texts(&alone), ["[CLS]", "good", "[SEP]"]);
    assert!(close(&tokens(&both, 0), &alone), "{:?} {alone:?}", tokens(&both, 0));
    Ok(())
}

#[test]
fn pairs_have_types_and_special_tokens_can_be_left_out() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().to_string_lossy();
    let target = |options: &[&str]| -> Result<Value, Box<dyn std::error::Error>> {
        explain(options, &out)?.succeeded()?;
        document(room.path())
    };
    let pair = target(&["--text", "why", "--text-pair", "so fine"])?;
    assert_eq!(texts(&tokens(&pair, 0)), ["[CLS]", "why", "[SEP]", "so", "fine", "[SEP]"]);
    let bare = target(&["--text", "so fine", "--no-special-tokens"])?;
    assert_eq!(texts(&tokens(&bare, 0)), ["so", "fine"]);
    Ok(())
}

#[test]
fn labels_beside_the_model_name_its_units() -> Outcome {
    let room = tempfile::tempdir()?;
    let model = room.path().join("model.pt");
    fs::copy(checkout().join("tests/models/bert.pt"), &model)?;
    fs::write(room.path().join("config.json"), r#"{"id2label": {"0": "bad", "1": "fair", "2": "fine"}}"#)?;
    let out = room.path().join("out");
    let line = [
        "explain",
        &model.to_string_lossy(),
        "--tokenizer",
        PIECES,
        "--text",
        "good",
        "--out",
        &out.to_string_lossy(),
    ];
    run(line)?.succeeded()?;
    let name = document(&out)?["prediction"][0][0]["name"].clone();
    assert!(["bad", "fair", "fine"].iter().any(|label| name == *label), "{name}");
    Ok(())
}

#[test]
fn what_does_not_fit_says_so() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    let out = out.to_string_lossy();
    explain(&["--text", "a", "--text", "b", "--text-pair", "c"], &out)?.failed(2)?;
    explain(&["--text", "", "--no-special-tokens"], &out)?.failed(2)?;
    run(["explain", BERT, "--tokenizer", "missing.json", "--text", "a", "--out", &out])?.failed(2)?;
    run(["explain", BERT, "--tokenizer", "tests/models/index.json", "--text", "a", "--out", &out])?
        .failed(5)?;
    let vit = [
        "explain",
        "tests/models/t5.pt",
        "--tokenizer",
        "tests/text/words.json",
        "--text",
        "a",
        "--out",
        &out,
    ];
    run(vit)?.failed(5)?;
    for line in [["--text", "a"], ["--tokenizer", PIECES]] {
        let run = run([&["explain", BERT][..], &line[..]].concat())?;
        assert_eq!(run.code, Some(2), "{run:?}");
    }
    Ok(())
}
