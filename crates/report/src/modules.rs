//! The relevance that passed through the modules of a model, as a tree.

use crate::number::relevance;
use dlbacktrace_core::explain::ModuleRelevance;
use dlbacktrace_core::{Amount, Mode};
use std::fmt::Write;

/// One line for each module, below the one that contains it: what it received, on how many rows, and what the heads of its
/// attention received.
pub fn tree(modules: &[ModuleRelevance], mode: Mode) -> String {
    let amount = |amount: Amount| relevance(amount, mode);
    let mut around: Vec<&str> = Vec::new();
    let names: Vec<String> = modules.iter().map(|module| name(&mut around, &module.module.path)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    modules.iter().zip(names).fold(String::new(), |mut text, (module, name)| {
        let rows = if module.rows == 1 { "row" } else { "rows" };
        let _ = write!(text, "{name:<width$}  {} on {} {rows}", amount(module.received), module.rows);
        if !module.heads.is_empty() {
            let heads: Vec<String> = module.heads.iter().map(|&head| amount(head)).collect();
            let _ = write!(text, "; heads {}", heads.join(", "));
        }
        text.push('\n');
        text
    })
}

/// The path without that of the containing module, indented by its depth. `around` holds the paths of the modules that may
/// contain this one.
fn name<'a>(around: &mut Vec<&'a str>, path: &'a str) -> String {
    let own = |parent: &str| path.strip_prefix(parent).and_then(|rest| rest.strip_prefix('.'));
    while around.last().is_some_and(|parent| own(parent).is_none()) {
        around.pop();
    }
    let last = around.last().and_then(|parent| own(parent)).unwrap_or(path);
    let name = format!("{:indent$}{last}", "", indent = 2 * around.len());
    around.push(path);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use dlbacktrace_core::ModulePath;
    use std::collections::BTreeMap;

    #[test]
    fn modules_stand_under_those_they_are_in() {
        let module = |path: &str, received, rows, heads: &[f64]| ModuleRelevance {
            module: ModulePath { path: path.to_owned(), class: String::new() },
            received: Amount::default_mode(received),
            delivered: Amount::default(),
            lost: BTreeMap::new(),
            rows,
            heads: heads.iter().map(|&head| Amount::default_mode(head)).collect(),
        };
        let modules = [
            module("a", 1.0, 3, &[]),
            module("a.b", 0.5, 1, &[0.25, 0.25]),
            module("a.b.c.d", 0.25, 2, &[]),
            module("ab", 2.0, 3, &[]),
        ];
        let expected = "\
a        1.000 on 3 rows
  b      0.5000 on 1 row; heads 0.2500, 0.2500
    c.d  0.2500 on 2 rows
ab       2.000 on 3 rows
";
        assert_eq!(tree(&modules, Mode::Default), expected);
    }
}
