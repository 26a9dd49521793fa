//! A node of the graph, as it appears in recordings.

use super::state::draws;
use super::write::Write;
use crate::eager::Attributes;
use crate::proto::{Attribute, AttributeValue, List, NodeDef, OpDef};
use crate::{Context, DataType, Tensor};
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString};
use std::sync::Arc;

/// An operator of the model with its attributes, including those left at their defaults.
///
/// An accessor returns `None` if there is no such attribute, or if it holds something else.
#[derive(Debug)]
pub struct Operation {
    /// The node's name in its function or graph. Keras puts the layers' path into it, such as
    /// `functional_1/lstm_1/while/lstm_cell_1/MatMul`.
    pub name: String,
    /// The operator's type, such as `Conv2D`.
    pub operator: String,
    attributes: BTreeMap<String, AttributeValue>,
    called: CString,
    passed: Attributes,
}

impl Operation {
    /// A node as the loaded TensorFlow would run it, or why it cannot. `there` is the operator as it was where the graph was saved.
    pub(crate) fn new(node: &NodeDef, here: Option<&OpDef>, there: Option<&OpDef>) -> Result<Self, String> {
        let mut attributes = node.attributes.clone();
        attributes.retain(|name, _| !name.starts_with('_'));
        if let Some(here) = here {
            let known: HashMap<&str, Option<&AttributeValue>> =
                here.attributes.iter().map(|def| (def.name.as_str(), def.default.as_ref())).collect();
            // Attributes of a later TensorFlow may be left out if they have their default values.
            let usual = |name: &str, value: &AttributeValue| {
                there.is_some_and(|there| {
                    let def = there.attributes.iter().find(|def| def.name == name);
                    def.is_some_and(|def| def.default.as_ref() == Some(value))
                })
            };
            attributes.retain(|name, value| known.contains_key(name.as_str()) || !usual(name, value));
            // TensorFlow's own loader names resources after their nodes too; otherwise all nameless ones would be one.
            let nameless = |value: &AttributeValue| matches!(&value.value, Some(Attribute::Bytes(name)) if name.is_empty());
            if known.contains_key("shared_name") && attributes.get("shared_name").is_none_or(nameless) {
                let name = Attribute::Bytes(node.name.clone().into_bytes());
                attributes.insert("shared_name".into(), AttributeValue { value: Some(name) });
            }
        }
        let passed = Attributes::new(attributes.iter().map(|(name, value)| (name.as_str(), value)))?;
        for def in here.iter().flat_map(|here| &here.attributes) {
            if let Some(default) = def.default.as_ref().filter(|_| !attributes.contains_key(&def.name)) {
                attributes.insert(def.name.clone(), default.clone());
            }
        }
        let called =
            CString::new(node.operator.as_str()).map_err(|_| "its operator has a zero byte in its name")?;
        Ok(Self { name: node.name.clone(), operator: node.operator.clone(), attributes, called, passed })
    }

    /// The operator's type for calls of TensorFlow.
    pub(super) fn called(&self) -> &CStr {
        &self.called
    }

    /// The attributes for calls of TensorFlow.
    pub(crate) fn passed(&self) -> &Attributes {
        &self.passed
    }

    /// Runs the operator again on other inputs.
    pub(crate) fn run(
        &self,
        context: &Arc<Context>,
        inputs: &[Tensor],
        outputs: usize,
    ) -> Result<Vec<Tensor>, String> {
        context.execute(&self.called, &self.passed, inputs, outputs)
    }

    /// Runs the operator again on inputs with elements of type `to` instead of `from`.
    pub(crate) fn run_as(
        &self,
        context: &Arc<Context>,
        (from, to): (DataType, DataType),
        inputs: &[Tensor],
        outputs: usize,
    ) -> Result<Vec<Tensor>, String> {
        self.with_types(|given| if given == from { to } else { given })?.run(context, inputs, outputs)
    }

    /// The same operator of other element types.
    pub(crate) fn with_types(&self, to: impl Fn(DataType) -> DataType) -> Result<Self, String> {
        let mut attributes = self.attributes.clone();
        for value in attributes.values_mut().filter_map(|attribute| attribute.value.as_mut()) {
            if let Attribute::Type(given) = value {
                *given = to(DataType(*given)).0;
            }
        }
        let passed = Attributes::new(attributes.iter().map(|(name, value)| (name.as_str(), value)))?;
        let (name, operator, called) = (self.name.clone(), self.operator.clone(), self.called.clone());
        Ok(Self { name, operator, attributes, called, passed })
    }

    /// Whether it always gives the same result for the same tensors: it draws no random numbers, and it does not write to a variable
    /// of TensorFlow 1, which the interpreter does itself.
    pub(crate) fn repeats(&self) -> bool {
        !draws(&self.operator) && Write::of(&self.operator).is_none()
    }

    /// Whether it makes the handle of a variable.
    pub(crate) fn makes_variable(&self) -> bool {
        ["VarHandleOp", "VariableV2", "Variable"].contains(&self.operator.as_str())
    }

    /// The names of all attributes.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.attributes.keys().map(String::as_str)
    }

    fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.get(name)?.value.as_ref()
    }

    fn list(&self, name: &str) -> Option<&List> {
        match self.attribute(name)? {
            Attribute::List(list) => Some(list),
            _ => None,
        }
    }

    /// An integer.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.attribute(name)? {
            Attribute::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// A number.
    pub fn float(&self, name: &str) -> Option<f32> {
        match self.attribute(name)? {
            Attribute::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// A truth value.
    pub fn bool(&self, name: &str) -> Option<bool> {
        match self.attribute(name)? {
            Attribute::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A text, such as a padding or a data format.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.attribute(name)? {
            Attribute::Bytes(value) => std::str::from_utf8(value).ok(),
            _ => None,
        }
    }

    /// An element type.
    pub fn data_type(&self, name: &str) -> Option<DataType> {
        match self.attribute(name)? {
            Attribute::Type(value) => Some(DataType(*value)),
            _ => None,
        }
    }

    /// A shape: its extents, each `None` for any; `None` also if even their number is unknown.
    pub fn shape(&self, name: &str) -> Option<Vec<Option<usize>>> {
        match self.attribute(name)? {
            Attribute::Shape(value) => value.extents(),
            _ => None,
        }
    }

    /// The name of a function.
    pub fn function(&self, name: &str) -> Option<&str> {
        match self.attribute(name)? {
            Attribute::Function(value) => Some(&value.name),
            _ => None,
        }
    }

    /// A serialised tensor.
    pub(crate) fn tensor(&self, name: &str) -> Option<&[u8]> {
        match self.attribute(name)? {
            Attribute::Tensor(value) => Some(value),
            _ => None,
        }
    }

    /// Shapes.
    pub(crate) fn shapes(&self, name: &str) -> Vec<Option<Vec<Option<usize>>>> {
        self.list(name).map_or(Vec::new(), |list| list.shapes.iter().map(|shape| shape.extents()).collect())
    }

    /// Integers.
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.list(name).map(|list| list.ints.as_slice())
    }

    /// Numbers.
    pub fn floats(&self, name: &str) -> Option<&[f32]> {
        self.list(name).map(|list| list.floats.as_slice())
    }

    /// Element types.
    pub fn data_types(&self, name: &str) -> Option<Vec<DataType>> {
        self.list(name).map(|list| list.types.iter().copied().map(DataType).collect())
    }

    /// Texts.
    pub fn texts(&self, name: &str) -> Option<Vec<&str>> {
        self.list(name)?.bytes.iter().map(|text| std::str::from_utf8(text).ok()).collect()
    }

    /// The names of functions.
    pub fn functions(&self, name: &str) -> Option<Vec<&str>> {
        self.list(name).map(|list| list.functions.iter().map(|function| function.name.as_str()).collect())
    }

    /// Whether any attribute names a function.
    pub(super) fn names_functions(&self) -> bool {
        self.attributes.values().any(|value| match &value.value {
            Some(Attribute::Function(_)) => true,
            Some(Attribute::List(list)) => !list.functions.is_empty(),
            _ => false,
        })
    }

    /// The attribute whose value the caller of a polymorphic function gives.
    pub(super) fn placeholder(&self) -> Option<&str> {
        let waits = |value: &AttributeValue| matches!(value.value, Some(Attribute::Placeholder(_)));
        self.attributes.iter().find(|(_, value)| waits(value)).map(|(name, _)| name.as_str())
    }
}
