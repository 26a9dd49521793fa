//! The command line: its subcommands and options.

mod explain;
mod generate;
mod inputs;
mod model;
mod rules;
mod text;

pub use explain::{Explain, Verify};
pub use generate::{ChoiceArgs, Generate};
pub use inputs::{Dtype, ImageArgs, InputArgs, Layout, Range, Size, TableArgs};
pub use model::{Inspect, ModelArgs, Ops};
pub use rules::{ModeArg, RuleArgs, Rules, TargetArg, TaskArg, VersusArg};
pub use text::TextArgs;

use clap::{Parser, Subcommand};

/// The command.
#[derive(Debug, Parser)]
#[command(name = "dlbacktrace", version, max_term_width = 100, after_help = EXIT_CODES)]
#[command(
    about = "Explains why a deep model decided as it did: traces relevance from its output back to its inputs"
)]
pub struct Cli {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
    /// Show a framework's error messages in full, with their backtraces (RUST_BACKTRACE=full does the same)
    #[arg(long, global = true)]
    pub verbose: bool,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 the results cannot be written or do not verify, 2 usage, 3 the model cannot be loaded, 4 an \
operator has no rule, 5 the inputs do not fit the model, 6 the framework's library is missing or wrong, 130 interrupted.";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trace a model's output back to its inputs
    Explain(Box<Explain>),
    /// Let a language model continue a text, and trace each token it adds back to the tokens before it
    Generate(Box<Generate>),
    /// Show a model's inputs, outputs and modules, and which of its operators have a rule
    Inspect(Inspect),
    /// Check that a replay of the recording gives the same values, and that every step accounts for its relevance
    Verify(Box<Verify>),
    /// List the operators that have a rule
    Ops(Ops),
    /// List the sets of rules by which relevance can be traced, or print one
    Rules(Rules),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_of_explain() -> Result<(), clap::Error> {
        let line = "dlbacktrace explain m.pt --input a.npy sr=16000 -i x=b.npz:k --target 3 --mode contrastive --gates off \
                    --mean 0.5,0.4 --multiplier -2 --task next-token --row 1,2";
        let Command::Explain(explain) = Cli::try_parse_from(line.split_whitespace())?.command else {
            return Err(clap::Error::new(clap::error::ErrorKind::InvalidSubcommand));
        };
        assert_eq!(explain.inputs.inputs, ["a.npy", "sr=16000", "x=b.npz:k"]);
        assert_eq!(explain.rules.target, TargetArg::Unit(3));
        assert_eq!(explain.rules.multiplier, -2.0);
        assert!(!explain.rules.gates);
        assert_eq!(explain.inputs.table.row, [1, 2]);
        Ok(())
    }
}
