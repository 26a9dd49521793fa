//! The inputs and options of an explanation.

use crate::answer::answer;
use crate::arrays;
use crate::handle::{behind, free, handed_out};
use crate::numbers::{DLB_CONTAINER_DICT, DLB_CONTAINER_LIST, DLB_CONTAINER_TUPLE};
use crate::status::guarded;
use crate::table::{TABLE, Table};
use crate::text::{given, needed};
use crate::{Explanation, Outputs, Scalings, Verification};
use dlbacktrace::{Error, Inputs, Options, Result, Value};
use std::ffi::{c_char, c_int, c_void};
use std::mem;
use std::sync::Arc;

/// The most containers in each other.
pub const MAX_DEPTH: usize = Value::MOST_NESTED;

/// A `dlb_request`. Threads may run it at the same time, but only one may change it.
#[repr(C)]
pub struct Request {
    table: *const Table,
    model: Arc<dlbacktrace::Model>,
    inputs: Inputs,
    pub(crate) options: Options,
    /// The containers being filled, the innermost last.
    open: Vec<Open>,
}

/// A container being filled.
struct Open {
    name: Option<String>,
    kind: Container,
    items: Vec<(Option<String>, Value)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Container {
    List,
    Tuple,
    Dict,
}

impl Request {
    pub(crate) fn new(model: Arc<dlbacktrace::Model>) -> Self {
        let (inputs, options) = Default::default();
        Self { table: &raw const TABLE, model, inputs, options, open: Vec::new() }
    }

    /// Adds to the innermost open container, or to the inputs.
    fn add(&mut self, name: Option<&str>, value: Value) -> Result<()> {
        match (self.open.last_mut(), name) {
            (Some(open), name) => {
                if name.is_some() != (open.kind == Container::Dict) {
                    return Err(Error::Usage(
                        "items of dictionaries need a name, items of other containers must have none".into(),
                    ));
                }
                open.items.push((name.map(str::to_owned), value));
            }
            (None, Some(name)) => self.inputs = mem::take(&mut self.inputs).set(name, value),
            (None, None) => self.inputs = mem::take(&mut self.inputs).push(value),
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let Some(Open { name, kind, items }) = self.open.pop() else {
            return Err(Error::Usage("no container is open".into()));
        };
        let value = match kind {
            Container::List => Value::List(items.into_iter().map(|(_, item)| item).collect()),
            Container::Tuple => Value::Tuple(items.into_iter().map(|(_, item)| item).collect()),
            Container::Dict => {
                Value::Dict(items.into_iter().map(|(name, item)| (name.unwrap_or_default(), item)).collect())
            }
        };
        self.add(name.as_deref(), value)
    }

    /// The inputs, if no container is still open.
    fn inputs(&self) -> Result<&Inputs> {
        if self.open.is_empty() {
            Ok(&self.inputs)
        } else {
            Err(Error::Usage(
                "a container of the inputs is still open: close it with dlb_request_close".into(),
            ))
        }
    }
}

/// # Safety
/// `request` is null or a live request that no one else uses now.
pub(crate) unsafe fn request_behind<'a>(request: *mut Request) -> Result<&'a mut Request> {
    // SAFETY: the caller guarantees it.
    unsafe { request.as_mut() }.ok_or_else(|| Error::Usage("the request is null".into()))
}

/// Adds the value that `value` returns.
///
/// # Safety
/// `request` and `name` are as the header asks.
unsafe fn add(request: *mut Request, name: *const c_char, value: impl FnOnce() -> Result<Value>) -> c_int {
    guarded(|| {
        // SAFETY: the caller guarantees both.
        let (request, name) = unsafe { (request_behind(request)?, given(name)?) };
        request.add(name, value()?)
    })
}

pub(crate) unsafe extern "C" fn dlb_request_free(request: *mut Request) {
    // SAFETY: the header asks for null or a request that was not freed.
    unsafe { free(request) };
}

pub(crate) unsafe extern "C" fn dlb_request_array(
    request: *mut Request,
    name: *const c_char,
    element: c_int,
    data: *const c_void,
    shape: *const usize,
    rank: usize,
) -> c_int {
    // SAFETY: the header asks for a request, a name or null, and the elements of this type.
    unsafe { add(request, name, || arrays::value(element, data, shape, rank)) }
}

#[cfg(feature = "torch")]
pub(crate) unsafe extern "C" fn dlb_request_share_torch(
    request: *mut Request,
    name: *const c_char,
    tensor: *const c_void,
) -> c_int {
    let share = || {
        if tensor.is_null() {
            return Err(Error::Usage("the tensor is null".into()));
        }
        // SAFETY: the header asks for a live `at::Tensor`, which is what torch-sys declares its `tensor` to be; the
        // borrowed handle is copied, not freed.
        let borrowed = mem::ManuallyDrop::new(unsafe { tch::Tensor::from_ptr(tensor.cast_mut().cast()) });
        if !borrowed.defined() {
            return Err(Error::Inputs("the tensor is undefined".into()));
        }
        Ok(borrowed.shallow_clone().into())
    };
    // SAFETY: the header asks for a request and a name or null.
    unsafe { add(request, name, share) }
}

#[cfg(not(feature = "torch"))]
pub(crate) unsafe extern "C" fn dlb_request_share_torch(
    request: *mut Request,
    name: *const c_char,
    _: *const c_void,
) -> c_int {
    let refuse =
        || Err(Error::Inputs("a SavedModel does not take a tensor of libtorch; give an array".into()));
    // SAFETY: the header asks for a request and a name or null.
    unsafe { add(request, name, refuse) }
}

pub(crate) unsafe extern "C" fn dlb_request_number(
    request: *mut Request,
    name: *const c_char,
    number: f64,
) -> c_int {
    // SAFETY: the header asks for a request and a name or null.
    unsafe { add(request, name, || Ok(number.into())) }
}

pub(crate) unsafe extern "C" fn dlb_request_integer(
    request: *mut Request,
    name: *const c_char,
    integer: i64,
) -> c_int {
    // SAFETY: the header asks for a request and a name or null.
    unsafe { add(request, name, || Ok(integer.into())) }
}

pub(crate) unsafe extern "C" fn dlb_request_flag(
    request: *mut Request,
    name: *const c_char,
    flag: c_int,
) -> c_int {
    // SAFETY: the header asks for a request and a name or null.
    unsafe { add(request, name, || Ok((flag != 0).into())) }
}

pub(crate) unsafe extern "C" fn dlb_request_text(
    request: *mut Request,
    name: *const c_char,
    text: *const c_char,
) -> c_int {
    // SAFETY: the header asks for a request, a name or null, and a text.
    unsafe { add(request, name, || Ok(needed(text, "the text")?.to_owned().into())) }
}

pub(crate) unsafe extern "C" fn dlb_request_bytes(
    request: *mut Request,
    name: *const c_char,
    data: *const c_void,
    size: usize,
) -> c_int {
    let bytes = || {
        // SAFETY: the header asks for as many bytes.
        let array = unsafe { arrays::array(data.cast::<u8>(), &raw const size, 1) }?;
        Ok(array.into_iter().collect::<Vec<u8>>().into())
    };
    // SAFETY: the header asks for a request and a name or null.
    unsafe { add(request, name, bytes) }
}

pub(crate) unsafe extern "C" fn dlb_request_nothing(request: *mut Request, name: *const c_char) -> c_int {
    // SAFETY: the header asks for a request and a name or null.
    unsafe { add(request, name, || Ok(Value::Nothing)) }
}

pub(crate) unsafe extern "C" fn dlb_request_open(
    request: *mut Request,
    name: *const c_char,
    container: c_int,
) -> c_int {
    guarded(|| {
        // SAFETY: the header asks for a request and a name or null.
        let (request, name) = unsafe { (request_behind(request)?, given(name)?) };
        let kind = match container {
            DLB_CONTAINER_LIST => Container::List,
            DLB_CONTAINER_TUPLE => Container::Tuple,
            DLB_CONTAINER_DICT => Container::Dict,
            other => return Err(Error::Usage(format!("{other} is not a container"))),
        };
        if request.open.len() == MAX_DEPTH {
            return Err(Error::Inputs(format!("{MAX_DEPTH} containers in each other are the most")));
        }
        request.open.push(Open { name: name.map(str::to_owned), kind, items: Vec::new() });
        Ok(())
    })
}

pub(crate) unsafe extern "C" fn dlb_request_close(request: *mut Request) -> c_int {
    // SAFETY: the header asks for a request.
    guarded(|| unsafe { request_behind(request) }?.close())
}

/// Writes what `run` makes of the model and the inputs.
///
/// # Safety
/// `request` and `place` are as the header asks.
unsafe fn ran<T>(
    request: *const Request,
    place: *mut *mut T,
    run: impl FnOnce(&dlbacktrace::Model, &Inputs, &Options) -> Result<T>,
) -> c_int {
    // SAFETY: the caller guarantees both.
    unsafe {
        answer(place, || {
            let request = behind(request)?;
            run(&request.model, request.inputs()?, &request.options).map(handed_out)
        })
    }
}

pub(crate) unsafe extern "C" fn dlb_request_explain(
    request: *const Request,
    explanation: *mut *mut Explanation,
) -> c_int {
    // SAFETY: the header asks for a request and a place.
    unsafe {
        ran(request, explanation, |model, inputs, options| {
            Ok(Explanation::new(model.explain(inputs, options)?))
        })
    }
}

pub(crate) unsafe extern "C" fn dlb_request_forward(
    request: *const Request,
    outputs: *mut *mut Outputs,
) -> c_int {
    // SAFETY: the header asks for a request and a place.
    unsafe { ran(request, outputs, |model, inputs, _| Ok(Outputs::new(model.forward(inputs)?))) }
}

pub(crate) unsafe extern "C" fn dlb_request_scalings(
    request: *const Request,
    scalings: *mut *mut Scalings,
) -> c_int {
    // SAFETY: the header asks for a request and a place.
    unsafe { ran(request, scalings, |model, inputs, _| Ok(Scalings::new(model.scalings(inputs)?))) }
}

pub(crate) unsafe extern "C" fn dlb_request_verify(
    request: *const Request,
    verification: *mut *mut Verification,
) -> c_int {
    // SAFETY: the header asks for a request and a place.
    unsafe {
        ran(request, verification, |model, inputs, options| Verification::new(model.verify(inputs, options)?))
    }
}
