//! `dlbacktrace rules`.

use crate::args::Rules;
use crate::failure::Result;
use crate::output;
use dlbacktrace::rules::PRESETS;

/// Lists the rule sets that have names, or prints one set.
pub fn run(args: &Rules) -> Result<()> {
    match (&args.set, args.json) {
        (Some(set), true) => output::json(set),
        (Some(set), false) => output::text(&set.to_toml().map_err(dlbacktrace::Error::from)?),
        (None, true) => output::json(&PRESETS),
        (None, false) => {
            let heading = ["name", "rules", "source"].map(str::to_owned);
            let rows =
                PRESETS.iter().map(|preset| [preset.name, preset.summary, preset.source].map(str::to_owned));
            output::text(&output::columns(&std::iter::once(heading).chain(rows).collect::<Vec<_>>()))
        }
    }
}
