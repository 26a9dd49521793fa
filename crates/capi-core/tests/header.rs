//! The header says what the library does: a C compiler compares it with what Rust declares.
#![allow(missing_docs)]

use dlbacktrace::{Error, core};
use dlbacktrace_capi_core::{
    ABI, Amount, Argument, Array, Checks, Entry, Explanation, Gate, Input, LoadOptions, MAX_DEPTH, MAX_RANK,
    MAX_TEXTS, Model, ModelInfo, NUMBERS, Output, Outputs, Progress, Request, Scaling, Scalings, Summary,
    Value, Verification, interface,
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
    Explanation => "dlb_explanation", Outputs => "dlb_outputs", Scalings => "dlb_scalings",
    Verification => "dlb_verification", LoadOptions => "dlb_load_options", ModelInfo => "dlb_model_info",
    Argument => "dlb_argument", Gate => "dlb_gate", Amount => "dlb_amount", Array => "dlb_array", Scaling => "dlb_scaling",
    Checks => "dlb_checks", Summary => "dlb_summary", Output => "dlb_output", Input => "dlb_input", Value => "dlb_value",
    Entry => "dlb_entry",
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
            vec![$((<$type as C>::name(), vec![$((stringify!($field).trim_start_matches("r#"), offset_of!($type, $field))),*], size_of::<$type>())),*]
        }
    };
}

layouts! {
    LoadOptions { struct_size, signature, tags, tag_count, tensorflow, threads, libraries, library_count }
    ModelInfo { struct_size, framework, argument_count, ordered, precision }
    Argument { struct_size, name, kind, optional }
    Amount { positive, negative }
    Gate { struct_size, lower, upper, swish }
    Array { struct_size, data, size, shape, rank, r#type }
    Scaling { struct_size, name, factor, shift, pixels }
    Checks { struct_size, holds, closes, repeats, replayed, failed, skipped, coverage }
    Output { struct_size, name, targets, target_count, sample_axis }
    Input { struct_size, name, total, precision }
    Value { struct_size, name, module, operator_name, step, precision }
    Entry { struct_size, operator_name, module, source, step, received, delivered, lost, lost_count, closes }
    Summary {
        struct_size, framework, input_count, value_count, entry_count, warning_count, assumed_count, start, lost, lost_count,
        closes, coverage, load_seconds, forward_seconds, relevance_seconds
    }
}

fn include() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cpp/include")
}

/// Functions that take no handle, or return nothing.
const OTHERS: [(&str, &str, &str); 11] = [
    ("int", "dlb_abi_version", "void"),
    ("const char *", "dlb_version", "void"),
    ("const char *", "dlb_last_error", "void"),
    ("dlb_status", "dlb_model_load", "const char *, const dlb_load_options *, dlb_model **"),
    ("dlb_status", "dlb_model_share_torch", "const void *, const char *, dlb_model **"),
    ("void", "dlb_model_free", "dlb_model *"),
    ("void", "dlb_request_free", "dlb_request *"),
    ("void", "dlb_outputs_free", "dlb_outputs *"),
    ("void", "dlb_scalings_free", "dlb_scalings *"),
    ("void", "dlb_verification_free", "dlb_verification *"),
    ("void", "dlb_explanation_free", "dlb_explanation *"),
];

/// The numbers behind the header's names: those of its types, and the statuses.
fn numbers() -> Vec<(&'static str, c_int)> {
    let none = String::new;
    let statuses = [
        ("DLB_STATUS_OK", 0),
        ("DLB_STATUS_INTERNAL", Error::Internal(none()).exit_code()),
        ("DLB_STATUS_USAGE", Error::Usage(none()).exit_code()),
        ("DLB_STATUS_MODEL", Error::Load(none()).exit_code()),
        ("DLB_STATUS_RULE", Error::NoRule(none()).exit_code()),
        ("DLB_STATUS_INPUTS", Error::Inputs(none()).exit_code()),
        ("DLB_STATUS_LIBRARY", Error::Library(none()).exit_code()),
        (
            "DLB_STATUS_CANCELLED",
            Error::Cancelled(core::explain::Progress::Running { operators: 0 }).exit_code(),
        ),
    ];
    NUMBERS.iter().copied().chain(statuses).collect()
}

/// C refuses a second declaration of a function with other types, and an assertion that does not hold.
#[test]
fn types_and_functions_are_the_headers() -> std::io::Result<()> {
    let mut source = String::from("#include <dlbacktrace/dlbacktrace.h>\n");
    let _ = writeln!(source, "_Static_assert(DLB_ABI_VERSION == {ABI}, \"\");");
    for (name, number) in [("RANK", MAX_RANK), ("DEPTH", MAX_DEPTH), ("TEXTS", MAX_TEXTS)] {
        let _ = writeln!(source, "_Static_assert(DLB_MAX_{name} == {number}, \"\");");
    }
    for (name, number) in numbers() {
        let _ = writeln!(source, "_Static_assert({name} == {number}, \"{name}\");");
    }
    for (name, arguments) in prototypes() {
        let _ = writeln!(source, "dlb_status {name}({arguments});");
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
fn the_header_has_the_version_of_the_library() -> std::io::Result<()> {
    let header = std::fs::read_to_string(include().join("dlbacktrace/dlbacktrace.h"))?;
    let version = env!("CARGO_PKG_VERSION");
    assert!(header.contains(&format!("#define DLB_VERSION \"{version}\"\n")));
    for (part, number) in ["MAJOR", "MINOR", "PATCH"].iter().zip(version.split('.')) {
        assert!(header.contains(&format!("#define DLB_VERSION_{part} {number}\n")), "{part}");
    }
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
