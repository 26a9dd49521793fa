//! Inputs as people have them: tables, dictionaries, texts, bytes, numbers of another type, and names of units.

use ndarray::arr2;
use ndarray_npy::{NpzWriter, write_npy};
use serde_json::{Value, json};
use std::error::Error;
use std::fs::{self, File};
use testkit::command::{CANCER, CELLS, DIGIT, DIGITS, Outcome, document, run, saved_model, torchscript};
use testkit::fixtures::{SAVED_MODELS, TORCHSCRIPT};

const TEXTS: &str = "text_export";
const APPLICANTS: &str = "applicants_export";

/// The document of an explanation.
fn explained(arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
    Ok(serde_json::from_str(&run([&["explain", "--json"], arguments].concat())?.succeeded()?.out)?)
}

/// What an explanation says of relevance.
fn relevance(arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
    let document = explained(arguments)?;
    let inputs = document["inputs"].as_array().into_iter().flatten();
    let inputs: Vec<Value> =
        inputs.map(|input| json!([input["name"], input["total"], input["most_relevant"]])).collect();
    Ok(json!([document["start"], inputs]))
}

fn assumed(document: &Value) -> String {
    document["assumed"].to_string()
}

#[test]
fn the_newest_of_several_versions_is_explained() -> Outcome {
    let room = tempfile::tempdir()?;
    let copy = |version: &str| -> Outcome {
        let (from, to) = (SAVED_MODELS.path(TEXTS), room.path().join(version));
        for part in ["", "variables", "assets"] {
            fs::create_dir_all(to.join(part))?;
            for file in fs::read_dir(from.join(part)).into_iter().flatten().flatten() {
                if file.path().is_file() {
                    fs::copy(file.path(), to.join(part).join(file.file_name()))?;
                }
            }
        }
        Ok(())
    };
    copy("9")?;
    copy("10")?;
    let newest = room.path().join("10").to_string_lossy().into_owned();
    for given in [room.path().to_owned(), room.path().join("10/saved_model.pb")] {
        let document = explained(&[&given.to_string_lossy(), "--input", "The dog"])?;
        assert_eq!(document["model"]["path"], newest);
        assert!(assumed(&document).contains(&newest), "{}", document["assumed"]);
    }
    Ok(())
}

#[test]
fn a_table_gives_texts_and_digits_as_the_model_takes_them() -> Outcome {
    let room = tempfile::tempdir()?;
    let (texts, people) = (room.path().join("texts.csv"), room.path().join("people.csv"));
    fs::write(&texts, "id,text\n1,0150\n2,\"The dog, sat\"\n")?;
    let of_table = relevance(&[saved_model(TEXTS), "--input", &texts.to_string_lossy()])?;
    assert_eq!(of_table, relevance(&[saved_model(TEXTS), "--input", r#"text=[["0150"],["The dog, sat"]]"#])?);

    // A job named by a number, and children given as whole floats.
    fs::write(&people, "age,rate,job,children\n31,0.3,0150,2.0\n")?;
    let inputs = ["age=[[31]]", "rate=[0.3]", r#"job=[["0150"]]"#, "children=[[2]]"];
    let one_by_one = relevance(&[&[saved_model(APPLICANTS), "--input"][..], &inputs].concat())?;
    assert_eq!(relevance(&[saved_model(APPLICANTS), "--input", &people.to_string_lossy()])?, one_by_one);
    let request =
        r#"{"instances": [{"age": [31], "rate": 0.3, "job": [{"b64": "MDE1MA=="}], "children": [2]}]}"#;
    assert_eq!(relevance(&[saved_model(APPLICANTS), "--input", request])?, one_by_one);
    Ok(())
}

#[test]
fn a_text_and_a_file_are_texts() -> Outcome {
    let room = tempfile::tempdir()?;
    let file = room.path().join("review.txt");
    fs::write(&file, "The dog sat!")?;
    let list = relevance(&[saved_model(TEXTS), "--input", r#"text=[["The dog sat!"]]"#])?;
    assert_eq!(relevance(&[saved_model(TEXTS), "--input", "The dog sat!"])?, list);
    assert_eq!(relevance(&[saved_model(TEXTS), "--input", "text=The dog sat!"])?, list);
    assert_eq!(relevance(&[saved_model(TEXTS), "--input", &file.to_string_lossy()])?, list);
    assert_eq!(relevance(&[saved_model(TEXTS), "--input", r#"text={"b64": "VGhlIGRvZyBzYXQh"}"#])?, list);
    Ok(())
}

#[test]
fn a_file_of_named_arrays_is_the_models_dictionary() -> Outcome {
    let room = tempfile::tempdir()?;
    let (tensors, npz) = (TORCHSCRIPT.path("input_dict.safetensors"), room.path().join("dict.npz"));
    let bytes = fs::read(&tensors)?;
    let named = relevance(&[torchscript("input_dict.pt"), "--input", &tensors.to_string_lossy()])?;
    // The same arrays by the dictionary's own keys.
    let header = usize::try_from(u64::from_le_bytes(*bytes.first_chunk().ok_or("no header")?))?;
    let text = String::from_utf8(bytes.get(8..8 + header).ok_or("no header")?.to_vec())?;
    let entries: Value = serde_json::from_str(&text)?;
    let data = bytes.get(8 + header..).ok_or("no data")?;
    let mut archive = NpzWriter::new(File::create(&npz)?);
    for (name, entry) in entries.as_object().into_iter().flatten() {
        let Some(key) = name.strip_prefix("batch.") else { continue };
        let number =
            |of: &Value| of.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or_default();
        let (from, to) = (number(&entry["data_offsets"][0]), number(&entry["data_offsets"][1]));
        let shape: Vec<usize> = entry["shape"].as_array().into_iter().flatten().map(number).collect();
        let (chunks, _) = data.get(from..to).ok_or("cut")?.as_chunks::<4>();
        let values = chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
        archive.add_array(key, &ndarray::ArrayD::from_shape_vec(shape, values)?)?;
    }
    archive.finish()?;
    assert_eq!(relevance(&[torchscript("input_dict.pt"), "--input", &npz.to_string_lossy()])?, named);
    Ok(())
}

#[test]
fn fields_of_a_named_tuple_go_by_name() -> Outcome {
    let model = torchscript("input_namedtuple.pt");
    let tensors = TORCHSCRIPT.path("input_namedtuple.safetensors");
    let part = |name: &str, key: &str| format!("{name}={}:{key}", tensors.display());
    let given = |x: &str, y: &str| {
        relevance(&[model, "--input", &part(y, "point.1"), "--input", &part(x, "point.0")])
    };
    let named = given("point.x", "point.y")?;
    assert_eq!(named, given("point.0", "point.1")?);
    assert_eq!(named[1][0][0], "point.x");
    let message = run(["explain", model, "--input", &part("point.z", "point.0")])?.failed(5)?;
    assert!(message.contains("its parts are x, y"), "{message}");
    let shown = run(["inspect", torchscript("output_namedtuple.pt")])?.succeeded()?.out;
    assert!(shown.contains("output.logits") && shown.contains("output.hidden"), "{shown}");
    Ok(())
}
#[test]
fn numbers_of_another_type_are_converted_and_it_is_said() -> Outcome {
    let room = tempfile::tempdir()?;
    let file = |name: &str| room.path().join(name).to_string_lossy().into_owned();
    write_npy(file("tokens.npy"), &arr2(&[[1.0_f32, 2.0, 3.0, 1.0, 2.0, 3.0]]))?;
    write_npy(file("whole.npy"), &arr2(&[[1_i64, 2]]))?;
    let tokens = explained(&[torchscript("embedding.pt"), "--input", &file("tokens.npy")])?;
    assert!(assumed(&tokens).contains("whole floats"), "{tokens}");
    assert_eq!(
        relevance(&[torchscript("embedding.pt"), "--input", &file("tokens.npy")])?,
        relevance(&[torchscript("embedding.pt"), "--input", "[[1, 2, 3, 1, 2, 3]]"])?
    );
    let whole = explained(&[torchscript("peer_dense.pt"), "--input", &file("whole.npy")])?;
    assert!(assumed(&whole).contains("whole.npy are floats"), "{whole}");
    Ok(())
}

#[test]
fn units_have_names_everywhere() -> Outcome {
    let room = tempfile::tempdir()?;
    let (out, names) = (room.path().join("out"), room.path().join("names.txt"));
    fs::write(&names, "bad\ngood\n")?;
    let line = ["explain", CANCER, "--input", CELLS, "--row", "0", "--out", &out.to_string_lossy()];
    let said = run(line)?.succeeded()?.out;
    assert!(said.contains("malignant: ") && said.contains("benign: "), "{said}");
    let said = run([&line[..], &["--target", "Malignant"]].concat())?.succeeded()?.out;
    assert!(said.contains("explained: malignant"), "{said}");
    assert_eq!(document(&out)?["target"], json!([0]));
    assert!(fs::read_to_string(out.join("bars-features.svg"))?.contains(", malignant"));

    let labels = ["--labels", &names.to_string_lossy(), "--target", "good"];
    let said = run([&line[..], &labels].concat())?.succeeded()?.out;
    assert!(said.contains("explained: good"), "{said}");
    assert_eq!(document(&out)?["target_names"], json!(["good"]));
    let verified = run(["verify", DIGITS, "--input", DIGIT, "--target", "digit 7"])?;
    verified.succeeded()?;
    Ok(())
}

#[test]
fn rows_are_the_messages_that_a_model_parses() -> Outcome {
    let room = tempfile::tempdir()?;
    let table = room.path().join("people.csv");
    fs::write(&table, "town,name,age,ids\nRome,Ann,0.6,3\nOslo,Bob,-0.4,2\n")?;
    let model = saved_model("examples_parsed");
    let document = explained(&[model, "--input", &table.to_string_lossy()])?;
    let names = document["inputs"].as_array().into_iter().flatten().map(|input| input["name"].clone());
    let names: Vec<Value> = names.collect();
    assert!(names.contains(&json!("examples[age]")) && names.contains(&json!("examples[town]")), "{names:?}");
    assert_eq!(document["target"].as_array().map(Vec::len), Some(2));
    let request =
        r#"{"instances": [{"age": 0.6, "town": "Rome", "ids": 3}, {"age": -0.4, "town": "Oslo", "ids": 2}]}"#;
    let of_table = relevance(&[model, "--input", &table.to_string_lossy()])?;
    assert_eq!(relevance(&[model, "--input", request])?, of_table);
    // A feature of several values is filled by as many columns, or by a list in JSON.
    fs::write(&table, "town,age,fare[0],fare[1],ids\nRome,0.6,0.3,0.2,3\n")?;
    let of_table = relevance(&[model, "--input", &table.to_string_lossy()])?;
    let message = r#"{"age": 0.6, "town": "Rome", "fare": [0.3, 0.2], "ids": [3]}"#;
    for request in [message.to_owned(), format!("[{message}]"), format!(r#"{{"examples": [{message}]}}"#)] {
        assert_eq!(relevance(&[model, "--input", &request])?, of_table, "{request}");
    }
    let missing =
        run(["explain", model, "--json", "--input", &table.to_string_lossy(), "--drop", "age"])?.failed(5)?;
    assert!(missing.contains("it has no age"), "{missing}");
    Ok(())
}
