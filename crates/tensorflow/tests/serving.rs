//! A model that the crate `tensorflow` serves is explained as its directory is.
#![cfg(feature = "tensorflow-crate")]

use dlbacktrace_core::Tensor as _;
use dlbacktrace_core::explain::Options;
use dlbacktrace_tensorflow::{Element, Error, Model, ModelOptions, Tensor};
use std::os::unix::fs::symlink;
use tensorflow::{Graph, SavedModelBundle, SessionOptions, SessionRunArgs};
use testkit::saved_models::{Stored, fixture, floats, library};

fn explained(model: &Model, inputs: &[(String, Tensor)]) -> Vec<f64> {
    let explanation = model.explain(inputs, &Options::default()).unwrap();
    explanation.inputs[0].relevance.first().to_array().unwrap().into_iter().collect()
}

/// One test, because the crate finds its library through the environment.
#[test]
fn a_served_bundle_is_its_directory() {
    // The crate looks only for a file of this name, and both must use one library.
    let place = tempfile::tempdir().unwrap();
    symlink(library().path(), place.path().join("libtensorflow.so")).unwrap();
    // SAFETY: no other thread of this test reads the environment.
    unsafe { std::env::set_var("TENSORFLOW_DIR", place.path()) };
    tensorflow::library::load().unwrap();

    let mut explained_bundles = 0;
    // The fixtures that keep what restores their variables in a session.
    for name in ["mlp_export", "control_flow", "graph_resource", "graph_reference"] {
        let fixture = fixture(name);
        let mut graph = Graph::new();
        let bundle =
            SavedModelBundle::load(&SessionOptions::new(), ["serve"], &mut graph, &fixture.directory)
                .unwrap();
        let options = ModelOptions::default();
        let live = Model::of_bundle(&bundle, &mut graph, &fixture.directory, &options).unwrap();
        let stored = Model::load(library(), &fixture.directory, &options).unwrap();
        let live_inputs = fixture.tensors(live.context());
        assert!(fixture.difference(&live.forward(&live_inputs).unwrap()) <= 1e-6, "{name}");
        let relevance = explained(&live, &live_inputs);
        assert_eq!(relevance, explained(&stored, &fixture.tensors(stored.context())), "{name}");
        // The reads of variables are in the graph now and are used again.
        let again = Model::of_bundle(&bundle, &mut graph, &fixture.directory, &options).unwrap();
        assert_eq!(relevance, explained(&again, &fixture.tensors(again.context())), "{name}");
        let missing = ModelOptions { signature: "no such".into(), ..options };
        assert!(matches!(
            Model::of_bundle(&bundle, &mut graph, &fixture.directory, &missing),
            Err(Error::NoSignature { .. })
        ));
        explained_bundles += 1;
    }
    assert_eq!(explained_bundles, 4);
    variables_without_values_are_told();
    values_are_those_of_the_session();
}

/// TensorFlow's own loader leaves the variables of a Keras model saved by `tf.saved_model.save` without values.
fn variables_without_values_are_told() {
    let fixture = fixture("mlp_save");
    let mut graph = Graph::new();
    let bundle =
        SavedModelBundle::load(&SessionOptions::new(), ["serve"], &mut graph, &fixture.directory).unwrap();
    let refused = Model::of_bundle(&bundle, &mut graph, &fixture.directory, &ModelOptions::default());
    let Err(Error::Load { reason, .. }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("has no value in the session"), "{reason}");
}

/// The program has written to a variable since it loaded the model.
fn values_are_those_of_the_session() {
    let fixture = fixture("mlp_export");
    let mut graph = Graph::new();
    let bundle =
        SavedModelBundle::load(&SessionOptions::new(), ["serve"], &mut graph, &fixture.directory).unwrap();
    let options = ModelOptions::default();
    let before = Model::of_bundle(&bundle, &mut graph, &fixture.directory, &options).unwrap();
    let inputs = fixture.tensors(before.context());
    let was = floats(&before.forward(&inputs).unwrap()[0].1.bytes().unwrap());

    let name = graph
        .operation_iter()
        .find(|operation| {
            let name = operation.name().unwrap();
            name.starts_with("dlbacktrace/read/") && name.contains("bias")
        })
        .unwrap()
        .name()
        .unwrap();
    let handle = graph.operation_by_name_required(name.trim_start_matches("dlbacktrace/read/")).unwrap();
    let read = graph.operation_by_name_required(&name).unwrap();
    let mut run = SessionRunArgs::new();
    let token = run.request_fetch(&read, 0);
    bundle.session.run(&mut run).unwrap();
    let mut bias = run.fetch::<f32>(token).unwrap();
    bias.iter_mut().for_each(|value| *value += 1.0);
    let value = {
        let mut constant = graph.new_operation("Const", "test/value").unwrap();
        constant.set_attr_type("dtype", tensorflow::DataType::Float).unwrap();
        constant.set_attr_tensor("value", bias).unwrap();
        constant.finish().unwrap()
    };
    let mut assign = graph.new_operation("AssignVariableOp", "test/assign").unwrap();
    assign.add_input(handle.output(0));
    assign.add_input(value.output(0));
    assign.set_attr_type("dtype", tensorflow::DataType::Float).unwrap();
    let assign = assign.finish().unwrap();
    let mut run = SessionRunArgs::new();
    run.add_target(&assign);
    bundle.session.run(&mut run).unwrap();

    let after = Model::of_bundle(&bundle, &mut graph, &fixture.directory, &options).unwrap();
    let is = floats(&after.forward(&fixture.tensors(after.context())).unwrap()[0].1.bytes().unwrap());
    assert_ne!(was, is);

    // Tensors of the crate are taken as they are.
    let Stored::Plain { shape, bytes, .. } = &fixture.inputs[0].1 else {
        panic!("the fixture holds numbers")
    };
    let dims: Vec<u64> = shape.iter().map(|&extent| extent as u64).collect();
    let tensor = tensorflow::Tensor::<f32>::new(&dims).with_values(&floats(bytes)).unwrap();
    let given = f32::tensor(after.context(), &tensor).unwrap();
    let again = after.forward(&[(fixture.inputs[0].0.clone(), given)]).unwrap();
    assert_eq!(floats(&again[0].1.bytes().unwrap()), is);
}
