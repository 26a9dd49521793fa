//! Arguments for `forward`: from Rust to the types that its schema takes.

use crate::bridge::ffi;
use crate::error::{Error, Result};
use crate::tensor;
use cxx::UniquePtr;
use tch::Tensor;

/// One argument of `forward`, or a part of one.
///
/// The schema decides the final type: a list becomes the `List[T]` that the argument declares, a tuple becomes the declared
/// tuple or NamedTuple. A tensor of one element serves as an `int`, `float` or `bool`, and an integer as a `float`.
#[derive(Debug)]
pub enum Input {
    /// `None`, for an optional argument.
    None,
    /// A tensor.
    Tensor(Tensor),
    /// An `int`.
    Int(i64),
    /// A `float`.
    Float(f64),
    /// A `bool`.
    Bool(bool),
    /// A `str`.
    Text(String),
    /// A `List[T]`.
    List(Vec<Input>),
    /// A `Tuple[…]` or NamedTuple, in order of its fields.
    Tuple(Vec<Input>),
    /// A `Dict[K, V]`, as (key, value) pairs.
    Dict(Vec<(Input, Input)>),
}

/// The arguments of one call of `forward`: positional ones, then keyword ones by their schema name.
///
/// Arguments left out take their defaults.
#[derive(Debug, Default)]
pub struct Inputs {
    /// Arguments by position.
    pub positional: Vec<Input>,
    /// Arguments by name.
    pub keyword: Vec<(String, Input)>,
}

impl Inputs {
    /// Positional arguments only.
    pub fn new(positional: impl IntoIterator<Item = Input>) -> Inputs {
        Inputs { positional: positional.into_iter().collect(), keyword: Vec::new() }
    }

    /// Adds an argument by name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, input: Input) -> Inputs {
        self.keyword.push((name.into(), input));
        self
    }

    /// The same arguments, with the last row in every row of each tensor that has this many rows.
    #[must_use]
    pub fn with_last_row(&self, rows: usize) -> Inputs {
        let repeated =
            |inputs: &[Input]| inputs.iter().map(|input| input.with_last_row(rows as i64)).collect();
        let named = |(name, input): &(String, Input)| (name.clone(), input.with_last_row(rows as i64));
        Inputs { positional: repeated(&self.positional), keyword: self.keyword.iter().map(named).collect() }
    }

    /// The same tree on the C++ side; tensors are shared, not copied.
    pub(crate) fn to_ffi(&self) -> Result<UniquePtr<ffi::Arguments>> {
        let mut arguments = ffi::new_arguments();
        let mut write = || -> std::result::Result<(), cxx::Exception> {
            for input in &self.positional {
                input.push(&mut arguments)?;
            }
            for (name, input) in &self.keyword {
                arguments.pin_mut().keyword(name)?;
                input.push(&mut arguments)?;
            }
            Ok(())
        };
        write().map_err(|error| Error::Inputs { reason: error.what().to_owned() })?;
        Ok(arguments)
    }
}

impl Input {
    fn with_last_row(&self, rows: i64) -> Input {
        let all = |items: &[Input]| items.iter().map(|item| item.with_last_row(rows)).collect();
        match self {
            Input::Tensor(tensor) if tensor.size().first() == Some(&rows) => {
                let last = tensor.narrow(0, rows - 1, 1);
                Input::Tensor(last.expand_as(tensor).contiguous())
            }
            Input::Tensor(tensor) => Input::Tensor(tensor.shallow_clone()),
            Input::List(items) => Input::List(all(items)),
            Input::Tuple(items) => Input::Tuple(all(items)),
            Input::Dict(pairs) => {
                let pair =
                    |(key, value): &(Input, Input)| (key.with_last_row(rows), value.with_last_row(rows));
                Input::Dict(pairs.iter().map(pair).collect())
            }
            Input::None => Input::None,
            Input::Int(value) => Input::Int(*value),
            Input::Float(value) => Input::Float(*value),
            Input::Bool(value) => Input::Bool(*value),
            Input::Text(value) => Input::Text(value.clone()),
        }
    }

    fn push(&self, arguments: &mut UniquePtr<ffi::Arguments>) -> std::result::Result<(), cxx::Exception> {
        match self {
            Input::None => arguments.pin_mut().push_none(),
            Input::Tensor(tensor) => arguments.pin_mut().push_tensor(tensor::share(tensor)),
            Input::Int(value) => arguments.pin_mut().push_int(*value),
            Input::Float(value) => arguments.pin_mut().push_float(*value),
            Input::Bool(value) => arguments.pin_mut().push_bool(*value),
            Input::Text(value) => arguments.pin_mut().push_text(value),
            Input::List(items) => Input::push_all(arguments, ffi::Container::List, items.iter()),
            Input::Tuple(items) => Input::push_all(arguments, ffi::Container::Tuple, items.iter()),
            Input::Dict(pairs) => {
                let items = pairs.iter().flat_map(|(key, value)| [key, value]);
                Input::push_all(arguments, ffi::Container::Dict, items)
            }
        }
    }

    fn push_all<'a>(
        arguments: &mut UniquePtr<ffi::Arguments>,
        container: ffi::Container,
        items: impl Iterator<Item = &'a Input>,
    ) -> std::result::Result<(), cxx::Exception> {
        arguments.pin_mut().open(container)?;
        for item in items {
            item.push(arguments)?;
        }
        arguments.pin_mut().close()
    }
}
