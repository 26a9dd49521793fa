//! `dlbacktrace ops`.

use crate::args::Ops;
use crate::failure::Result;
use crate::output;

/// Lists the operators that have a rule.
pub fn run(args: &Ops) -> Result<()> {
    let operators = dlbacktrace::operators();
    if args.json {
        return output::json(&operators);
    }
    let heading = ["operator", "rule", "note"].map(str::to_owned);
    let rows = operators.iter().map(|op| [op.operator.to_string(), op.rule.to_string(), op.note.to_string()]);
    output::text(&output::columns(&std::iter::once(heading).chain(rows).collect::<Vec<_>>()))
}
