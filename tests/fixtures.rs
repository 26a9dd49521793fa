//! Every fixture explained: full coverage, closed ledger, equal to its twin, the same bits twice.

use dlbacktrace::rules::{Bounds, Kind, Others, PRESETS, Row, Rule, RuleSet};
use dlbacktrace::{Error, Explanation, Family, Mode, Model, Options, Output, Target};
use dlbacktrace_torch::OperatorRule;
use std::collections::{BTreeMap, BTreeSet};
use tch::Tensor;
use testkit::kinds::unforeseen;
use testkit_torch::fixtures::{Fixture, Node, agree, fixture, fixtures};

/// Explains the first floating output; a model may return others as well.
fn explain(fixture: &Fixture, model: &Model, mode: Mode) -> Result<Explanation, Error> {
    explain_by(fixture, model, mode, RuleSet::default())
}

fn explain_by(fixture: &Fixture, model: &Model, mode: Mode, rules: RuleSet) -> Result<Explanation, Error> {
    let tensors = fixture.tensors();
    let floating =
        fixture.outputs(&tensors).iter().position(|output| output.is_floating_point()).unwrap_or(0);
    let options = Options::new().mode(mode).rules(rules).output(Output::Index(floating)).target(match mode {
        Mode::Default => Target::AllOutputs,
        Mode::Contrastive => Target::Argmax,
    });
    // Bytes of pictures are numbers; the user has to say so, because bytes are integers.
    let bytes = fixture
        .inputs
        .iter()
        .filter(|input| matches!(&input.value, Node::Tensor(key) if tensors[key].kind() == tch::Kind::Uint8));
    let options = bytes.fold(options, |options, input| options.numeric_input(&input.name));
    model.explain(&fixture.inputs(&tensors), &options)
}

fn relevances(explanation: &Explanation) -> Vec<Tensor> {
    explanation
        .inputs()
        .iter()
        .flat_map(|input| [input.tensor(), input.negative_tensor()])
        .flatten()
        .map(Tensor::shallow_clone)
        .collect()
}

/// What is wrong with the explanation of a fixture in one mode.
fn problem(fixture: &Fixture, mode: Mode, rules: &RuleSet) -> Option<String> {
    let model = match Model::load(fixture.path()) {
        Ok(model) => model,
        Err(error) => return Some(format!("does not load: {error}")),
    };
    let explained = || explain_by(fixture, &model, mode, rules.clone());
    let explanation = match explained() {
        Ok(explanation) => explanation,
        Err(Error::NoRule(_) | Error::Usage(_)) if !fixture.common => return None,
        // A set may refuse kinds of steps, which the error names.
        Err(Error::NoRule(text))
            if rules.others == Others::Refused && text.contains("has no rule for steps") =>
        {
            return None;
        }
        Err(error) => return Some(error.to_string()),
    };
    if explanation.coverage() < 1.0 {
        return Some(format!("coverage {}: {:?}", explanation.coverage(), explanation.operators()));
    }
    if !explanation.ledger().closes() {
        let open: Vec<String> =
            explanation.ledger().open_entries().map(|entry| format!("{entry:?}")).collect();
        return Some(format!("open steps: {}", open.join("; ")));
    }
    if relevances(&explanation).iter().any(|relevance| relevance.isfinite().all().int64_value(&[]) == 0) {
        return Some("relevance that is not finite".into());
    }
    let again = explained().ok()?;
    if !relevances(&explanation).iter().zip(relevances(&again)).all(|(first, second)| first.equal(&second)) {
        return Some("the second run gives other bits".into());
    }
    None
}

fn report(problems: Vec<(String, String)>) {
    let text: String = problems.iter().map(|(name, problem)| format!("\n{name}: {problem}")).collect();
    assert!(problems.is_empty(), "{} fixtures fail:{text}", problems.len());
}

fn explained() -> Vec<Fixture> {
    let fixtures: Vec<Fixture> =
        fixtures().into_iter().filter(|fixture| fixture.expect == "explained").collect();
    assert!(fixtures.len() > 200);
    fixtures
}

fn problems(mode: Mode, rules: &RuleSet) -> Vec<(String, String)> {
    let found = |fixture: &Fixture| Some((fixture.name.clone(), problem(fixture, mode, rules)?));
    explained().iter().filter_map(found).collect()
}

#[test]
fn all_are_explained_in_default_mode() {
    report(problems(Mode::Default, &RuleSet::default()));
}

#[test]
fn all_are_explained_in_contrastive_mode() {
    report(problems(Mode::Contrastive, &RuleSet::default()));
}

/// The sets with names, apart from the default one. Operands of first layers lie within wide bounds.
fn named() -> impl Iterator<Item = RuleSet> {
    let sets = PRESETS.iter().map(|preset| preset.rules().bounded(&Bounds::of_operand(-1e5, 1e5)));
    sets.filter(|rules| !rules.is_backtrace())
}

#[test]
fn all_are_explained_by_every_named_rule_set() {
    for rules in named() {
        report(problems(Mode::Default, &rules));
    }
}

/// Every sum, whatever its map, has a part of the squares and of the connections of its weights.
#[test]
fn all_are_explained_by_weights_alone() {
    for rule in [Rule::WSquare, Rule::Flat] {
        let rows = vec![Row::of([Kind::Linear, Kind::Convolution, Kind::Sum, Kind::Average], rule.clone())];
        let rules = RuleSet { name: rule.to_string(), rows, ..RuleSet::default() };
        report(problems(Mode::Default, &rules));
    }
}

#[test]
fn the_table_lists_what_operators_do() {
    let mut met: BTreeMap<String, BTreeSet<Family>> = BTreeMap::new();
    for fixture in explained() {
        let Ok(explanation) =
            Model::load(fixture.path()).and_then(|model| explain(&fixture, &model, Mode::Default))
        else {
            continue;
        };
        for used in explanation.operators() {
            let name = used.operator.strip_suffix('_').unwrap_or(&used.operator);
            met.entry(name.to_owned()).or_default().extend(&used.families);
        }
    }
    let rows = dlbacktrace_torch::operators();
    let rows: Vec<_> = rows.iter().filter_map(|row| Some((row, met.get(row.operator)?))).collect();
    assert!(rows.len() > 200, "{}", rows.len());
    let wrong = rows.iter().filter(|(row, families)| !families.contains(&row.family));
    let told = |(row, families): &(&OperatorRule, &BTreeSet<Family>)| {
        (row.operator.to_owned(), format!("is listed as {}, is {families:?}", row.family))
    };
    report(wrong.map(told).collect());
}

/// The fixtures whose twin, written in another way, has other relevance.
fn unequal(mode: Mode, rules: &RuleSet, tolerance: f64) -> Vec<(String, String)> {
    let of = |fixture: &Fixture| {
        let model = Model::load(fixture.path())?;
        explain_by(fixture, &model, mode, rules.clone()).map(|found| relevances(&found))
    };
    let mut problems = Vec::new();
    let pairs = explained().into_iter().filter_map(|first| Some((fixture(first.equals.as_ref()?), first)));
    for (second, first) in pairs {
        match (of(&first), of(&second)) {
            (Ok(a), Ok(b)) if a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| agree(a, b, tolerance)) => {
            }
            (Ok(a), Ok(b)) => {
                let gaps = a.iter().zip(&b).map(|(a, b)| (a - b).abs().max().double_value(&[]));
                let worst = gaps.fold(0.0, f64::max);
                problems
                    .push((first.name, format!("differs from {} by {worst} in {mode:?} mode", second.name)));
            }
            // What a set refuses in one form, it may serve in another.
            (Err(Error::NoRule(_)), _) | (_, Err(Error::NoRule(_))) if rules.others == Others::Refused => {}
            (Err(error), _) | (_, Err(error)) => problems.push((first.name, error.to_string())),
        }
    }
    problems
}

#[test]
fn written_in_another_way_relevance_is_the_same() {
    assert!(explained().iter().filter(|fixture| fixture.equals.is_some()).count() > 10);
    report(unequal(Mode::Default, &RuleSet::default(), 1e-5));
    // Contrastive mode divides by the sum of one sign's contributions. It may be small, which enlarges the rounding of single
    // precision.
    report(unequal(Mode::Contrastive, &RuleSet::default(), 1e-4));
}

/// Twins that rule sets need not treat alike, and why.
const APART: [(&str, &str); 14] = [
    ("lstm_projection_written", "its last layer is part of the cell"),
    ("lstm_both_ways_written", "its last layer is part of the cell"),
    ("attention_float_mask_sdpa", "attention in one operator adds its mask by its own rule"),
    ("attention_learned_sdpa", "its queries are constant, so that the written form has linear layers"),
    ("pair_rotary_written", "products of complex numbers are sums of products"),
    ("hypernetwork", "the written form has sums in place of a layer whose weights move"),
    ("fourier_long_filter_direct", "a filter by way of spectra is known up to a factor, and no layer"),
    ("fourier_operator_real", "complex layers are sums of products"),
    ("pair_complex_matrices_written", "complex layers are sums of products"),
    ("categories_in_columns", "rows of ones times a weight are a layer, looked up they are none"),
    ("columns_written", "rows of ones times a weight are a layer, looked up they are none"),
    ("columns_added", "rows of ones times a weight are a layer, looked up they are none"),
    ("decision_gate_times", "a rectifier is the operator, not its written form"),
    ("decision_gate_chosen", "a rectifier is the operator, not its written form"),
];

/// Twins of tokens, which have no derivatives: they take those of their rows, times the rows, where they are looked up.
const TOKENS: [&str; 2] = ["embedding_arithmetic", "tokens_counted"];

/// Twins of which only one has a layer that reads zeros beside ones, or has weights of 0. By the rules flat and box these take
/// relevance as well.
const ZEROS: [&str; 5] = [
    "decision_bins_spread",
    "decision_bins_scattered",
    "decision_bins_put",
    "pooled_multiplied",
    "tokens_counted",
];

#[test]
fn written_in_another_way_relevance_is_the_same_by_every_named_rule_set() {
    let mut all = Vec::new();
    for rules in named() {
        let mut problems = unequal(Mode::Default, &rules, 1e-3);
        let to_zeros = rules.rows.iter().any(|row| matches!(row.rule, Rule::Flat | Rule::Box(_)));
        problems.retain(|(name, _)| {
            let apart = APART.iter().any(|(apart, _)| apart == name)
                || (to_zeros && ZEROS.contains(&name.as_str()))
                || (!rules.conserves() && TOKENS.contains(&name.as_str()));
            !apart
        });
        all.extend(problems.into_iter().map(|(name, problem)| (name, format!("{}: {problem}", rules.name))));
    }
    report(all);
}

#[test]
fn kinds_known_before_a_run_are_those_of_the_run() {
    let (mut problems, mut checked) = (Vec::new(), 0);
    for fixture in explained() {
        let Ok(model) = Model::load(fixture.path()) else { continue };
        let Ok(explanation) = explain(&fixture, &model, Mode::Default) else { continue };
        let (compared, wrong) = unforeseen(&model.inspect().unwrap().operators, explanation.operators());
        checked += compared;
        problems.extend(wrong.into_iter().map(|problem| (fixture.name.clone(), problem)));
    }
    assert!(checked > 500, "{checked}");
    report(problems);
}

#[test]
fn the_recording_repeats_bit_by_bit() {
    let mut problems = Vec::new();
    for fixture in explained() {
        let Ok(model) = Model::load(fixture.path()) else { continue };
        let tensors = fixture.tensors();
        match model.verify(&fixture.inputs(&tensors), &Options::new().allow_unruled(true)) {
            Ok(found) if found.replay.failed.is_empty() => {}
            Ok(found) => problems.push((fixture.name.clone(), found.replay.failed.join("; "))),
            // Another test checks starts that do not fit.
            Err(Error::Usage(_)) => {}
            Err(error) => problems.push((fixture.name.clone(), error.to_string())),
        }
    }
    report(problems);
}

#[test]
fn what_cannot_be_explained_says_why() {
    let fails = |fixture: &Fixture| !["explained", "random"].contains(&fixture.expect.as_str());
    for fixture in fixtures().into_iter().filter(fails) {
        let outcome = Model::load(fixture.path()).and_then(|model| explain(&fixture, &model, Mode::Default));
        let Err(error) = outcome else { panic!("{} was explained", fixture.name) };
        let expected = match fixture.expect.as_str() {
            "raises" => 5,
            "no-forward" | "foreign" => 3,
            // The output does not depend on the input, or is not a floating tensor: it was the wrong choice.
            _ if fixture.name == "constant_output" => 2,
            _ if fixture.outputs(&fixture.tensors()).iter().all(|output| !output.is_floating_point()) => 2,
            _ => 4,
        };
        assert_eq!(error.exit_code(), expected, "{}: {error}", fixture.name);
    }
}
