//! `dlbacktrace generate` on small transformers with random weights.

use ndarray::{Array1, Array2, Ix1, Ix2, OwnedRepr};
use ndarray_npy::{NpzReader, write_npy};
use serde_json::Value;
use std::collections::BTreeSet;
use std::error::Error;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use testkit::command::{self, Outcome, listing, program, run};
use testkit::fixtures::checkout;

type Fallible<T> = Result<T, Box<dyn Error>>;

const GPT2: &str = "tests/models/gpt2.pt";
const LLAMA: &str = "tests/models/llama.pt";
const WORDS: &str = "tests/text/words.json";
const PROMPT: &str = "the old cat";

/// Runs `generate` and returns its document.
fn generate(model: &str, options: &[&str], out: &Path) -> Fallible<Value> {
    let out = out.to_string_lossy();
    let line = ["generate", model, "--tokenizer", WORDS, "--prompt", PROMPT, "--out", &out, "--json"];
    Ok(serde_json::from_str(&run([&line, options].concat())?.succeeded()?.out)?)
}

/// The generated tokens, without explanations.
fn ids(options: &[&str]) -> Fallible<Vec<u32>> {
    let room = tempfile::tempdir()?;
    Ok(numbers(&generate(GPT2, &[options, &["--explain", "none"]].concat(), room.path())?))
}

fn numbers(document: &Value) -> Vec<u32> {
    let tokens = document["tokens"].as_array().cloned().unwrap_or_default();
    tokens.iter().filter_map(|token| u32::try_from(token["id"].as_u64()?).ok()).collect()
}

fn probabilities(document: &Value) -> Vec<f64> {
    let steps = document["steps"].as_array().cloned().unwrap_or_default();
    steps.iter().filter_map(|step| step["probability"].as_f64()).collect()
}

fn arrays(out: &Path) -> Fallible<(Array2<f32>, Array1<i64>, Array1<i64>)> {
    let mut npz = NpzReader::new(File::open(out.join("relevance.npz"))?)?;
    let relevance = npz.by_name::<OwnedRepr<f32>, Ix2>("relevance")?;
    let ids = npz.by_name::<OwnedRepr<i64>, Ix1>("ids")?;
    Ok((relevance, ids, npz.by_name::<OwnedRepr<i64>, Ix1>("steps")?))
}

#[test]
fn the_greedy_text_is_a_chain_of_next_tokens_and_relevance_is_that_of_explain() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    let document = generate(GPT2, &["--max-new-tokens", "4"], &out)?;
    assert_eq!(listing(&out)?, ["generation.json", "relevance.npz", "tokens.html", "tokens.png"]);
    assert_eq!((&document["ended"], &document["complete"]), (&"length".into(), &true.into()));
    let ids = numbers(&document);
    assert_eq!(ids.len(), 7);
    let (relevance, stored, steps) = arrays(&out)?;
    assert_eq!(stored.to_vec(), ids.iter().map(|id| i64::from(*id)).collect::<Vec<_>>());
    assert_eq!(steps.to_vec(), [1, 2, 3, 4]);

    for step in 0..4 {
        let before = &ids[..3 + step];
        let file = room.path().join("ids.npy");
        let row: Vec<i64> = before.iter().map(|id| i64::from(*id)).collect();
        write_npy(&file, &Array2::from_shape_vec((1, row.len()), row)?)?;
        let mask = room.path().join("mask.npy");
        write_npy(&mask, &Array2::<i64>::ones((1, before.len())))?;
        let (file, mask) =
            (format!("input_ids={}", file.display()), format!("attention_mask={}", mask.display()));
        let single = room.path().join("single");
        let line = [
            "explain",
            GPT2,
            "--task",
            "next-token",
            "--out",
            &single.to_string_lossy(),
            "--input",
            &file,
            &mask,
        ];
        run(line)?.succeeded()?;
        assert_eq!(command::document(&single)?["target"][0], ids[3 + step], "step {step}");
        let mut npz = NpzReader::new(File::open(single.join("relevance.npz"))?)?;
        let expected = npz.by_name::<OwnedRepr<f32>, Ix2>("input:input_ids")?;
        for (token, value) in relevance.column(step).iter().enumerate() {
            assert_eq!(*value, expected.get((0, token)).copied().unwrap_or(0.0), "{token} for {step}");
        }
    }
    Ok(())
}

#[test]
fn every_step_accounts_for_one_and_never_looks_ahead() -> Outcome {
    for model in [GPT2, LLAMA] {
        let room = tempfile::tempdir()?;
        let document = generate(model, &["--max-new-tokens", "5", "--explain", "steps:2,5"], room.path())?;
        let (relevance, _, steps) = arrays(room.path())?;
        assert_eq!((relevance.dim(), steps.to_vec()), ((8, 2), vec![2, 5]));
        for (column, step) in steps.iter().enumerate() {
            let there = 3 + usize::try_from(*step)? - 1;
            assert!(relevance.column(column).iter().skip(there).all(|value| *value == 0.0), "{model}");
            let explained = &document["steps"][usize::try_from(*step)? - 1]["explained"];
            assert_eq!(explained["column"], column);
            let lost = explained["lost"].as_object().ok_or("no losses")?.values().filter_map(Value::as_f64);
            let other = explained["other_inputs"].as_f64().ok_or("no other inputs")?;
            let sum: f64 = relevance.column(column).iter().map(|value| f64::from(*value)).sum();
            assert!(
                sum > 0.0 && (sum + other + lost.sum::<f64>() - 1.0).abs() < 1e-4,
                "{model}: {explained}"
            );
        }
        assert!(document["steps"][0]["explained"].is_null());
    }
    Ok(())
}

#[test]
fn tokens_are_explained_by_other_rules_and_told_apart() -> Outcome {
    let room = tempfile::tempdir()?;
    let options = ["--max-new-tokens", "3", "--rules", "attn-lrp", "--versus"];
    let with = |versus: &str| generate(LLAMA, &[options.as_slice(), &[versus]].concat(), room.path());
    let document = with("others")?;
    assert_eq!((&document["rules"]["name"], &document["versus"]), (&"attn-lrp".into(), &"others".into()));
    let (relevance, _, _) = arrays(room.path())?;
    assert!(relevance.iter().any(|value| *value < 0.0) && relevance.iter().any(|value| *value > 0.0));
    for step in document["steps"].as_array().ok_or("no steps")? {
        let explained = &step["explained"];
        let number = |name: &str| explained[name].as_f64().ok_or("no number");
        let lost = explained["lost"].as_object().ok_or("no losses")?.values().filter_map(Value::as_f64);
        let gap = number("tokens")? + number("other_inputs")? + lost.sum::<f64>() - number("start")?;
        assert!(gap.abs() < 1e-3, "{explained}");
    }

    // A token is not told apart from itself.
    let first = numbers(&document)[3].to_string();
    let itself = with(&first)?;
    assert!(itself["steps"][0]["explained"].is_null(), "{itself}");
    assert!(itself["steps"][1]["explained"].is_object() && itself["complete"] == true, "{itself}");
    let warning = itself["warnings"][0].as_str().unwrap_or_default();
    assert!(warning.contains("the token is the one of --versus: steps 1"), "{warning}");

    let out = room.path().join("refused");
    let out = out.to_string_lossy();
    for (option, value) in [("--versus", "nosuch"), ("--rules", "epsilom")] {
        let line =
            ["generate", LLAMA, "--tokenizer", WORDS, "--prompt", PROMPT, "--out", &out, option, value];
        run(line)?.failed(2)?;
    }
    Ok(())
}

#[test]
fn choices_of_tokens_hold() -> Outcome {
    let greedy = ids(&[])?;
    assert_eq!(greedy.len(), 23);
    assert_eq!(ids(&["--top-k", "1"])?, greedy);
    assert_eq!(ids(&["--temperature", "0.0001", "--seed", "5"])?, greedy);
    assert_eq!(ids(&["--beams", "1"])?, greedy);
    let drawn = |seed| ids(&["--temperature", "2", "--seed", seed]);
    assert_eq!(drawn("1")?, drawn("1")?);
    assert_ne!(drawn("1")?, drawn("2")?);

    let pairs = ids(&["--no-repeat-ngram", "2"])?;
    assert_eq!(pairs.windows(2).collect::<BTreeSet<_>>().len(), pairs.len() - 1, "{pairs:?}");
    assert_ne!(
        greedy.windows(2).collect::<BTreeSet<_>>().len(),
        greedy.len() - 1,
        "the greedy text must repeat a pair"
    );
    let once = ids(&["--repetition-penalty", "1000", "--max-new-tokens", "8"])?;
    assert_eq!(once.iter().collect::<BTreeSet<_>>().len(), once.len(), "{once:?}");
    Ok(())
}

#[test]
fn beams_find_texts_at_least_as_probable() -> Outcome {
    let room = tempfile::tempdir()?;
    let total = |options: &[&str]| -> Fallible<f64> {
        let options = [options, &["--explain", "none", "--max-new-tokens", "6"]].concat();
        Ok(probabilities(&generate(GPT2, &options, room.path())?).iter().map(|p| p.ln()).sum())
    };
    let (greedy, beams) = (total(&[])?, total(&["--beams", "6"])?);
    assert!(beams >= greedy, "{beams} against {greedy}");
    Ok(())
}

#[test]
fn a_text_ends_at_its_stop_but_not_too_soon() -> Outcome {
    let greedy = ids(&[])?;
    let stop = greedy[4].to_string();
    let first = greedy.iter().skip(3).position(|id| *id == greedy[4]).ok_or("not there")? + 4;
    assert_eq!(ids(&["--stop", &stop])?, greedy[..first]);
    let later = ids(&["--stop", &stop, "--min-new-tokens", "9"])?;
    assert!(later.len() >= 12 && !later[3..12].contains(&greedy[4]), "{later:?}");

    // As the file beside the model says.
    let room = tempfile::tempdir()?;
    let model = room.path().join("gpt2.pt");
    fs::copy(checkout().join("tests/models/gpt2.pt"), &model)?;
    fs::write(room.path().join("generation_config.json"), format!(r#"{{"eos_token_id": [{stop}]}}"#))?;
    let document = generate(&model.to_string_lossy(), &["--explain", "none"], &room.path().join("out"))?;
    assert_eq!((numbers(&document), &document["ended"]), (greedy[..first].to_vec(), &"stop".into()));
    Ok(())
}

#[test]
fn a_text_as_long_as_the_model_allows_is_kept() -> Outcome {
    let room = tempfile::tempdir()?;
    let document = generate(GPT2, &["--max-new-tokens", "60", "--explain", "first:1"], room.path())?;
    assert_eq!((numbers(&document).len(), &document["ended"]), (41, &"model".into()));
    assert!(document["warnings"][0].as_str().is_some_and(|text| text.contains("no more tokens")));
    Ok(())
}

#[test]
fn an_interrupted_run_keeps_its_steps_and_the_next_goes_on() -> Outcome {
    let room = tempfile::tempdir()?;
    let (out, whole) = (room.path().join("out"), room.path().join("whole"));
    let line = ["generate", LLAMA, "--tokenizer", WORDS, "--prompt", PROMPT, "--max-new-tokens", "100"];
    let child = program().args(line).arg("--quiet").stderr(Stdio::null()).arg("--out").arg(&out).spawn()?;
    let begun = Instant::now();
    while !out.join("steps/000002.json").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no step was explained");
        sleep(Duration::from_millis(1));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    let ended = child.wait_with_output()?.status;

    let first = generate_document(&out)?;
    let count = arrays(&out)?.2.len();
    if ended.code() == Some(0) {
        return Err("the run was over before it was interrupted".into());
    }
    assert_eq!(ended.code(), Some(130));
    assert!((2..100).contains(&count), "{count}");
    assert_eq!(first["complete"], false);
    assert!(out.join("steps").exists());

    let second = generate(LLAMA, &["--max-new-tokens", "100"], &out)?;
    let taken = format!("{count} explained tokens are taken over");
    assert!(
        second["warnings"][0].as_str().is_some_and(|text| text.contains(&taken)),
        "{}",
        second["warnings"]
    );
    assert_eq!(second["complete"], true);
    assert!(!out.join("steps").exists());
    generate(LLAMA, &["--max-new-tokens", "100"], &whole)?;
    assert_eq!(arrays(&out)?.0, arrays(&whole)?.0);
    Ok(())
}

fn generate_document(out: &Path) -> Fallible<Value> {
    Ok(serde_json::from_slice(&fs::read(out.join("generation.json"))?)?)
}

#[test]
fn what_cannot_generate_says_so() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    let out_text = out.to_string_lossy();
    let with = |model: &str, options: &[&str]| {
        run([&["generate", model, "--tokenizer", WORDS, "--out", &out_text], options].concat())
    };
    for prompt in [PROMPT, "the old cat sees a bird", "the old cat sees a bird and a dog"] {
        let said = with("tests/text/fixed_length.pt", &["--prompt", prompt])?.failed(5)?;
        assert!(said.contains("traced with 6 tokens") && said.contains("python_shims/trace_hf.py"), "{said}");
    }
    with("tests/models/bert.pt", &["--prompt", PROMPT])?.failed(5)?;
    with("tests/models/roberta.pt", &["--prompt", PROMPT])?.failed(5)?;
    with("tests/models/t5.pt", &["--prompt", PROMPT])?.failed(5)?;
    with(GPT2, &["--prompt", ""])?.failed(2)?;
    with(GPT2, &["--prompt-file", "missing.txt"])?.failed(2)?;
    with(GPT2, &["--prompt", PROMPT, "--stop", "nonsense"])?.failed(2)?;
    with(GPT2, &["--prompt", PROMPT, "--output", "nonsense"])?.failed(2)?;
    let line = ["generate", GPT2, "--prompt", PROMPT, "--out", &out_text, "--tokenizer"];
    run([&line[..], &["missing.json"]].concat())?.failed(2)?;
    run([&line[..], &["tests/models/index.json"]].concat())?.failed(5)?;
    for options in [
        &["--temperature", "0"][..],
        &["--temperature", "-1"],
        &["--top-k", "0"],
        &["--top-p", "1.5"],
        &["--beams", "0"],
        &["--beams", "2", "--top-k", "3"],
        &["--max-new-tokens", "0"],
        &["--repetition-penalty", "nan"],
        &["--explain", "some"],
        &["--prompt-file", "x"],
    ] {
        let run = with(GPT2, &[&["--prompt", PROMPT], options].concat())?;
        assert_eq!(run.code, Some(2), "{options:?}: {run:?}");
    }
    assert!(!out.exists());
    Ok(())
}
