//! Convolutions counted around an axis, as products of spectra compute them (rules, "Convolutions by way of spectra").

use super::{Convolution, exactly};
use crate::op::arrived;
use crate::{
    BacktraceOp, Context, ConvGeometry, Error, Family, Loss, Operand, Range, Relevance, Result, Role, Tensor,
};

/// y_i = Σ_j w_j x_(i − j), where i − j counts around the axis. Operands: x, w and possibly a bias. Each axis of x and w with an
/// extent other than 1 has its place among the axes of y; both repeat along the others.
#[derive(Debug, Clone)]
pub struct CircularConvolution {
    /// The number of axes of y.
    pub rank: usize,
    /// The axis of y along which indices wrap around.
    pub axis: usize,
    /// The places of the axes of x and of those of w.
    pub places: [Vec<usize>; 2],
    /// Whether y is complex, with imaginary parts of 0.
    pub complex: bool,
}

/// The extents of an operand among the axes of y, with the convolved axis last.
fn spread(shape: &[usize], places: &[usize], rank: usize, axis: usize) -> Result<(Vec<usize>, Vec<usize>)> {
    let own: Vec<usize> = shape.iter().copied().filter(|&extent| extent != 1).collect();
    if own.len() != places.len() || places.iter().any(|&place| place >= rank) {
        return Err(Error::Uncovered(format!(
            "an operand of shape {shape:?} does not have the axes {places:?}"
        )));
    }
    let turned = |place: usize| match place.cmp(&axis) {
        std::cmp::Ordering::Less => place,
        std::cmp::Ordering::Equal => rank - 1,
        std::cmp::Ordering::Greater => place - 1,
    };
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|&own| turned(places[own]));
    let mut spread = vec![1; rank];
    for (&place, extent) in places.iter().zip(own) {
        spread[turned(place)] = extent;
    }
    Ok((order, spread))
}

/// An operand in the form that the convolution takes.
struct Laid {
    /// The extents of the operand that are not 1.
    own: Vec<usize>,
    /// Their order among the axes of y.
    order: Vec<usize>,
    /// All extents in that order, with 1 where the operand repeats.
    spread: Vec<usize>,
}

impl Laid {
    fn new(shape: &[usize], places: &[usize], rank: usize, axis: usize) -> Result<Self> {
        let (order, spread) = spread(shape, places, rank, axis)?;
        Ok(Self { own: shape.iter().copied().filter(|&extent| extent != 1).collect(), order, spread })
    }

    fn of<T: Tensor>(&self, x: &T) -> Result<T> {
        x.reshape(&self.own)?.permute(&self.order)?.reshape(&self.spread)
    }

    fn back<T: Tensor>(&self, x: &T, shape: &[usize]) -> Result<T> {
        let extents: Vec<usize> = self.order.iter().map(|&axis| self.own[axis]).collect();
        let mut inverse = vec![0; self.order.len()];
        self.order.iter().enumerate().for_each(|(place, &axis)| inverse[axis] = place);
        x.reshape(&extents)?.permute(&inverse)?.reshape(shape)
    }

    fn lead(&self) -> &[usize] {
        &self.spread[..self.spread.len() - 1]
    }
}

impl CircularConvolution {
    fn laid<T>(&self, operands: &[Operand<T>]) -> Result<[Laid; 2]> {
        let [x, kernel, ..] = operands else {
            return Err(Error::Uncovered("a convolution takes two operands".into()));
        };
        let laid =
            |operand: &Operand<T>, places| Laid::new(&operand.meta.shape, places, self.rank, self.axis);
        Ok([laid(x, &self.places[0])?, laid(kernel, &self.places[1])?])
    }

    /// Relevance of y, or its values, with the axis last; for complex numbers, the real parts.
    fn turned<T: Tensor>(&self, y: &T) -> Result<T> {
        let mut order: Vec<usize> = (0..self.rank).collect();
        order[self.axis..].rotate_left(1);
        if !self.complex {
            return y.permute(&order);
        }
        let shape = y.shape();
        let mut region = Range::whole(&shape);
        region[self.rank] = Range::span(0, 1);
        y.slice(&region)?.reshape(&shape[..self.rank])?.permute(&order)
    }
}

impl<T: Tensor> BacktraceOp<T> for CircularConvolution {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    /// The role of a layer, if x is `[N, C, T]` or `[N, T, C]` and w is constant and has channels.
    fn role(&self, operands: &[Operand<T>]) -> Role {
        let (Ok([_, kernel]), [_, weight, ..]) = (self.laid(operands), operands) else { return Role::Other };
        match kernel.lead() {
            &[1, channels] if channels != 1 && self.axis > 0 && !weight.depends && !self.complex => {
                Role::Convolution { spatial: 1, channels_last: self.axis == 1 }
            }
            _ => Role::Other,
        }
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
        let [laid_x, laid_kernel] = self.laid(operands)?;
        let [x, kernel] = exactly(&operands[..2])?;
        let relevance = arrived(arriving)?;
        if self.complex {
            let mut imaginary = Range::whole(&relevance.shape());
            imaginary[self.rank] = Range::span(1, 1);
            context.lose(Loss::Padding, relevance.measure(|channel| channel.slice(&imaginary)?.total())?);
        }

        // Axes before the kernel's first axis are samples, the others are groups.
        let (lead, own) = (laid_x.lead(), laid_kernel.lead());
        let points = laid_x.spread[self.rank - 1];
        let wide: Vec<usize> = lead.iter().zip(own).map(|(a, b)| if *a == 1 { *b } else { *a }).collect();
        let (samples, groups) =
            wide.split_at(own.iter().position(|&extent| extent != 1).unwrap_or(own.len()));
        let count = |extents: &[usize]| extents.iter().product::<usize>();
        let (of_x, of_kernel) = ([&wide[..], &[points]].concat(), [groups, &[points]].concat());
        let (samples, groups) = (count(samples), count(groups));
        let whole = laid_x.of(x.data()?)?.broadcast_to(&of_x)?.reshape(&[samples, groups, points])?;
        let narrow = [&own[own.len() + 1 - of_kernel.len()..], &[points]].concat();
        let weight = laid_kernel.of(kernel.data()?)?.reshape(&narrow)?;
        let weight = weight.broadcast_to(&of_kernel)?.reshape(&[groups, 1, points])?;

        // Trailing zeros of the kernel are dropped; positions before the start wrap to the end.
        let sizes = weight.abs()?.max_over(&[0, 1])?.to_array()?;
        let used = (1..).zip(sizes).filter(|(_, size)| *size != 0.0);
        let reach = used.map(|(count, _)| count).last().unwrap_or(1);
        let reached = [Range::full(groups), Range::full(1), Range::span(0, reach)];
        let weight = weight.slice(&reached)?.flip(&[2])?;
        let end = [Range::full(samples), Range::full(groups), Range::span(points + 1 - reach, reach - 1)];
        let around = T::concat(&[whole.slice(&end)?, whole], 2)?;

        let geometry = ConvGeometry { stride: vec![1], padding: vec![0], dilation: vec![1], groups };
        let rows = |y: &T| self.turned(y)?.reshape(&[samples, groups, points]);
        context.result = context.result.take().map(|result| rows(&result)).transpose()?;
        let mut inner = vec![x.holding(around), kernel.holding(weight)];
        inner.extend_from_slice(&operands[2..]);
        let convolution = Convolution { geometry };
        let mut shares = convolution.backtrace(&inner, &[Some(relevance.map(rows)?)], context)?.into_iter();

        let to_x = shares.next().flatten().map(|share| {
            share.map(|channel| {
                let mut parts = channel.split(2, &[reach - 1, points])?.into_iter();
                let (Some(before), Some(share)) = (parts.next(), parts.next()) else {
                    return channel.zeros(&[]);
                };
                let share = share.add_region(&end, &before)?;
                laid_x.back(&share.reshape(&of_x)?.sum_to(&laid_x.spread)?, &x.meta.shape)
            })
        });
        let to_kernel = shares.next().flatten().map(|share| {
            share.map(|channel| {
                let share =
                    channel.zeros(&[groups, 1, points])?.add_region(&reached, &channel.flip(&[2])?)?;
                let share = share.reshape(&of_kernel)?.sum_to(&narrow)?;
                laid_kernel.back(&share, &kernel.meta.shape)
            })
        });
        Ok([to_x.transpose()?, to_kernel.transpose()?].into_iter().chain(shares).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::{assert_close, backtrace, constant, moving, numbers, values};
    use ndarray::{ArrayD, Dimension, IxDyn};

    /// The number of an operand at an index of y.
    fn at(x: &ArrayD<f64>, places: &[usize], index: &[usize]) -> f64 {
        let mut places = places.iter();
        let own: Vec<usize> = x
            .shape()
            .iter()
            .map(|&extent| if extent == 1 { 0 } else { index[*places.next().unwrap()] })
            .collect();
        x[IxDyn(&own)]
    }

    /// What x or w receives: each contribution w_j x_(i − j) takes its part of unit i by size.
    fn expected(op: &CircularConvolution, operands: [&Array; 2], relevance: &Array, of: usize) -> Vec<f64> {
        let [x, w] = operands.map(|operand| operand.to_array().unwrap());
        let relevance = relevance.to_array().unwrap();
        let points = relevance.shape()[op.axis];
        let mut found = ArrayD::<f64>::zeros([&x, &w][of].raw_dim());
        for (index, r) in relevance.indexed_iter() {
            let index: Vec<usize> = index.slice().to_vec();
            let along = |place: usize| {
                let mut index = index.clone();
                index[op.axis] = place;
                index
            };
            let pair = |j: usize| [along((index[op.axis] + points - j) % points), along(j)];
            let contribution =
                |j: usize| (at(&x, &op.places[0], &pair(j)[0]) * at(&w, &op.places[1], &pair(j)[1])).abs();
            let gross: f64 = (0..points).map(contribution).sum();
            for j in 0..points {
                let mut places = op.places[of].iter();
                let shape = found.shape().to_vec();
                let own: Vec<usize> = shape
                    .iter()
                    .map(|&extent| if extent == 1 { 0 } else { pair(j)[of][*places.next().unwrap()] })
                    .collect();
                found[IxDyn(&own)] += r * contribution(j) / gross;
            }
        }
        found.into_iter().collect()
    }

    #[test]
    fn relevance_goes_around_the_axis() {
        for (shapes, places, axis) in [
            ([&[2, 3, 5][..], &[3, 5]], [vec![0, 1, 2], vec![1, 2]], 2),
            ([&[2, 5, 3], &[5, 1]], [vec![0, 1, 2], vec![1]], 1),
            ([&[5, 2, 3], &[3, 5]], [vec![2, 0, 1], vec![1, 2]], 2),
        ] {
            let op = CircularConvolution { rank: 3, axis, places, complex: false };
            let mut output = [2, 3, 3];
            output[axis] = 5;
            if axis == 2 {
                output[..2].copy_from_slice(&[2, 3]);
            }
            let (x, w, relevance) = (numbers(shapes[0], 1), numbers(shapes[1], 2), numbers(&output, 3));
            let arriving = [Some(Relevance::default_mode(relevance.clone()))];
            let (shares, _) = backtrace(&op, &[moving(x.clone()), constant(w.clone())], &arriving);
            let found = values(shares[0].as_ref().unwrap().first());
            assert_close(&found, &expected(&op, [&x, &w], &relevance, 0), 1e-12);
            let (shares, _) = backtrace(&op, &[constant(x.clone()), moving(w.clone())], &arriving);
            let found = values(shares[1].as_ref().unwrap().first());
            assert_close(&found, &expected(&op, [&x, &w], &relevance, 1), 1e-12);
        }
    }

    #[test]
    fn imaginary_parts_are_filled_in() {
        let (x, w) = (numbers(&[3, 5], 1), numbers(&[3, 5], 2));
        let places = [vec![0, 1], vec![0, 1]];
        let of = |complex| CircularConvolution { rank: 2, axis: 1, places: places.clone(), complex };
        let operands = [moving(x), constant(w)];
        let relevance = numbers(&[3, 5, 2], 3);
        let (found, lost) =
            backtrace(&of(true), &operands, &[Some(Relevance::default_mode(relevance.clone()))]);
        let part = |index| relevance.slice(&[Range::full(3), Range::full(5), Range::span(index, 1)]).unwrap();
        let real = Relevance::default_mode(part(0).reshape(&[3, 5]).unwrap());
        let (expected, _) = backtrace(&of(false), &operands, &[Some(real)]);
        let first = |shares: &[Option<Relevance<Array>>]| values(shares[0].as_ref().unwrap().first());
        assert_eq!(first(&found), first(&expected));
        assert_close(&[lost[&Loss::Padding].positive], &[part(1).total().unwrap()], 1e-12);
    }

    #[test]
    fn with_constant_channels_it_is_a_layer() {
        let operands = |shape: &[usize]| [moving(numbers(&[2, 3, 5], 1)), constant(numbers(shape, 2))];
        let op = |axis, of_kernel| CircularConvolution {
            rank: 3,
            axis,
            places: [vec![0, 1, 2], of_kernel],
            complex: false,
        };
        let layer = |channels_last| Role::Convolution { spatial: 1, channels_last };
        assert_eq!(op(2, vec![1, 2]).role(&operands(&[3, 5])), layer(false));
        assert_eq!(op(1, vec![2, 1]).role(&operands(&[5, 3])), layer(true));
        assert_eq!(op(2, vec![2]).role(&operands(&[5])), Role::Other);
    }
}
