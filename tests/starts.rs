//! Where an explanation starts: which output, what counts its samples, which cells; and what is said about them.

use dlbacktrace::rules::RuleSet;
use dlbacktrace::{
    Classes, Coordinate, Error, Explanation, Inputs, Mode, Options, Output, PixelRange, Samples, Target,
    Task, Versus,
};
use ndarray::{Array, ArrayD, Axis};
use tch::Tensor;
use testkit_torch::fixtures::{agree, channels, explain, fixture, inputs, load};

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-5 * b.abs().max(1e-3)
}

/// The recorded output of a fixture.
fn output(name: &str) -> ArrayD<f64> {
    let fixture = fixture(name);
    let tensor = fixture.outputs(&fixture.tensors()).pop().unwrap();
    let shape: Vec<usize> = tensor.size().iter().map(|&extent| extent as usize).collect();
    let values: Vec<f64> = Vec::try_from(tensor.to_kind(tch::Kind::Double).flatten(0, -1)).unwrap();
    Array::from_shape_vec(shape, values).unwrap()
}

fn at(text: &str) -> Target {
    Target::At(text.split(',').map(|one| one.parse::<Coordinate>().unwrap()).collect())
}

fn start(explanation: &Explanation) -> f64 {
    explanation.start_amount().positive
}

fn says(explanation: &Explanation, words: &str) -> bool {
    explanation.assumed().iter().any(|line| line.contains(words))
}

#[test]
fn one_picture_without_a_batch_is_one_sample() {
    let scores = output("start_one_picture");
    for class in 0..3 {
        let found = explain("start_one_picture", &Options::new().target(Target::Class(class)));
        assert_eq!((found.sample_axis(), found.target()), (None, Some(&[class][..])));
        assert!(near(start(&found), scores[[class]]));
        assert!(says(&found, "is one sample"), "{:?}", found.assumed());
    }
}

#[test]
fn one_score_a_sample_is_each_samples_own() {
    let (fixture, model) = load("start_one_score");
    let found = model.explain(&inputs(&fixture), &Options::new()).unwrap();
    assert_eq!((found.sample_axis(), found.sample_count()), (Some(0), 3));
    assert_eq!(found.target(), Some(&[0, 0, 0][..]));
    assert!(says(&found, "axis 0 of output counts samples (3)"), "{:?}", found.assumed());
    assert!(near(start(&found), output("start_one_score").sum()));
    let x = fixture.tensors()["x"].copy();
    let alone: Vec<Tensor> = (0..3)
        .map(|row| {
            let one = model.explain(&Inputs::new().push(x.narrow(0, row, 1)), &Options::new()).unwrap();
            one.inputs()[0].tensor().unwrap().copy()
        })
        .collect();
    assert!(agree(found.inputs()[0].tensor().unwrap(), &Tensor::cat(&alone, 0), 1e-5));
    // On request, the three are units of one sample.
    let whole = model.explain(&inputs(&fixture), &Options::new().samples(Samples::One)).unwrap();
    assert_eq!(whole.target().map(<[usize]>::len), Some(1));
}

/// The second run, which finds the samples, is made once for a model.
#[test]
fn what_was_found_of_samples_holds_for_the_next_explanation() {
    let (fixture, model) = load("start_one_score");
    let x = fixture.tensors()["x"].copy();
    for rows in [3, 2, 1] {
        let found = model.explain(&Inputs::new().push(x.narrow(0, 0, rows)), &Options::new()).unwrap();
        assert_eq!(found.target().map(<[usize]>::len), Some(rows as usize));
    }
}

#[test]
fn rows_that_depend_on_each_other_are_no_samples() {
    for name in ["start_nodes", "start_one_picture"] {
        let found = explain(name, &Options::new());
        assert_eq!(found.sample_axis(), None, "{name}");
        assert_eq!(found.target_cells().len(), 1, "{name}");
    }
    let node = explain("start_nodes", &Options::new().target(at("2,1")));
    assert!(near(start(&node), output("start_nodes")[[2, 1]]));
    assert_eq!(node.target_cells(), [[2, 1]]);
    // Node 2 depends on itself, on node 3 and through it on node 0, but not on node 1.
    let relevance = node.inputs()[0].relevance().unwrap();
    assert!(relevance.index_axis(Axis(0), 1).iter().all(|&r| r == 0.0), "{relevance}");
    assert!(relevance.index_axis(Axis(0), 2).iter().any(|&r| r != 0.0), "{relevance}");
}

#[test]
fn samples_may_stand_on_any_axis() {
    let scores = output("start_time_first");
    let options = Options::new().samples(Samples::Axis(1));
    let last = explain("start_time_first", &options.clone().target(at("-1,:,2")));
    assert!(near(start(&last), scores[[4, 0, 2]] + scores[[4, 1, 2]]));
    assert_eq!(last.target_cells(), [[4, 0, 2], [4, 1, 2]]);
    let largest = explain("start_time_first", &options);
    let most = |sample: usize| scores.index_axis(Axis(1), sample).iter().copied().fold(f64::MIN, f64::max);
    assert!(near(start(&largest), most(0) + most(1)));
    // Each sample alone.
    let (fixture, model) = load("start_time_first");
    let frames = fixture.tensors()["frames"].copy();
    for sample in 0..2 {
        let one = Inputs::new().push(frames.narrow(1, sample, 1));
        let one = model.explain(&one, &options.clone().target(at("-1,:,2"))).unwrap();
        let among = last.inputs()[0].tensor().unwrap().narrow(1, sample, 1);
        assert!(agree(&among, one.inputs()[0].tensor().unwrap(), 1e-5), "sample {sample}");
    }
    // One sample of two is chosen by its coordinate; the other gets nothing.
    let one = explain("start_time_first", &options.target(at("0,1,0")));
    assert!(near(start(&one), scores[[0, 1, 0]]));
    assert_eq!(one.inputs()[0].tensor().unwrap().narrow(1, 0, 1).abs().max().double_value(&[]), 0.0);
}

/// The next token is one of the last position, and its number is that of the vocabulary.
#[test]
fn the_next_token_is_at_the_last_position() {
    let scores = output("start_time_first");
    let next = explain("start_time_first", &Options::new().task(Task::NextToken));
    let (tokens, cells) = (next.target().unwrap(), next.target_cells());
    assert_eq!((tokens.len(), cells.len()), (5, 5));
    for (sample, (token, cell)) in tokens.iter().zip(cells).enumerate() {
        assert_eq!(cell, [sample, 1, *token]);
        let row = scores.index_axis(Axis(0), sample).index_axis_move(Axis(0), 1);
        assert!(row.iter().all(|score| *score <= row[[*token]]));
    }
}

#[test]
fn a_box_is_chosen_by_its_coordinates() {
    let boxes = output("start_boxes");
    let found = explain("start_boxes", &Options::new().target(at(":,3,4")));
    assert!(near(start(&found), boxes[[0, 3, 4]] + boxes[[1, 3, 4]]));
    assert_eq!(found.target_cells(), [[0, 3, 4], [1, 3, 4]]);
    let options = Options::new().mode(Mode::Contrastive).target(at("0,3,4"));
    let against = explain("start_boxes", &options).start_amount().negative;
    assert!(near(against, boxes.index_axis(Axis(0), 0).sum() - boxes[[0, 3, 4]]));
    let best = explain("start_boxes", &Options::new().target(at("-1,3,argmax")));
    assert!(near(
        start(&best),
        boxes.index_axis(Axis(0), 1).index_axis(Axis(0), 3).iter().copied().fold(f64::MIN, f64::max)
    ));
    let (fixture, model) = load("start_boxes");
    for (target, words) in [
        ("3,4", "3 axes"),
        (":,6,0", "outside"),
        (":,0,7", "outside"),
        ("2,0,0", "outside"),
        ("argmax,0,0", "counts samples"),
    ] {
        let error = model.explain(&inputs(&fixture), &Options::new().target(at(target))).unwrap_err();
        assert!(matches!(error, Error::Usage(_)) && error.to_string().contains(words), "{target}: {error}");
    }
}

#[test]
fn a_box_of_a_detector_is_chosen_by_its_number_or_class() {
    let (fixture, model) = load("start_detector");
    let outputs = fixture.outputs(&fixture.tensors());
    let [_, labels, scores] = outputs.as_slice() else { panic!("three outputs") };
    for number in 0..4 {
        let found = model.explain(&inputs(&fixture), &Options::new().target(Target::Box(number))).unwrap();
        assert_eq!((found.output_name(), found.target()), ("output.scores", Some(&[number][..])));
        assert!(near(start(&found), scores.double_value(&[number as i64])));
    }
    let of = |class: i64| model.explain(&inputs(&fixture), &Options::new().target(Target::BoxOf(class)));
    let class = labels.int64_value(&[2]);
    let best = (0..4)
        .filter(|&n| labels.int64_value(&[n]) == class)
        .map(|n| scores.double_value(&[n]))
        .fold(f64::MIN, f64::max);
    assert!(near(start(&of(class).unwrap()), best));
    assert!(of(99).unwrap_err().to_string().contains("no box has the class 99"));
    let error = explain_error("start_boxes", &Options::new().target(Target::Box(0)));
    assert!(error.contains("scores of boxes"), "{error}");
}

fn explain_error(name: &str, options: &Options) -> String {
    let (fixture, model) = load(name);
    model.explain(&inputs(&fixture), options).unwrap_err().to_string()
}

#[test]
fn a_segmentation_starts_with_the_map_of_its_class() {
    let maps = output("start_class_maps");
    let above = |class: usize, least: f64| {
        maps.index_axis(Axis(1), class).iter().filter(|value| **value > least).sum::<f64>()
    };
    let options = |threshold: f64| Options::new().task(Task::Segmentation { threshold });
    for class in 0..3 {
        let named = options(0.1).target(Target::Class(class));
        let first = explain("start_class_maps", &named);
        assert!(near(start(&first), above(class, 0.1)), "class {class}");
        assert!(says(&first, "axis 1 of output counts classes (3)"), "{:?}", first.assumed());
        let last = explain("start_class_maps_last", &named.classes(Classes::Last));
        assert!(agree(&channels(&last)[0], &channels(&first)[0], 1e-5), "class {class}");
    }
    let winners = maps.map_axis(Axis(1), |scores| scores.iter().copied().fold(f64::MIN, f64::max));
    let found = explain("start_class_maps", &options(0.4));
    assert!(near(start(&found), winners.iter().filter(|value| **value > 0.4).sum()));

    let (fixture, model) = load("start_class_maps");
    let refused = |options: Options| model.explain(&inputs(&fixture), &options).unwrap_err().to_string();
    assert!(refused(options(1.5)).contains("above the threshold 1.5"));
    assert!(refused(options(0.3).target(Target::Class(3))).contains("no class 3"));
}

#[test]
fn the_first_floating_output_is_explained_and_said() {
    let found = explain("start_label_first", &Options::new());
    assert_eq!(found.output_name(), "output[1]");
    assert!(says(&found, "output[1] is explained"), "{:?}", found.assumed());
    let (fixture, model) = load("start_label_first");
    let error = model.explain(&inputs(&fixture), &Options::new().output(Output::Index(0))).unwrap_err();
    assert!(matches!(error, Error::Usage(_)), "{error}");
    let error =
        model.explain(&inputs(&fixture), &Options::new().output(Output::Index(7))).unwrap_err().to_string();
    assert!(error.contains("output[0] (Int [2])") && error.contains("output[1] (F32 [2, 3])"), "{error}");
}

#[test]
fn a_single_score_has_its_complement_against_it() {
    let contrastive = Options::new().mode(Mode::Contrastive);
    let found = explain("start_one_score", &contrastive);
    assert!(says(&found, "taken for a probability"), "{:?}", found.assumed());
    assert!(near(
        found.start_amount().negative,
        output("start_one_score").iter().map(|score| 1.0 - score).sum()
    ));
    let (fixture, model) = load("start_one_score");
    let error = model.explain(&inputs(&fixture), &contrastive.task(Task::BoundingBox)).unwrap_err();
    assert!(error.to_string().contains("no contrastive start"), "{error}");
}

#[test]
fn the_range_of_pixels_is_told_by_what_is_done_with_them_first() {
    for (name, range) in [
        ("pixels_bytes", Some(PixelRange::Bytes)),
        ("pixels_signed", Some(PixelRange::Bytes)),
        ("pixels_mean", Some(PixelRange::Bytes)),
        ("pixels_unit", Some(PixelRange::Unit)),
        ("cnn_traced", None),
    ] {
        let (fixture, model) = load(name);
        let scalings = model.scalings(&inputs(&fixture)).unwrap();
        assert_eq!(scalings[0].1.pixels(), range, "{name}: {scalings:?}");
    }
    // Pixels of the other range are explained as they are, with a warning.
    for (name, factor) in [("pixels_bytes", 1.0 / 255.0), ("pixels_unit", 255.0)] {
        let (fixture, model) = load(name);
        let picture = fixture.tensors()["picture"].copy();
        let warned = |picture: Tensor| {
            let found = model.explain(&Inputs::new().push(picture), &Options::new()).unwrap();
            found.warnings().iter().any(|line| line.contains("pixels of that range"))
        };
        assert!(!warned(picture.copy()) && warned(picture * factor), "{name}");
    }
}

#[test]
fn samples_are_told_apart_each_from_its_own_others() {
    let (fixture, model) = load("mlp_traced");
    let x = fixture.tensors()["x"].copy();
    for options in [
        Options::new().versus(Versus::Others),
        Options::new().versus(Versus::Others).rules(RuleSet::named("last-layer-signed").unwrap()),
        Options::new()
            .target(Target::Class(0))
            .versus(Versus::Unit(2))
            .from_logits(true)
            .rules(RuleSet::named("epsilon").unwrap()),
    ] {
        let found = model.explain(&inputs(&fixture), &options).unwrap();
        assert!(found.ledger().closes());
        let alone: Vec<Tensor> = (0..x.size()[0])
            .map(|row| {
                let one = model.explain(&Inputs::new().push(x.narrow(0, row, 1)), &options).unwrap();
                one.inputs()[0].tensor().unwrap().copy()
            })
            .collect();
        assert!(agree(found.inputs()[0].tensor().unwrap(), &Tensor::cat(&alone, 0), 1e-5), "{options:?}");
    }
    // By signed rules the start has the outputs' own values; by others 1 on both sides.
    let scores = output("mlp_traced");
    let signed = Options::new().target(Target::Class(0)).versus(Versus::Unit(2));
    let found = explain("mlp_traced", &signed.clone().rules(RuleSet::named("last-layer-signed").unwrap()));
    let values = scores.index_axis(Axis(1), 0).sum() - scores.index_axis(Axis(1), 2).sum();
    assert!(near(start(&found), values), "{} is not {values}", start(&found));
    assert_eq!(start(&explain("mlp_traced", &signed)), 0.0);

    let refused = |options: Options| model.explain(&inputs(&fixture), &options).unwrap_err().to_string();
    let own = signed.clone().start(ArrayD::zeros(scores.shape()));
    assert!(refused(own).contains("a start of your own (start, --start)"));
    assert!(refused(signed.clone().from_logits(true)).contains("starts versus another unit with 1"));
    assert!(refused(signed.mode(Mode::Contrastive)).contains("a start of its own"));
}
