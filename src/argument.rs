//! The inputs and outputs of a model.

use crate::Value;

/// One argument of a model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its type as the framework writes it: `Tensor`, `int`, `List[Tensor]`.
    pub kind: String,
    /// Whether it may be left out.
    pub optional: bool,
}

impl Argument {
    /// The element type, if the model says it: `float32`, `string`.
    pub fn element(&self) -> Option<&str> {
        self.kind.strip_prefix("Tensor ")?.split(' ').next()
    }

    /// The extent of each axis, `None` for any, if the model says it.
    pub fn shape(&self) -> Option<Vec<Option<usize>>> {
        let (_, extents) =
            self.kind.strip_suffix(']')?.split_once('[').filter(|_| self.element().is_some())?;
        if extents.is_empty() {
            return Some(Vec::new());
        }
        let extent = |text: &str| match text {
            "?" => Some(None),
            text => text.parse().ok().map(Some),
        };
        extents.split(", ").map(extent).collect()
    }

    /// Whether a value can be this argument, as far as the model says what it takes.
    pub fn takes(&self, value: &Value) -> bool {
        self.element().is_none_or(|element| fits(element, self.shape().as_deref(), value))
    }
}

/// Whether a value can be a tensor of this element type and these extents, `None` for any.
pub(crate) fn fits(element: &str, shape: Option<&[Option<usize>]>, value: &Value) -> bool {
    if value.is_text() != (element == "string") {
        return false;
    }
    let (Some(wanted), Some(given)) = (shape, value.shape()) else { return true };
    let alike = |wanted: &[Option<usize>], given: &[usize]| {
        wanted.len() == given.len() && wanted.iter().zip(given).all(|(w, g)| w.is_none_or(|w| w == *g))
    };
    // A column of one feature fits with or without its axis.
    alike(wanted, &given)
        || wanted.strip_suffix(&[Some(1)]).is_some_and(|wanted| alike(wanted, &given))
        || given.strip_suffix(&[1]).is_some_and(|given| alike(wanted, given))
}
