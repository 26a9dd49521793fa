//! The options for texts, and for the tokenizer that turns them into tokens.

use clap::Args;
use std::path::PathBuf;

/// Texts for a model that takes tokens.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Text")]
pub struct TextArgs {
    /// The model's tokenizer, a tokenizer.json
    #[arg(long, value_name = "FILE", requires = "text")]
    pub tokenizer: Option<PathBuf>,
    /// A text; several texts make a batch
    #[arg(long, value_name = "TEXT", requires = "tokenizer", allow_hyphen_values = true)]
    pub text: Vec<String>,
    /// The second text of a pair, such as the answer to a question; give it as often as --text
    #[arg(long, value_name = "TEXT", requires = "text", allow_hyphen_values = true)]
    pub text_pair: Vec<String>,
    /// Add no special tokens such as [CLS]
    #[arg(long, requires = "text")]
    pub no_special_tokens: bool,
    /// Pad shorter texts to N tokens, for a model that takes no other number
    #[arg(long, value_name = "N", requires = "text")]
    pub pad_to: Option<usize>,
    /// Show whole words: join their tokens
    #[arg(long, requires = "text")]
    pub words: bool,
}
