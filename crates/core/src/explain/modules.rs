//! The relevance that passes through each module, counted during the walk, so that no value need be kept.

use crate::{Amount, Function, Ledger, Loss, ModulePath, Relevance, Result, Role, Step, Tensor, ValueId};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The relevance of one module of the model and the modules within it: received = delivered + lost.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ModuleRelevance {
    /// Dotted path, such as `encoder.layer.0.attention`, and class. A module that only contains others has no class.
    #[serde(flatten)]
    pub module: ModulePath,
    /// The relevance that came from outside to values made inside. What leaves the module and comes back counts twice.
    pub received: Amount,
    /// The relevance that went to values made outside.
    pub delivered: Amount,
    /// The relevance lost inside, by reason.
    pub lost: BTreeMap<Loss, Amount>,
    /// The number of rows (over all axes but the last) of its result that received relevance: in a transformer, tokens. If it
    /// hands out several values, the largest such number.
    pub rows: usize,
    /// The relevance of each head of the attention inside it; empty if there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<Amount>,
}

/// The counts of a walk.
pub(super) struct Modules {
    entries: Vec<ModuleRelevance>,
    /// For each path, the numbers of the module and of those that contain it, outermost first.
    chains: HashMap<String, Vec<usize>>,
    values: Vec<Made>,
}

/// What is known of a value.
#[derive(Clone, Default)]
struct Made {
    /// The modules in which it was made, outermost first; empty for inputs and constants.
    chain: Vec<usize>,
    /// How many of these contain all its consumers.
    shared: usize,
    /// Whether it is the result of an attention with its heads on the third axis from the end.
    heads: bool,
}

impl Modules {
    /// Nothing counted yet.
    pub(super) fn new<T: Tensor>(steps: &[Step<T>], values: usize) -> Self {
        let mut modules =
            Self { entries: Vec::new(), chains: HashMap::new(), values: vec![Made::default(); values] };
        let attentions = attentions(steps);
        for step in steps {
            let chain = modules.enter(&step.place.module);
            for value in &step.outputs {
                let heads = attentions.contains(value);
                modules.values[value.0] = Made { shared: chain.len(), chain: chain.clone(), heads };
            }
        }
        modules
    }

    /// The chain of a module. A new module is added together with those that contain it.
    fn enter(&mut self, module: &ModulePath) -> Vec<usize> {
        if let Some(chain) = self.chains.get(&module.path) {
            if let Some(&last) = chain.last() {
                self.entries[last].module.class.clone_from(&module.class);
            }
            return chain.clone();
        }
        let Some(end) = module.path.rfind('.').or((!module.path.is_empty()).then_some(0)) else {
            return Vec::new();
        };
        let around = ModulePath { path: module.path[..end].to_owned(), class: String::new() };
        let mut chain = match self.chains.get(&around.path) {
            Some(chain) => chain.clone(),
            None => self.enter(&around),
        };
        chain.push(self.entries.len());
        self.entries.push(ModuleRelevance {
            module: module.clone(),
            received: Amount::default(),
            delivered: Amount::default(),
            lost: BTreeMap::new(),
            rows: 0,
            heads: Vec::new(),
        });
        self.chains.insert(module.path.clone(), chain.clone());
        chain
    }

    /// Counts relevance that a step of the module at `path` hands to one of its operands; the start has an empty path.
    pub(super) fn handed(&mut self, path: &str, value: ValueId, amount: Amount) {
        let from = self.chains.get(path).map_or(&[][..], Vec::as_slice);
        let made = &mut self.values[value.0];
        let shared = from.iter().zip(&made.chain).take_while(|(a, b)| a == b).count();
        made.shared = made.shared.min(shared);
        for &module in &made.chain[shared..] {
            self.entries[module].received += amount;
        }
        for &module in &from[shared..] {
            self.entries[module].delivered += amount;
        }
    }

    /// Notes that all relevance of a value has arrived.
    pub(super) fn arrived<T: Tensor>(&mut self, value: ValueId, relevance: &Relevance<T>) -> Result<()> {
        let made = &self.values[value.0];
        if made.shared < made.chain.len() {
            let rows = rows(relevance)?;
            for &module in &made.chain[made.shared..] {
                let entry = &mut self.entries[module];
                entry.rows = entry.rows.max(rows);
            }
        }
        if let (true, Some(&module)) = (made.heads, made.chain.last()) {
            let heads = heads(relevance)?;
            let sums = &mut self.entries[module].heads;
            sums.resize(sums.len().max(heads.len()), Amount::default());
            sums.iter_mut().zip(heads).for_each(|(sum, amount)| *sum += amount);
        }
        Ok(())
    }

    /// The modules that relevance passed, each after the one that contains it, otherwise in the order in which they ran.
    pub(super) fn finish(mut self, ledger: &Ledger) -> Vec<ModuleRelevance> {
        for entry in &ledger.entries {
            for &module in self.chains.get(&entry.place.module.path).into_iter().flatten() {
                for (&loss, &amount) in &entry.lost {
                    *self.entries[module].lost.entry(loss).or_default() += amount;
                }
            }
        }
        let chains = self.chains;
        self.entries.retain(|entry| !entry.received.is_zero() || !entry.delivered.is_zero());
        self.entries.sort_by(|a, b| chains[&a.module.path].cmp(&chains[&b.module.path]));
        self.entries
    }
}

/// The results of attention: in one operator, or as a product whose first factor comes from a softmax.
fn attentions<T: Tensor>(steps: &[Step<T>]) -> HashSet<ValueId> {
    let mut softmaxes: HashSet<ValueId> = HashSet::new();
    let mut results = HashSet::new();
    for step in steps {
        let Some(first) = step.inputs.first() else { continue };
        match step.op.role(&step.inputs) {
            Role::Function(Function::Softmax) => softmaxes.extend(&step.outputs),
            Role::Identity | Role::Movement if softmaxes.contains(&first.value) => {
                softmaxes.extend(&step.outputs);
            }
            Role::Attention => results.extend(&step.outputs),
            Role::Bilinear if softmaxes.contains(&first.value) => results.extend(&step.outputs),
            _ => {}
        }
    }
    results
}

fn rows<T: Tensor>(relevance: &Relevance<T>) -> Result<usize> {
    let gross = match relevance.second() {
        Some(second) => relevance.first().abs()?.add(&second.abs()?)?,
        None => relevance.first().abs()?,
    };
    let row = match gross.shape().len() {
        0 => gross,
        rank => gross.sum(&[rank - 1], false)?,
    };
    Ok(row.greater_than(0.0)?.total()? as usize)
}

fn heads<T: Tensor>(relevance: &Relevance<T>) -> Result<Vec<Amount>> {
    let rank = relevance.shape().len();
    let Some(axis) = rank.checked_sub(3).filter(|_| rank > 3) else { return Ok(Vec::new()) };
    let others: Vec<usize> = (0..rank).filter(|&other| other != axis).collect();
    let sums = |channel: &T| channel.sum(&others, false)?.to_array();
    let first = sums(relevance.first())?;
    let second = relevance.second().map(sums).transpose()?;
    let negative = |head: usize| second.as_ref().map_or(0.0, |second| second[head]);
    Ok(first.iter().enumerate().map(|(head, &positive)| Amount::new(positive, negative(head))).collect())
}
