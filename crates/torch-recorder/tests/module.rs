//! Modules: what they tell of themselves, what they take, what they return.

use dlbacktrace_torch_recorder::{Error, Input, Inputs, Module, Origin, Recording};
use tch::Tensor;
use testkit_torch::recordings::{
    assert_sound, calls, data, inputs, load, numbers, policy, rows, slots, tensor,
};

#[test]
fn a_module_tells_its_arguments() {
    let arguments = load("nested").arguments().unwrap();
    let told: Vec<_> =
        arguments.iter().map(|a| (a.name.as_str(), a.type_name.as_str(), a.has_default)).collect();
    assert_eq!(
        told,
        [
            ("batch", "Dict[str, Tensor]", false),
            ("feats", "List[Tensor]", false),
            ("sizes", "List[int]", false),
            ("pair", "Tuple[Tensor, float]", false),
            ("extra", "Optional[Tensor]", true),
        ]
    );
    assert_eq!(load("numbers").returns().unwrap(), "Tensor");
}

#[test]
fn a_module_tells_its_parts() {
    let module = load("conv_net");
    let submodules = module.submodules().unwrap();
    assert_eq!((submodules[0].path.as_str(), submodules[0].class_name.as_str()), ("", "ConvNet"));
    assert!(submodules.iter().any(|m| m.path == "layer1.1.conv1" && m.class_name == "Conv2d"));
    let tensors = module.tensors().unwrap();
    let weight = tensors.iter().find(|t| t.name == "layer1.0.conv1.weight").unwrap();
    assert_eq!(
        (&weight.sizes[..], weight.kind(), weight.is_buffer),
        (&[4, 4, 3, 3][..], Some(tch::Kind::Float), false)
    );
    assert!(tensors.iter().any(|t| t.name == "stem.1.running_mean" && t.is_buffer));
    let operators = module.operators().unwrap();
    let count = |name: &str| operators.iter().find(|o| o.name == name).map(|o| o.count);
    assert_eq!(count("aten::conv2d"), Some(3));
    assert_eq!(count("aten::linear"), Some(1));
}

#[test]
fn operators_inside_forks_are_counted() {
    let operators = load("fork_wait").operators().unwrap();
    assert!(operators.iter().any(|o| o.name == "aten::linear"), "{operators:?}");
}

#[test]
fn calls_carry_the_path_and_class_of_their_module() {
    for name in ["conv_net", "conv_net_traced"] {
        let recording = load(name).record(&inputs(name), &policy()).unwrap();
        let paths: Vec<_> = calls(&recording)
            .filter(|call| ["aten::conv2d", "aten::_convolution"].contains(&call.name.as_str()))
            .map(|call| (call.path.as_str(), call.class_name.as_str()))
            .collect();
        assert_eq!(
            paths,
            [("stem.0", "Conv2d"), ("layer1.0.conv1", "Conv2d"), ("layer1.1.conv1", "Conv2d")],
            "{name}"
        );
        let fc = calls(&recording).find(|call| call.name == "aten::linear").unwrap();
        assert_eq!((fc.path.as_str(), fc.class_name.as_str()), ("fc", "Linear"));
    }
}

#[test]
fn calls_tell_their_source_line() {
    let recording = load("view_write").record(&inputs("view_write"), &policy()).unwrap();
    let relu = calls(&recording).find(|call| call.name == "aten::relu").unwrap();
    let source = relu.source.as_deref().unwrap();
    assert!(source.starts_with("make_recorder_fixtures.py:"), "{source}");
}

/// The names of all parameters and buffers that a recording met.
fn weights(recording: &Recording) -> Vec<&str> {
    let names = recording.values.iter().filter_map(|value| match &value.origin {
        Origin::Parameter(name) | Origin::Buffer(name) => Some(name.as_str()),
        _ => None,
    });
    names.collect()
}

#[test]
fn weights_have_names_also_inside_lists_and_in_copies() {
    for name in ["recurrent", "conv_net", "conv_net_traced", "stateful", "buffer_write"] {
        let module = load(name);
        let recording = module.record(&inputs(name), &policy()).unwrap();
        let met = weights(&recording);
        for tensor in module.tensors().unwrap() {
            let unused = tensor.name.ends_with("num_batches_tracked");
            assert!(
                unused || met.contains(&tensor.name.as_str()),
                "{name}: {} is not among {met:?}",
                tensor.name
            );
        }
    }
}

#[test]
fn arguments_are_recorded_by_name_with_defaults() {
    let recording = load("conv_net").record(&inputs("conv_net"), &policy()).unwrap();
    let conv = calls(&recording).find(|call| call.name == "aten::conv2d").unwrap();
    let names: Vec<&str> = conv.arguments.iter().map(|argument| argument.name.as_str()).collect();
    assert_eq!(names, ["input", "weight", "bias", "stride", "padding", "dilation", "groups"]);
    use dlbacktrace_torch_recorder::ArgumentValue as V;
    assert!(matches!(conv.argument("stride"), Some(V::Ints(stride)) if stride == &[1, 1]));
    assert!(matches!(conv.argument("groups"), Some(V::Int(1))));
    assert!(matches!(conv.argument("bias"), Some(V::Tensor(slot)) if slot.tensor.is_some()));
    let bias_free = calls(&recording).find(|call| call.path == "layer1.0.conv1").unwrap();
    assert!(matches!(bias_free.argument("bias"), Some(V::None)));
    let norm = calls(&recording).find(|call| call.base == "aten::batch_norm").unwrap();
    assert!(matches!(norm.argument("training"), Some(V::Bool(false))));
    assert!(matches!(norm.argument("eps"), Some(V::Double(eps)) if (eps - 1e-5).abs() < 1e-12));
    assert!(slots(norm).iter().all(|slot| slot.tensor.is_none()));
}

#[test]
fn nested_inputs_and_outputs_are_flattened_with_names() {
    let recording = load("nested").record(&inputs("nested"), &policy()).unwrap();
    let names =
        |ports: &[dlbacktrace_torch_recorder::Port]| ports.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&recording.inputs), ["batch.ids", "batch.mask", "feats[0]", "feats[1]", "pair[0]"]);
    assert_eq!(
        names(&recording.outputs),
        [
            "output.logits[0]",
            "output.logits[1].sum",
            "output.logits[1].product",
            "output.logits[2][0]",
            "output.logits[2][1]"
        ]
    );
    assert_eq!(recording.outputs[3].value, recording.inputs[3].value);
    let (ids, feat, pair) = (numbers(&[2]), numbers(&[2]), numbers(&[2]));
    let expected = ids + feat * 3_i64 + pair * 0.5;
    assert!((&recording.outputs[0].tensor - expected).abs().max().double_value(&[]) < 1e-6);
}

#[test]
fn numbers_convert_and_defaults_fill_in() {
    let module = load("numbers");
    let x = || tensor(&[2, 2]);
    let run = |inputs: Inputs| rows(&module.forward(&inputs).unwrap()[0].tensor);
    let doubled: Vec<f32> = rows(&(numbers(&[2, 2]) * 2.0));
    assert_eq!(run(Inputs::new([x(), Input::Int(16000)])), doubled);
    assert_eq!(run(Inputs::new([x(), Input::Tensor(Tensor::from_slice(&[16000_i64]))])), doubled);
    assert_eq!(run(Inputs::new([x()]).with("rate", Input::Int(16000)).with("gain", Input::Int(2))), doubled);
    let negated = Inputs::new([x(), Input::Int(8000)]).with("flip", Input::Bool(true));
    assert_eq!(run(negated), rows(&-numbers(&[2, 2])));
}

#[test]
fn unfit_inputs_are_refused_with_the_whole_schema() {
    let x = || tensor(&[2, 2]);
    let cases: [(Inputs, &str); 7] = [
        (Inputs::new([x()]), "'rate' is missing"),
        (Inputs::new([x(), Input::Float(1.5)]), "'rate' must be int, got Double"),
        (Inputs::new([x(), x()]), "'rate' must be int, got a Float tensor of shape [2, 2]"),
        (Inputs::new([x(), Input::Int(1)]).with("volume", Input::Int(1)), "no argument 'volume'"),
        (Inputs::new([x(), Input::Int(1)]).with("rate", Input::Int(1)), "'rate' was given twice"),
        (Inputs::new([Input::List(vec![x()]), Input::Int(1)]), "'x' must be Tensor, got a list of 1"),
        (Inputs::new((0..6).map(|_| Input::Int(1))), "6 positional arguments"),
    ];
    let module = load("numbers");
    for (inputs, expected) in cases {
        let error = module.record(&inputs, &policy()).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Inputs { .. }), "{text}");
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("forward(Tensor x, int rate, float gain=2"), "{text}");
    }
}

#[test]
fn stateful_modules_start_afresh_each_time() {
    for (name, stateful) in [
        ("stateful", true),
        ("buffer_write", true),
        ("conv_net", false),
        ("in_place", false),
        ("masked", false),
    ] {
        assert_eq!(load(name).keeps_state(), stateful, "{name}");
    }
    let module = load("stateful");
    let run = || rows(&module.forward(&inputs("stateful")).unwrap()[0].tensor);
    assert_eq!(run(), run());
}

#[test]
fn a_failing_forward_names_operator_path_and_shapes() {
    let error = load("conv_net").record(&Inputs::new([tensor(&[1, 2, 8, 8])]), &policy()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Forward { .. }), "{text}");
    for part in ["aten::conv2d", "stem.0 (Conv2d)", "[1, 2, 8, 8]", "to have 3 channels"] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    assert!(!text.contains("frame #"), "{text}");
    assert!(text.len() < 600, "{text}");
}

#[test]
fn a_thread_records_well_after_a_failure() {
    let module = load("conv_net");
    assert!(module.record(&Inputs::new([tensor(&[1, 2, 8, 8])]), &policy()).is_err());
    let recording = module.record(&inputs("conv_net"), &policy()).unwrap();
    assert_sound(&recording);
    assert!(numbers(&[2]).set_requires_grad(true).exp().requires_grad(), "gradients stayed off");
}

#[test]
fn a_missing_file_is_an_error() {
    let error = Module::load(data("no_such_model")).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Load { .. }));
    assert!(error.to_string().contains("no_such_model.pt"), "{error}");
}

#[test]
fn a_missing_operator_library_is_an_error() {
    let error = dlbacktrace_torch_recorder::load_library("/no/such/library.so").unwrap_err();
    assert!(error.to_string().contains("/no/such/library.so"), "{error}");
}

#[test]
fn the_version_is_that_of_the_headers() {
    assert!(dlbacktrace_torch_recorder::libtorch_version().starts_with("2.13."));
}
