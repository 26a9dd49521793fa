//! Which values are constants, which constants are biases, and which activations gate (rules §2, "Constants",
//! "What is a bias" and "Gates").

use dlbacktrace_core::analysis::PrepareOptions;
use dlbacktrace_core::array::Array;
use dlbacktrace_core::ops::{ChannelsLast, Constant, Convolution, Sum};
use dlbacktrace_core::{
    Backtrace, ConvGeometry, DType, Family, Function, Gate, Ledger, Loss, Tensor, ValueId,
};
use testkit::net::Net;

fn tanh() -> Option<Gate> {
    Gate::of(Function::Tanh)
}

/// x·W, the weighted sum that may be gated: step 0.
fn linear(net: &mut Net) -> ValueId {
    let (x, weight) = (net.input(&[3, 4]), net.constant(&[4, 4]));
    net.matmul(x, weight)
}

/// The gate of step 0, when `form` follows it.
#[track_caller]
fn gate_with(options: &PrepareOptions, form: fn(&mut Net, ValueId)) -> Option<Gate> {
    let mut net = Net::new();
    let y = linear(&mut net);
    form(&mut net, y);
    net.prepared(options).steps()[0].gate
}

fn gate(form: fn(&mut Net, ValueId)) -> Option<Gate> {
    gate_with(&PrepareOptions::default(), form)
}

fn ends_with(net: &mut Net, value: ValueId, function: impl Fn(&mut Net, ValueId) -> ValueId) {
    let activated = function(net, value);
    net.returns(activated);
}

#[test]
fn an_activation_gates_the_weighted_sum_before_it() {
    assert_eq!(gate(|net, y| ends_with(net, y, Net::tanh)), tanh());
    assert_eq!(gate(|net, y| ends_with(net, y, Net::sigmoid)), Gate::of(Function::Sigmoid));
    let softmax = |net: &mut Net, y| ends_with(net, y, |net, y| net.function(Function::Softmax, y, f64::exp));
    assert_eq!(gate(softmax), Gate::of(Function::Softmax));
    assert_eq!(gate(|net, y| ends_with(net, y, Net::relu)), None);
    assert_eq!(
        gate(|net, y| ends_with(net, y, |net, y| net.function(Function::Bounded, y, f64::tanh))),
        None
    );
}

#[test]
fn an_activation_written_out_gates_as_the_one_it_is() {
    let silu = gate(|net, y| {
        let gate = net.sigmoid(y);
        ends_with(net, y, |net, y| net.mul(y, gate));
    });
    assert_eq!(silu, Gate::of(Function::Swish { beta: 1.0 }));
    let scaled = gate(|net, y| {
        let inner = net.scale(y, 1.702);
        let gate = net.sigmoid(inner);
        ends_with(net, y, |net, y| net.mul(gate, y));
    });
    assert_eq!(scaled, Gate::of(Function::Swish { beta: 1.702 }));
    let softmax = gate(|net, y| {
        let exponential = net.exp(y);
        let sum = net.sum(exponential);
        ends_with(net, exponential, |net, exponential| net.div(exponential, sum));
    });
    assert_eq!(softmax, Gate::of(Function::Softmax));
    let gelu = gate(|net, y| {
        let bounded = net.tanh(y);
        let gate = net.shift(bounded, 1.0);
        ends_with(net, y, |net, y| net.mul(y, gate));
    });
    assert_eq!(gelu, None, "GELU gates nothing");
}

#[test]
fn only_the_only_consumer_gates() {
    let two = gate(|net, y| {
        let (activated, other) = (net.tanh(y), net.relu(y));
        ends_with(net, activated, |net, activated| net.add(activated, other));
    });
    assert_eq!(two, None);
    let leaves = gate(|net, y| {
        net.returns(y);
        ends_with(net, y, Net::tanh);
    });
    assert_eq!(leaves, None, "the outside of the model is one more consumer");
    let twice = gate(|net, y| {
        let (first, second) = (net.tanh(y), net.tanh(y));
        ends_with(net, first, |net, first| net.add(first, second));
    });
    assert_eq!(twice, None);
    let unneeded = gate(|net, y| {
        net.relu(y);
        ends_with(net, y, Net::tanh);
    });
    assert_eq!(unneeded, tanh(), "a step that nobody needs is no consumer");
    let queried = gate(|net, y| {
        net.step(Constant, &[y], ndarray::arr0(3.0).into_dyn(), DType::Int);
        ends_with(net, y, Net::tanh);
    });
    assert_eq!(queried, tanh(), "shape queries are no consumers");
}

#[test]
fn identities_may_stand_between_and_movement_may_not() {
    let dropped = gate(|net, y| {
        let dropped = net.identity(y, DType::F64);
        let cast = net.identity(dropped, DType::F64);
        ends_with(net, cast, Net::tanh);
    });
    assert_eq!(dropped, tanh());
    let moved = gate(|net, y| {
        let moved = net.reshape(y, &[12]);
        ends_with(net, moved, Net::tanh);
    });
    assert_eq!(moved, None);
    let leaves_between = gate(|net, y| {
        let dropped = net.identity(y, DType::F64);
        net.returns(dropped);
        ends_with(net, dropped, Net::tanh);
    });
    assert_eq!(leaves_between, None);
    let biased = gate(|net, y| {
        let bias = net.constant(&[4]);
        let sum = net.add(y, bias);
        ends_with(net, sum, Net::tanh);
    });
    assert_eq!(biased, tanh(), "x·W + b is one linear");
}

#[test]
fn gates_are_chosen_by_module_or_switched_off() {
    let activate = |net: &mut Net, y| ends_with(net, y, Net::tanh);
    let own = Gate { lower: Some(-0.5), upper: None, swish: None };
    let of_step =
        |gate| PrepareOptions { gate_of: [("0".to_owned(), gate)].into(), ..PrepareOptions::default() };
    assert_eq!(gate_with(&of_step(Some(own)), activate), Some(own));
    assert_eq!(gate_with(&of_step(None), activate), None);
    assert_eq!(gate_with(&PrepareOptions { gates: false, ..of_step(Some(own)) }, activate), None);
    let elsewhere =
        PrepareOptions { gate_of: [("9".to_owned(), Some(own))].into(), ..PrepareOptions::default() };
    assert_eq!(gate_with(&elsewhere, activate), tanh());
}

#[test]
fn scores_of_two_moving_values_are_never_gated() {
    let mut net = Net::new();
    let (a, b) = (net.input(&[3, 4]), net.input(&[4, 3]));
    let scores = net.matmul(a, b);
    ends_with(&mut net, scores, |net, scores| net.function(Function::Softmax, scores, f64::exp));
    assert_eq!(net.prepared(&PrepareOptions::default()).steps()[0].gate, None);
}

fn explained(mut net: Net, y: ValueId) -> Backtrace<Array> {
    net.returns(y);
    let relevance = net.relevance(y, false);
    net.explain(y, relevance).unwrap()
}

fn losses(net: Net, y: ValueId) -> Vec<Loss> {
    let ledger: Ledger = explained(net, y).ledger;
    ledger.losses().into_keys().collect()
}

/// What is lost when a constant of this shape is added to x·W.
fn lost_to(shape: &[usize]) -> Vec<Loss> {
    let mut net = Net::new();
    let product = linear(&mut net);
    let constant = net.constant(shape);
    let y = net.add(product, constant);
    losses(net, y)
}

#[test]
fn one_constant_for_each_output_feature_is_a_bias() {
    assert_eq!(lost_to(&[4]), [Loss::Bias]);
    assert_eq!(lost_to(&[1, 4]), [Loss::Constant], "it may be one row for each sample");
    assert_eq!(lost_to(&[3, 4]), [Loss::Constant]);
    assert_eq!(lost_to(&[1]), [Loss::Constant]);

    for (shape, loss) in [(&[5, 1, 1][..], Loss::Bias), (&[5, 2, 2], Loss::Constant), (&[2], Loss::Constant)]
    {
        let mut net = Net::new();
        let x = net.input(&[1, 3, 2, 2]);
        let convolved = net.convolution(x, 5);
        let constant = net.constant(shape);
        let y = net.add(constant, convolved);
        assert_eq!(losses(net, y), [loss], "{shape:?}");
    }
}

#[test]
fn behind_channels_a_bias_counts_them() {
    for (shape, loss) in [
        (&[5][..], Loss::Bias),
        (&[1, 1, 1, 5], Loss::Bias),
        (&[1, 5], Loss::Constant),
        (&[1, 2, 1, 5], Loss::Constant),
        (&[1, 1, 1, 1], Loss::Constant),
    ] {
        let mut net = Net::new();
        let (x, weight) = (net.input(&[1, 2, 2, 3]), net.constant(&[5, 3, 1, 1]));
        let ones = vec![1, 1];
        let geometry = ConvGeometry { stride: ones.clone(), padding: vec![0, 0], dilation: ones, groups: 1 };
        let op = ChannelsLast::new(Convolution { geometry });
        let data = ndarray::ArrayD::from_elem(vec![1, 2, 2, 5], 0.5);
        let convolved = net.step(op, &[x, weight], data, DType::F64);
        let constant = net.constant(shape);
        let y = net.add(convolved, constant);
        assert_eq!(losses(net, y), [loss], "{shape:?}");
    }
}

#[test]
fn a_constant_that_does_not_count_features_is_no_bias() {
    // W·x: the features are not the last axis.
    let mut net = Net::new();
    let (x, weight) = (net.input(&[4, 3]), net.constant(&[4, 4]));
    let product = net.matmul(weight, x);
    let constant = net.constant(&[3]);
    let y = net.add(product, constant);
    assert_eq!(losses(net, y), [Loss::Constant]);

    // x·w with a vector w: the last axis of the result counts rows of x.
    let mut net = Net::new();
    let (x, weight) = (net.input(&[3, 4]), net.constant(&[4]));
    let result = net.data(x).to_owned().into_dimensionality::<ndarray::Ix2>().unwrap();
    let vector = net.data(weight).to_owned().into_dimensionality::<ndarray::Ix1>().unwrap();
    let op = dlbacktrace_core::ops::MatMul { transposed: false };
    let product = net.step(op, &[x, weight], result.dot(&vector).into_dyn(), DType::F64);
    let constant = net.constant(&[3]);
    let y = net.add(product, constant);
    assert_eq!(losses(net, y), [Loss::Constant]);
}

#[test]
fn a_bias_is_added_once_and_by_a_plain_sum() {
    // A product that another step reads too takes no bias.
    let mut net = Net::new();
    let product = linear(&mut net);
    let constant = net.constant(&[4]);
    let sum = net.add(product, constant);
    let y = net.add(sum, product);
    assert_eq!(losses(net, y), [Loss::Constant]);

    let mut net = Net::new();
    let product = linear(&mut net);
    let constant = net.constant(&[4]);
    let result = net.data(product) + &(net.data(constant) * 2.0);
    let y =
        net.step(Sum { factors: vec![1.0, 2.0], constant: 0.0 }, &[product, constant], result, DType::F64);
    assert_eq!(losses(net, y), [Loss::Constant]);

    let mut net = Net::new();
    let product = linear(&mut net);
    let (first, second) = (net.constant(&[4]), net.constant(&[4]));
    let once = net.add(product, first);
    let y = net.add(once, second);
    assert_eq!(losses(net, y), [Loss::Bias, Loss::Constant]);
}

#[test]
fn a_bias_may_be_added_to_a_view_of_the_weighted_sum() {
    // Features on one axis and on two; then features split, features joined with samples, and a [1, N] row.
    let views: [(&[usize], &[usize], Loss); 5] = [
        (&[3, 1, 4], &[4], Loss::Bias),
        (&[3, 2, 2], &[2, 2], Loss::Bias),
        (&[6, 2], &[2], Loss::Constant),
        (&[12], &[12], Loss::Constant),
        (&[3, 1, 4], &[1, 4], Loss::Constant),
    ];
    for (view, bias, loss) in views {
        let mut net = Net::new();
        let product = linear(&mut net);
        let (viewed, bias) = (net.reshape(product, view), net.constant(bias));
        let y = net.add(viewed, bias);
        assert_eq!(losses(net, y), [loss], "{view:?}");
    }
}

#[test]
fn a_view_before_the_bias_is_no_movement_before_the_gate() {
    let biased = gate(|net, y| {
        let viewed = net.reshape(y, &[3, 2, 2]);
        let bias = net.constant(&[2, 2]);
        let sum = net.add(viewed, bias);
        ends_with(net, sum, Net::tanh);
    });
    assert_eq!(biased, tanh());
    let moved = gate(|net, y| {
        let viewed = net.reshape(y, &[3, 2, 2]);
        let bias = net.constant(&[2, 2]);
        let sum = net.add(viewed, bias);
        let moved = net.reshape(sum, &[3, 4]);
        ends_with(net, moved, Net::tanh);
    });
    assert_eq!(moved, None);
}

/// x·W, h·U and b. The state h depends on an input or is a constant.
fn cell(constant_state: bool) -> (Net, [ValueId; 3]) {
    let mut net = Net::new();
    let product = linear(&mut net);
    let state = if constant_state { net.constant(&[3, 4]) } else { net.input(&[3, 4]) };
    let weight = net.constant(&[4, 4]);
    let recurrent = net.matmul(state, weight);
    let bias = net.constant(&[4]);
    (net, [product, recurrent, bias])
}

#[test]
fn a_bias_added_after_the_sum_of_two_linear_maps_is_the_first_ones() {
    for (constant_state, contrastive) in [(false, false), (true, false), (false, true), (true, true)] {
        let relevances = |after: bool| -> Vec<f64> {
            let (mut net, [product, recurrent, bias]) = cell(constant_state);
            let y = if after {
                let sum = net.add(product, recurrent);
                net.add(sum, bias)
            } else {
                let biased = net.add(product, bias);
                net.add(biased, recurrent)
            };
            net.returns(y);
            let relevance = net.relevance(y, contrastive);
            let found = net.explain(y, relevance).unwrap();
            assert!(found.ledger.closes());
            let arrays = found.inputs.iter().flatten().map(|relevance| relevance.first().to_array().unwrap());
            arrays.flat_map(|array| array.into_iter()).collect()
        };
        let (after, before) = (relevances(true), relevances(false));
        assert!(after.iter().zip(&before).all(|(a, b)| (a - b).abs() < 1e-12), "{after:?} {before:?}");
    }

    // Only in a sum of linear maps that nobody else reads.
    let (mut net, [product, recurrent, bias]) = cell(false);
    let active = net.tanh(recurrent);
    let sum = net.add(product, active);
    let y = net.add(sum, bias);
    assert_eq!(losses(net, y), [Loss::Constant]);

    let (mut net, [product, recurrent, bias]) = cell(false);
    let sum = net.add(product, recurrent);
    let biased = net.add(sum, bias);
    let y = net.add(biased, sum);
    assert_eq!(losses(net, y), [Loss::Constant]);
}

/// Whether relevance arrives at each input.
fn arrives(net: Net, y: ValueId) -> Vec<bool> {
    explained(net, y).inputs.iter().map(Option::is_some).collect()
}

#[test]
fn tokens_receive_through_embeddings() {
    let mut net = Net::new();
    let tokens = net.tokens(&[2, 3]);
    let rows = net.embedding(tokens, 4);
    let outcome = explained(net, rows);
    let found = outcome.inputs[0].as_ref().unwrap();
    assert_eq!(found.shape(), [2, 3]);
    assert_eq!(found.first().dtype(), DType::F64);

    // Also when integers are moved or added up on the way.
    let mut net = Net::new();
    let (first, second) = (net.tokens(&[2, 3]), net.tokens(&[2, 3]));
    let sum = net.add(first, second);
    let moved = net.reshape(sum, &[6]);
    let rows = net.embedding(moved, 4);
    assert_eq!(arrives(net, rows), [true, true]);
}

#[test]
fn masks_are_constants() {
    // A comparison, cast to a factor.
    let mut net = Net::new();
    let (x, tokens) = (net.input(&[2, 3]), net.tokens(&[2, 3]));
    let mask = net.mask(tokens);
    let factor = net.identity(mask, DType::F64);
    let y = net.mul(x, factor);
    assert_eq!(arrives(net, y), [true, false]);

    // Tokens cast to floats.
    let mut net = Net::new();
    let (x, tokens) = (net.input(&[2, 3]), net.tokens(&[2, 3]));
    let factor = net.identity(tokens, DType::F64);
    let y = net.mul(x, factor);
    assert_eq!(arrives(net, y), [true, false]);

    // Tokens computed with floats, without a cast on the tape.
    let mut net = Net::new();
    let (x, tokens) = (net.input(&[2, 3]), net.tokens(&[2, 3]));
    let product = net.mul(x, tokens);
    let y = net.add(product, tokens);
    assert_eq!(arrives(net, y), [true, false]);
}

#[test]
fn tokens_are_names() {
    // Neither an offset nor a factor takes anything.
    let mut net = Net::new();
    let tokens = net.tokens(&[2, 3]);
    let (offset, factor) = (net.integer(3), net.integer(1));
    let shifted = net.add(tokens, offset);
    let hashed = net.mul(shifted, factor);
    let rows = net.embedding(hashed, 4);
    let outcome = explained(net, rows);
    assert!(outcome.ledger.losses().is_empty());
    assert!(outcome.inputs[0].is_some());

    // Tokens that make another one together share equally.
    let mut net = Net::new();
    let (first, second) = (net.tokens(&[2, 3]), net.tokens(&[3]));
    let pair = net.add(first, second);
    let rows = net.embedding(pair, 4);
    let totals = explained(net, rows).inputs.into_iter().map(|share| share.unwrap().first().total().unwrap());
    let totals: Vec<f64> = totals.collect();
    assert!((totals[0] - totals[1]).abs() < 1e-12 * totals[0].abs(), "{totals:?}");

    // Tokens chosen by index are tokens still.
    let mut net = Net::new();
    let (tokens, index, offset) = (net.tokens(&[4]), net.integer(2), net.integer(3));
    let chosen = net.element(tokens, index);
    net.add(chosen, offset);
    let prepared = net.prepared(&PrepareOptions::default());
    assert_eq!(prepared.steps()[1].op.family(), Family::Pass, "the sum makes another token");

    // Through a floating type and back.
    let mut net = Net::new();
    let tokens = net.tokens(&[2, 3]);
    let floating = net.identity(tokens, DType::F64);
    let moved = net.reshape(floating, &[6]);
    let back = net.identity(moved, DType::Int);
    let rows = net.embedding(back, 4);
    assert!(explained(net, rows).inputs[0].is_some());

    // The product of a mask and tokens is a position.
    let mut net = Net::new();
    let (x, mask) = (net.input(&[2, 3, 4]), net.tokens(&[2, 3]));
    let present = net.mask(mask);
    let counted = net.identity(present, DType::Int);
    let places = net.mul(counted, mask);
    let rows = net.embedding(places, 4);
    let y = net.add(x, rows);
    assert_eq!(arrives(net, y), [true, false]);
}

#[test]
fn rows_of_ones_are_numbers() {
    let mut net = Net::new();
    let tokens = net.tokens(&[2, 3]);
    let rows = net.one_hot(tokens);
    let numbers = net.identity(rows, DType::F64);
    let table = net.constant(&[8, 4]);
    let y = net.matmul(numbers, table);
    let outcome = explained(net, y);
    assert_eq!(outcome.inputs[0].as_ref().unwrap().shape(), [2, 3]);
    assert!(outcome.ledger.losses().is_empty());
}

#[test]
fn where_a_winner_stood_was_decided() {
    let mut net = Net::new();
    let x = net.input(&[3, 4]);
    let place = net.place_of_largest(x);
    let rows = net.embedding(place, 4);
    let y = net.add(x, rows);
    let ledger = explained(net, y).ledger;
    assert_eq!(
        ledger.losses().into_keys().collect::<Vec<_>>(),
        [Loss::Decision],
        "the chosen row belongs to the decision"
    );
}

#[test]
fn integers_named_as_numbers_receive_through_a_cast() {
    for named in [true, false] {
        let mut net = Net::new();
        let (x, table) = (net.input(&[2, 3]), net.tokens(&[2, 3]));
        if named {
            net.tape.numeric_inputs.push(table);
        }
        let numbers = net.identity(table, DType::F64);
        let y = net.add(x, numbers);
        assert_eq!(arrives(net, y), [true, named]);
    }
}

#[test]
fn what_depends_on_no_input_receives_nothing() {
    // Positions, looked up and added.
    let mut net = Net::new();
    let x = net.input(&[3, 4]);
    let index = net.constant(&[3]);
    let positions = net.relu(index);
    let positions = net.reshape(positions, &[3, 1]);
    let y = net.add(x, positions);
    let ledger = explained(net, y).ledger;
    assert_eq!(ledger.entries.len(), 1, "only the sum is reached");
    assert_eq!(ledger.losses().into_keys().collect::<Vec<_>>(), [Loss::Constant]);

    // A start where nothing depends on an input is an error.
    let mut net = Net::new();
    net.input(&[3, 4]);
    let constant = net.constant(&[3, 4]);
    let y = net.relu(constant);
    net.returns(y);
    let relevance = net.relevance(y, false);
    assert!(matches!(net.explain(y, relevance), Err(dlbacktrace_core::Error::Start(_))));
}
