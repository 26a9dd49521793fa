//! Every fixture returns what it returned in Python's TensorFlow, run after run.

use dlbacktrace_tensorflow::{Keep, Origin};
use std::collections::HashSet;
use testkit::saved_models::{Fixture, fixture, index, load};

/// The fixtures that run.
fn running() -> Vec<(String, Fixture)> {
    let running = index().into_iter().filter(|entry| !["raises", "random"].contains(&entry.expect.as_str()));
    running.map(|entry| (entry.name.clone(), fixture(&entry.name))).collect()
}

/// Half precision rounds to a part in a thousand.
fn tolerance(fixture: &Fixture) -> f64 {
    let half = fixture.entry.name.contains("16") || fixture.entry.name.contains("half");
    if half { 1e-2 } else { 1e-6 }
}

#[test]
fn every_fixture_gives_the_stored_outputs_twice() {
    let mut wrong = Vec::new();
    for (name, fixture) in running() {
        let model = load(&fixture.directory).unwrap_or_else(|error| panic!("{name}: {error}"));
        let inputs = fixture.tensors(model.context());
        for run in ["first", "second", "third"] {
            let outputs = model.forward(&inputs).unwrap_or_else(|error| panic!("{name}: {error}"));
            let difference = fixture.difference(&outputs);
            if difference > tolerance(&fixture) {
                wrong.push(format!("{name}, {run} run: {difference:e}"));
            }
        }
    }
    assert!(index().len() >= 150, "{} fixtures", index().len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_recording_is_whole() {
    for (name, fixture) in running() {
        let model = load(&fixture.directory).unwrap();
        let inputs = fixture.tensors(model.context());
        let recording = model.record(&inputs, &|_| Keep::All).unwrap();
        let outputs: Vec<_> =
            recording.outputs.iter().map(|port| (port.name.clone(), port.tensor.clone())).collect();
        assert!(fixture.difference(&outputs) <= tolerance(&fixture), "{name}");
        assert!(!recording.records.is_empty(), "{name}");

        let computed = |value: usize| recording.values[value].origin == Origin::Computed;
        let mut made = HashSet::new();
        for record in &recording.records {
            for slot in &record.inputs {
                let known = made.contains(&slot.value) || !computed(slot.value.0);
                assert!(known, "{name}: {} reads a value that nothing made", record.place());
                assert!(slot.tensor.is_some(), "{name}: {}", record.place());
            }
            for slot in &record.outputs {
                assert!(made.insert(slot.value), "{name}: {} makes a value again", record.place());
                let tensor = slot.tensor.as_ref().unwrap();
                assert_eq!(tensor.data_type(), recording.values[slot.value.0].data_type);
            }
        }
        for port in &recording.outputs {
            assert!(made.contains(&port.value), "{name}: nothing made the output {}", port.name);
        }
    }
}
