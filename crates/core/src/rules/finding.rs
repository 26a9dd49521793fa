//! What is found about sums and products, by which a row of a rule set can select them.

use super::Kind;
use crate::{Family, Function, Operand, Role, Step, Tensor, ValueId};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// What a step is in its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// A sum of a value and of what a branch made of it. On its way to the sum the value may be moved, normed, averaged, and
    /// projected by a layer.
    Residual,
    /// A product of which one factor is a sigmoid, another function with values in a fixed range, or x·σ(βx): it scales the
    /// other one.
    Gate,
    /// A product of which one factor is a part of a softmax, as the weight of an expert.
    Router,
}

impl Finding {
    /// The kind of step that can be it.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Residual => Kind::Sum,
            Self::Gate | Self::Router => Kind::Product,
        }
    }
}

/// What was found about the steps of a tape.
#[derive(Debug, Default)]
pub(super) struct Findings {
    residuals: HashSet<usize>,
    /// By the number of a product: the factor that scales the other one.
    scales: HashMap<usize, (usize, Finding)>,
}

impl Findings {
    pub(super) fn of<T: Tensor>(steps: &[Step<T>], kinds: &[Kind]) -> Self {
        let makers: HashMap<ValueId, usize> = (0..)
            .zip(steps)
            .flat_map(|(index, step)| step.outputs.iter().map(move |value| (*value, index)))
            .collect();
        let graph = Graph { steps, kinds, makers };
        let mut found = Self::default();
        for (index, kind) in kinds.iter().enumerate() {
            match kind {
                Kind::Sum if graph.is_residual(index) => drop(found.residuals.insert(index)),
                Kind::Product => drop(graph.scale(index).map(|scale| found.scales.insert(index, scale))),
                _ => {}
            }
        }
        found
    }

    pub(super) fn is(&self, index: usize, finding: Finding) -> bool {
        match finding {
            Finding::Residual => self.residuals.contains(&index),
            _ => self.scales.get(&index).is_some_and(|(_, found)| *found == finding),
        }
    }

    /// The factor of a product that is scaled by the other one.
    pub(super) fn signal(&self, index: usize) -> Option<usize> {
        self.scales.get(&index).map(|(scale, _)| 1 - scale)
    }
}

struct Graph<'a, T> {
    steps: &'a [Step<T>],
    kinds: &'a [Kind],
    makers: HashMap<ValueId, usize>,
}

impl<T: Tensor> Graph<'_, T> {
    fn moving(step: &Step<T>) -> impl Iterator<Item = &Operand<T>> {
        step.inputs.iter().filter(|operand| operand.depends)
    }

    /// The step that made a value, and the only operand of it that moves.
    fn before(&self, value: ValueId) -> Option<(usize, ValueId)> {
        let maker = *self.makers.get(&value)?;
        let mut moving = Self::moving(&self.steps[maker]);
        let only = moving.next().filter(|_| moving.next().is_none())?;
        Some((maker, only.value))
    }

    fn is_residual(&self, sum: usize) -> bool {
        let terms: Vec<ValueId> = Self::moving(&self.steps[sum]).map(|operand| operand.value).collect();
        let pairs = terms.iter().flat_map(|a| terms.iter().map(move |b| (*a, *b)));
        pairs.filter(|(a, b)| a != b).any(|(a, b)| self.depends(b, &self.shortcut(a)))
    }

    /// The values from which a shortcut may have led to this one.
    fn shortcut(&self, value: ValueId) -> HashSet<ValueId> {
        use Kind::{Average, Convolution, Linear, Movement, Norm};
        let carries =
            |step: usize| matches!(self.kinds[step], Linear | Convolution | Norm | Movement | Average);
        let earlier = |value: &ValueId| {
            self.before(*value).filter(|(maker, _)| carries(*maker)).map(|(_, before)| before)
        };
        std::iter::successors(Some(value), earlier).collect()
    }

    /// Whether a value was computed from one of these.
    fn depends(&self, value: ValueId, on: &HashSet<ValueId>) -> bool {
        let (mut open, mut seen) = (vec![value], HashSet::new());
        while let Some(value) = open.pop() {
            let Some(&maker) = self.makers.get(&value).filter(|maker| seen.insert(**maker)) else { continue };
            for operand in Self::moving(&self.steps[maker]) {
                if on.contains(&operand.value) {
                    return true;
                }
                open.push(operand.value);
            }
        }
        false
    }

    /// The factor of a product that scales the other one, if just one does.
    fn scale(&self, product: usize) -> Option<(usize, Finding)> {
        let [a, b] = self.steps[product].inputs.as_slice() else { return None };
        let of = |operand: &Operand<T>| {
            if operand.depends { self.scaling(operand.value) } else { None }
        };
        match (of(a), of(b)) {
            (Some(found), None) => Some((0, found)),
            (None, Some(found)) => Some((1, found)),
            _ => None,
        }
    }

    /// What makes a value one that scales another.
    fn scaling(&self, mut value: ValueId) -> Option<Finding> {
        loop {
            let maker = *self.makers.get(&value)?;
            let step = &self.steps[maker];
            match step.op.role(&step.inputs) {
                Role::Function(Function::Sigmoid | Function::Bounded | Function::Swish { .. }) => {
                    return Some(Finding::Gate);
                }
                Role::Function(Function::Softmax) => return Some(Finding::Router),
                Role::Function(Function::Scale(_)) | Role::Identity => {}
                _ if matches!(step.op.family(), Family::Movement | Family::Pass) => {}
                _ => return None,
            }
            value = self.before(value)?.1;
        }
    }
}
