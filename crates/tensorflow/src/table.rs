//! The rule of each of TensorFlow's operators. An operator that is not here has none.

mod arguments;
mod arithmetic;
mod complex;
mod convolutions;
mod detection;
mod einsum;
mod fourier;
mod functions;
mod geometry;
#[cfg(test)]
pub(crate) mod jacobians;
mod lists;
mod lookups;
mod losses;
mod matrices;
mod movement;
mod norms;
mod passing;
mod pooling;
mod reductions;
mod sampling;
mod scatters;
mod sources;
mod sparse;
mod strides;
mod texts;
mod unruled;
mod variables;
mod warps;

use crate::Keep;
use crate::lowering::TensorFlow;
pub use dlbacktrace_core::lowering::OperatorRule;
use dlbacktrace_core::lowering::{self, Table};
use dlbacktrace_core::rules::Reads;
use std::sync::OnceLock;

pub(crate) use sources::explained;

pub(crate) type Entry = lowering::Row<TensorFlow>;
pub(crate) type Lower = lowering::Lower<TensorFlow>;

/// All rows.
fn entries() -> impl Iterator<Item = &'static Entry> {
    [
        arithmetic::ENTRIES,
        complex::ENTRIES,
        convolutions::ENTRIES,
        detection::ENTRIES,
        einsum::ENTRIES,
        fourier::ENTRIES,
        functions::ENTRIES,
        lists::ENTRIES,
        lookups::ENTRIES,
        losses::ENTRIES,
        matrices::ENTRIES,
        movement::ENTRIES,
        norms::ENTRIES,
        passing::ENTRIES,
        pooling::ENTRIES,
        reductions::ENTRIES,
        sampling::ENTRIES,
        scatters::ENTRIES,
        sources::ENTRIES,
        sparse::ENTRIES,
        strides::ENTRIES,
        texts::ENTRIES,
        unruled::ENTRIES,
        variables::ENTRIES,
        warps::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

/// The table by operator type.
pub(crate) fn table() -> &'static Table<TensorFlow> {
    static TABLE: OnceLock<Table<TensorFlow>> = OnceLock::new();
    TABLE.get_or_init(|| Table::of(entries()))
}

/// What the interpreter keeps of an operator.
pub(crate) fn keep(operator: &str, reads: Reads) -> Keep {
    // Whatever has a derivative may be differentiated.
    let unknown = if reads.more() { Keep::All } else { Keep::Indices };
    table().get(operator).map_or(unknown, |entry| entry.keep(reads))
}

/// The operator table, sorted by name.
pub fn operators() -> Vec<OperatorRule> {
    table().rules()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_has_one_row() {
        let named = entries().map(|entry| entry.names.len()).sum::<usize>();
        assert_eq!(named, table().iter().count());
    }
}
