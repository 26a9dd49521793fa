//! Einstein sums of two operands (rules §2 with one constant operand, §4 with none).

use super::{MatMul, Multiply, viewed};
use crate::op::arrived;
use crate::{BacktraceOp, Context, Error, Family, Operand, Relevance, Result, Role, Tensor};

/// y = Σ a·b over the labels that the output lacks. Each label stands for an axis, occurs at most once in an operand, and in at
/// least two of a, b and the output. Operands: a, b, and possibly c (a bias with one entry for each output feature, if the
/// features are the last axes of the output).
#[derive(Debug, Clone)]
pub struct Einsum {
    /// The label of each axis of a.
    pub a: Vec<usize>,
    /// The label of each axis of b.
    pub b: Vec<usize>,
    /// The label of each axis of the output.
    pub output: Vec<usize>,
}

/// The labels by the part they play in the matrix product that computes the sum.
struct Groups {
    /// In both operands and the output, in the order of the output.
    batch: Vec<usize>,
    /// In a and the output.
    rows: Vec<usize>,
    /// In b and the output.
    columns: Vec<usize>,
    /// In both operands and summed over.
    inner: Vec<usize>,
}

impl Einsum {
    fn groups(&self) -> Groups {
        let among = |labels: &[usize], a: bool, b: bool| -> Vec<usize> {
            let inside = |label: &&usize| self.a.contains(label) == a && self.b.contains(label) == b;
            labels.iter().filter(inside).copied().collect()
        };
        let mut inner = self.a.clone();
        inner.retain(|label| self.b.contains(label) && !self.output.contains(label));
        Groups {
            batch: among(&self.output, true, true),
            rows: among(&self.output, true, false),
            columns: among(&self.output, false, true),
            inner,
        }
    }

    /// y
    ///
    /// # Errors
    /// [`Error::Uncovered`] if labels and shapes do not fit.
    pub fn apply<T: Tensor>(&self, a: &T, b: &T) -> Result<T> {
        let Groups { batch, rows, columns, inner } = self.groups();
        let left = Matrices::new(&self.a, &a.shape(), [&batch, &rows, &inner])?;
        let right = Matrices::new(&self.b, &b.shape(), [&batch, &inner, &columns])?;
        let product = left.of(a)?.matmul(&right.of(b)?)?;
        let extent = |label: &usize| {
            let of = |labels: &[usize], shape: &[usize]| {
                labels.iter().position(|other| other == label).map(|axis| shape[axis])
            };
            of(&self.a, &a.shape()).into_iter().chain(of(&self.b, &b.shape())).max().unwrap_or(1)
        };
        let shape: Vec<usize> = self.output.iter().map(extent).collect();
        Matrices::new(&self.output, &shape, [&batch, &rows, &columns])?.back(&product)
    }
}

impl<T: Tensor> Multiply<T> for Einsum {
    fn multiply(&self, a: &T, b: &T) -> Result<T> {
        self.apply(a, b)
    }
}

impl<T: Tensor> BacktraceOp<T> for Einsum {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn role(&self, operands: &[Operand<T>]) -> Role {
        let Groups { rows, columns, .. } = self.groups();
        let features = match operands {
            [a, b, ..] if a.depends && !b.depends => columns,
            [a, b, ..] if !a.depends && b.depends => rows,
            _ => return Role::Other,
        };
        // Only the last axes can take a bias.
        Role::Linear { features: if self.output.ends_with(&features) { features.len() } else { 0 } }
    }

    fn multiplies(&self, input: usize) -> bool {
        input < 2
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [a, b, bias @ ..] = operands else {
            return Err(Error::Uncovered("an Einstein sum takes two operands".into()));
        };
        let relevance = arrived(arriving)?;
        let Groups { batch, rows, columns, inner } = self.groups();
        let left = Matrices::new(&self.a, &a.meta.shape, [&batch, &rows, &inner])?;
        let right = Matrices::new(&self.b, &b.meta.shape, [&batch, &inner, &columns])?;
        let output = Matrices::new(&self.output, &relevance.shape(), [&batch, &rows, &columns])?;
        let mut operands = vec![left.operand(a)?, right.operand(b)?];
        if let Some(bias) = bias.first() {
            let count: usize = bias.meta.shape.iter().product();
            let features = if a.depends { [1, count] } else { [count, 1] };
            operands.push(viewed(bias, &features)?);
        }
        let arrived = relevance.map_conserving(|channel| output.of(channel))?;
        context.result = context.result.take().map(|result| output.of(&result)).transpose()?;
        let mut shares =
            MatMul { transposed: false }.backtrace(&operands, &[Some(arrived)], context)?.into_iter();
        let mut back = |matrices: &Matrices| {
            let share = shares.next().flatten();
            share.map(|share| share.map_conserving(|channel| matrices.back(channel))).transpose()
        };
        let mut found = vec![back(&left)?, back(&right)?];
        found.resize(operands.len(), None);
        Ok(found)
    }
}

/// A tensor seen as matrices: some leading axes, the others merged to two.
struct Matrices {
    /// The axis of the tensor for each axis of the matrices.
    order: Vec<usize>,
    /// Extents in that order.
    extents: Vec<usize>,
    /// Extents with rows and columns merged.
    merged: Vec<usize>,
}

impl Matrices {
    fn new(labels: &[usize], shape: &[usize], [batch, rows, columns]: [&[usize]; 3]) -> Result<Self> {
        let wanted = [batch, rows, columns].concat();
        let axis = |label: &usize| labels.iter().position(|other| other == label);
        let order: Option<Vec<usize>> = wanted.iter().map(axis).collect();
        let order = order
            .filter(|order| order.len() == labels.len() && labels.len() == shape.len())
            .ok_or_else(|| {
                Error::Uncovered(format!("labels {labels:?} of shape {shape:?} do not make a matrix product"))
            })?;
        let extents: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
        let (front, rest) = extents.split_at(batch.len());
        let (rows, columns) = rest.split_at(rows.len());
        let mut merged = front.to_vec();
        merged.extend([rows.iter().product::<usize>(), columns.iter().product()]);
        Ok(Self { order, extents, merged })
    }

    fn of<T: Tensor>(&self, x: &T) -> Result<T> {
        x.permute(&self.order)?.reshape(&self.merged)
    }

    fn back<T: Tensor>(&self, matrices: &T) -> Result<T> {
        let mut inverse = vec![0; self.order.len()];
        for (place, &axis) in self.order.iter().enumerate() {
            inverse[axis] = place;
        }
        matrices.reshape(&self.extents)?.permute(&inverse)
    }

    fn operand<T: Tensor>(&self, operand: &Operand<T>) -> Result<Operand<T>> {
        let mut matrices = operand.clone();
        matrices.data = Some(self.of(operand.data()?)?);
        matrices.meta.shape = self.merged.clone();
        // Its parts in this order differ from those that the cache keeps.
        matrices.weight = None;
        Ok(matrices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::{
        assert_close, backtrace, channels, check_weighted_sum, constant, moving, numbers, relevances, values,
    };
    use crate::{Gate, WeightCache};
    use ndarray::{ArrayD, IxDyn};

    /// One label for each letter.
    fn einsum(equation: &str) -> Einsum {
        let labels = |part: &str| part.bytes().map(usize::from).collect();
        let (operands, output) = equation.split_once("->").unwrap();
        let (a, b) = operands.split_once(',').unwrap();
        Einsum { a: labels(a), b: labels(b), output: labels(output) }
    }

    /// The sum over all labels, element by element.
    fn written_out(op: &Einsum, a: &Array, b: &Array) -> Array {
        let (x, w) = (a.to_array().unwrap(), b.to_array().unwrap());
        let mut extents = std::collections::BTreeMap::new();
        for (labels, array) in [(&op.a, &x), (&op.b, &w)] {
            labels.iter().zip(array.shape()).for_each(|(&label, &extent)| {
                extents.insert(label, extent);
            });
        }
        let labels: Vec<usize> = extents.keys().copied().collect();
        let shape: Vec<usize> = op.output.iter().map(|label| extents[label]).collect();
        let mut y = ArrayD::<f64>::zeros(IxDyn(&shape));
        for at in ndarray::indices(IxDyn(&extents.values().copied().collect::<Vec<_>>())) {
            let index = |wanted: &[usize]| -> Vec<usize> {
                wanted
                    .iter()
                    .map(|label| at[labels.iter().position(|other| other == label).unwrap()])
                    .collect()
            };
            y[index(&op.output).as_slice()] += x[index(&op.a).as_slice()] * w[index(&op.b).as_slice()];
        }
        Array::new(y)
    }

    const CASES: &[(&str, &[usize], &[usize])] = &[
        ("ni,io->no", &[2, 3], &[3, 4]),
        ("oi,ni->no", &[4, 3], &[2, 3]),
        ("bhid,bhjd->bhij", &[2, 2, 3, 4], &[2, 2, 5, 4]),
        ("nchw,cdh->dwn", &[2, 3, 2, 2], &[3, 4, 2]),
        ("bij,j->bi", &[2, 3, 4], &[4]),
        ("ij,ij->", &[2, 3], &[2, 3]),
        ("nij,jkl->nkil", &[2, 2, 3], &[3, 2, 2]),
    ];

    #[test]
    fn the_product_of_matrices_is_the_sum_written_out() {
        for &(equation, a, b) in CASES {
            let (op, a, b) = (einsum(equation), numbers(a, 1), numbers(b, 2));
            let (found, expected) = (op.apply(&a, &b).unwrap(), written_out(&op, &a, &b));
            assert_eq!(found.shape(), expected.shape(), "{equation}");
            assert_close(&values(&found), &values(&expected), 1e-14);
        }
    }

    /// With one operand for a weight the rule is that of its matrix.
    #[derive(Debug)]
    struct Half<'a> {
        op: &'a Einsum,
        weight: Array,
        first: bool,
    }

    impl BacktraceOp<Array> for Half<'_> {
        fn family(&self) -> Family {
            Family::WeightedSum
        }

        fn backtrace(
            &self,
            operands: &[Operand<Array>],
            arriving: &[Option<Relevance<Array>>],
            context: &mut Context<'_, Array>,
        ) -> Result<Vec<Option<Relevance<Array>>>> {
            let (x, weight) = (operands[0].clone(), constant(self.weight.clone()));
            let pair = if self.first { [weight, x] } else { [x, weight] };
            let mut shares = self.op.backtrace(&pair, arriving, context)?;
            assert!(shares[usize::from(!self.first)].is_none());
            Ok(vec![shares.swap_remove(usize::from(self.first))])
        }
    }

    #[test]
    fn a_constant_operand_is_a_weight() {
        for &(equation, a, b) in CASES {
            let op = einsum(equation);
            let weight = numbers(b, 3);
            check_weighted_sum(&Half { op: &op, weight: weight.clone(), first: false }, a, |x| {
                written_out(&op, x, &weight)
            });
            let weight = numbers(a, 4);
            check_weighted_sum(&Half { op: &op, weight: weight.clone(), first: true }, b, |x| {
                written_out(&op, &weight, x)
            });
        }
    }

    #[test]
    fn two_moving_operands_share_as_in_a_matrix_product() {
        let (a, b) = (moving(numbers(&[2, 3, 4], 1)), moving(numbers(&[2, 4, 5], 2)));
        for relevance in relevances(&[2, 3, 5]) {
            let outputs = [Some(relevance)];
            let (expected, _) = backtrace(&MatMul { transposed: false }, &[a.clone(), b.clone()], &outputs);
            let (found, _) = backtrace(&einsum("nij,njk->nik"), &[a.clone(), b.clone()], &outputs);
            for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
                for (found, expected) in channels(found).into_iter().zip(channels(expected)) {
                    assert_close(&values(found), &values(expected), 1e-14);
                }
            }
        }
    }

    #[test]
    fn a_bias_counts_the_features_of_the_weight() {
        let (x, weight) = (moving(numbers(&[2, 3], 1)), constant(numbers(&[3, 2, 2], 2)));
        let op = einsum("ni,ihd->nhd");
        assert_eq!(op.role(&[x.clone(), weight.clone()]), Role::Linear { features: 2 });
        let relevance = relevances(&[2, 2, 2])[0].clone();
        let bias = numbers(&[2, 2], 3);
        let (found, _) =
            backtrace(&op, &[x.clone(), weight.clone(), constant(bias.clone())], &[Some(relevance.clone())]);
        let flat = |array: &Array, shape: &[usize]| array.reshape(shape).unwrap();
        let operands = [x, constant(flat(weight.data().unwrap(), &[3, 4])), constant(flat(&bias, &[4]))];
        let relevance = Relevance::default_mode(flat(relevance.first(), &[2, 4]));
        let (expected, _) = backtrace(&MatMul { transposed: false }, &operands, &[Some(relevance)]);
        let first = |shares: &[Option<Relevance<Array>>]| values(shares[0].as_ref().unwrap().first());
        assert_close(&first(&found), &first(&expected), 1e-14);
        // The weight's axis is not the last: nothing added to the output is its bias.
        assert_eq!(einsum("ni,io->on").role(&operands[..2]), Role::Linear { features: 0 });
        let swapped = [operands[1].clone(), operands[0].clone()];
        assert_eq!(einsum("io,ni->no").role(&swapped), Role::Linear { features: 1 });
    }

    #[test]
    fn labels_that_stand_alone_are_refused() {
        let (a, b) = (numbers(&[2, 3], 1), numbers(&[3], 2));
        assert!(matches!(einsum("ij,j->").apply(&a, &b), Err(Error::Uncovered(_))));
    }

    /// A known result gives the same gate as a computed one, in whatever order its axes are.
    #[test]
    fn a_gate_reads_a_known_result() {
        let weights = WeightCache::new(0);
        for (equation, a, b) in [("ni,io->on", [2, 3], [3, 4]), ("oi,ni->no", [4, 3], [2, 3])] {
            let op = einsum(equation);
            let (a, b) = (numbers(&a, 1).scale(3.0).unwrap(), numbers(&b, 2).scale(3.0).unwrap());
            let y = op.apply(&a, &b).unwrap();
            let operands = match equation.starts_with('n') {
                true => [moving(a), constant(b)],
                false => [constant(a), moving(b)],
            };
            let [relevance, _] = relevances(&y.shape());
            let found = [Some(y), None].map(|result| {
                let mut context = Context::new(&weights);
                context.gate = Some(Gate { lower: Some(-0.5), upper: Some(0.5), swish: None });
                context.result = result;
                let shares = op.backtrace(&operands, &[Some(relevance.clone())], &mut context).unwrap();
                shares.iter().flatten().flat_map(|share| values(share.first())).collect::<Vec<_>>()
            });
            assert_close(&found[0], &found[1], 1e-12);
        }
    }
}
