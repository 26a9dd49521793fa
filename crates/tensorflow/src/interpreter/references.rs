//! How nodes name their inputs, and how many outputs they have.

use super::operation::Operation;
use crate::proto::ArgumentDef;

/// More outputs than any operator has: a larger number means damage.
const MOST_OUTPUTS: usize = 1 << 16;

/// An input of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference<'a> {
    /// `^node`: the node must run before.
    Control(&'a str),
    /// `node` or `node:2` in a graph, `argument` in a function.
    Position(&'a str, usize),
    /// `node:output:2`, in a function: an element of an output that may be a list.
    Part(&'a str, &'a str, usize),
}

impl<'a> Reference<'a> {
    /// Reads `text`.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        if let Some(node) = text.strip_prefix('^') {
            return Ok(Self::Control(node));
        }
        let index = |text: &str| text.parse().map_err(|_| format!("{text:?} is not the number of an output"));
        let mut parts = text.split(':');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(node), None, ..) => Ok(Self::Position(node, 0)),
            (Some(node), Some(position), None, _) => Ok(Self::Position(node, index(position)?)),
            (Some(node), Some(output), Some(position), None) => {
                Ok(Self::Part(node, output, index(position)?))
            }
            _ => Err(format!("{text:?} does not name a tensor")),
        }
    }

    /// The node, or the argument.
    pub(super) fn node(self) -> &'a str {
        match self {
            Self::Control(node) | Self::Position(node, _) | Self::Part(node, ..) => node,
        }
    }
}

/// The number of tensors that make up an argument.
pub(super) fn tensors(argument: &ArgumentDef, operation: &Operation) -> Result<usize, String> {
    let count = if !argument.number.is_empty() {
        operation.int(&argument.number).and_then(|count| usize::try_from(count).ok())
    } else if !argument.types.is_empty() {
        operation.data_types(&argument.types).map(|types| types.len())
    } else {
        Some(1)
    };
    count.filter(|&count| count <= MOST_OUTPUTS).ok_or_else(|| {
        let attribute = if argument.number.is_empty() { &argument.types } else { &argument.number };
        format!("its attribute {attribute} does not say how many {} it has", argument.name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_forms() {
        assert_eq!(Reference::parse("^a/b"), Ok(Reference::Control("a/b")));
        assert_eq!(Reference::parse("a/b"), Ok(Reference::Position("a/b", 0)));
        assert_eq!(Reference::parse("a/b:3"), Ok(Reference::Position("a/b", 3)));
        assert_eq!(Reference::parse("a:out:1"), Ok(Reference::Part("a", "out", 1)));
        for wrong in ["a:b", "a:-1", "a:out:x", "a:b:1:2"] {
            assert!(Reference::parse(wrong).is_err(), "{wrong}");
        }
    }
}
