//! What a model reads from bytes is explained in place of the bytes; and the boxes of detectors.

use dlbacktrace_core::explain::{Options, Output};
use dlbacktrace_core::start::{StartOptions, Target};
use dlbacktrace_core::{Mode, Tensor as _};
use dlbacktrace_tensorflow::{DataType, Explanation, Feature, FeatureSpec, Model, example};
use testkit::saved_models::{self, Fixture, fixture, library, load};

fn explained(fixture: &Fixture, options: &Options) -> Explanation {
    let model = load(&fixture.directory).unwrap();
    let explanation = model.explain(&fixture.tensors(model.context()), options).unwrap();
    assert!(explanation.ledger.closes(), "{}", fixture.entry.name);
    explanation
}

fn names(explanation: &Explanation) -> Vec<&str> {
    explanation.inputs.iter().map(|input| input.name.as_str()).collect()
}

/// What arrived at an input, element by element.
fn arrived(explanation: &Explanation, name: &str) -> Vec<f64> {
    let input = explanation.inputs.iter().find(|input| input.name == name).unwrap();
    input.relevance.first().to_array().unwrap().into_iter().collect()
}

fn starting_with(start: StartOptions) -> Options {
    Options { start, ..Options::default() }
}

#[test]
fn features_that_are_parsed_are_explained_by_their_names() {
    let explanation = explained(&fixture("examples_parsed"), &Options::default());
    let of = |key: &str| arrived(&explanation, &format!("examples[{key}]"));
    assert_eq!(
        names(&explanation),
        ["examples[ids]", "examples[age]", "examples[fare]", "examples[town]"],
        "the message itself is no evidence"
    );
    for (key, count) in [("age", 2), ("fare", 4), ("town", 2), ("ids", 3)] {
        let found = of(key);
        assert!(found.len() == count && found.iter().any(|&relevance| relevance != 0.0), "{key}: {found:?}");
    }
    // Each message is a sample.
    assert_eq!((explanation.sample_axis, explanation.targets.len()), (Some(0), 2));
    // The model is linear: together, numbers, words and ids take all of the start.
    let started = explanation.start.positive;
    let all: f64 = ["age", "fare", "town", "ids"].into_iter().flat_map(of).sum();
    assert!((all - started).abs() < 1e-4 * started.abs(), "{all} of {started}");
}

#[test]
fn features_of_sequences_are_explained_by_their_names() {
    // In a sum, each number takes what it adds.
    let explanation = explained(&fixture("sequences"), &Options::default());
    for (name, expected) in [
        ("length", &[4.0, 2.0][..]),
        ("place", &[1.0, 20.0, 0.5, 30.0, 2.0, 10.0, 0.0, 0.0]),
        ("stops", &[1.0, 2.0, 4.0, 3.0]),
    ] {
        let found = arrived(&explanation, &format!("journeys[{name}]"));
        let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-4;
        assert!(found.len() == expected.len() && found.iter().zip(expected).all(close), "{name}: {found:?}");
    }
    assert_eq!(explanation.inputs.len(), 3, "{:?}", names(&explanation));
}

#[test]
fn texts_that_are_numbers_are_explained_as_these() {
    let explanation = explained(&fixture("prices"), &Options::default());
    assert_eq!(names(&explanation), ["price:StringToNumber"]);
    assert_eq!(arrived(&explanation, "price:StringToNumber"), [7.5, -12.0]);
}

#[test]
fn the_model_tells_its_features_and_reads_what_is_written_by_them() {
    let fixture = fixture("examples_parsed");
    let model = load(&fixture.directory).unwrap();
    let spec = model.examples().unwrap();
    let feature = |name: &str, data_type, shape: Option<&[usize]>, required| FeatureSpec {
        name: name.into(),
        data_type,
        shape: shape.map(|shape| shape.iter().copied().map(Some).collect()),
        required,
    };
    assert_eq!(spec.input, "examples");
    assert_eq!(
        spec.features,
        [
            feature("age", DataType::FLOAT, Some(&[1]), true),
            feature("fare", DataType::FLOAT, Some(&[2]), false),
            feature("ids", DataType::INT64, None, false),
            feature("town", DataType::STRING, Some(&[]), true),
        ]
    );
    let rows = [
        vec![
            ("age", Feature::Floats(vec![0.6])),
            ("fare", Feature::Floats(vec![0.3, 0.2])),
            ("town", Feature::Bytes(vec![b"Rome".to_vec()])),
            ("ids", Feature::Ints(vec![3, 1])),
        ],
        vec![
            ("age", Feature::Floats(vec![-0.4])),
            ("town", Feature::Bytes(vec![b"Oslo".to_vec()])),
            ("ids", Feature::Ints(vec![2])),
        ],
    ];
    let rows = rows.map(|row| example(row.into_iter().map(|(name, feature)| (name.to_owned(), feature))));
    let given = model.context().strings(&[2], &rows).unwrap();
    let outputs = model.forward(&[("examples".into(), given)]).unwrap();
    assert!(fixture.difference(&outputs) < 1e-6);
    assert!(load(&saved_models::fixture("mlp_export").directory).unwrap().examples().is_none());
}

#[test]
fn pixels_of_encoded_pictures_are_explained() {
    let explanation = explained(&fixture("pictures_encoded"), &Options::default());
    assert_eq!(names(&explanation), ["image_bytes:DecodePng[0]", "image_bytes:DecodePng[1]"]);
    for input in &explanation.inputs {
        assert_eq!(input.relevance.shape(), [6, 5, 3]);
        assert!(input.tensor.to_array().unwrap().iter().any(|&pixel| pixel > 1.0), "pixels as they are");
    }
    // Each picture has a target of its own.
    assert_eq!(explanation.targets.len(), 2);
    let total: f64 = names(&explanation).into_iter().flat_map(|name| arrived(&explanation, name)).sum();
    assert!(total.abs() > 0.0);
}

#[test]
fn one_box_of_a_detector_is_explained() {
    for mode in [Mode::Default, Mode::Contrastive] {
        for box_number in [0, 1] {
            let start = StartOptions { mode, target: Target::Unit(box_number), ..StartOptions::default() };
            let options = Options { output: Output::Name("scores".into()), ..starting_with(start) };
            let explanation = explained(&fixture("detector"), &options);
            assert_eq!(explanation.targets, [box_number]);
            let found = arrived(&explanation, "image");
            // The box sees a window of the picture, not all of it.
            let seen = found.iter().filter(|&&relevance| relevance != 0.0).count();
            let all = found.len();
            assert!(
                seen > 0 && (mode == Mode::Contrastive || seen <= 27),
                "{seen} of {all} in {mode:?} mode"
            );
        }
    }
}

#[test]
fn tokens_of_a_crossing_take_equal_parts() {
    let explanation = explained(&fixture("crossings"), &Options::default());
    let (word, code) = (arrived(&explanation, "word"), arrived(&explanation, "code"));
    assert!(word.iter().all(|&relevance| relevance != 0.0));
    assert_eq!(word, code);
}

#[test]
fn quantities_and_categories_that_stay_constant_are_told() {
    let fixture = fixture("quantities_and_categories");
    let told = |options: &Options| {
        let explanation = explained(&fixture, options);
        let warning = explanation.warnings.iter().find(|text| text.contains("tokens")).cloned();
        (arrived(&explanation, "age"), warning.unwrap_or_default())
    };
    // Ages of 15 and 20, and 5 for the colours, of 43.5.
    let (age, warning) = told(&Options::default());
    assert!(age.iter().all(|&relevance| relevance == 0.0));
    assert!(warning.starts_with("92.0 %") && warning.contains("(age, color)"), "{warning}");
    assert!(warning.contains("--numeric-input"), "{warning}");
    let (age, warning) = told(&Options { numeric_inputs: vec!["age".into()], ..Options::default() });
    assert_eq!(age, [15.0, 20.0]);
    assert!(warning.starts_with("11.5 %") && warning.contains("(color)"), "{warning}");
}

#[test]
fn a_sparse_table_is_the_table_written_out() {
    // With its bias and its gate.
    let explanation = explained(&fixture("sparse_rows"), &Options::default());
    assert!(explanation.ledger.losses().keys().all(|loss| format!("{loss:?}") != "Constant"));
    assert!(arrived(&explanation, "x").iter().any(|&relevance| relevance != 0.0));
}

#[test]
fn a_graph_is_chosen_by_its_tags_and_needs_its_variables() {
    let directory = fixture("mlp_export").directory;
    let options = |tags: &[&str]| dlbacktrace_tensorflow::ModelOptions {
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        ..Default::default()
    };
    let refused =
        |tags: &[&str]| Model::load(library(), &directory, &options(tags)).map(drop).unwrap_err().to_string();
    assert!(
        refused(&[""]).contains("no graph without tags (--tags ''); it has one tagged serve."),
        "{}",
        refused(&[""])
    );
    assert!(refused(&["gpu", "serve"]).contains("no graph tagged gpu,serve;"));
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(directory.join("saved_model.pb"), copy.path().join("saved_model.pb")).unwrap();
    let error = load(copy.path()).map(drop).unwrap_err();
    assert!(matches!(error, dlbacktrace_tensorflow::Error::Load { .. }));
    assert!(error.to_string().contains("its directory `variables`"), "{error}");
}

#[test]
fn every_form_of_suppression_picks_positions() {
    // The second box overlaps the first; each of four forms picks the other three.
    let explanation = explained(&fixture("boxes_picked_in_every_way"), &Options::default());
    let found = arrived(&explanation, "scores");
    let expected = [3.6, 0.0, 2.8, 1.2];
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?}");
}
