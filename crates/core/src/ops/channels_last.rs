//! Operators on tensors with channels last, `[N, spatial…, C]`, as in TensorFlow.

use crate::{BacktraceOp, Context, Family, Features, Operand, Relevance, Result, Role, Tensor};

/// An operator on `[N, C, spatial…]`, applied to tensors `[N, spatial…, C]`: operands are turned on the way in, shares on the
/// way out. In backends that turn axes without moving elements, this costs nothing.
#[derive(Debug)]
pub struct ChannelsLast<T> {
    /// The operator.
    pub inner: Box<dyn BacktraceOp<T>>,
    /// The operands with channels last. The others (weights, biases) are as the operator documents them.
    pub turned: Vec<usize>,
}

impl<T: Tensor> ChannelsLast<T> {
    /// An operator whose operand 0 has its channels last.
    pub fn new(inner: impl BacktraceOp<T> + 'static) -> Self {
        Self { inner: Box::new(inner), turned: vec![0] }
    }
}

impl<T: Tensor> BacktraceOp<T> for ChannelsLast<T> {
    fn family(&self) -> Family {
        self.inner.family()
    }

    fn role(&self, operands: &[Operand<T>]) -> Role {
        match self.inner.role(operands) {
            Role::Convolution { spatial, .. } => Role::Convolution { spatial, channels_last: true },
            role => role,
        }
    }

    fn carries(&self, input: usize) -> bool {
        self.inner.carries(input)
    }

    fn multiplies(&self, input: usize) -> bool {
        self.inner.multiplies(input)
    }

    fn reads_result(&self) -> bool {
        self.inner.reads_result()
    }

    fn features(&self, operands: &[Operand<T>]) -> Option<Features> {
        self.inner.features(operands)
    }

    fn uncovered(&self) -> Option<&str> {
        self.inner.uncovered()
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let mut operands = operands.to_vec();
        for &turned in &self.turned {
            if let Some(operand) = operands.get_mut(turned) {
                let order = channels_first(operand.meta.shape.len());
                operand.meta.shape = order.iter().map(|&axis| operand.meta.shape[axis]).collect();
                operand.data = operand.data.as_ref().map(|data| data.permute(&order)).transpose()?;
            }
        }
        let turn = |relevance: &Relevance<T>, order: fn(usize) -> Vec<usize>| {
            relevance.map_conserving(|channel| channel.permute(&order(channel.shape().len())))
        };
        let arriving: Vec<Option<Relevance<T>>> = arriving
            .iter()
            .map(|relevance| relevance.as_ref().map(|relevance| turn(relevance, channels_first)).transpose())
            .collect::<Result<_>>()?;
        let result = context.result.take();
        context.result =
            result.map(|result| result.permute(&channels_first(result.shape().len()))).transpose()?;
        let mut shares = self.inner.backtrace(&operands, &arriving, context)?;
        for &turned in &self.turned {
            if let Some(Some(share)) = shares.get_mut(turned) {
                *share = turn(share, channels_last)?;
            }
        }
        Ok(shares)
    }
}

/// `[N, spatial…, C]` to `[N, C, spatial…]`.
fn channels_first(rank: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank).collect();
    if rank > 2 {
        order[1..].rotate_right(1);
    }
    order
}

/// `[N, C, spatial…]` to `[N, spatial…, C]`.
fn channels_last(rank: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank).collect();
    if rank > 2 {
        order[1..].rotate_left(1);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConvGeometry;
    use crate::array::Array;
    use crate::ops::Convolution;
    use crate::ops::pieces::testing::{
        assert_close, backtrace, channels, constant, moving, relevances, values, whole_numbers,
    };

    #[test]
    fn the_shares_are_those_of_channels_first() {
        let geometry =
            ConvGeometry { stride: vec![1, 2], padding: vec![1, 0], dilation: vec![1, 1], groups: 1 };
        let (x, weight) = (whole_numbers(&[2, 3, 5, 4], 1), constant(whole_numbers(&[6, 3, 3, 2], 2)));
        let last = |x: &Array| x.permute(&channels_last(4)).unwrap();
        for relevance in relevances(&[2, 6, 5, 2]) {
            let first = Convolution { geometry: geometry.clone() };
            let expected =
                backtrace(&first, &[moving(x.clone()), weight.clone()], &[Some(relevance.clone())]);
            let turned = relevance.map(|channel| Ok(last(channel))).unwrap();
            let op = ChannelsLast::new(first);
            let found = backtrace(&op, &[moving(last(&x)), weight.clone()], &[Some(turned)]);
            assert_eq!(found.1, expected.1);
            let (found, expected) = (found.0[0].clone().unwrap(), expected.0[0].clone().unwrap());
            for (found, expected) in channels(&found).into_iter().zip(channels(&expected)) {
                assert_close(&values(found), &values(&last(expected)), 1e-13);
            }
        }
    }
}
