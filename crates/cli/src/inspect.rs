//! `dlbacktrace inspect`.

mod by_rules;

use crate::args::Inspect;
use crate::failure::Result;
use crate::{inputs, model, output};
use by_rules::ByRules;
use dlbacktrace::{Argument, Inspection};
use serde::Serialize;
use std::fmt::Write;

/// Shows a model's inputs, outputs and modules.
pub fn run(args: &Inspect) -> Result<()> {
    let mut inspection = model::load(&args.model)?.inspect()?;
    inspection.outputs = inspection.outputs.iter().flat_map(named).collect();
    let by_rules = args.rules.as_ref().map(|set| ByRules::of(set, &inspection.operators));
    match &by_rules {
        Some(rules) if args.json => output::json(&Document { inspection: &inspection, rules })?,
        None if args.json => output::json(&inspection)?,
        _ => output::text(&report(&inspection, by_rules.as_ref()))?,
    }
    by_rules.map_or(Ok(()), |by_rules| by_rules.check())
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    inspection: &'a Inspection,
    rules: &'a ByRules<'a>,
}

/// The names of an output that `--output` takes: those of its elements, for a list, a tuple or a dictionary.
fn named(output: &Argument) -> Vec<Argument> {
    let elements = inputs::Kind::of(&output.kind).elements();
    let element = |(name, kind): (String, &str)| Argument {
        name: output.name.clone() + &name,
        kind: kind.to_owned(),
        optional: output.optional || output.kind.starts_with("Optional["),
    };
    match elements.is_empty() {
        true => vec![output.clone()],
        false => elements.into_iter().map(element).flat_map(|element| named(&element)).collect(),
    }
}

fn report(inspection: &Inspection, by_rules: Option<&ByRules<'_>>) -> String {
    let mut text = format!("framework  {}\n", inspection.framework);
    for (head, items) in [("inputs", &inspection.inputs), ("outputs", &inspection.outputs)] {
        section(&mut text, head);
        let rows: Vec<_> = items.iter().map(|item| [format!("  {}", item.name), item.kind.clone()]).collect();
        text += &output::columns(&rows);
    }
    section(&mut text, &format!("modules, {} parameters", inspection.parameters));
    let rows: Vec<_> =
        inspection.modules.iter().map(|module| [indented(&module.path), module.class.clone()]).collect();
    text += &output::columns(&rows);
    let by = by_rules.map_or(String::new(), |by_rules| format!(", by the rule set {}", by_rules.set));
    section(&mut text, &format!("operators{by}"));
    let rows: Vec<_> = inspection
        .operators
        .iter()
        .enumerate()
        .map(|(number, operator)| {
            let family = operator.rule.as_deref().unwrap_or("NO RULE");
            let ruled = by_rules.and_then(|by_rules| by_rules.operators.get(number));
            let rule = ruled.map_or_else(|| family.to_owned(), |ruled| ruled.text(family));
            [format!("  {}", operator.operator), format!("×{}", operator.count), rule]
        })
        .collect();
    text += &output::columns(&rows);
    if !inspection.random.is_empty() {
        section(&mut text, "depends on random numbers: the model was saved in training mode, or draws some");
        for found in &inspection.random {
            let _ = writeln!(text, "  {found}");
        }
    }
    let _ = writeln!(
        text,
        "\ncoverage   {:.1} % of the operators have a rule{}",
        (inspection.coverage * 1000.0).floor() / 10.0,
        if inspection.exact { "" } else { " (as far as is known before a run)" }
    );
    text
}

fn section(text: &mut String, head: &str) {
    let _ = writeln!(text, "\n{head}");
}

/// The last part of a module's path, indented by its depth.
fn indented(path: &str) -> String {
    if path.is_empty() {
        return "  (model)".to_owned();
    }
    let depth = path.matches('.').count() + 1;
    let name = path.rsplit('.').next().unwrap_or(path);
    format!("  {}{name}", "  ".repeat(depth))
}
