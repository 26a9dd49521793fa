//! What a run changes is put back after the run; loops and branches appear as they ran.

use dlbacktrace_core::explain::Options;
use dlbacktrace_core::{Chance, RandomUse, Tensor as _};
use dlbacktrace_tensorflow::{Error, Keep, Model, ModelOptions, Origin, Recording};
use std::collections::BTreeSet;
use testkit::saved_models::{fixture, library, load};

fn recorded(name: &str) -> Recording {
    let fixture = fixture(name);
    let model = load(&fixture.directory).unwrap();
    model.record(&fixture.tensors(model.context()), &|_| Keep::Inputs).unwrap()
}

fn count(recording: &Recording, operator: &str) -> usize {
    recording.records.iter().filter(|record| record.operation.operator == operator).count()
}

#[test]
fn a_counter_in_the_model_starts_anew_each_run() {
    for name in ["control_flow", "graph_reference", "graph_resource"] {
        let fixture = fixture(name);
        let model = load(&fixture.directory).unwrap();
        let inputs = fixture.tensors(model.context());
        for run in 0..5 {
            let outputs = model.forward(&inputs).unwrap();
            assert!(fixture.difference(&outputs) <= 1e-6, "{name}, run {run}");
        }
    }
}

#[test]
fn the_counter_is_put_back_after_a_run_that_fails() {
    let fixture = fixture("control_flow");
    let model = load(&fixture.directory).unwrap();
    let inputs = fixture.tensors(model.context());
    let mut wrong = inputs.clone();
    // A row that the table does not have: the run counts, then fails.
    let beyond = 99_i32.to_ne_bytes().repeat(6);
    for (name, tensor) in &mut wrong {
        if name == "ids" {
            *tensor = model.context().tensor(tensor.data_type(), &[2, 3], &beyond).unwrap();
        }
    }
    let error = model.forward(&wrong).unwrap_err();
    assert!(matches!(error, Error::Operator { .. }), "{error}");
    assert!(fixture.difference(&model.forward(&inputs).unwrap()) <= 1e-6);
}

#[test]
fn a_loop_is_its_rounds() {
    for name in ["lstm_export", "lstm_save", "lstm_tf_keras"] {
        let recording = recorded(name);
        // Two layers, six steps, two products each.
        let in_loops = recording.records.iter().filter(|record| !record.scope.rounds.is_empty());
        let products = in_loops.filter(|record| record.operation.operator == "MatMul").count();
        assert_eq!(products, 24, "{name}");
        let rounds: BTreeSet<_> =
            recording.records.iter().map(|record| record.scope.rounds.clone()).collect();
        assert_eq!(rounds.len(), 7, "{name}: {rounds:?}");
        for hidden in ["While", "StatelessWhile", "PartitionedCall", "StatefulPartitionedCall"] {
            assert_eq!(count(&recording, hidden), 0, "{name}: {hidden}");
        }
    }
}

#[test]
fn of_a_branch_the_side_taken_is_recorded() {
    let recording = recorded("control_flow");
    // Steps 0 and 2 multiply; between them is a loop of two rounds.
    assert_eq!(count(&recording, "MatMul"), 2);
    assert_eq!(count(&recording, "Tanh"), 2);
    let recording = recorded("graph_reference");
    // One before the loop, and one in each of its three rounds.
    assert_eq!(count(&recording, "MatMul"), 4);
    let rounds = recording.records.iter().filter(|record| record.operation.operator == "Tanh");
    let rounds: Vec<_> = rounds.map(|record| record.scope.rounds.clone()).collect();
    assert_eq!(rounds, [[0], [1], [2]]);
}

#[test]
fn weights_are_known_by_their_names_and_operators_by_their_attributes() {
    let recording = recorded("cnn_export");
    let convolution = recording.records.iter().find(|record| record.operation.operator == "Conv2D").unwrap();
    assert_eq!(convolution.operation.text("padding"), Some("SAME"));
    assert_eq!(convolution.operation.text("data_format"), Some("NHWC"));
    assert_eq!(convolution.operation.ints("strides"), Some(&[1, 1, 1, 1][..]));
    assert!(convolution.place().contains("conv2d"), "{}", convolution.place());
    let read = |record: &&dlbacktrace_tensorflow::Record| record.operation.operator == "ReadVariableOp";
    for record in recording.records.iter().filter(read) {
        let origin = &recording.values[record.inputs[0].value.0].origin;
        assert!(matches!(origin, Origin::Variable(name) if !name.is_empty()), "{origin:?}");
    }
    let input = recording.inputs.first().unwrap();
    assert_eq!(recording.values[input.value.0].origin, Origin::Input(input.name.clone()));
    assert_eq!(recording.values[input.value.0].shape, [2, 12, 12, 2]);
}

#[test]
fn two_models_with_variables_of_the_same_names_keep_apart() {
    let names = ["mlp_export", "mlp_tf_keras", "mlp_save"];
    let models = names.map(fixture).map(|fixture| (load(&fixture.directory).unwrap(), fixture));
    for _ in 0..2 {
        for (model, fixture) in &models {
            let outputs = model.forward(&fixture.tensors(model.context())).unwrap();
            assert!(fixture.difference(&outputs) <= 1e-6, "{}", fixture.directory.display());
        }
    }
}

#[test]
fn threads_share_a_model() {
    let fixture = fixture("control_flow");
    let model = load(&fixture.directory).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let outputs = model.forward(&fixture.tensors(model.context())).unwrap();
                    assert!(fixture.difference(&outputs) <= 1e-6);
                }
            });
        }
    });
}

#[test]
fn tags_signatures_and_inputs_that_do_not_fit_are_told_with_those_that_do() {
    let directory = fixture("control_flow").directory;
    let options = |tags: &str, signature: &str| ModelOptions {
        tags: vec![tags.into()],
        signature: signature.into(),
        threads: Some(1),
    };
    let refused = |options| Model::load(library(), &directory, &options).unwrap_err().to_string();
    assert!(refused(options("train", "serving_default")).contains("one tagged serve"));
    assert!(refused(options("serve", "classify")).contains("serving_default"));

    let model = load(&directory).unwrap();
    let names: Vec<&str> = model.inputs().iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(names, ["ids", "extra"]);
    assert_eq!(model.inputs()[0].shape, Some(vec![None, Some(3)]));
    let inputs = fixture("control_flow").tensors(model.context());
    let refused = |inputs: &[(String, dlbacktrace_tensorflow::Tensor)]| {
        let error = model.forward(inputs).unwrap_err();
        assert!(matches!(error, Error::Inputs { .. }), "{error}");
        error.to_string()
    };
    assert!(refused(&inputs[..1]).contains("missing"));
    let renamed = [inputs[0].clone(), inputs[1].clone(), ("more".to_owned(), inputs[0].1.clone())];
    assert!(refused(&renamed).contains("no input more"));
    let swapped = [(inputs[0].0.clone(), inputs[1].1.clone()), (inputs[1].0.clone(), inputs[0].1.clone())];
    assert!(refused(&swapped).contains("but got"));
}

#[test]
fn what_is_given_by_chance_is_named_and_repeats_by_a_seed() {
    let named = |uses: &[RandomUse]| -> Vec<(String, String, Chance)> {
        uses.iter().map(|found| (found.operator.clone(), found.module.path.clone(), found.chance)).collect()
    };
    let by_chance = fixture("chance");
    let model = load(&by_chance.directory).unwrap();
    let inputs = by_chance.tensors(model.context());
    let explained = |random_seed| {
        let options = Options { random_seed, ..Options::default() };
        let explanation = model.explain(&inputs, &options).unwrap();
        let relevance: Vec<f64> =
            explanation.inputs[0].relevance.first().to_array().unwrap().into_iter().collect();
        (explanation, relevance)
    };
    let drawn = [("RandomUniform", "dropped/dropout"), ("StatelessRandomUniformV2", "seeded")];
    let (explanation, first) = explained(Some(1));
    let found = named(&explanation.random);
    assert_eq!(found.len(), 2, "numbers that the graph fixes are not among them: {found:?}");
    for (operator, scope) in drawn {
        let place = scope.replace('/', ".");
        let is = |(name, module, chance): &(String, String, Chance)| {
            name == operator && module.starts_with(&place) && *chance == Chance::Drawn
        };
        assert!(found.iter().any(is), "{operator}: {found:?}");
    }
    assert_eq!(named(&model.inspect().random), found);
    assert_eq!(first, explained(Some(1)).1);
    assert_ne!(first, explained(Some(2)).1);
    let batch = load(&fixture("trained").directory).unwrap().inspect().random;
    assert_eq!(named(&batch), [("FusedBatchNormV3".into(), "norm".into(), Chance::Batch)]);
    for name in ["mlp_export", "layer_norm_tf_keras"] {
        assert!(load(&fixture(name).directory).unwrap().inspect().random.is_empty(), "{name}");
    }
}

#[test]
fn a_seed_starts_generators_and_samplers_anew() {
    for (name, operator) in [("generated", "StatefulUniform"), ("sampled", "LogUniformCandidateSampler")] {
        let fixture = fixture(name);
        let model = load(&fixture.directory).unwrap();
        let inputs = fixture.tensors(model.context());
        let explained = |seed| -> Vec<f64> {
            let options = Options { random_seed: Some(seed), ..Options::default() };
            let explanation = model.explain(&inputs, &options).unwrap();
            assert_eq!(explanation.random[0].operator, operator);
            explanation.inputs[0].relevance.first().to_array().unwrap().into_iter().collect()
        };
        let first = explained(1);
        assert_eq!(first, explained(1), "{name}");
        assert_ne!(first, explained(2), "{name}");
    }
}
