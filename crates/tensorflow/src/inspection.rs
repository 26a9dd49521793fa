//! What is known of a model without running it.

use crate::Model;
use crate::lowering::module;
use crate::table::table;
use dlbacktrace_core::explain::{OperatorUse, coverage};
use dlbacktrace_core::{Family, RandomUse};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a model without running it.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The scopes in the operators' names, which in Keras are the layers: dotted paths, each before its parts.
    pub modules: Vec<String>,
    /// The number of parameters, elements counted, as far as their shapes are stated.
    pub parameters: usize,
    /// The operators of the functions that the signature calls, with their rules; loops count once.
    pub operators: Vec<OperatorUse>,
    /// The share of them that has a rule, 0 to 1.
    pub coverage: f64,
    /// The operators whose results depend on random numbers or on the batch, with their scopes.
    pub random: Vec<RandomUse>,
}

impl Model {
    /// What is known of the model without running it.
    pub fn inspect(&self) -> Inspection {
        let (mut counts, mut variables, mut paths) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        self.each_operation(&mut |operation| {
            if operation.makes_variable() {
                let extents = operation.shape("shape").unwrap_or_default();
                let elements: Option<usize> = extents.into_iter().product();
                variables.insert(operation.name.clone(), elements.unwrap_or_default());
                return;
            }
            *counts.entry(operation.operator.clone()).or_insert(0) += 1;
            let parts: Vec<&str> = operation.name.split('/').collect();
            paths.extend((1..parts.len()).map(|depth| parts[..depth].join(".")));
        });
        let used = |(operator, count): (String, usize)| {
            let row = table().get(&operator);
            OperatorUse::new(operator, count, [row.map_or(Family::Unruled, |row| row.listed)])
                .of_kinds(row.and_then(|row| row.kinds()).unwrap_or_default())
        };
        let operators: Vec<OperatorUse> = counts.into_iter().map(used).collect();
        let mut random = Vec::new();
        self.each_chance(&mut |operation, chance| {
            let (operator, module) = (operation.operator.clone(), module(&operation.name));
            random.push(RandomUse { operator, module, chance, count: 1 });
        });
        Inspection {
            random: RandomUse::counted(random),
            modules: paths.into_iter().collect(),
            parameters: variables.values().sum(),
            coverage: coverage(&operators),
            operators,
        }
    }
}
