//! The attributes of an operator, in the form that TensorFlow takes.

use crate::proto::{Attribute, AttributeValue, List};
use prost::Message;
use std::ffi::CString;

/// Names and serialised values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attributes(Vec<(CString, Vec<u8>)>);

impl Attributes {
    /// The attributes of a node. An attribute whose name contains a zero byte is an error.
    pub(crate) fn new<'a>(
        attributes: impl IntoIterator<Item = (&'a str, &'a AttributeValue)>,
    ) -> Result<Self, String> {
        let entry = |(name, value): (&str, &AttributeValue)| match CString::new(name) {
            Ok(name) => Ok((name, value.encode_to_vec())),
            Err(_) => Err(format!("attribute {name:?} has a zero byte in its name")),
        };
        attributes.into_iter().map(entry).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&CString, &Vec<u8>)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Those of these names.
    pub(crate) fn named(&self, names: &[&str]) -> Self {
        let named =
            |(name, _): &&(CString, Vec<u8>)| names.iter().any(|wanted| wanted.as_bytes() == name.as_bytes());
        Self(self.0.iter().filter(named).cloned().collect())
    }

    fn one(name: &std::ffi::CStr, value: Attribute) -> Self {
        Self(vec![(name.to_owned(), AttributeValue { value: Some(value) }.encode_to_vec())])
    }

    /// Adds those of `other` after its own.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

/// One attribute: an element type.
pub(crate) fn one_type(name: &std::ffi::CStr, data_type: super::DataType) -> Attributes {
    Attributes::one(name, Attribute::Type(data_type.0))
}

/// One attribute: a list of element types.
pub(crate) fn list_of_types(name: &std::ffi::CStr, types: &[super::DataType]) -> Attributes {
    let types = types.iter().map(|data_type| data_type.0).collect();
    Attributes::one(name, Attribute::List(List { types, ..List::default() }))
}

/// One attribute: a list of numbers.
pub(crate) fn list_of_ints(name: &std::ffi::CStr, ints: Vec<i64>) -> Attributes {
    Attributes::one(name, Attribute::List(List { ints, ..List::default() }))
}

/// One attribute: a number.
pub(crate) fn one_int(name: &std::ffi::CStr, value: i64) -> Attributes {
    Attributes::one(name, Attribute::Int(value))
}

/// One attribute: a word.
pub(crate) fn one_word(name: &std::ffi::CStr, value: &str) -> Attributes {
    Attributes::one(name, Attribute::Bytes(value.into()))
}

/// One attribute: a truth value.
pub(crate) fn one_bool(name: &std::ffi::CStr, value: bool) -> Attributes {
    Attributes::one(name, Attribute::Bool(value))
}
