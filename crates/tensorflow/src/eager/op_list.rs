//! The operators that TensorFlow has.

use crate::library::Library;
use crate::proto::{OpDef, OpList};
use prost::Message;
use std::collections::HashMap;
use std::sync::OnceLock;

/// The definitions by name. Asking TensorFlow takes 25 ms, so each process asks once.
pub(crate) fn registered_operators(library: &'static Library) -> &'static HashMap<String, OpDef> {
    static OPERATORS: OnceLock<HashMap<String, OpDef>> = OnceLock::new();
    OPERATORS.get_or_init(|| {
        // SAFETY: returns a buffer that we own and delete below.
        let buffer = unsafe { (library.api.TF_GetAllOpList)() };
        // SAFETY: the buffer holds `length` bytes until it is deleted.
        let list = unsafe {
            let bytes = std::slice::from_raw_parts((*buffer).data.cast::<u8>(), (*buffer).length);
            let list = OpList::decode(bytes);
            (library.api.TF_DeleteBuffer)(buffer);
            list
        };
        let operators = list.map(|list| list.operators).unwrap_or_default();
        operators.into_iter().map(|operator| (operator.name.clone(), operator)).collect()
    })
}
