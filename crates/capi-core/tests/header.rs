//! The header says what the library does: a C compiler compares it with what Rust declares.
#![allow(missing_docs)]

use dlbacktrace::Error;
use dlbacktrace_capi_core::{
    ABI, Amount, DoubleArray, Entry, Explanation, FloatArray, Gate, Input, LOSSES, LoadOptions, Model,
    NUMBERS, Output, Progress, Request, Scaling, Scalings, Summary, Value, interface,
};
use std::collections::BTreeSet;
use std::ffi::{c_char, c_int, c_void};
use std::fmt::Write;
use std::mem::{offset_of, size_of};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How C writes a type.
trait C {
    fn name() -> String;
}

macro_rules! named {
    ($($type:ty => $name:literal),* $(,)?) => {$(
        impl C for $type {
            fn name() -> String {
                $name.to_owned()
            }
        }
    )*};
}

named! {
    c_int => "int", usize => "size_t", f64 => "double", f32 => "float", i64 => "int64_t", u64 => "uint64_t", c_char => "char",
    c_void => "void", Progress => "dlb_progress", Model => "dlb_model", Request => "dlb_request",
    Explanation => "dlb_explanation", LoadOptions => "dlb_load_options", Gate => "dlb_gate", Amount => "dlb_amount",
    Summary => "dlb_summary", Output => "dlb_output", Input => "dlb_input", FloatArray => "dlb_float_array",
    DoubleArray => "dlb_double_array", Scaling => "dlb_scaling", Scalings => "dlb_scalings",
    Value => "dlb_value", Entry => "dlb_entry",
}

impl<T: C> C for *const T {
    fn name() -> String {
        format!("{} const *", T::name())
    }
}

impl<T: C> C for *mut T {
    fn name() -> String {
        format!("{} *", T::name())
    }
}

macro_rules! prototypes {
    ($(fn $name:ident($($argument:ident: $type:ty),*);)*) => {
        fn prototypes() -> Vec<(&'static str, String)> {
            vec![$((stringify!($name), [$(<$type as C>::name()),*].join(", "))),*]
        }
    };
}

interface!(prototypes);

macro_rules! layouts {
    ($($type:ident { $($field:ident),* })*) => {
        /// The size of each type and the place of each field.
        fn layouts() -> Vec<(String, Vec<(&'static str, usize)>, usize)> {
            vec![$((<$type as C>::name(), vec![$((stringify!($field), offset_of!($type, $field))),*], size_of::<$type>())),*]
        }
    };
}

layouts! {
    LoadOptions { signature, tags, tag_count, tensorflow, threads, libraries, library_count }
    Amount { positive, negative }
    Gate { lower, upper, swish }
    Scaling { name, factor, shift, pixels }
    Scalings { data, size }
    FloatArray { data, size, shape, rank }
    DoubleArray { data, size, shape, rank }
    Output { name, data, size, shape, rank, targets, target_count, sample_axis }
    Input { name, total, precision }
    Value { name, module, operator_name, step }
    Entry { operator_name, module, source, step, received, delivered, lost, closes }
    Summary {
        framework, input_count, value_count, entry_count, warning_count, assumed_count, start, lost, closes, coverage, load_seconds,
        forward_seconds, relevance_seconds
    }
}

fn include() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cpp/include")
}

/// Functions that take no handle, or return nothing.
const OTHERS: [(&str, &str, &str); 8] = [
    ("int", "dlb_abi_version", "void"),
    ("const char *", "dlb_version", "void"),
    ("const char *", "dlb_last_error", "void"),
    ("int", "dlb_model_load", "const char *, const dlb_load_options *, dlb_model **"),
    ("int", "dlb_model_share_torch", "const void *, const char *, dlb_model **"),
    ("void", "dlb_model_free", "dlb_model *"),
    ("void", "dlb_request_free", "dlb_request *"),
    ("void", "dlb_explanation_free", "dlb_explanation *"),
];

/// The numbers of what C names: those of the header's types, and the statuses.
fn numbers() -> Vec<(&'static str, c_int)> {
    let none = String::new;
    let statuses = [
        ("DLB_OK", 0),
        ("DLB_INTERNAL", Error::Internal(none()).exit_code()),
        ("DLB_USAGE", Error::Usage(none()).exit_code()),
        ("DLB_MODEL", Error::Load(none()).exit_code()),
        ("DLB_RULE", Error::NoRule(none()).exit_code()),
        ("DLB_INPUTS", Error::Inputs(none()).exit_code()),
        ("DLB_LIBRARY", Error::Library(none()).exit_code()),
    ];
    NUMBERS.iter().copied().chain(statuses).collect()
}

/// C refuses to declare a function twice with different types, and asserts that do not hold.
#[test]
fn types_and_functions_are_the_headers() -> std::io::Result<()> {
    let mut source = String::from("#include <dlbacktrace/dlbacktrace.h>\n");
    let _ = writeln!(source, "_Static_assert(DLB_ABI_VERSION == {ABI}, \"\");");
    let _ = writeln!(source, "_Static_assert(DLB_LOSSES == {LOSSES}, \"\");");
    for (name, number) in numbers() {
        let _ = writeln!(source, "_Static_assert({name} == {number}, \"{name}\");");
    }
    for (name, arguments) in prototypes() {
        let _ = writeln!(source, "int {name}({arguments});");
    }
    for (result, name, arguments) in OTHERS {
        let _ = writeln!(source, "{result} {name}({arguments});");
    }
    for (name, fields, size) in layouts() {
        let _ = writeln!(source, "_Static_assert(sizeof({name}) == {size}, \"{name}\");");
        for (field, offset) in fields {
            let _ = writeln!(
                source,
                "_Static_assert(offsetof({name}, {field}) == {offset}, \"{name}.{field}\");"
            );
        }
    }
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("header.c");
    std::fs::write(&file, source)?;
    let compiled = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I"])
        .args([&include(), &file])
        .output()?;
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    Ok(())
}

#[test]
fn the_header_numbers_each_name_and_no_other() -> std::io::Result<()> {
    let header = std::fs::read_to_string(include().join("dlbacktrace/dlbacktrace.h"))?;
    let words: Vec<&str> = header.split([' ', '\n', ',']).filter(|word| !word.is_empty()).collect();
    let numbered =
        words.windows(2).filter(|pair| pair[0].starts_with("DLB_") && pair[1] == "=").map(|pair| pair[0]);
    assert_eq!(numbered.collect::<BTreeSet<_>>(), numbers().into_iter().map(|(name, _)| name).collect());
    Ok(())
}

#[test]
fn the_header_declares_each_function_and_no_other() -> std::io::Result<()> {
    let header = std::fs::read_to_string(include().join("dlbacktrace/dlbacktrace.h"))?;
    let calls = header.match_indices('(').filter_map(|(end, _)| {
        let name =
            header[..end].rsplit(|letter: char| !(letter.is_alphanumeric() || letter == '_')).next()?;
        name.starts_with("dlb_").then(|| name.to_owned())
    });
    let declared: BTreeSet<String> = calls.collect();
    let ours = prototypes().into_iter().map(|(name, _)| name).chain(OTHERS.map(|(_, name, _)| name));
    assert_eq!(declared, ours.map(str::to_owned).collect());
    Ok(())
}
