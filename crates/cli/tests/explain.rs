//! `dlbacktrace explain` on real models and data.

use ndarray::{ArrayD, IxDyn, OwnedRepr};
use ndarray_npy::{NpzReader, write_npy};
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use testkit::command::{
    CANCER, CELLS, DIGIT, DIGITS, Outcome, Run, document, listing, program, run, torchscript,
};
use testkit::fixtures::{TORCHSCRIPT, checkout};

/// The arrays that `explain` wrote.
fn arrays(out: &Path) -> Result<BTreeMap<String, ArrayD<f32>>, Box<dyn Error>> {
    let mut npz = NpzReader::new(File::open(out.join("relevance.npz"))?)?;
    let names = npz.names()?;
    names.into_iter().map(|name| Ok((name.clone(), npz.by_name::<OwnedRepr<f32>, IxDyn>(&name)?))).collect()
}

fn total(array: &ArrayD<f32>) -> f64 {
    array.iter().map(|v| f64::from(*v)).sum()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-4 * a.abs().max(b.abs()).max(1e-6)
}

#[test]
fn an_image_gets_arrays_document_and_heatmap() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    let said = run(["explain", DIGITS, "--input", DIGIT, "--out", &out.to_string_lossy()])?.succeeded()?.out;
    assert_eq!(listing(&out)?, ["explanation.json", "heatmap-image.png", "relevance.npz"]);
    for part in ["predicted     digit 3", "explained: digit 3", "heatmap-image.png", "ledger        closes"] {
        assert!(said.contains(part), "`{part}` is missing from\n{said}");
    }

    let document = document(&out)?;
    assert_eq!(document["schema_version"], 1);
    assert_eq!(document["target"], serde_json::json!([3]));
    assert_eq!(document["prediction"][0][0]["name"], "digit 3");
    assert_eq!(document["coverage"], 1.0);
    assert_eq!(document["totals"]["closes"], true);
    assert_eq!(document["model"]["sha256"].as_str().map(str::len), Some(64));
    assert!(number(&document["peak_memory_bytes"]) > 1e7);
    assert!(!document["ledger"]["entries"].as_array().is_none_or(Vec::is_empty));

    let key = document["inputs"][0]["arrays"]["relevance"].as_str().ok_or("no key")?;
    let relevance = &arrays(&out)?[key];
    assert_eq!(relevance.shape(), [1, 1, 8, 8]);
    assert!(close(total(relevance), number(&document["totals"]["inputs"]["positive"])));
    let lost: f64 = document["totals"]["losses"]
        .as_object()
        .ok_or("no losses")?
        .values()
        .map(|amount| number(&amount["positive"]))
        .sum();
    assert!(close(number(&document["start"]["positive"]), total(relevance) + lost));

    let picture = image::open(out.join("heatmap-image.png"))?;
    assert!(picture.width() > 640 && picture.height() > 320, "enlarged from 8×8");
    Ok(())
}

#[test]
fn a_table_gets_charts_with_its_names() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    run(["explain", CANCER, "--input", CELLS, "--row", "1,4", "--out", &out.to_string_lossy()])?
        .succeeded()?;
    let document = document(&out)?;
    let input = &document["inputs"][0];
    assert_eq!(input["shape"], serde_json::json!([2, 30]));
    assert_eq!(input["features"][0], "mean_radius");
    assert_eq!(input["most_relevant"].as_array().map(Vec::len), Some(2));
    let files = listing(&out)?;
    assert_eq!(files.iter().filter(|name| name.ends_with(".png")).count(), 2, "{files:?}");
    let chart = files.iter().find(|name| name.ends_with(".svg")).ok_or("no chart")?;
    let strongest = input["most_relevant"][0][0]["name"].as_str().ok_or("no feature")?;
    assert!(fs::read_to_string(out.join(chart))?.contains(strongest));

    // A row is explained alone as it is among others.
    let alone = room.path().join("alone");
    run(["explain", CANCER, "--input", CELLS, "--row", "4", "--out", &alone.to_string_lossy()])?
        .succeeded()?;
    let (both, one) = (arrays(&out)?, arrays(&alone)?);
    let key = one.keys().next().ok_or("no array")?;
    for (a, b) in both[key].index_axis(ndarray::Axis(0), 1).iter().zip(one[key].iter()) {
        assert!(close(f64::from(*a), f64::from(*b)), "{a} and {b}");
    }
    Ok(())
}

#[test]
fn contrastive_mode_has_two_channels() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    let out_text = out.to_string_lossy();
    let asked =
        ["explain", DIGITS, "--input", DIGIT, "--mode", "contrastive", "--target", "8", "--out", &out_text];
    let said = run(asked)?.succeeded()?.out;
    assert!(said.contains("for less") && said.contains("start from probabilities"), "{said}");
    let document = document(&out)?;
    assert_eq!(document["settings"]["mode"], "contrastive");
    assert_eq!(document["target"], serde_json::json!([8]));
    let keys = &document["inputs"][0]["arrays"];
    assert_eq!(keys["positive"], "input:image:positive");
    assert_eq!(keys["negative"], "input:image:negative");
    let arrays = arrays(&out)?;
    assert_eq!(arrays.len(), 3);
    for (key, channel) in [("input:image:positive", "positive"), ("input:image:negative", "negative")] {
        assert!(close(total(&arrays[key]), number(&document["totals"]["inputs"][channel])), "{key}");
    }
    assert_eq!(keys["difference"], "input:image:difference");
    let difference = &arrays["input:image:difference"];
    assert_eq!(difference, &(&arrays["input:image:positive"] - &arrays["input:image:negative"]));
    assert!(close(total(difference), number(&document["inputs"][0]["difference"])));
    // From probabilities there is nothing to suggest.
    let likely = run([&asked[..], &["--from-logits"]].concat())?.succeeded()?.out;
    assert!(!likely.contains("start from probabilities"), "{likely}");
    Ok(())
}

#[test]
fn a_chart_in_contrastive_mode_shows_the_difference_over_both_channels() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    let asked = [
        "explain",
        CANCER,
        "--input",
        CELLS,
        "--row",
        "1",
        "--mode",
        "contrastive",
        "--from-logits",
        "--out",
    ];
    run([&asked[..], &[&out.to_string_lossy()]].concat())?.succeeded()?;
    let files = listing(&out)?;
    let chart = files.iter().find(|name| name.ends_with(".svg")).ok_or("no chart")?;
    let chart = fs::read_to_string(out.join(chart))?;
    assert!(chart.contains("for minus against (both in grey)"), "{chart}");
    assert_eq!(
        chart.matches("height=\"2.5\"").count(),
        2 * 21,
        "two channels of 20 features and of the rest"
    );
    Ok(())
}

#[test]
fn models_of_doubles_get_doubles() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    let (model, input) = (torchscript("mlp_f64.pt"), torchscript("mlp_f64.safetensors"));
    run(["explain", model, "--input", input, "-q", "--all-values", "--out", &out.to_string_lossy()])?
        .succeeded()?;
    let document = document(&out)?;
    let mut file = NpzReader::new(File::open(out.join("relevance.npz"))?)?;
    let relevance = file.by_name::<OwnedRepr<f64>, IxDyn>("input:x")?;
    assert!((relevance.sum() - number(&document["totals"]["inputs"]["positive"])).abs() < 1e-12);
    let value = document["values"][0]["arrays"]["relevance"].as_str().ok_or("no value")?;
    assert!(file.by_name::<OwnedRepr<f64>, IxDyn>(value).is_ok());
    Ok(())
}

#[test]
fn json_prints_the_document_and_nothing_else() -> Outcome {
    let room = tempfile::tempdir()?;
    let printed = program()
        .args(["explain"])
        .arg(checkout().join(DIGITS))
        .arg("--input")
        .arg(checkout().join(DIGIT))
        .arg("--json")
        .current_dir(room.path())
        .output()?;
    assert!(printed.status.success() && printed.stderr.is_empty());
    let document: Value = serde_json::from_slice(&printed.stdout)?;
    assert_eq!(document["target"], serde_json::json!([3]));
    assert!(listing(room.path())?.is_empty(), "no files were asked for");
    Ok(())
}

#[test]
fn modules_account_for_what_passed_them() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    run(["explain", DIGITS, "--input", DIGIT, "--modules", "-q", "--out", &out.to_string_lossy()])?
        .succeeded()?;
    let document = document(&out)?;
    let modules = document["modules"].as_array().ok_or("no modules")?;
    assert!(modules.len() >= 3, "{modules:?}");
    let amount = |value: &Value| number(&value["positive"]);
    for module in modules {
        let lost: f64 = module["lost"].as_object().ok_or("no losses")?.values().map(amount).sum();
        assert!(close(amount(&module["received"]), amount(&module["delivered"]) + lost), "{module}");
    }
    Ok(())
}

#[test]
fn all_values_are_written_under_the_names_the_document_gives() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    run(["explain", DIGITS, "--input", DIGIT, "--all-values", "-q", "--out", &out.to_string_lossy()])?
        .succeeded()?;
    let (document, arrays) = (document(&out)?, arrays(&out)?);
    let values = document["values"].as_array().ok_or("no values")?;
    assert!(values.len() >= 5, "{values:?}");
    for value in values {
        let array = &arrays[value["arrays"]["relevance"].as_str().ok_or("no key")?];
        let shape: Vec<usize> = serde_json::from_value(value["shape"].clone())?;
        assert_eq!(array.shape(), shape);
    }
    assert_eq!(arrays.len(), values.len() + 1);
    Ok(())
}

#[test]
fn starts_of_ones_own_scale_the_result() -> Outcome {
    let room = tempfile::tempdir()?;
    let seed = room.path().join("seed.npy");
    let mut start = ArrayD::<f64>::zeros(vec![1, 10]);
    start[[0, 3]] = 2.0;
    write_npy(&seed, &start)?;
    let seed = seed.to_string_lossy();
    let total_of = |options: &[&str]| -> Result<f64, Box<dyn Error>> {
        let printed =
            run([&["explain", DIGITS, "--input", DIGIT, "--json"], options].concat())?.succeeded()?.out;
        let document: Value = serde_json::from_str(&printed)?;
        Ok(number(&document["totals"]["inputs"]["positive"]))
    };
    let scaled = total_of(&["--scaler", "2"])?;
    assert!(scaled != 0.0);
    assert!(close(total_of(&["--start", &seed])?, scaled));
    assert!(close(total_of(&["--scaler", "2", "--multiplier", "-3"])?, -3.0 * scaled));
    assert!(!close(total_of(&["--scaler", "2", "--target", "8"])?, scaled));
    Ok(())
}

#[test]
fn a_unit_is_told_apart_from_another_or_all_others() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    let asked = |versus: &str| -> Result<(String, Value), Box<dyn Error>> {
        let line = [
            "explain",
            DIGITS,
            "--input",
            DIGIT,
            "--versus",
            versus,
            "--rules",
            "last-layer-signed",
            "--out",
        ];
        let said = run([&line[..], &[&out.to_string_lossy()]].concat())?.succeeded()?.out;
        Ok((said, document(&out)?))
    };
    let (said, by_name) = asked("Digit 5")?;
    assert!(said.contains("explained: digit 3 versus digit 5"), "{said}");
    assert!(said.contains("at the start, a difference"), "{said}");
    assert_eq!(by_name["target"], serde_json::json!([3]));
    assert_eq!(by_name["versus"], serde_json::json!({"unit": 5}));
    assert_eq!(by_name["versus_name"], "digit 5");
    let scores = by_name["prediction"][0].as_array().ok_or("no prediction")?;
    let difference = number(&scores[0]["value"]) - number(&scores[1]["value"]);
    assert!(close(number(&by_name["start"]["positive"]), difference), "{difference}");
    assert_eq!(by_name["totals"]["closes"], true);
    let (said, others) = asked("others")?;
    assert!(said.contains("explained: digit 3 versus others"), "{said}");
    assert!(said.contains("taken for logits"), "{said}");
    assert_eq!((&others["versus"], &others["versus_name"]), (&serde_json::json!("others"), &Value::Null));
    Ok(())
}

/// A reader of the document must be able to ask for the same explanation again.
#[test]
fn the_document_states_what_was_asked_for() -> Outcome {
    let settings = |options: &[&str]| -> Result<Value, Box<dyn Error>> {
        let (model, input) = (torchscript("tabular_wide.pt"), torchscript("tabular_wide.safetensors"));
        let printed =
            run([&["explain", model, "--input", input, "--json"], options].concat())?.succeeded()?.out;
        let document: Value = serde_json::from_str(&printed)?;
        assert_eq!(document["inputs"].as_array().map(Vec::len), Some(if options.is_empty() { 2 } else { 1 }));
        Ok(document["settings"].clone())
    };
    let plain = settings(&[])?;
    assert_eq!((&plain["from_logits"], &plain["allow_unruled"]), (&Value::Bool(false), &Value::Bool(false)));
    assert_eq!((plain.get("numeric_inputs"), plain.get("constant_inputs")), (None, None));
    let chosen = settings(&["--from-logits", "--allow-unruled", "--constant-input", "categories"])?;
    assert_eq!((&chosen["from_logits"], &chosen["allow_unruled"]), (&Value::Bool(true), &Value::Bool(true)));
    assert_eq!(chosen["constant_inputs"], serde_json::json!(["categories"]));
    Ok(())
}

#[test]
fn every_kind_of_file_gives_the_same_relevance() -> Outcome {
    let room = tempfile::tempdir()?;
    let relevance = |input: &str| -> Result<ArrayD<f32>, Box<dyn Error>> {
        let out = room.path().join("out");
        run([
            "explain",
            torchscript("mlp_traced.pt"),
            "--input",
            input,
            "-q",
            "--out",
            &out.to_string_lossy(),
        ])?
        .succeeded()?;
        Ok(arrays(&out)?["input:x"].clone())
    };
    let reference = relevance(torchscript("mlp_traced.safetensors"))?;
    assert!(total(&reference) != 0.0);

    let bytes = fs::read(TORCHSCRIPT.path("mlp_traced.safetensors"))?;
    let x = safetensors::SafeTensors::deserialize(&bytes)?;
    let x = x.tensor("x")?;
    let values: Vec<f64> =
        x.data().as_chunks::<4>().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect();
    let x = ArrayD::from_shape_vec(x.shape().to_vec(), values)?;
    let path = |name: &str| room.path().join(name).to_string_lossy().into_owned();

    write_npy(path("x.npy"), &x)?;
    let mut npz = ndarray_npy::NpzWriter::new(File::create(path("x.npz"))?);
    npz.add_array("other", &x.mapv(|v| v + 1.0))?;
    npz.add_array("x", &x)?;
    npz.finish()?;
    let rows: Vec<Vec<f64>> = x.outer_iter().map(|row| row.iter().copied().collect()).collect();
    fs::write(path("x.json"), serde_json::to_string(&rows)?)?;
    let lines: Vec<String> =
        rows.iter().map(|row| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",")).collect();
    fs::write(path("x.csv"), lines.join("\n"))?;
    for input in [
        path("x.npy"),
        path("x.npz"),
        format!("x={}:x", path("x.npz")),
        path("x.json"),
        path("x.csv"),
        format!("x={}", path("x.npy")),
        format!("x={}:x", torchscript("mlp_traced.safetensors")),
    ] {
        assert_eq!(relevance(&input)?, reference, "{input}");
    }
    Ok(())
}

#[test]
fn arguments_of_every_kind() -> Outcome {
    let of = |model: &str, extra: &[&str]| {
        let (pt, data) = (torchscript(&format!("{model}.pt")), torchscript(&format!("{model}.safetensors")));
        run([&["explain", pt, "--json", "--input", data], extra].concat()).and_then(Run::succeeded)
    };
    for (model, extra, inputs) in [
        ("input_scalars", &["times=3", "scale=1.5", "rectify=true"][..], &["x"][..]),
        ("input_defaults", &["times=2", "scale=0.5"], &["x"]),
        ("input_text", &["mode=relu", "shape=[2,3,2]"], &["x"]),
        ("input_dict", &[], &["batch.left", "batch.right"]),
        ("input_tuple", &[], &["pair[0]", "pair[1]"]),
        ("input_list", &[], &["parts[0]", "parts[1]", "parts[2]"]),
        ("input_optional_absent", &[], &["x"]),
        ("input_mask", &[], &["x"]),
        ("two_inputs", &[], &["left", "right"]),
        ("embedding", &[], &["ids"]),
    ] {
        let document: Value = serde_json::from_str(&of(model, extra)?.out)?;
        let names: Vec<_> = document["inputs"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|input| input["name"].as_str())
            .collect();
        assert!(inputs.iter().all(|input| names.contains(input)), "{model} has {names:?}");
    }
    Ok(())
}

#[test]
fn outputs_by_name_and_number() -> Outcome {
    let shape = |output: &str| -> Result<Value, Box<dyn Error>> {
        let (model, data) = (torchscript("output_dict.pt"), torchscript("output_dict.safetensors"));
        let printed =
            run(["explain", model, "--input", data, "--output", output, "--json"])?.succeeded()?.out;
        Ok(serde_json::from_str::<Value>(&printed)?["output"].clone())
    };
    assert_eq!(shape("logits")?, shape("0")?);
    assert_eq!(shape("boxes")?, shape("1")?);
    assert_ne!(shape("logits")?, shape("boxes")?);
    Ok(())
}

#[test]
fn a_second_run_replaces_the_first() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    let out_text = out.to_string_lossy();
    run(["explain", CANCER, "--input", CELLS, "--row", "0", "-q", "--out", &out_text])?.succeeded()?;
    fs::write(out.join("notes.txt"), "mine")?;
    run(["explain", DIGITS, "--input", DIGIT, "-q", "--out", &out_text])?.succeeded()?;
    assert_eq!(listing(&out)?, ["explanation.json", "heatmap-image.png", "notes.txt", "relevance.npz"]);
    assert_eq!(listing(room.path())?, ["out"]);
    Ok(())
}

#[test]
fn a_closed_pipe_is_no_failure() -> Outcome {
    let mut child = program()
        .args(["explain", DIGITS, "--input", DIGIT, "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    drop(child.stdout.take());
    let output = child.wait_with_output()?;
    assert_eq!((output.status.code(), String::from_utf8(output.stderr)?), (Some(0), String::new()));
    Ok(())
}

#[test]
fn inputs_take_the_precision_of_the_model() -> Outcome {
    let room = tempfile::tempdir()?;
    let input = room.path().join("x.npy");
    write_npy(&input, &ArrayD::<f64>::from_elem(vec![2, 4], 0.5))?;
    for model in ["mlp_f16", "mlp_bf16", "mlp_traced", "mlp_f64"] {
        let said = run([
            "explain",
            &TORCHSCRIPT.path(&format!("{model}.pt")).to_string_lossy(),
            "--json",
            "--input",
            &input.to_string_lossy(),
        ])?
        .succeeded()?
        .out;
        let document: Value = serde_json::from_str(&said)?;
        assert_eq!(document["coverage"], 1.0, "{model}");
    }
    let kept = run([
        "explain",
        &TORCHSCRIPT.path("mlp_f16.pt").to_string_lossy(),
        "--dtype",
        "keep",
        "--input",
        &input.to_string_lossy(),
    ])?;
    kept.failed(5)?;
    Ok(())
}

/// By DLBacktrace's own rules two classes see the same pixels, by a signed set they do not. The document says by which rules.
#[test]
fn a_rule_set_by_name_and_by_file() -> Outcome {
    let room = tempfile::tempdir()?;
    let explained = |rules: &str, target: &str| -> Result<(ArrayD<f32>, Value), Box<dyn Error>> {
        let out = room.path().join("out");
        let place = out.to_string_lossy().into_owned();
        let line =
            ["explain", DIGITS, "--input", DIGIT, "--rules", rules, "--target", target, "--out", &place];
        run(line)?.succeeded()?;
        let relevance = arrays(&out)?.into_values().next().ok_or("no relevance")?;
        Ok((relevance, document(&out)?["settings"]["rules"].clone()))
    };
    let likeness = |rules: &str| -> Result<f32, Box<dyn Error>> {
        let [(a, _), (b, _)] = [explained(rules, "3")?, explained(rules, "5")?];
        Ok((&a * &b).sum() / ((&a * &a).sum() * (&b * &b).sum()).sqrt())
    };
    let file = room.path().join("rules.toml");
    let path = file.to_string_lossy().into_owned();
    fs::write(&file, "name = 'mine'\n[[step]]\nkinds = ['linear', 'convolution']\nrule = { gamma = 0.25 }")?;
    let (own, signed) = (likeness("backtrace")?, likeness(&path)?);
    assert!(own > 0.99 && signed < 0.95, "{own}, {signed}");
    let rule = serde_json::json!({ "kinds": ["linear", "convolution"], "rule": { "gamma": 0.25 } });
    assert_eq!(explained(&path, "3")?.1, serde_json::json!({ "name": "mine", "step": [rule] }));

    // What is printed can be given again.
    fs::write(&file, run(["rules", "last-layer-signed"])?.succeeded()?.out)?;
    assert_eq!(explained(&path, "3")?, explained("last-layer-signed", "3")?);
    Ok(())
}

/// The range of a picture bounds the layer that reads it; of anything else the bounds must be given.
#[test]
fn pictures_bound_the_rule_box() -> Outcome {
    let said =
        |args: &[&str]| run([&["explain", DIGITS, "--rules", "epsilon-gamma-box", "--json"], args].concat());
    let bounds = |args: &[&str]| -> Result<Value, Box<dyn Error>> {
        let document: Value =
            serde_json::from_str(&said(&[&["--input", DIGIT], args].concat())?.succeeded()?.out)?;
        assert_eq!(document["totals"]["closes"], true);
        Ok(document["settings"]["rules"]["step"][0]["rule"]["box"].clone())
    };
    assert_eq!(bounds(&[])?, serde_json::json!({ "low": 0.0, "high": 1.0, "of": "input" }));
    let normed = serde_json::json!({ "low": -2.0, "high": 2.0, "of": "input" });
    assert_eq!(bounds(&["--mean", "0.5", "--std", "0.25"])?, normed);
    // A deviation below 0 exchanges dark and light.
    assert_eq!(bounds(&["--mean", "0.5", "--std=-0.25"])?, normed);

    let room = tempfile::tempdir()?;
    let array = room.path().join("x.npy");
    write_npy(&array, &ArrayD::<f32>::from_elem(vec![1, 1, 8, 8], 0.5))?;
    let unbounded = said(&["--input", &array.to_string_lossy()])?;
    assert_eq!(unbounded.code, Some(2), "{unbounded:?}");
    assert!(unbounded.err.contains("the rule box needs the least and the largest number"), "{unbounded:?}");

    // Bounds on the command line come before those of pictures. They are those of the layer's operand.
    assert_eq!(bounds(&["--bounds=-1,2"])?, serde_json::json!({ "low": -1.0, "high": 2.0 }));
    let bounded = said(&["--input", &array.to_string_lossy(), "--bounds", "0,1"])?;
    assert_eq!(bounded.code, Some(0), "{bounded:?}");
    for (args, expected) in [
        (["--rules", "epsilon-gamma-box", "--bounds", "1,0"], "give two numbers, the lower first"),
        (["--rules", "epsilon-gamma-box", "--bounds", "1"], "give two numbers, the lower first"),
        (["--rules", "epsilon", "--bounds", "0,1"], "no rule of the set epsilon leaves bounds open"),
    ] {
        for command in ["explain", "verify"] {
            let refused = run([&[command, DIGITS, "--json", "--input", DIGIT], args.as_slice()].concat())?;
            assert_eq!(refused.code, Some(2), "{refused:?}");
            assert!(refused.err.contains(expected), "{refused:?}");
        }
    }
    let verified = ["--input", &array.to_string_lossy(), "--rules", "epsilon-gamma-box", "--bounds", "0,1"];
    run([&["verify", DIGITS], verified.as_slice()].concat())?.succeeded()?;

    // It scales its pixels itself, so that its first layer reads something else.
    let scaled = torchscript("pixels_mean.pt");
    let scaled = run([
        "explain",
        scaled,
        "--rules",
        "epsilon-gamma-box",
        "--json",
        "--input",
        DIGIT,
        "--resize",
        "6x6",
    ])?;
    assert_eq!(scaled.code, Some(2), "{scaled:?}");
    assert!(scaled.err.contains("the bounds of the input are not those of aten::"), "{scaled:?}");

    let file = room.path().join("rules.toml");
    let printed = run(["rules", "epsilon-gamma-box"])?.succeeded()?.out;
    let path = file.to_string_lossy().into_owned();
    for (bounds, expected) in [
        ("{ low = 0, high = 1 }", None),
        (
            "{ low = 0, high = 0.25 }",
            Some("reaches from 0.5000 to 0.5000, outside the bounds 0 to 0.25 of the rule box"),
        ),
        ("{ low = [0, 0], high = 1 }", Some("but its operand has 1 channels")),
    ] {
        fs::write(&file, printed.replace("rule = \"box\"", &format!("rule = {{ box = {bounds} }}")))?;
        let found =
            run(["explain", DIGITS, "--json", "--rules", &path, "--input", &array.to_string_lossy()])?;
        assert_eq!(found.code, Some(if expected.is_none() { 0 } else { 2 }), "{found:?}");
        assert!(expected.is_none_or(|text| found.err.contains(text)), "{found:?}");
    }
    Ok(())
}

#[test]
fn a_rule_set_that_is_wrong_is_a_usage_error() -> Outcome {
    let room = tempfile::tempdir()?;
    let file = room.path().join("rules.toml");
    let path = file.to_string_lossy().into_owned();
    let said = |rules: &str, mode: &str| -> Result<String, Box<dyn Error>> {
        let out = run(["explain", DIGITS, "--input", DIGIT, "--json", "--rules", rules, "--mode", mode])?;
        assert_eq!(out.code, Some(2), "{out:?}");
        Ok(out.err)
    };
    assert!(said("epsilonn", "default")?.contains("there is no rule set epsilonn; there are backtrace"));
    assert!(said("epsilonn", "default")?.contains("Did you mean epsilon, "));
    assert!(said("absent.toml", "default")?.contains("No such file"));
    fs::write(&file, "name = 'mine'\n[[step]]\nkinds = ['linaer']\nrule = 'z-plus'")?;
    assert!(said(&path, "default")?.contains("unknown variant `linaer`"));
    assert!(said(&path, "default")?.contains("Did you mean linear?"));
    fs::write(&file, "name = 'mine'\n[[step]]\nmodule = 'conv9'\nrule = 'z-plus'")?;
    assert!(said(&path, "default")?.contains("conv9: it selects nothing of this model"));
    assert!(
        said("last-layer-signed", "contrastive")?
            .contains("contrastive mode belongs to the rule set backtrace")
    );
    Ok(())
}
