//! Whoever is told the progress can stop an explanation, at any operator of the run and at any step of the walk.
#![cfg(all(feature = "torch", feature = "tensorflow"))]

use dlbacktrace::{Error, Inputs, Model, Options, Progress, Value};
use ndarray::ArrayD;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use tch::Tensor;

/// One network in both frameworks, each with its input.
fn twins() -> [(Model, Inputs); 2] {
    let stored = Tensor::read_safetensors("tests/twins/cnn/inputs.safetensors").unwrap();
    let array = |key: &str| {
        let tensor = &stored.iter().find(|(name, _)| name == key).unwrap().1;
        let shape: Vec<usize> = tensor.size().into_iter().map(|extent| extent as usize).collect();
        ArrayD::from_shape_vec(shape, Vec::<f32>::try_from(tensor.flatten(0, -1)).unwrap()).unwrap()
    };
    let load = |file: &str| Model::load(format!("tests/twins/cnn/{file}")).unwrap();
    [
        (load("model.pt"), Inputs::new().push(array("torch:input"))),
        (load("saved_model"), Inputs::new().push(array("tensorflow:input"))),
    ]
}

fn stopping_at(stop: Progress) -> Options {
    Options::new().progress(move |at| match at == stop {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    })
}

/// What an explanation tells, in order.
fn told(model: &Model, inputs: &Inputs) -> Vec<Progress> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let options = Options::new().progress(move |at| {
        tell.lock().unwrap().push(at);
        ControlFlow::Continue(())
    });
    model.explain(inputs, &options).unwrap();
    let told = told.lock().unwrap();
    told.clone()
}

#[test]
fn first_the_run_is_told_then_the_walk() {
    for (model, inputs) in twins() {
        let told = told(&model, &inputs);
        let run = told.iter().take_while(|at| matches!(at, Progress::Running { .. })).count();
        for (operators, at) in told[..run].iter().enumerate() {
            assert_eq!(*at, Progress::Running { operators }, "{}", model.framework());
        }
        let walk = &told[run..];
        let Some(&Progress::Walking { done, total }) = walk.last() else { panic!("{told:?}") };
        assert!(run > 2 && done == total && walk.len() <= total, "{told:?}");
        for (before, after) in walk.iter().zip(&walk[1..]) {
            let (Progress::Walking { done: before, .. }, Progress::Walking { done: after, .. }) =
                (before, after)
            else {
                panic!("{told:?}")
            };
            assert!(before < after);
        }
    }
}

#[test]
fn an_explanation_stops_wherever_it_is_told_to_and_the_model_stays_as_it_was() {
    for (model, inputs) in twins() {
        let relevance = || model.explain(&inputs, &Options::new()).unwrap().inputs()[0].relevance().unwrap();
        let before = relevance();
        for at in told(&model, &inputs) {
            let error = model.explain(&inputs, &stopping_at(at)).unwrap_err();
            assert!(matches!(error, Error::Cancelled(stopped) if stopped == at), "{at:?}: {error}");
            assert_eq!(error.exit_code(), 130);
            assert_eq!(error.to_string(), format!("the explanation was cancelled after {at}"));
        }
        assert_eq!(before, relevance(), "{}", model.framework());
    }
}

#[test]
fn the_text_says_what_had_been_done() {
    assert_eq!(Progress::Running { operators: 7 }.to_string(), "7 operators of the model's run");
    assert_eq!(Progress::Walking { done: 2, total: 9 }.to_string(), "2 of 9 steps of the walk");
}

#[test]
fn the_run_that_finds_the_axis_of_samples_stops_too() {
    let operators = |model: &Model, inputs: &Inputs| {
        let told = told(model, inputs);
        told.iter().filter(|at| matches!(at, Progress::Running { .. })).count()
    };
    for ((model, inputs), (fresh, _)) in twins().iter().zip(&twins()) {
        // The inputs hold several samples. Once their axis is known, the model runs only once.
        let (twice, once) = (operators(model, inputs), operators(model, inputs));
        assert_eq!(twice, 2 * once, "{}", model.framework());
        let second = Progress::Running { operators: once + 1 };
        let error = fresh.explain(inputs, &stopping_at(second)).unwrap_err();
        assert!(matches!(error, Error::Cancelled(stopped) if stopped == second), "{error}");
    }
}

#[test]
fn checks_stop_too() {
    for (model, inputs) in twins() {
        let error = model.verify(&inputs, &stopping_at(Progress::Running { operators: 1 })).unwrap_err();
        assert!(matches!(error, Error::Cancelled(Progress::Running { operators: 1 })), "{error}");
    }
}

#[test]
fn a_panic_of_the_callback_is_the_callers() {
    for (model, inputs) in twins() {
        let options = Options::new().progress(|at| match at {
            Progress::Running { operators: 1 } => std::panic::panic_any("of the callback"),
            _ => ControlFlow::Continue(()),
        });
        let panic = catch_unwind(AssertUnwindSafe(|| model.explain(&inputs, &options))).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"of the callback"));
        model.explain(&inputs, &Options::new()).unwrap();
    }
}

#[test]
fn inputs_nested_too_deep_are_refused() {
    let nested = |levels: usize| {
        (0..levels).fold(Value::Integer(1), |value, level| match level % 3 {
            0 => Value::List(vec![value]),
            1 => Value::Tuple(vec![value]),
            _ => Value::Dict(vec![("key".to_owned(), value)]),
        })
    };
    for (model, _) in twins() {
        for inputs in
            [Inputs::new().push(nested(Value::MOST_NESTED + 1)), Inputs::new().set("image", nested(2000))]
        {
            let error = model.explain(&inputs, &Options::new()).unwrap_err();
            assert!(error.to_string().contains("nested more than 64 deep"), "{error}");
            assert_eq!(error.exit_code(), 5);
            assert!(model.forward(&inputs).is_err() && model.verify(&inputs, &Options::new()).is_err());
        }
        let error = model.explain(&Inputs::new().push(nested(Value::MOST_NESTED)), &Options::new());
        assert!(!error.unwrap_err().to_string().contains("nested more"));
    }
}
