//! Decisions made from the inputs, counts that divide, and what is added to embeddings, in real models.

use dlbacktrace::{Amount, Explanation, Loss, Mode, Options};
use testkit_torch::fixtures::{channels, explain, inputs, load};

fn numbers(explanation: &Explanation, input: usize) -> Vec<f32> {
    explanation.inputs()[input].relevance().unwrap().into_iter().map(|share| share as f32).collect()
}

fn lost(explanation: &Explanation, loss: Loss) -> Amount {
    explanation.ledger().losses().get(&loss).copied().unwrap_or_default()
}

#[track_caller]
fn close(found: &[f32], expected: &[f32]) {
    let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(found.len() == expected.len() && near, "{found:?} instead of {expected:?}");
}

/// y = 5·[x₀ > 0.5] + 0.1·x₁ for two samples: x₀ is above the limit in one, and below in the other.
#[test]
fn a_threshold_is_explained_by_its_number() {
    for mode in [Mode::Default, Mode::Contrastive] {
        for form in ["flag", "chosen", "stepped", "interval"] {
            let explanation = explain(&format!("decision_{form}"), &Options::new().mode(mode));
            close(&numbers(&explanation, 0), &[5.0, 0.08, 0.0, 0.0, 0.05, 0.0]);
            assert!(explanation.ledger().losses().is_empty(), "{form}");
            let warnings = explanation.warnings().join("\n");
            assert!(warnings.contains("of the start came from decisions"), "{form}: {warnings}");
        }
    }
    // Relevance that passes a decision made from another one is counted once.
    for form in ["flag", "interval"] {
        let warnings = explain(&format!("decision_{form}"), &Options::new()).warnings().join("\n");
        assert!(
            warnings.starts_with("97.5 % of the start") && warnings.contains("97.5 % aten::gt"),
            "{warnings}"
        );
    }
}

#[test]
fn what_several_numbers_decide_is_named_and_booked() {
    for (mode, name, operator, share) in [
        (Mode::Default, "decision_several", "aten::logical_and", 5.0),
        (Mode::Contrastive, "decision_several", "aten::logical_and", 5.0),
        (Mode::Default, "decision_tree_walked", "aten::gt", 1.0),
        (Mode::Default, "decision_tree_multiplied", "aten::eq", 1.0),
    ] {
        let explanation = explain(name, &Options::new().mode(mode));
        let decided = lost(&explanation, Loss::Decision).positive;
        assert!(decided >= share - 1e-5, "{name}: {decided}");
        assert_eq!(lost(&explanation, Loss::Constant), Amount::default(), "{name}");
        let warnings = explanation.warnings().join("\n");
        assert!(warnings.contains("ended in decisions") && warnings.contains(operator), "{name}: {warnings}");
    }
}

/// The vector that says which rows belong together takes nothing.
#[test]
fn counts_that_divide_take_nothing() {
    let pooled = ["scattered", "counted", "added", "spread", "multiplied", "unique", "reduced"];
    for name in
        pooled.map(|form| format!("pooled_{form}")).into_iter().chain(["graph_convolution".to_owned()])
    {
        for mode in [Mode::Default, Mode::Contrastive] {
            let explanation = explain(&name, &Options::new().mode(mode));
            assert!(numbers(&explanation, 1).iter().all(|&share| share == 0.0), "{name}");
            assert!(numbers(&explanation, 0).iter().any(|&share| share != 0.0), "{name}");
        }
    }
}

#[test]
fn tokens_take_what_is_added_to_them_on_request() {
    let own = explain("embedding", &Options::new());
    let whole = explain("embedding", &Options::new().whole_tokens(true));
    let constant = lost(&own, Loss::Constant).positive;
    let warning = own.warnings().iter().find(|warning| warning.contains("--whole-tokens"));
    assert!(constant != 0.0 && warning.is_some_and(|warning| warning.contains("aten::add")));
    assert_eq!(lost(&whole, Loss::Constant).positive, 0.0);
    assert!(whole.warnings().is_empty());
    let total = |explanation: &Explanation| channels(explanation)[0].sum(None).double_value(&[]);
    assert!((total(&whole) - total(&own) - constant).abs() < 1e-5);
}

#[test]
fn an_output_without_inputs_is_told_in_their_names() {
    let (fixture, model) = load("constant_output");
    let error = model.explain(&inputs(&fixture), &Options::new()).err().map(|error| error.to_string());
    let error = error.unwrap_or_default();
    assert!(error.contains("does not depend on any explained input (x (F32 [2, 4]))"), "{error}");
}
