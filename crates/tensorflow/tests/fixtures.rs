//! Every fixture explained: full coverage, closed ledger, the same bits twice, batch = singles, bit-by-bit replay.

use dlbacktrace_core::explain::{InputRelevance, Options, Output, Watch};
use dlbacktrace_core::rules::{Bounds, PRESETS, Rule, RuleSet};
use dlbacktrace_core::start::{StartOptions, Target};
use dlbacktrace_core::{Family, Mode, Tensor as _};
use dlbacktrace_tensorflow::{DataType, Error, Explanation, Model, operators};
use ndarray::{ArrayD, Axis, concatenate};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use testkit::kinds::unforeseen;
use testkit::saved_models::{self, Entry, Fixture, fixture, index, load};

const FLOATING: [DataType; 4] = [DataType::FLOAT, DataType::DOUBLE, DataType::HALF, DataType::BFLOAT16];

/// Explains the first floating output; a model may return others as well.
fn explain(model: &Model, fixture: &Fixture, mode: Mode) -> Result<Explanation, Error> {
    explain_by(model, fixture, mode, RuleSet::default())
}

fn explain_by(model: &Model, fixture: &Fixture, mode: Mode, rules: RuleSet) -> Result<Explanation, Error> {
    let inputs = fixture.tensors(model.context());
    let floating =
        model.outputs().iter().position(|output| FLOATING.contains(&output.data_type)).unwrap_or(0);
    let target = match mode {
        Mode::Default => Target::All,
        Mode::Contrastive => Target::Argmax,
    };
    let start = StartOptions { mode, target, ..StartOptions::default() };
    let numeric_inputs = fixture.entry.numeric_inputs.clone();
    model.explain(
        &inputs,
        &Options { output: Output::Index(floating), start, numeric_inputs, rules, ..Options::default() },
    )
}

/// The channels of each input.
fn relevances(explanation: &Explanation) -> Vec<ArrayD<f64>> {
    let inputs = explanation.inputs.iter();
    let channels = inputs.flat_map(|input| [Some(input.relevance.first()), input.relevance.second()]);
    channels.flatten().map(|channel| channel.to_array().unwrap()).collect()
}

/// What is wrong with the explanation of a fixture in one mode.
fn problem(fixture: &Fixture, mode: Mode, rules: &RuleSet) -> Result<(), String> {
    let model = load(&fixture.directory).map_err(|error| error.to_string())?;
    let explained = || explain_by(&model, fixture, mode, rules.clone());
    let explanation = match explained() {
        Ok(explanation) => explanation,
        // For rare operators, an error that names the operator is fine.
        Err(Error::Core(dlbacktrace_core::Error::NoRule { .. })) if !fixture.entry.common => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    if explanation.coverage() < 1.0 {
        let lacking = explanation.operators.iter().filter(|operator| operator.rule.is_none());
        return Err(format!("no rule: {:?}", lacking.map(|operator| &operator.operator).collect::<Vec<_>>()));
    }
    if !explanation.ledger.closes() {
        let open: Vec<String> = explanation.ledger.open_entries().map(|entry| format!("{entry:?}")).collect();
        return Err(format!("open steps: {}", open.join("; ")));
    }
    let found = relevances(&explanation);
    if found.iter().flatten().any(|relevance| !relevance.is_finite()) {
        return Err("relevance that is not finite".into());
    }
    // A gradient may be 0, as that of the sum of a softmax is, and so an expansion; a rule may let nothing through a softmax.
    let closes = rules.rows.iter().any(|row| matches!(row.rule, Rule::Closed | Rule::Taylor));
    if rules.conserves() && !closes && found.iter().flatten().all(|&relevance| relevance == 0.0) {
        return Err("nothing arrived".into());
    }
    let again = explained().map_err(|error| error.to_string())?;
    if found != relevances(&again) {
        return Err("the second run gives other bits".into());
    }
    Ok(())
}

#[track_caller]
fn report(check: impl Fn(&Fixture) -> Result<(), String>) {
    let entries: Vec<_> = index().into_iter().filter(|entry| entry.expect == "explained").collect();
    assert!(entries.len() >= 150, "{} fixtures", entries.len());
    let problems: Vec<String> = entries
        .iter()
        .filter_map(|entry| Some(format!("\n{}: {}", entry.name, check(&fixture(&entry.name)).err()?)))
        .collect();
    assert!(
        problems.is_empty(),
        "{} of {} fixtures fail:{}",
        problems.len(),
        entries.len(),
        problems.concat()
    );
}

#[test]
fn all_are_explained_in_default_mode() {
    report(|fixture| problem(fixture, Mode::Default, &RuleSet::default()));
}

#[test]
fn all_are_explained_in_contrastive_mode() {
    report(|fixture| problem(fixture, Mode::Contrastive, &RuleSet::default()));
}

#[test]
fn all_are_explained_by_every_named_rule_set() {
    // Operands of first layers lie within wide bounds.
    let sets = PRESETS.iter().map(|preset| preset.rules().bounded(&Bounds::of_operand(-1e5, 1e5)));
    for rules in sets.filter(|rules| !rules.is_backtrace()) {
        report(|fixture| problem(fixture, Mode::Default, &rules));
    }
}

/// DLBacktrace's rules beside one that goes by derivatives, or by the weights alone in every sum, whatever its map.
#[test]
fn all_are_explained_by_mixed_rules() {
    let rules = |kind, rule| format!("name = 'mixed'\n[[step]]\nkinds = ['{kind}']\nrule = '{rule}'");
    let sums = "linear', 'convolution', 'sum', 'average";
    for (kind, rule) in [("softmax", "taylor"), ("norm", "gradient"), (sums, "w-square"), (sums, "flat")] {
        let rules = RuleSet::from_toml(&rules(kind, rule)).unwrap();
        report(|fixture| problem(fixture, Mode::Default, &rules));
    }
}

#[test]
fn the_table_lists_what_operators_do() {
    let mut met: BTreeMap<String, BTreeSet<Family>> = BTreeMap::new();
    for entry in index().iter().filter(|entry| entry.expect == "explained") {
        let fixture = fixture(&entry.name);
        let model = load(&fixture.directory).unwrap();
        let Ok(explanation) = explain(&model, &fixture, Mode::Default) else { continue };
        for used in explanation.operators {
            met.entry(used.operator).or_default().extend(used.families);
        }
    }
    let rows = operators();
    let rows: Vec<_> = rows.iter().filter_map(|row| Some((row, met.get(row.operator)?))).collect();
    assert!(rows.len() > 150, "{}", rows.len());
    let wrong: Vec<String> = rows
        .iter()
        .filter(|(row, families)| !families.contains(&row.family))
        .map(|(row, families)| format!("\n{} is listed as {}, is {families:?}", row.operator, row.family))
        .collect();
    assert!(wrong.is_empty(), "{} of {} rows:{}", wrong.len(), rows.len(), wrong.concat());
}

#[test]
fn the_recording_repeats_bit_by_bit() {
    report(|fixture| {
        let model = load(&fixture.directory).map_err(|error| error.to_string())?;
        let replay = model
            .replay(&fixture.tensors(model.context()), &Watch::default())
            .map_err(|error| error.to_string())?;
        match (replay.checked, replay.failed.as_slice()) {
            (0, _) => Err("nothing was repeated".into()),
            (_, []) => Ok(()),
            (_, failed) => Err(failed.join("; ")),
        }
    });
}

#[test]
fn kinds_known_before_a_run_are_those_of_the_run() {
    let checked = Cell::new(0);
    report(|fixture| {
        let model = load(&fixture.directory).map_err(|error| error.to_string())?;
        let explanation = explain(&model, fixture, Mode::Default).map_err(|error| error.to_string())?;
        let (compared, wrong) = unforeseen(&model.inspect().operators, &explanation.operators);
        checked.set(checked.get() + compared);
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    });
    assert!(checked.get() > 300, "{checked:?}");
}

#[test]
fn a_batch_is_its_samples() {
    report(|fixture| {
        let Some(samples) = fixture.samples().filter(|_| fixture.entry.common) else { return Ok(()) };
        let model = load(&fixture.directory).map_err(|error| error.to_string())?;
        let whole = explain(&model, fixture, Mode::Default).map_err(|error| error.to_string())?;
        let given = |input: &InputRelevance<_>| fixture.inputs.iter().any(|(name, _)| *name == input.name);
        if !whole.inputs.iter().all(given) {
            // Values that are read from messages have no rows that count samples.
            return Ok(());
        }
        for (mode, tolerance) in [(Mode::Default, 1e-5), (Mode::Contrastive, 1e-4)] {
            let of = |fixture: &Fixture| {
                explain(&model, fixture, mode)
                    .map(|explanation| relevances(&explanation))
                    .map_err(|error| error.to_string())
            };
            let singles = samples.iter().map(of).collect::<Result<Vec<_>, _>>()?;
            for (index, batch) in of(fixture)?.into_iter().enumerate() {
                let parts: Vec<_> = singles.iter().map(|single| single[index].view()).collect();
                let joined = concatenate(Axis(0), &parts).map_err(|error| error.to_string())?;
                let scale = batch.iter().fold(1e-6_f64, |scale, value| scale.max(value.abs()));
                let gap = (&batch - &joined).iter().fold(0.0_f64, |gap, value| gap.max(value.abs()));
                if gap > tolerance * scale {
                    return Err(format!("a batch differs from its samples by {gap} in {mode:?} mode"));
                }
            }
        }
        Ok(())
    });
    let compared = index().iter().filter(|entry| fixture(&entry.name).samples().is_some()).count();
    assert!(compared >= 10, "{compared} fixtures have several samples");
}

#[test]
fn written_in_another_way_relevance_is_the_same() {
    let found = |fixture: &Fixture, mode| -> Result<_, String> {
        let model = load(&fixture.directory).map_err(|error| error.to_string())?;
        let explanation = explain(&model, fixture, mode).map_err(|error| error.to_string())?;
        Ok(relevances(&explanation))
    };
    report(|fixture| {
        let Some(other) = &fixture.entry.equals else { return Ok(()) };
        let other = saved_models::fixture(other);
        // Contrastive mode divides by the sum of one sign's contributions. It may be small, which enlarges the rounding
        // of single precision.
        for (mode, tolerance) in [(Mode::Default, 1e-5), (Mode::Contrastive, 1e-4)] {
            let (first, second) = (found(fixture, mode)?, found(&other, mode)?);
            if first.len() != second.len() {
                return Err(format!("{} inputs against {}", first.len(), second.len()));
            }
            for (a, b) in first.iter().zip(&second) {
                let b = b.to_shape(a.raw_dim()).map_err(|error| error.to_string())?;
                let scale = b.iter().fold(1e-6_f64, |scale, value| scale.max(value.abs()));
                let gap = (a - &b).iter().fold(0.0_f64, |gap, value| gap.max(value.abs())) / scale;
                if gap > tolerance {
                    return Err(format!("differs from {} by {gap:e} in {mode:?} mode", other.entry.name));
                }
            }
        }
        Ok(())
    });
    let pairs = index().iter().filter(|entry| entry.equals.is_some()).count();
    assert!(pairs >= 50, "{pairs} pairs");
}

#[test]
fn what_cannot_be_explained_says_why() {
    let fails = |entry: &Entry| !["explained", "random"].contains(&entry.expect.as_str());
    for entry in index().into_iter().filter(fails) {
        let fixture = fixture(&entry.name);
        let outcome = load(&fixture.directory).and_then(|model| explain(&model, &fixture, Mode::Default));
        match (outcome, entry.expect.as_str()) {
            (Err(Error::Core(_)), "unsupported") | (Err(Error::Operator { .. }), "raises") => {}
            (outcome, _) => panic!("{}: {:?}", entry.name, outcome.map(|found| found.operators)),
        }
    }
}

#[test]
fn inputs_are_in_the_order_of_the_models_function() {
    let of = |name: &str| {
        let model = load(&fixture(name).directory).unwrap();
        let names: Vec<String> = model.inputs().iter().map(|input| input.name.clone()).collect();
        (model.ordered(), names.join(", "))
    };
    for name in ["order_function", "order_traced", "order_export", "order_tf_keras"] {
        assert_eq!(of(name), (true, "user, item".into()), "{name}");
    }
    assert_eq!(of("order_none"), (false, "item, user".into()));
    assert_eq!(of("control_flow"), (true, "ids, extra".into()));
    assert!(of("mlp_export").0);
}
