//! Operators that parse messages, with the constants that say what to parse.

use super::body::Body;
use super::{Operation, Program};
use crate::proto::TensorProto;
use prost::Message;
use std::collections::HashSet;
use std::sync::Arc;

/// The operators.
const PARSERS: [&str; 3] = ["ParseExample", "ParseExampleV2", "ParseSingleExample"];

/// An operator that parses messages, and its place.
pub(crate) struct Parsed<'p> {
    pub(crate) operation: &'p Arc<Operation>,
    body: &'p Body,
    inputs: &'p [usize],
}

impl Program {
    /// Shows each parser that a body, and all that it calls, run.
    pub(crate) fn each_parser(&self, body: usize, show: &mut dyn FnMut(&Parsed<'_>)) {
        let (mut waiting, mut seen) = (vec![body], HashSet::from([body]));
        while let Some(body) = waiting.pop().and_then(|body| self.bodies.get(body)) {
            for node in &body.nodes {
                if PARSERS.contains(&node.operation.operator.as_str()) {
                    show(&Parsed { operation: &node.operation, body, inputs: &node.inputs });
                }
                waiting.extend(node.action.bodies().into_iter().filter(|&called| seen.insert(called)));
            }
        }
    }
}

impl Parsed<'_> {
    /// The constant at an input.
    fn constant(&self, input: usize) -> Option<TensorProto> {
        let slot = *self.inputs.get(input)?;
        let maker =
            |node: &&super::body::Node| (node.first_output..node.first_output + node.outputs).contains(&slot);
        let bytes = self.body.nodes.iter().find(maker)?.operation.tensor("value")?;
        TensorProto::decode(bytes).ok()
    }

    fn texts(&self, inputs: impl IntoIterator<Item = usize>) -> Vec<String> {
        let constants = inputs.into_iter().filter_map(|input| self.constant(input));
        let texts = constants.flat_map(|constant| constant.strings);
        texts.map(|text| String::from_utf8_lossy(&text).into_owned()).collect()
    }

    fn count(&self, name: &str) -> usize {
        self.operation.int(name).and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
    }

    fn keys(&self, name: &str, whole: usize, single: std::ops::Range<usize>) -> Vec<String> {
        match self.operation.operator.as_str() {
            "ParseExampleV2" => self.texts([whole]),
            "ParseExample" => self.texts(single),
            _ => self.operation.texts(name).unwrap_or_default().into_iter().map(str::to_owned).collect(),
        }
    }

    /// The names of features with any number of values.
    pub(crate) fn sparse_keys(&self) -> Vec<String> {
        self.keys("sparse_keys", 2, 2..2 + self.count("Nsparse"))
    }

    /// The names of features of a fixed shape.
    pub(crate) fn dense_keys(&self) -> Vec<String> {
        let first = 2 + self.count("Nsparse");
        self.keys("dense_keys", 3, first..first + self.count("Ndense"))
    }

    /// The names of features that become rows of unequal length.
    pub(crate) fn ragged_keys(&self) -> Vec<String> {
        self.keys("", 4, 0..0)
    }

    /// Whether a dense feature may be left out: its default is not an empty constant.
    pub(crate) fn has_default(&self, dense: usize) -> bool {
        let first = match self.operation.operator.as_str() {
            "ParseExampleV2" => 5,
            "ParseExample" => 2 + self.count("Nsparse") + self.count("Ndense"),
            _ => 1,
        };
        let empty = |constant: TensorProto| {
            let extents = constant.shape.and_then(|shape| shape.extents()).unwrap_or_default();
            extents.contains(&Some(0))
        };
        !self.constant(first + dense).is_some_and(empty)
    }
}
