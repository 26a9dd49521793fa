//! What must hold for every archive.

use dlbacktrace_torch_recorder::Policy;
use testkit_torch::recordings::{
    MODELS, aliases, assert_aliases_exact, assert_sound, bit_equal, calls, inputs, keeping_all, load, policy,
};

#[test]
fn recording_gives_bit_for_bit_what_an_unrecorded_run_gives() {
    for name in MODELS {
        let module = load(name);
        let plain = module.forward(&inputs(name)).unwrap();
        let recording = module.record(&inputs(name), &policy()).unwrap();
        assert!(!plain.is_empty(), "{name}");
        assert_eq!(plain.len(), recording.outputs.len(), "{name}");
        for (expected, output) in plain.iter().zip(&recording.outputs) {
            assert_eq!(expected.name, output.name, "{name}");
            assert!(bit_equal(&expected.tensor, &output.tensor), "{name} {}", output.name);
        }
    }
}

#[test]
fn recordings_are_sound() {
    for name in MODELS {
        let recording = load(name).record(&inputs(name), &policy()).unwrap();
        assert!(calls(&recording).count() > 0, "{name}");
        assert_sound(&recording);
    }
}

#[test]
fn every_call_replays() {
    for name in MODELS {
        for policy in [keeping_all(), Policy::keeping_all([])] {
            let recording = load(name).record(&inputs(name), &policy).unwrap();
            let replay = recording.replay().unwrap();
            assert_eq!(replay.failed, Vec::<String>::new(), "{name}");
            assert!(replay.checked > 0, "{name}");
            assert_eq!(replay.checked + replay.skipped, calls(&recording).count(), "{name}");
        }
    }
}

#[test]
fn aliases_hold_exactly_what_was_read() {
    let mut compared = 0;
    for name in MODELS {
        let recording = load(name).record(&inputs(name), &keeping_all()).unwrap();
        compared += assert_aliases_exact(&recording);
    }
    assert!(compared >= 5, "only {compared} aliases compared");
}

#[test]
fn two_runs_give_the_same() {
    for name in MODELS {
        let module = load(name);
        let first = module.record(&inputs(name), &policy()).unwrap();
        let second = module.record(&inputs(name), &policy()).unwrap();
        let order = |recording| {
            calls(recording).map(|call| (call.name.clone(), call.path.clone())).collect::<Vec<_>>()
        };
        assert_eq!(order(&first), order(&second), "{name}");
        assert_eq!(aliases(&first).count(), aliases(&second).count(), "{name}");
        for (a, b) in first.outputs.iter().zip(&second.outputs) {
            assert!(bit_equal(&a.tensor, &b.tensor), "{name} {}", a.name);
        }
    }
}

#[test]
fn inputs_are_never_written() {
    for name in MODELS {
        let given = inputs(name);
        let first = load(name).record(&given, &policy()).unwrap();
        let again = load(name).record(&given, &policy()).unwrap();
        for (a, b) in first.inputs.iter().zip(&again.inputs) {
            assert!(bit_equal(&a.tensor, &b.tensor), "{name} {}", a.name);
        }
    }
}

#[test]
fn replay_needs_all_tensors() {
    let recording = load("in_place").record(&inputs("in_place"), &policy()).unwrap();
    let error = recording.replay().unwrap_err();
    assert!(error.to_string().contains("keeps all tensors"), "{error}");
}
