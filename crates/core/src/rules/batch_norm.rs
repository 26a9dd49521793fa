//! What becomes of batch norms.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What becomes of a batch norm with the statistics of training, which scales and shifts each feature by constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchNorm {
    /// It is a norm, and takes the rule of norms: relevance passes.
    #[default]
    Pass,
    /// It becomes a part of the layer before it or, if there is none, of the layer behind it, whose weights and bias are then
    /// those of both. That does not change what the model computes. If there is neither, it is a norm.
    Fold,
}

impl BatchNorm {
    pub(super) fn passes(&self) -> bool {
        *self == Self::Pass
    }
}

/// `pass` or `fold`.
impl FromStr for BatchNorm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "pass" => Ok(Self::Pass),
            "fold" => Ok(Self::Fold),
            _ => Err(Error::Rules(format!("a batch norm may pass or fold, not {text}"))),
        }
    }
}
