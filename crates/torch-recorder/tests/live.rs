//! Recording other computations than TorchScript, and threads.

use dlbacktrace_torch_recorder::{Error, Module, Origin, Recorder, Recording};
use std::sync::Barrier;
use tch::nn::{self, ModuleT};
use tch::{Device, Tensor};
use testkit_torch::recordings::{
    FLOAT, assert_sound, bit_equal, calls, inputs, keeping_all, load, numbers, policy, rows, slots,
};

/// Records a small tch network; also returns the result of an unrecorded run.
fn record_network() -> (Recording, Tensor) {
    let variables = nn::VarStore::new(Device::Cpu);
    let root = variables.root();
    let network = nn::seq_t()
        .add(nn::conv2d(&root / "conv", 3, 4, 3, Default::default()))
        .add(nn::batch_norm2d(&root / "norm", 4, Default::default()))
        .add_fn(|x| x.shallow_clone().relu_())
        .add_fn(|x| x.flatten(1, -1))
        .add(nn::linear(&root / "fc", 4 * 36, 5, Default::default()));
    let x = numbers(&[2, 3, 8, 8]);
    let plain = network.forward_t(&x, false);
    let named = variables.variables();
    let parameters: Vec<(&str, &Tensor)> =
        named.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let recorder = Recorder::begin(&keeping_all(), &[("x", &x)], &parameters).unwrap();
    let y = network.forward_t(&x, false);
    (recorder.finish(&[("y", &y)]).unwrap(), plain)
}

#[test]
fn a_tch_network_records_as_an_archive_does() {
    let (recording, plain) = record_network();
    assert_sound(&recording);
    assert!(bit_equal(&recording.outputs[0].tensor, &plain));
    let names: Vec<&str> = calls(&recording).map(|call| call.base.as_str()).collect();
    for name in ["aten::conv2d", "aten::batch_norm", "aten::relu", "aten::flatten", "aten::linear"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let linear = calls(&recording).find(|call| call.name == "aten::linear").unwrap();
    let origins: Vec<&Origin> =
        slots(linear).iter().map(|slot| &recording.values[slot.value.0].origin).collect();
    assert!(origins.contains(&&Origin::Parameter("fc.weight".to_owned())), "{origins:?}");
    assert!(linear.path.is_empty() && linear.class_name.is_empty());
    assert_eq!(recording.replay().unwrap().failed, Vec::<String>::new());
}

#[test]
fn recording_ends_with_its_recorder() {
    let x = numbers(&[3]);
    let recorder = Recorder::begin(&policy(), &[("x", &x)], &[]).unwrap();
    let y = x.exp();
    drop(recorder);
    let recorder = Recorder::begin(&policy(), &[("y", &y)], &[]).unwrap();
    let z = y.sin();
    let recording = recorder.finish(&[("z", &z)]).unwrap();
    let names: Vec<&str> = calls(&recording).map(|call| call.name.as_str()).collect();
    assert_eq!(names, ["aten::sin"]);
}

#[test]
fn gradients_come_back() {
    let x = numbers(&[3]).set_requires_grad(true);
    let recorder = Recorder::begin(&policy(), &[("x", &x)], &[]).unwrap();
    assert!(!x.exp().requires_grad());
    recorder.finish(&[]).unwrap();
    assert!(x.exp().requires_grad());
}

#[test]
fn a_thread_records_once_at_a_time() {
    let recorder = Recorder::begin(&policy(), &[], &[]).unwrap();
    let error = Recorder::begin(&policy(), &[], &[]).map(|_| ()).unwrap_err();
    assert!(
        matches!(error, Error::Record { .. }) && error.to_string().contains("recording already"),
        "{error}"
    );
    let error = load("in_place").record(&inputs("in_place"), &policy()).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("recording already"), "{error}");
    drop(recorder);
    assert!(load("in_place").record(&inputs("in_place"), &policy()).is_ok());
}

#[test]
fn a_computation_without_gradients_records() {
    let x = numbers(&[2, 3]);
    let policy = keeping_all();
    let recording = tch::no_grad(|| {
        let recorder = Recorder::begin(&policy, &[("x", &x)], &[]).unwrap();
        let mut y = &x * 2.0;
        let _ = y.relu_();
        recorder.finish(&[("y", &y)]).unwrap()
    });
    assert_sound(&recording);
    assert_eq!(recording.replay().unwrap().failed, Vec::<String>::new());
}

#[test]
fn running_statistics_are_new_values_after_a_batch_in_training() {
    let x = numbers(&[2, 3, 4]);
    let mean = Tensor::zeros([3], FLOAT);
    let recorder = Recorder::begin(&keeping_all(), &[("x", &x)], &[]).unwrap();
    let before = &mean * 1.0;
    let y = x.batch_norm(
        None::<Tensor>,
        None::<Tensor>,
        Some(before.shallow_clone()),
        Some(Tensor::ones([3], FLOAT)),
        true,
        0.5,
        1e-5,
        false,
    );
    let after = before.exp();
    let recording = recorder.finish(&[("y", &y), ("after", &after)]).unwrap();
    assert_sound(&recording);
    let read = |name: &str| slots(calls(&recording).find(|call| call.name == name).unwrap())[0].value;
    let norm = calls(&recording).find(|call| call.name == "aten::batch_norm").unwrap();
    let statistics = slots(norm)[1];
    assert_eq!(rows(statistics.tensor.as_ref().unwrap()), [0.0; 3]);
    assert_ne!(read("aten::exp"), statistics.value);
    assert!(norm.outputs.iter().any(|output| output.slot.value == read("aten::exp")));
}

#[test]
fn two_threads_record_one_module_at_once() {
    let module = load("fork_wait");
    let alone = module.record(&inputs("fork_wait"), &policy()).unwrap();
    let barrier = Barrier::new(2);
    let record = |module: &Module| {
        barrier.wait();
        let rounds = (0..20).map(|_| module.record(&inputs("fork_wait"), &policy()).unwrap());
        rounds.collect::<Vec<Recording>>()
    };
    let recordings = std::thread::scope(|scope| {
        let threads = [scope.spawn(|| record(&module)), scope.spawn(|| record(&module))];
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for recording in &recordings {
        assert_sound(recording);
        assert_eq!(calls(recording).count(), calls(&alone).count());
        assert!(bit_equal(&recording.outputs[0].tensor, &alone.outputs[0].tensor));
    }
}

#[test]
fn other_threads_are_not_recorded() {
    let x = numbers(&[3]);
    let recorder = Recorder::begin(&policy(), &[("x", &x)], &[]).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| Tensor::ones([3], FLOAT).cos());
    });
    let y = x.exp();
    let recording = recorder.finish(&[("y", &y)]).unwrap();
    assert_eq!(calls(&recording).count(), 1);
}
