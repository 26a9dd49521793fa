//! Every fixture gives what Python's TensorFlow gave, run after run.

mod common;

use common::{fixture, load, names};
use dlbacktrace_tensorflow::{Keep, Origin};
use std::collections::HashSet;

const TOLERANCE: f32 = 1e-6;

#[test]
fn every_fixture_gives_the_stored_outputs_twice() {
    let mut wrong = Vec::new();
    for name in names() {
        let fixture = fixture(&name);
        let model = load(&fixture.directory).unwrap_or_else(|error| panic!("{name}: {error}"));
        let inputs = fixture.tensors(model.context());
        for run in ["first", "second", "third"] {
            let outputs = model.forward(&inputs).unwrap_or_else(|error| panic!("{name}: {error}"));
            let difference = fixture.difference(&outputs);
            if difference > TOLERANCE {
                wrong.push(format!("{name}, {run} run: {difference:e}"));
            }
        }
    }
    assert!(names().len() >= 25, "{} fixtures", names().len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_recording_is_whole() {
    for name in names() {
        let fixture = fixture(&name);
        let model = load(&fixture.directory).unwrap();
        let inputs = fixture.tensors(model.context());
        let recording = model.record(&inputs, &|_| Keep::All).unwrap();
        let outputs: Vec<_> =
            recording.outputs.iter().map(|port| (port.name.clone(), port.tensor.clone())).collect();
        assert!(fixture.difference(&outputs) <= TOLERANCE, "{name}");
        assert!(!recording.records.is_empty(), "{name}");

        let computed = |value: usize| recording.values[value].origin == Origin::Computed;
        let mut made = HashSet::new();
        for record in &recording.records {
            for slot in &record.inputs {
                let known = made.contains(&slot.value) || !computed(slot.value.0);
                assert!(known, "{name}: {} reads what nothing made", record.place());
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
