//! The rule of each ATen operator. An operator that is not here, and is not composed of operators that are, has none.

mod arithmetic;
mod attention;
mod bags;
mod complex;
mod convolutions;
mod einsum;
mod fourier;
mod functions;
mod grids;
mod inverses;
mod lookups;
mod losses;
mod matrices;
mod movement;
mod nested;
mod norms;
mod parts;
mod passing;
mod pooling;
mod quantised;
mod recurrent;
mod reductions;
mod sampling;
mod scatters;
mod transformer;
mod triangular;
mod unruled;
mod vision;

use crate::lowering::Torch;
pub use dlbacktrace_core::lowering::OperatorRule;
use dlbacktrace_core::lowering::{self, Table};
use dlbacktrace_core::rules::Reads;
use dlbacktrace_torch_recorder::{Keep, Policy};
use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

pub(crate) type Entry = lowering::Row<Torch>;
pub(crate) type Lower = lowering::Lower<Torch>;

/// All rows.
fn entries() -> impl Iterator<Item = &'static Entry> {
    [
        arithmetic::ENTRIES,
        attention::ENTRIES,
        bags::ENTRIES,
        complex::ENTRIES,
        convolutions::ENTRIES,
        einsum::ENTRIES,
        fourier::ENTRIES,
        functions::ENTRIES,
        grids::ENTRIES,
        inverses::ENTRIES,
        lookups::ENTRIES,
        losses::ENTRIES,
        matrices::ENTRIES,
        movement::ENTRIES,
        nested::ENTRIES,
        norms::ENTRIES,
        passing::ENTRIES,
        pooling::ENTRIES,
        quantised::ENTRIES,
        recurrent::ENTRIES,
        reductions::ENTRIES,
        sampling::ENTRIES,
        scatters::ENTRIES,
        transformer::ENTRIES,
        triangular::ENTRIES,
        unruled::ENTRIES,
        vision::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

/// The table by operator name. A name is one without overload; it includes in-place and `out=` twins.
pub(crate) fn table() -> &'static Table<Torch> {
    static TABLE: OnceLock<Table<Torch>> = OnceLock::new();
    TABLE.get_or_init(|| Table::of(entries()))
}

/// The policy for runs that are explained by rules that read this. There are few, which are kept.
pub(crate) fn policy(reads: Reads) -> &'static Policy {
    static POLICIES: Mutex<BTreeMap<Reads, &'static Policy>> = Mutex::new(BTreeMap::new());
    // A thread that panicked while it held the lock left the map complete.
    let mut policies = POLICIES.lock().unwrap_or_else(PoisonError::into_inner);
    let keep = |(name, entry): (&'static str, &Entry)| (name, entry.keep(reads));
    policies.entry(reads).or_insert_with(|| Box::leak(Box::new(Policy::new(table().iter().map(keep)))))
}

/// The policy for a run of which only the outputs matter.
pub(crate) fn policy_for_outputs() -> &'static Policy {
    static POLICY: OnceLock<Policy> = OnceLock::new();
    POLICY.get_or_init(|| Policy::new(table().iter().map(|(name, _)| (name, Keep::Indices))))
}

/// The policy for a replay, which keeps everything.
pub(crate) fn policy_for_replays() -> Policy {
    Policy::keeping_all(table().iter().map(|(name, entry)| (name, entry.keep)))
}

/// The operator table, sorted by name.
pub fn operators() -> Vec<OperatorRule> {
    table().rules()
}
