//! Folds batch norms into layers (rules §10, "Batch norm"). With the statistics of training, a batch norm scales and shifts each
//! feature by constants, y = s ⊙ x + t, and so does one that is written out.
//!
//! Behind a layer, s ⊙ (Wx + b) + t = (sW)x + (s ⊙ b + t) is one layer. Before a layer, W(s ⊙ x + t) + b = (Ws)x + (b + Wt) is one.

use super::graph::{Consumers, producers};
use crate::ops::Pass;
use crate::{Features, Meta, Operand, Result, Role, Step, Tape, Tensor, ValueId, WeightCache, WeightKey};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Makes such steps parts of the layer before them or, if there is none, of the layer behind them. They become identities.
pub(super) fn fold<T: Tensor>(tape: &mut Tape<T>, weights: &WeightCache<T>) -> Result<()> {
    let consumers = Consumers::new(tape);
    for layer in 0..tape.steps.len() {
        if let Some(chain) = behind(tape, &consumers, layer)? {
            chain.into_layer_before(tape, layer, weights)?;
        }
    }
    let producers = producers(tape);
    for layer in 0..tape.steps.len() {
        if let Some(chain) = before(tape, &producers, &consumers, layer)? {
            chain.into_layer_behind(tape, layer, weights)?;
        }
    }
    Ok(())
}

/// Whether a step is a batch norm with the statistics of training.
pub(crate) fn is_batch_norm<T: Tensor>(step: &Step<T>) -> bool {
    let by_feature = |x: &T| x.shape().iter().filter(|extent| **extent != 1).count() <= 1;
    let affine = || step.op.affine(&step.inputs).ok().flatten();
    step.op.role(&step.inputs) == Role::Norm && affine().is_some_and(|affine| by_feature(&affine.scale))
}

/// Steps that scale and shift features one after the other: y = s ⊙ x + t.
struct Chain<T> {
    /// The steps, each with its operand x.
    steps: Vec<(usize, usize)>,
    /// s, one number for each feature.
    scale: T,
    /// t
    shift: T,
    /// The axis of x that counts features.
    axis: usize,
}

impl<T: Tensor> Chain<T> {
    /// The step as a chain of one, if it scales and shifts the features of this value, which the axis counts.
    fn of(tape: &Tape<T>, index: usize, value: ValueId, axis: usize) -> Result<Option<Self>> {
        let step = &tape.steps[index];
        let Some(affine) = step.op.affine(&step.inputs)? else { return Ok(None) };
        let shape = &tape.meta(value).shape;
        let by_feature = |constant: &T| {
            let own = constant.shape();
            let offset = shape.len().checked_sub(own.len())?;
            let fits = |(at, extent): (usize, &usize)| {
                *extent == 1 || (at + offset == axis && *extent == shape[axis])
            };
            own.iter().enumerate().all(fits).then_some(())?;
            Some(constant.reshape(&[own.iter().product()]).and_then(|row| row.broadcast_to(&[shape[axis]])))
        };
        let own = step.inputs.get(affine.operand).is_some_and(|operand| operand.value == value);
        let (Some(scale), Some(shift), true) = (by_feature(&affine.scale), by_feature(&affine.shift), own)
        else {
            return Ok(None);
        };
        Ok(Some(Self { steps: vec![(index, affine.operand)], scale: scale?, shift: shift?, axis }))
    }

    /// This chain, and then another one.
    fn then(self, next: Self) -> Result<Self> {
        let (scale, shift) = (self.scale.mul(&next.scale)?, self.shift.mul(&next.scale)?.add(&next.shift)?);
        Ok(Self { steps: [self.steps, next.steps].concat(), scale, shift, ..next })
    }

    /// Numbers of the features in a shape that broadcasts to x.
    fn along(&self, numbers: &T, rank: usize) -> Result<T> {
        let mut shape = vec![1; rank];
        shape[self.axis] = numbers.shape().iter().product();
        numbers.reshape(&shape)
    }

    fn into_layer_before(self, tape: &mut Tape<T>, layer: usize, weights: &WeightCache<T>) -> Result<()> {
        let step = &tape.steps[layer];
        let Some(features) = step.op.features(&step.inputs) else { return Ok(()) };
        let Some(bias) = own_bias(step, &self.scale)? else { return Ok(()) };
        let weight = self.folded(&features, &step.inputs[1], &features.outputs, weights)?;
        let bias = bias.mul(&self.scale)?.add(&self.shift)?;
        let result = step.result.as_ref().map(|z| {
            let rank = z.shape().len();
            z.mul(&self.along(&self.scale, rank)?)?.add(&self.along(&self.shift, rank)?)
        });
        let result = result.transpose()?;
        tape.steps[layer].inputs[1] = weight;
        tape.steps[layer].result = result;
        self.absorb(tape, layer, bias);
        Ok(())
    }

    fn into_layer_behind(self, tape: &mut Tape<T>, layer: usize, weights: &WeightCache<T>) -> Result<()> {
        let step = &tape.steps[layer];
        let Some(features) = step.op.features(&step.inputs).filter(|features| features.uniform) else {
            return Ok(());
        };
        let [x, weight, ..] = step.inputs.as_slice() else { return Ok(()) };
        let (Some(data), Some(of_weight)) = (&x.data, &weight.data) else { return Ok(()) };
        let constant = features.applied(of_weight, &self.shift)?;
        let Some(bias) = own_bias(step, &constant)? else { return Ok(()) };
        let rank = data.shape().len();
        // x = (y − t) ⊘ s. A feature with s = 0 has no weight, whatever it is.
        let unshifted = data.sub(&self.along(&self.shift, rank)?)?;
        let x = x.holding(unshifted.quotient(&self.along(&self.scale, rank)?)?.0);
        let weight = self.folded(&features, weight, &features.inputs, weights)?;
        let bias = bias.add(&constant)?;
        tape.steps[layer].inputs[0] = x;
        tape.steps[layer].inputs[1] = weight;
        self.absorb(tape, layer, bias);
        Ok(())
    }

    /// A weight multiplied by s along the axes that count its features.
    fn folded(
        &self,
        features: &Features,
        weight: &Operand<T>,
        axes: &[usize],
        weights: &WeightCache<T>,
    ) -> Result<Operand<T>> {
        let data = weight.data()?;
        let key = weight.weight.map(|key| folded_key(key, &self.scale, axes)).transpose()?;
        let folded = weights.derived(key, data, || features.scaled(data, &self.scale, axes))?;
        Ok(Operand { data: Some(folded), weight: key, ..weight.clone() })
    }

    /// Gives the layer its new bias, and makes the steps of the chain identities.
    fn absorb(self, tape: &mut Tape<T>, layer: usize, bias: T) {
        let value = tape.value(Meta::new(bias.shape(), bias.dtype()));
        let step = &mut tape.steps[layer];
        step.inputs.truncate(2);
        step.inputs.push(Operand::new(value, bias));
        for (index, operand) in self.steps {
            let step = &mut tape.steps[index];
            (step.op, step.written) = (Box::new(Pass { operand, role: Role::Identity }), None);
            step.inputs[operand].data = None;
        }
    }
}

/// The bias of a layer, one number for each of its output features, like these numbers; `None` if it has another form.
fn own_bias<T: Tensor>(layer: &Step<T>, like: &T) -> Result<Option<T>> {
    let [_, _, bias @ ..] = layer.inputs.as_slice() else { return Ok(None) };
    let shape = like.shape();
    match bias {
        [] => like.zeros(&shape).map(Some),
        [Operand { data: Some(bias), depends: false, .. }]
            if bias.shape().iter().product::<usize>() == shape.iter().product::<usize>() =>
        {
            bias.reshape(&shape).map(Some)
        }
        _ => Ok(None),
    }
}

/// The key of a weight that is scaled by these numbers along these axes.
fn folded_key<T: Tensor>(weight: WeightKey, scale: &T, axes: &[usize]) -> Result<WeightKey> {
    let (mut identity, mut version) = (DefaultHasher::new(), DefaultHasher::new());
    ("folded", weight.identity, axes).hash(&mut identity);
    let numbers = scale.to_array()?;
    (weight.version, numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>()).hash(&mut version);
    Ok(WeightKey { identity: identity.finish(), version: version.finish() })
}

/// The axis that counts the features of what a layer reads and makes.
fn feature_axis<T: Tensor>(layer: &Step<T>, shape: &[usize]) -> Option<usize> {
    match layer.op.role(&layer.inputs) {
        Role::Linear { features: 1 } | Role::Convolution { channels_last: true, .. } => {
            shape.len().checked_sub(1)
        }
        Role::Convolution { channels_last: false, spatial } => shape.len().checked_sub(spatial + 1),
        _ => None,
    }
}

/// The axis of the features of a value that a layer makes or reads, if the layer can take constants for each.
fn layer_axis<T: Tensor>(tape: &Tape<T>, layer: usize, value: ValueId) -> Option<usize> {
    let step = &tape.steps[layer];
    step.op.features(&step.inputs)?;
    step.inputs.get(1)?.data.as_ref()?;
    feature_axis(step, &tape.meta(value).shape)
}

/// What scales and shifts the result of a layer and nothing else reads it before.
fn behind<T: Tensor>(tape: &Tape<T>, consumers: &Consumers, layer: usize) -> Result<Option<Chain<T>>> {
    let Some(&output) = tape.steps[layer].outputs.first() else { return Ok(None) };
    let Some(axis) = layer_axis(tape, layer, output) else { return Ok(None) };
    let (mut chain, mut value): (Option<Chain<T>>, _) = (None, output);
    while let Some(reader) = consumers.only(value) {
        let step = &tape.steps[reader];
        if !is_identity(step) {
            let Some(next) = Chain::of(tape, reader, value, axis)? else { break };
            chain = Some(match chain {
                Some(chain) => chain.then(next)?,
                None => next,
            });
        }
        let Some(&next) = step.outputs.first() else { break };
        value = next;
    }
    Ok(chain.filter(|chain| chain.steps.iter().any(|(index, _)| scales(&tape.steps[*index]))))
}

/// What scales and then shifts the operand of a layer, and what only the layer reads. Numbers that are shifted and then scaled are
/// not a batch norm, but an input brought to its usual range, of which the usual value is 0.
fn before<T: Tensor>(
    tape: &Tape<T>,
    producers: &[Option<usize>],
    consumers: &Consumers,
    layer: usize,
) -> Result<Option<Chain<T>>> {
    let Some(operand) = tape.steps[layer].inputs.first() else { return Ok(None) };
    let Some(axis) = layer_axis(tape, layer, operand.value) else { return Ok(None) };
    let (mut chain, mut value, mut reader): (Option<Chain<T>>, _, _) = (None, operand.value, layer);
    while let Some(maker) = producers[value.0].filter(|_| consumers.only(value) == Some(reader)) {
        let step = &tape.steps[maker];
        let of = step.inputs.iter().find(|operand| operand.depends).map(|operand| operand.value);
        let Some(of) = of else { break };
        if !is_identity(step) {
            let Some(earlier) = Chain::of(tape, maker, of, axis)? else { break };
            chain = Some(match chain {
                Some(chain) => earlier.then(chain)?,
                None => earlier,
            });
        }
        (value, reader) = (of, maker);
    }
    let ends_shifted = |chain: &Chain<T>| {
        let last = chain.steps.last().map(|(index, _)| &tape.steps[*index]);
        let shifts = last.is_some_and(|last| last.op.role(&last.inputs) == Role::Norm || !scales(last));
        shifts && chain.steps.iter().any(|(index, _)| scales(&tape.steps[*index]))
    };
    Ok(chain.filter(ends_shifted).filter(|_| !is_normalised(tape, producers, value)))
}

/// Whether a value is the result of a norm by its own statistics, in one operator or written out, which a scale and a shift may follow.
fn is_normalised<T: Tensor>(tape: &Tape<T>, producers: &[Option<usize>], mut value: ValueId) -> bool {
    while let Some(maker) = producers[value.0] {
        let step = &tape.steps[maker];
        let mut moving = step.inputs.iter().filter(|operand| operand.depends);
        match (step.op.role(&step.inputs), moving.next(), moving.next()) {
            (Role::Norm, ..) | (Role::Product | Role::Quotient, _, Some(_)) => return true,
            (Role::Identity | Role::Reshape | Role::Movement, Some(of), _) => value = of.value,
            _ => return false,
        }
    }
    false
}

/// Whether a step of a chain is more than a shift.
fn scales<T: Tensor>(step: &Step<T>) -> bool {
    !matches!(step.op.role(&step.inputs), Role::Sum { .. })
}

fn is_identity<T: Tensor>(step: &Step<T>) -> bool {
    step.op.role(&step.inputs) == Role::Identity && step.op.turn().is_none()
}
