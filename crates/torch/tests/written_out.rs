//! Operators against their written-out forms.

use dlbacktrace_core::Mode;
use dlbacktrace_torch::Input;
use tch::{Kind, Tensor};
use testkit_torch::operators::{assert_equal, call, explain, ints, numbers, result, tensor};

type Form = fn(&Tensor) -> Tensor;

/// Applies a function to all rows of the second axis up to each one.
fn running(x: &Tensor, combined: fn(&Tensor) -> Tensor) -> Tensor {
    let rows: Vec<Tensor> = (1..=x.size()[1]).map(|count| combined(&x.narrow(1, 0, count))).collect();
    Tensor::stack(&rows, 1)
}

/// The product over the second axis, factor by factor.
fn product(x: &Tensor) -> Tensor {
    let [first, rest @ ..] = &x.unbind(1)[..] else { panic!("nothing to multiply") };
    rest.iter().fold(first.shallow_clone(), |product, factor| product * factor)
}

fn log_sum(x: &Tensor) -> Tensor {
    x.exp().sum_dim_intlist(1, false, None::<Kind>).log()
}

/// Each row of a minus each row of b.
fn differences(x: &Tensor) -> Tensor {
    let (a, b) = (x.narrow(2, 0, 2), x.narrow(2, 3, 2));
    a.unsqueeze(2) - b.unsqueeze(1)
}

fn distances(x: &Tensor, order: f64) -> Tensor {
    Tensor::cdist(&x.narrow(2, 0, 2), &x.narrow(2, 3, 2), order, None::<i64>)
}

fn spread(x: &Tensor, axis: i64) -> Tensor {
    let mean = x.mean_dim(axis, true, None::<Kind>);
    let difference = x - &mean;
    (&difference * &difference).mean_dim(axis, false, None::<Kind>)
}

fn norm(x: &Tensor, order: f64, axis: i64) -> Tensor {
    let arguments = vec![tensor(x), Input::Float(order), ints(&[axis]), Input::Bool(false), Input::None];
    call("aten::linalg_vector_norm", arguments)
}

/// Name, form in one operator, written-out form.
const TWINS: [(&str, Form, Form); 17] = [
    ("norm of order 1", |x| norm(x, 1.0, 1), |x| x.abs().sum_dim_intlist(1, false, None::<Kind>)),
    ("norm of order 2", |x| norm(x, 2.0, -1), |x| (x * x).sum_dim_intlist(-1, false, None::<Kind>).sqrt()),
    (
        "norm of order 3",
        |x| norm(x, 3.0, 1),
        |x| x.abs().pow_tensor_scalar(3).sum_dim_intlist(1, false, None::<Kind>),
    ),
    ("norm of infinite order", |x| norm(x, f64::INFINITY, 1), |x| x.abs().amax(1, false)),
    ("variance", |x| x.var_dim(1, false, false), |x| spread(x, 1)),
    ("deviation", |x| x.std_dim(-1, true, false), |x| spread(x, -1).sqrt()),
    ("logsumexp", |x| x.logsumexp(1, false), |x| x.exp().sum_dim_intlist(1, false, None::<Kind>).log()),
    (
        "logsumexp over two axes",
        |x| x.logsumexp([0, 2], false),
        |x| x.exp().sum_dim_intlist([0_i64, 2].as_slice(), false, None::<Kind>).log(),
    ),
    ("product", |x| x.prod_dim_int(1, false, None::<Kind>), product),
    (
        "product of all",
        |x| x.narrow(0, 0, 1).prod(None::<Kind>).reshape([1]),
        |x| product(&x.narrow(0, 0, 1).reshape([1, -1])),
    ),
    ("running product", |x| x.cumprod(1, None::<Kind>), |x| running(x, product)),
    ("running logsumexp", |x| (x * 9.0).logcumsumexp(1), |x| running(&(x * 9.0), log_sum)),
    (
        "logaddexp",
        |x| x.logaddexp(&x.flip([2]).narrow(0, 1, 1)),
        |x| (x.exp() + x.flip([2]).narrow(0, 1, 1).exp()).log(),
    ),
    (
        "distances",
        |x| distances(x, 2.0),
        |x| differences(x).square().sum_dim_intlist(-1, false, None::<Kind>).sqrt(),
    ),
    (
        "distances of order 1",
        |x| distances(x, 1.0),
        |x| differences(x).abs().sum_dim_intlist(-1, false, None::<Kind>),
    ),
    (
        "power of two values",
        |x| (x.abs() + 0.1).pow(&x.flip([2])),
        |x| (x.flip([2]) * (x.abs() + 0.1).log()).exp(),
    ),
    (
        "blend by weights",
        |x| x.narrow(2, 0, 2).lerp_tensor(&x.narrow(2, 2, 2), &x.narrow(2, 4, 1)),
        |x| {
            let weight = x.narrow(2, 4, 1);
            x.narrow(2, 0, 2) * (1.0 - &weight) + x.narrow(2, 2, 2) * weight
        },
    ),
];

#[test]
fn one_operator_is_what_it_is_written_out() {
    let x = numbers(&[3, 4, 5], 1);
    for (name, one, written) in TWINS {
        let start = numbers(&written(&x).size(), 2);
        for mode in [Mode::Default, Mode::Contrastive] {
            let found = explain(&x, &start, mode, || one(&x)).unwrap();
            let expected = explain(&x, &start, mode, || written(&x)).unwrap();
            for (found, expected) in found.iter().zip(&expected) {
                assert!(found.abs().max().double_value(&[]) > 0.0, "{name}");
                assert_equal(found, expected, &format!("{name}, {mode:?}"));
            }
        }
    }
}

/// Pooling of statistics joins both results of one operator.
#[test]
fn a_deviation_and_the_mean_beside_it() {
    let x = numbers(&[3, 4, 5], 1);
    let start = numbers(&[3, 8], 2);
    let arguments = |x: &Tensor| vec![tensor(x), ints(&[2]), Input::Bool(false), Input::Bool(false)];
    let both = || {
        let [deviation, mean] = [0, 1].map(|index| result("aten::std_mean", "dim", arguments(&x), index));
        Tensor::cat(&[deviation, mean], 1)
    };
    let written = || Tensor::cat(&[spread(&x, 2).sqrt(), x.mean_dim(2, false, None::<Kind>)], 1);
    let apart = || {
        let deviation = result("aten::std", "dim", arguments(&x), 0);
        Tensor::cat(&[deviation, x.mean_dim(2, false, None::<Kind>)], 1)
    };
    for mode in [Mode::Default, Mode::Contrastive] {
        let expected = explain(&x, &start, mode, written).unwrap();
        for found in [explain(&x, &start, mode, apart).unwrap(), explain(&x, &start, mode, both).unwrap()] {
            for (found, expected) in found.iter().zip(&expected) {
                assert_equal(found, expected, &format!("{mode:?}"));
            }
        }
    }
}
