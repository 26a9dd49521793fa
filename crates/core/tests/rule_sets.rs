//! Rule sets: how they are written, what is wrong with them, and which steps take their rules. The rules themselves are tested
//! in weighted_sums.

use dlbacktrace_core::analysis::PrepareOptions;
use dlbacktrace_core::array::Array;
use dlbacktrace_core::ops::{Convolution, Einsum, MatMul};
use dlbacktrace_core::rules::{Bounds, Finding, Kind, Layer, Level, PRESETS, Row, Rule, RuleSet};
use dlbacktrace_core::{
    Amount, Backtrace, BacktraceOp, ConvGeometry, Error, Loss, Observer, Operand, Place, Relevance, Tensor,
    ValueId, WalkOptions, WeightCache,
};
use ndarray::arr2;
use std::collections::BTreeMap;
use testkit::net::Net;

/// Two linear layers with a ReLU between them, explained at the first unit.
fn explained(rules: RuleSet, contrastive: bool) -> Result<Backtrace<Array>, Error> {
    let mut net = Net::new();
    let x = net.given(arr2(&[[1.0, -2.0]]).into_dyn());
    let first = net.number(arr2(&[[1.0, 2.0, -1.0], [0.5, -1.0, -1.0]]).into_dyn());
    let last = net.number(arr2(&[[1.0, 0.0], [-0.5, 1.0], [2.0, 1.0]]).into_dyn());
    let hidden = net.matmul(x, first);
    let active = net.relu(hidden);
    let y = net.matmul(active, last);
    let start = Array::from_slice(&[1, 2], &[1.0, 0.0]);
    let start = match contrastive {
        true => Relevance::contrastive(start.clone(), start),
        false => Relevance::default_mode(start),
    };
    let options = WalkOptions { rules, ..WalkOptions::default() };
    net.prepared(&PrepareOptions::default()).backtrace(
        vec![(y, start)],
        &WeightCache::new(0),
        options,
        &mut (),
    )
}

fn shares(rules: RuleSet) -> Vec<f64> {
    let outcome = explained(rules, false).unwrap();
    assert!(outcome.ledger.closes(), "{:?}", outcome.ledger.open_entries().collect::<Vec<_>>());
    outcome.inputs[0].as_ref().unwrap().first().to_array().unwrap().into_iter().collect()
}

fn set(rows: Vec<Row>) -> RuleSet {
    RuleSet { name: "mine".into(), rows, ..RuleSet::default() }
}

fn close(found: &[f64], expected: &[f64]) {
    let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(near && found.len() == expected.len(), "{found:?} is not {expected:?}");
}

#[test]
fn the_first_row_that_selects_a_step_gives_its_rule() {
    // x = (1, −2): the layers give (0, 4, 1) and z = 0·1 − 4·0.5 + 1·2 = 0 at the first unit.
    // By backtrace 4·0.5 and 1·2 take half each; unit 1 has |2|, |2| of its two, unit 2 has |−1|, |2|.
    close(&shares(RuleSet::default()), &[0.5 * 0.5 + 0.5 / 3.0, 0.5 * 0.5 + 0.5 * 2.0 / 3.0]);
    // z⁺ at the last layer: the third hidden unit, with a positive contribution, takes all.
    let last = || Row::of([Kind::Linear], Rule::ZPlus).at(Layer::Last);
    close(&shares(set(vec![last()])), &[1.0 / 3.0, 2.0 / 3.0]);
    // z⁺ at the first one, too: only x₁ contributes positively to the third unit, −1·−2.
    let first = || Row::of([Kind::Linear], Rule::ZPlus).at(Layer::First);
    close(&shares(set(vec![last(), first()])), &[0.0, 1.0]);
    close(&shares(set(vec![Row::of([Kind::Linear], Rule::ZPlus)])), &[0.0, 1.0]);
    // The first row wins.
    close(&shares(set(vec![Row::of([], Rule::Backtrace), last()])), &shares(RuleSet::default()));
}

#[test]
fn what_epsilon_takes_and_what_cancels_is_lost_by_name() {
    // z = 0 at the first unit: ε takes all, and by the signed rule all cancels.
    let lost = |rule: Rule, loss: Loss| {
        let last = Row::of([Kind::Linear], rule).at(Layer::Last);
        explained(set(vec![last]), false).unwrap().ledger.losses().get(&loss).map(|lost| lost.positive)
    };
    assert!((lost(Rule::Epsilon(0.5), Loss::Stabiliser).unwrap() - 1.0).abs() < 1e-12);
    assert!((lost(Rule::SignedBacktrace, Loss::Cancelled).unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn sets_are_written_and_read() {
    for preset in PRESETS {
        let set = preset.rules();
        assert_eq!(RuleSet::named(preset.name).unwrap(), set);
        assert_eq!(RuleSet::from_toml(&set.to_toml().unwrap()).unwrap(), set);
        assert_eq!(preset.name.parse::<RuleSet>().unwrap(), set);
        assert_eq!(set.to_toml().unwrap().parse::<RuleSet>().unwrap(), set);
    }
    let text = "name = 'mine'\n[[step]]\nkinds = ['linear']\nmodule = 'encoder.*'\nlayer = 'first'\nrule = { alpha-beta = [2, 1] }\n\
                [[step]]\noperator = 'aten::conv2d'\nrule = 'z-plus'";
    let read = RuleSet::from_toml(text).unwrap();
    let mut expected = Row::of([Kind::Linear], Rule::AlphaBeta(2.0, 1.0)).at(Layer::First);
    expected.module = Some("encoder.*".into());
    let second = Row { operator: Some("aten::conv2d".into()), ..Row::of([], Rule::ZPlus) };
    assert_eq!(read, set(vec![expected, second]));
}

#[test]
fn a_box_is_written_with_and_without_bounds() {
    let read = |rule: &str| {
        let text = format!("name = 'mine'\n[[step]]\nkinds = ['linear']\nrule = {rule}");
        RuleSet::from_toml(&text).map(|set| set.rows[0].rule.clone()).map_err(|error| error.to_string())
    };
    let list = Level::Each(vec![1.0, 2.5]);
    for (text, rule) in [
        ("'box'", Rule::OpenBox),
        ("{ box = { low = -1, high = 1.5 } }", Rule::Box(Bounds::of_operand(-1.0, 1.5))),
        ("{ box = { low = 0, high = [1, 2.5], of = 'input' } }", Rule::Box(Bounds::of_input(0.0, list))),
    ] {
        assert_eq!(read(text), Ok(rule.clone()));
        let written = set(vec![Row::of([Kind::Linear], rule)]);
        assert_eq!(RuleSet::from_toml(&written.to_toml().unwrap()).unwrap(), written);
    }
    for (text, expected) in [
        ("{ box = { low = 1, high = 0 } }", "low below high"),
        ("{ box = { low = [0, 1], high = [1] } }", "as many low as high bounds"),
        ("{ box = { low = 'dark', high = 1 } }", "a number, or a list of one for each channel"),
        ("{ box = { low = 0 } }", "missing field `high`"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(expected), "{expected}\nis missing from\n{error}");
    }
}

#[test]
fn bounds_hold_for_what_the_layer_reads() {
    let boxed = |bounds: Bounds, layer| {
        let row = Row::of([Kind::Linear], Rule::OpenBox).at(layer);
        explained(set(vec![row]).bounded(&bounds), false)
    };
    let rows = vec![
        Row::of([Kind::Linear], Rule::Box(Bounds::of_input(-2.0, 2.0))).at(Layer::First),
        Row::of([Kind::Linear], Rule::Box(Bounds::of_operand(0.0, Level::Each(vec![1.0, 4.0, 1.0])))),
    ];
    // The last layer reads (0, 4, 1) with weights (1, −0.5, 2): 1·(0 − 0), 0.5·(4 − 4) and 2·(1 − 0), so the third takes all. It has
    // weights −1 and −1 for x = (1, −2): 1·(2 − 1) and 1·(2 + 2).
    close(&shares(set(rows)), &[1.0 / 5.0, 4.0 / 5.0]);
    let missing = explained(set(vec![Row::of([Kind::Linear], Rule::OpenBox)]), false).unwrap_err();
    assert!(matches!(&missing, Error::Rules(text) if text.contains("RuleSet::bounded")), "{missing}");
    for (bounds, layer, expected) in [
        (Bounds::of_operand(-1.0, 1.0), Layer::First, "from -2.0000 to 1.0000, outside the bounds -1 to 1"),
        (
            Bounds::of_operand(0.0, vec![9.0; 2]),
            Layer::Last,
            "has 3 channels; give one for each, or one for all",
        ),
        (Bounds::of_input(-9.0, 9.0), Layer::Last, "which reads what step 1 ("),
    ] {
        let error = boxed(bounds, layer).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}\nis missing from\n{error}");
    }
    // What rounding puts outside is at the bound.
    assert!(boxed(Bounds::of_operand(-2.0, 0.999), Layer::First).unwrap().ledger.closes());
}

#[test]
fn a_wrong_set_says_what_is_wrong() {
    for (rows, expected) in [
        ("kind = ['linear']\nrule = 'z-plus'", "unknown field `kind`"),
        ("kinds = ['lin']\nrule = 'z-plus'", "unknown variant `lin`, expected one of `linear`"),
        ("rule = 'zplus'", "unknown variant `zplus`"),
        ("rule = 'zplus'", "Did you mean z-plus?"),
        ("rule = { epsilom = 1 }", "Did you mean epsilon?"),
        ("rule = { box = { low = 0, high = 1, of = 'inptu' } }", "Did you mean input?"),
        ("rule = { box = { lo = 0, high = 1 } }", "Did you mean low?"),
        ("modul = 'encoder'\nrule = 'z-plus'", "Did you mean module?"),
        ("kinds = ['linear']", "missing field `rule`"),
        (
            "kinds = ['linear']\nrule = { epsilon = 0.0 }",
            "epsilon must be above 0, but the rule is epsilon 0.0",
        ),
        ("rule = { gamma = nan }", "gamma must be 0 or above"),
        ("rule = { alpha-beta = [3, 1] }", "alpha − beta = 1"),
        (
            "kinds = ['softmax']\nrule = 'z-plus'",
            "z-plus is no rule for steps of the kind softmax; there is backtrace",
        ),
    ] {
        let error = RuleSet::from_toml(&format!("name = 'mine'\n[[step]]\n{rows}")).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}\nis missing from\n{error}");
    }
    let unknown = RuleSet::named("epsilonn").unwrap_err().to_string();
    assert!(unknown.contains("there is no rule set epsilonn; there are backtrace"), "{unknown}");
    assert!(unknown.ends_with("Did you mean epsilon, epsilon-plus or epsilon-gamma-box?"), "{unknown}");
}

#[test]
fn a_set_that_does_not_fit_the_model_is_refused() {
    let error = |rows| explained(set(rows), false).unwrap_err().to_string();
    let elsewhere = Row { module: Some("decoder.*".into()), ..Row::of([], Rule::ZPlus) };
    assert!(error(vec![elsewhere]).contains("decoder.*: it selects nothing of this model"));
    // All steps, the activation among them.
    assert!(error(vec![Row::of([], Rule::ZPlus)]).contains("is no rule for steps of the kind activation"));
    let contrastive = explained(set(vec![Row::of([Kind::Linear], Rule::ZPlus)]), true).unwrap_err();
    assert!(contrastive.to_string().contains("contrastive mode belongs to the rule set backtrace"));
}

/// Einstein sums and convolutions are products of matrices if both their factors move.
#[test]
fn products_of_matrices_are_known_by_their_factors() {
    let geometry = ConvGeometry { stride: vec![1], padding: vec![0], dilation: vec![1], groups: 1 };
    let ops: [(Box<dyn BacktraceOp<Array>>, Kind); 3] = [
        (Box::new(Einsum { a: vec![0, 1], b: vec![1, 2], output: vec![2, 0] }), Kind::Linear),
        (Box::new(MatMul { transposed: false }), Kind::Linear),
        (Box::new(Convolution { geometry }), Kind::Convolution),
    ];
    for (op, layer) in ops {
        let operand = |value: usize, depends: bool| Operand {
            depends,
            ..Operand::new(ValueId(value), Array::from_slice(&[1, 1], &[1.0]))
        };
        let kind = |a: bool, b: bool| Kind::of(&*op, &[operand(0, a), operand(1, b)]);
        assert_eq!(kind(true, true), Kind::MatrixProduct, "{op:?}");
        assert_eq!(kind(true, false), layer, "{op:?}");
    }
}

/// What the operands of the last step receive of 1 for each of its cells.
#[derive(Default)]
struct Handed(BTreeMap<ValueId, f64>);

impl Observer<Array> for Handed {
    fn handed(&mut self, place: Option<&Place>, value: ValueId, amount: Amount) {
        // The last step is the first that hands on anything.
        if place.is_some() && self.0.len() < 2 {
            *self.0.entry(value).or_default() += amount.positive;
        }
    }
}

/// The shares of two operands in the last step, for a set of one row.
fn shares_of(row: Row, build: &dyn Fn(&mut Net) -> [ValueId; 3]) -> Result<[f64; 2], Error> {
    let mut net = Net::new();
    let [y, a, b] = build(&mut net);
    net.returns(y);
    let start = Array::new(net.data(y).mapv(|_| 1.0));
    let options = WalkOptions { rules: set(vec![row]), ..WalkOptions::default() };
    let mut handed = Handed::default();
    let prepared = net.prepared(&PrepareOptions::default());
    let start = vec![(y, Relevance::default_mode(start))];
    prepared.backtrace(start, &WeightCache::new(0), options, &mut handed)?;
    Ok([a, b].map(|operand| handed.0.get(&operand).copied().unwrap_or_default()))
}

/// A sum is residual if one of its terms was made from the other, or from what the other was projected from.
#[test]
fn residual_sums_are_found() {
    let halves = |build: &dyn Fn(&mut Net) -> [ValueId; 3]| {
        let row = Row { finding: Some(Finding::Residual), rule: Rule::Half, ..Row::default() };
        let [a, b] = shares_of(row, build).unwrap();
        assert!(a > 0.0 && b > 0.0);
        (a - b).abs() < 1e-9
    };
    let branch = |net: &mut Net, x: ValueId| {
        let (first, second) = (net.constant(&[4, 5]), net.constant(&[5, 4]));
        let hidden = net.matmul(x, first);
        let active = net.relu(hidden);
        net.matmul(active, second)
    };
    assert!(halves(&|net| {
        let x = net.input(&[2, 4]);
        let y = branch(net, x);
        [net.add(x, y), x, y]
    }));
    assert!(halves(&|net| {
        let (x, weight) = (net.input(&[2, 4]), net.constant(&[4, 4]));
        let (y, projected) = (branch(net, x), net.matmul(x, weight));
        [net.add(y, projected), y, projected]
    }));
    // Two inputs, and two functions of one.
    assert!(!halves(&|net| {
        let (a, b) = (net.input(&[2, 4]), net.input(&[2, 4]));
        [net.add(a, b), a, b]
    }));
    assert!(!halves(&|net| {
        let x = net.input(&[2, 4]);
        let (a, b) = (net.relu(x), net.sigmoid(x));
        [net.add(a, b), a, b]
    }));
}

/// All of a product goes to the factor that a gate or an expert's weight scales.
#[test]
fn signals_are_told_from_what_scales_them() {
    let signal = |finding, build: &dyn Fn(&mut Net) -> [ValueId; 3]| {
        shares_of(Row { finding, rule: Rule::Signal, ..Row::of([Kind::Product], Rule::Signal) }, build)
    };
    let gated = |net: &mut Net| {
        let (x, z) = (net.input(&[2, 4]), net.input(&[2, 4]));
        let gate = net.sigmoid(z);
        let gate = net.reshape(gate, &[2, 4]);
        [net.mul(gate, x), gate, x]
    };
    assert_eq!(signal(Some(Finding::Gate), &gated).unwrap(), [0.0, 8.0]);
    assert_eq!(signal(None, &gated).unwrap(), [0.0, 8.0]);
    let routed = |net: &mut Net| {
        let (x, z) = (net.input(&[2, 4]), net.input(&[2, 4]));
        let weights = net.softmax(z);
        [net.mul(x, weights), x, weights]
    };
    assert_eq!(signal(Some(Finding::Router), &routed).unwrap(), [8.0, 0.0]);
    // A row for gates does not select it, so it shares as DLBacktrace has it.
    assert!(signal(Some(Finding::Gate), &routed).unwrap()[1] > 0.0);
    let plain = |net: &mut Net| {
        let (a, b) = (net.input(&[2, 4]), net.input(&[2, 4]));
        [net.mul(a, b), a, b]
    };
    let refused = signal(None, &plain).unwrap_err().to_string();
    assert!(refused.contains("neither factor is known to scale the other"), "{refused}");
}

#[test]
fn findings_are_written_as_text() {
    let text = "name = \"mine\"\n[[step]]\nfinding = \"residual\"\nrule = \"half\"\n";
    let set = RuleSet::from_toml(text).unwrap();
    assert_eq!(set.rows[0].finding, Some(Finding::Residual));
    assert_eq!(RuleSet::from_toml(&set.to_toml().unwrap()).unwrap(), set);
    let wrong = RuleSet::from_toml(&text.replace("half", "signal")).unwrap_err().to_string();
    assert!(wrong.contains("signal is no rule for steps of the kind sum"), "{wrong}");
}
