//! The walk from the outputs of a tape to its inputs.

use crate::ledger::tolerance;
use crate::{
    Amount, Context, DType, Entry, Error, Family, Ledger, Mode, Operand, Place, Prepared, Relevance, Result,
    Step, Tensor, ValueId, WeightCache,
};

/// How to walk.
#[derive(Debug, Clone, Copy, Default)]
pub struct WalkOptions {
    /// Book what reaches an operator without a rule as lost instead of failing.
    pub allow_unruled: bool,
}

/// Is told of the walk's progress.
pub trait Observer<T> {
    /// `done` of `total` steps are walked.
    fn walked(&mut self, done: usize, total: usize) {
        let _ = (done, total);
    }

    /// All relevance of a value that the step at `place` made has arrived.
    ///
    /// # Errors
    /// What the observer fails with ends the walk.
    fn arrived(
        &mut self,
        value: ValueId,
        operator: &str,
        place: &Place,
        relevance: &Relevance<T>,
    ) -> Result<()> {
        let _ = (value, operator, place, relevance);
        Ok(())
    }

    /// A value received some of the relevance of the step at `place`, or of the start.
    fn handed(&mut self, place: Option<&Place>, value: ValueId, amount: Amount) {
        let _ = (place, value, amount);
    }
}

/// An observer that looks away.
impl<T> Observer<T> for () {}

/// The outcome of a walk.
#[derive(Debug)]
pub struct Backtrace<T> {
    /// Relevance of each input of the tape; `None` when none reached it.
    pub inputs: Vec<Option<Relevance<T>>>,
    /// The account of every step.
    pub ledger: Ledger,
}

impl<T: Tensor> Prepared<T> {
    /// Walks the tape backwards from the given starting relevances. A step's tensors are freed as soon as
    /// it is walked.
    ///
    /// # Errors
    /// [`Error::NoRule`] when relevance reaches an operator without a rule, [`Error::Step`] when a rule
    /// fails, [`Error::Seed`] when a starting relevance does not have its value's shape.
    pub fn backtrace(
        self,
        seeds: Vec<(ValueId, Relevance<T>)>,
        weights: &WeightCache<T>,
        options: WalkOptions,
        observer: &mut dyn Observer<T>,
    ) -> Result<Backtrace<T>> {
        if let Some((value, _)) = seeds.iter().find(|(value, _)| !self.depends(*value)) {
            let message = format!(
                "value {} does not depend on any explained input, so there is nothing to trace back; start at another \
                 output, or name an integer input to be explained as numbers",
                value.0
            );
            return Err(Error::Seed(message));
        }
        let mut tape = self.into_tape();
        let mut arrived = Arrived { relevances: tape.values.iter().map(|_| None).collect() };
        for (value, seed) in seeds {
            let meta = tape
                .values
                .get(value.0)
                .ok_or_else(|| Error::Seed(format!("no value {value:?} on the tape")))?;
            if meta.shape != seed.shape() {
                let message = format!("the start has shape {:?}, the value {:?}", seed.shape(), meta.shape);
                return Err(Error::Seed(message));
            }
            observer.handed(None, value, seed.amount()?);
            arrived.add(value, seed)?;
        }
        let total = tape.steps.len();
        let mut ledger = Ledger::default();
        while let Some(step) = tape.steps.pop() {
            observer.walked(total - tape.steps.len(), total);
            let outputs: Vec<_> = step.outputs.iter().map(|&value| arrived.take(value)).collect();
            if outputs.iter().all(Option::is_none) {
                continue;
            }
            for (&value, relevance) in step.outputs.iter().zip(&outputs) {
                if let Some(relevance) = relevance {
                    observer.arrived(value, &step.operator, &step.place, relevance)?;
                }
            }
            let entry = walk(&step, &outputs, weights, options, &mut arrived, observer).map_err(
                |source| match source {
                    Error::NoRule { .. } | Error::Unsupported { .. } | Error::Step { .. } => source,
                    source => Error::Step {
                        operator: step.operator.clone(),
                        place: Box::new(step.place.clone()),
                        source: Box::new(source),
                    },
                },
            )?;
            ledger.entries.push(entry);
        }
        let inputs = tape.inputs.iter().map(|&value| arrived.take(value)).collect();
        Ok(Backtrace { inputs, ledger })
    }
}

/// Relevance that waits at values for the step that made them.
struct Arrived<T> {
    relevances: Vec<Option<Relevance<T>>>,
}

impl<T: Tensor> Arrived<T> {
    fn add(&mut self, value: ValueId, relevance: Relevance<T>) -> Result<()> {
        if let Some(slot) = self.relevances.get_mut(value.0) {
            *slot = Some(match slot.take() {
                Some(sum) => sum.add(&relevance)?,
                None => relevance,
            });
        }
        Ok(())
    }

    fn take(&mut self, value: ValueId) -> Option<Relevance<T>> {
        self.relevances.get_mut(value.0).and_then(Option::take)
    }
}

/// One step: relevance of its operands delivered, its account returned.
fn walk<T: Tensor>(
    step: &Step<T>,
    outputs: &[Option<Relevance<T>>],
    weights: &WeightCache<T>,
    options: WalkOptions,
    arrived: &mut Arrived<T>,
    observer: &mut dyn Observer<T>,
) -> Result<Entry> {
    if matches!(step.op.family(), Family::Unruled | Family::Statistic) && !options.allow_unruled {
        let (operator, place) = (step.operator.clone(), Box::new(step.place.clone()));
        return Err(match step.op.uncovered() {
            Some(reason) => Error::Unsupported { operator, message: reason.to_owned(), place },
            None => Error::NoRule { operator, place },
        });
    }
    let mut context = Context::new(weights);
    let mode = outputs.iter().flatten().next().map_or(Mode::Default, Relevance::mode);
    context.gate = step.gate.filter(|_| mode == Mode::Default);
    context.result = step.result.clone();
    let received: Amount = outputs.iter().flatten().map(Relevance::amount).sum::<Result<Amount>>()?;
    let shares = step.op.backtrace(&step.inputs, outputs, &mut context)?;
    let mut delivered = Amount::default();
    for (operand, share) in step.inputs.iter().zip(shares) {
        let Some(share) = share else { continue };
        if !operand.depends {
            context.lose(crate::Loss::Unexplained, share.amount()?);
            continue;
        }
        let share = fitted(operand, share)?;
        let amount = share.amount()?;
        delivered += amount;
        observer.handed(Some(&step.place), operand.value, amount);
        arrived.add(operand.value, share)?;
    }
    let dtype = outputs.iter().flatten().next().map_or(DType::F32, |relevance| relevance.first().dtype());
    let mut entry = Entry {
        operator: step.operator.clone(),
        place: step.place.clone(),
        received,
        delivered,
        lost: context.lost,
        closes: false,
    };
    entry.closes = closes(&entry, outputs, dtype)?;
    Ok(entry)
}

/// The share in the operand's own compute type; a share of another shape is a defect of the rule.
fn fitted<T: Tensor>(operand: &Operand<T>, share: Relevance<T>) -> Result<Relevance<T>> {
    if share.shape() != operand.meta.shape {
        let message = format!(
            "a rule gave relevance of shape {:?} to an operand of {:?}",
            share.shape(),
            operand.meta.shape
        );
        return Err(Error::Shape(message));
    }
    let dtype = operand.meta.dtype.compute();
    if dtype.is_float() && share.first().dtype() != dtype { share.cast(dtype) } else { Ok(share) }
}

/// received = delivered + lost, relative to what moved. Sums of mixed signs cancel, so when the totals are
/// too small to judge by, Σ|R| is the measure.
fn closes<T: Tensor>(entry: &Entry, outputs: &[Option<Relevance<T>>], dtype: DType) -> Result<bool> {
    let gap = entry.gap();
    let scale = entry.received.magnitude().max(entry.delivered.magnitude());
    if balances(gap, scale, dtype) {
        return Ok(true);
    }
    let gross: Amount = outputs
        .iter()
        .flatten()
        .map(|relevance| relevance.measure(|channel| channel.abs()?.total()))
        .sum::<Result<Amount>>()?;
    Ok(balances(gap, gross.magnitude(), dtype))
}

fn balances(gap: Amount, scale: f64, dtype: DType) -> bool {
    gap.magnitude() <= tolerance(dtype) * scale.max(dtype.negligible())
}
