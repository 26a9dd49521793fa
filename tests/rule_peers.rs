//! Rule sets against the tools of the field: zennit and captum, and autograd for the rules of transformers.
//!
//! See tests/data/README.md for the file. `-- --nocapture` prints how far each case is off.

use dlbacktrace::rules::{Bounds, PRESETS, RuleSet};
use dlbacktrace::{Model, Options, Target};
use ndarray::ArrayD;
use serde::Deserialize;
use std::fs;
use testkit_torch::fixtures::fixture;

#[derive(Deserialize)]
struct Peers {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    fixture: String,
    rules: String,
    /// The set in TOML, if the name is none of ours.
    set: Option<String>,
    /// The bounds of the input, if the set needs some.
    bounds: Option<Bounds>,
    tool: String,
    unit: usize,
    relevance: Stored,
}

#[derive(Deserialize)]
struct Stored {
    shape: Vec<usize>,
    data: Vec<f64>,
}

impl Case {
    /// How far our relevance is off, relative to the largest magnitude.
    fn gap(&self) -> f64 {
        let expected =
            ArrayD::from_shape_vec(self.relevance.shape.clone(), self.relevance.data.clone()).unwrap();
        let fixture = fixture(&self.fixture);
        let rules = match &self.set {
            Some(text) => RuleSet::from_toml(text).unwrap(),
            None => RuleSet::named(&self.rules).unwrap(),
        };
        let rules = self.bounds.iter().fold(rules, RuleSet::bounded);
        let options = Options::new().rules(rules).target(Target::Class(self.unit));
        let model = Model::load(fixture.path()).unwrap();
        let explanation = model.explain(&fixture.inputs(&fixture.tensors()), &options).unwrap();
        let found = explanation.inputs()[0].relevance().unwrap();
        assert_eq!(found.shape(), expected.shape());
        let largest =
            |values: &ArrayD<f64>| values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
        largest(&(&found - &expected)) / largest(&expected)
    }
}

/// Sets that no other tool has.
const OWN: [&str; 3] = ["backtrace", "last-layer-signed", "signed-backtrace"];

#[test]
fn rule_sets_compute_what_other_tools_do() {
    let text = fs::read_to_string("tests/data/rule_peers.json").unwrap();
    let cases = serde_json::from_str::<Peers>(&text).unwrap().cases;
    for preset in PRESETS.iter().filter(|preset| !OWN.contains(&preset.name)) {
        let compared = cases.iter().any(|case| case.rules == preset.name);
        assert!(compared, "no figures for {}", preset.name);
    }
    let mut wrong = String::new();
    for case in cases {
        let gap = case.gap();
        let told =
            format!("{} of {} by {}, unit {}: {gap:.1e}", case.rules, case.fixture, case.tool, case.unit);
        println!("{told}");
        if gap.is_nan() || gap > 1e-9 {
            wrong += &format!("\n{told}");
        }
    }
    assert!(wrong.is_empty(), "off, relative to the largest:{wrong}");
}
