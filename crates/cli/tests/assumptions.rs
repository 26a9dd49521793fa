//! What the command line leaves open is told by the model, or assumed; the command says so.

use ndarray::ArrayD;
use ndarray_npy::write_npy;
use serde_json::Value;
use std::error::Error;
use std::path::Path;
use testkit::command::{DIGIT, DIGITS, Outcome, document, run, saved_model, torchscript};
use testkit::fixtures::checkout;

fn json(arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
    let arguments = [&["explain"], arguments, &["--json"]].concat();
    Ok(serde_json::from_str(&run(arguments)?.succeeded()?.out)?)
}

fn lines<'a>(document: &'a Value, key: &str) -> Vec<&'a str> {
    document[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn says(document: &Value, key: &str, words: &str) -> bool {
    lines(document, key).iter().any(|line| line.contains(words))
}

fn scores(document: &Value) -> Vec<(String, f64)> {
    let mut units: Vec<(String, f64)> = document["prediction"][0]
        .as_array()
        .into_iter()
        .flatten()
        .map(|unit| {
            (unit["name"].as_str().unwrap_or_default().to_owned(), unit["value"].as_f64().unwrap_or(f64::NAN))
        })
        .collect();
    units.sort_by(|(a, _), (b, _)| a.cmp(b));
    units
}

fn agree(a: &Value, b: &Value) -> bool {
    let (a, b) = (scores(a), scores(b));
    !a.is_empty()
        && a.len() == b.len()
        && a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() < 1e-5)
}

/// The digit as pixels of 0 to 255, in the size that the models here take.
fn as_array(room: &Path, shape: &[usize]) -> Result<String, Box<dyn Error>> {
    let picture = image::open(checkout().join(DIGIT))?;
    let grey = image::DynamicImage::ImageLuma16(picture.to_luma16()).to_rgb32f();
    let small = image::imageops::resize(&grey, 6, 6, image::imageops::FilterType::Triangle);
    let pixels: Vec<f32> = small.pixels().map(|pixel| pixel.0[0] * 255.0).collect();
    let path = room.join("pixels.npy");
    write_npy(&path, &ArrayD::from_shape_vec(shape, pixels)?)?;
    Ok(path.to_string_lossy().into_owned())
}

#[test]
fn pictures_go_in_as_the_model_takes_them() -> Outcome {
    let room = tempfile::tempdir()?;
    let pixels = as_array(room.path(), &[1, 1, 6, 6])?;
    for name in ["pixels_bytes", "pixels_signed", "pixels_mean"] {
        let model = torchscript(&format!("{name}.pt"));
        let told = json(&[model, "--input", DIGIT, "--resize", "6x6"])?;
        assert!(
            says(&told, "assumed", "pixels are 0 to 255, because the model first"),
            "{name}: {:?}",
            lines(&told, "assumed")
        );
        assert!(says(&told, "assumed", "channels of pictures come before"), "{name}");
        assert!(agree(&told, &json(&[model, "--input", &pixels])?), "{name}: {told}");
        let asked =
            json(&[model, "--input", DIGIT, "--resize", "6x6", "--range", "0..255", "--layout", "nchw"])?;
        assert!(agree(&told, &asked) && !says(&asked, "assumed", "pixels are"), "{name}");
        let wrong = json(&[model, "--input", DIGIT, "--resize", "6x6", "--range", "0..1"])?;
        assert!(says(&wrong, "warnings", "as if they were 0 to 255") && !agree(&wrong, &told), "{name}");
    }
    let unit = json(&[torchscript("pixels_unit.pt"), "--input", DIGIT, "--resize", "6x6"])?;
    assert!(says(&unit, "assumed", "pixels are 0 to 1, because the model first"));
    let silent = json(&[DIGITS, "--input", DIGIT])?;
    assert!(says(&silent, "assumed", "pixels are 0 to 1, because nothing in the model shows their range"));
    Ok(())
}

#[cfg(feature = "tensorflow")]
#[test]
fn pictures_go_into_saved_models_as_these_take_them() -> Outcome {
    let room = tempfile::tempdir()?;
    let pixels = as_array(room.path(), &[1, 6, 6, 1])?;
    for name in ["pixels_rescaled", "pixels_signed", "pixels_augmented"] {
        let model = saved_model(name);
        let told = json(&[model, "--input", DIGIT, "--resize", "6x6"])?;
        assert!(says(&told, "assumed", "pixels are 0 to 255"), "{name}: {:?}", lines(&told, "assumed"));
        assert!(
            says(&told, "assumed", "after height and width, because picture is"),
            "{name}: {:?}",
            lines(&told, "assumed")
        );
        assert!(agree(&told, &json(&[model, "--input", &pixels])?), "{name}: {told}");
    }
    let bytes = json(&[saved_model("pixels_uint8"), "--input", DIGIT, "--resize", "6x6"])?;
    assert!(
        says(&bytes, "assumed", "pixels are bytes, 0 to 255, because picture takes integers"),
        "{:?}",
        lines(&bytes, "assumed")
    );
    assert_eq!(bytes["settings"]["numeric_inputs"], serde_json::json!(["picture"]));
    assert!(bytes["totals"]["inputs"]["positive"].as_f64().is_some_and(|total| total > 0.0), "{bytes}");
    Ok(())
}

#[cfg(feature = "tensorflow")]
#[test]
fn inputs_by_position_go_where_the_model_says() -> Outcome {
    let room = tempfile::tempdir()?;
    let file = |name: &str, value: f32| -> Result<String, Box<dyn Error>> {
        let path = room.path().join(name);
        write_npy(&path, &ArrayD::from_elem(vec![1, 3], value))?;
        Ok(path.to_string_lossy().into_owned())
    };
    let (first, second) = (file("first.npy", 1.0)?, file("second.npy", 2.0)?);
    let refused = run(["explain", saved_model("order_none"), "--input", &first, &second])?;
    let said = refused.failed(5)?;
    assert!(said.contains("order is not known") && said.contains("NAME="), "{said}");
    Ok(())
}

#[test]
fn the_summary_says_what_went_where_and_what_is_explained() -> Outcome {
    let room = tempfile::tempdir()?;
    let out = room.path().join("out");
    let said = run(["explain", DIGITS, "--input", DIGIT, "--out", &out.to_string_lossy()])?.succeeded()?.out;
    for part in [&format!("given         {DIGIT} for image"), "the largest unit is explained (--target"] {
        assert!(said.contains(part), "`{part}` is missing from\n{said}");
    }
    assert_eq!(document(&out)?["given"], serde_json::json!([{"input": "image", "source": DIGIT}]));
    let asked = json(&[DIGITS, "--input", DIGIT, "--target", "8"])?;
    assert!(!says(&asked, "assumed", "largest unit"), "{:?}", lines(&asked, "assumed"));
    Ok(())
}

#[test]
fn targets_are_cells_of_the_output() -> Outcome {
    let model = torchscript("start_boxes.pt");
    let input = torchscript("start_boxes.safetensors");
    let found = json(&[model, "--input", input, "--target", ":,3,4"])?;
    assert_eq!(found["target_cells"], serde_json::json!([[0, 3, 4], [1, 3, 4]]));
    assert_eq!(found["sample_axis"], 0);
    assert_eq!(found["prediction"].as_array().map(Vec::len), Some(2));
    let cell = found["prediction"][0][0]["name"].as_str().unwrap_or_default();
    assert!(cell.starts_with('[') && cell.matches(',').count() == 1, "{cell}");
    let (model, input) = (torchscript("start_time_first.pt"), torchscript("start_time_first.safetensors"));
    let found = json(&[model, "--input", input, "--sample-axis", "1", "--target", "-1,:,argmax"])?;
    assert_eq!(found["sample_axis"], 1);
    assert_eq!(found["target_cells"].as_array().map(Vec::len), Some(2));
    let scores =
        json(&[torchscript("start_one_score.pt"), "--input", torchscript("start_one_score.safetensors")])?;
    assert_eq!(scores["prediction"].as_array().map(Vec::len), Some(3));
    assert_eq!(scores["prediction"][1][0]["name"], "score");
    let blank = run([
        "explain",
        torchscript("start_class_maps.pt"),
        "--input",
        torchscript("start_class_maps.safetensors"),
        "--task",
        "segmentation",
        "--threshold",
        "2",
    ])?;
    assert!(blank.failed(2)?.contains("above the threshold 2"));
    Ok(())
}
