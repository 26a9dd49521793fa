//! The walk from the outputs of a tape to its inputs.

mod by_rows;

use crate::derivative::adjoins;
use crate::ledger::tolerance;
use crate::rules::{Rule, RuleSet};
use crate::{
    Amount, Context, DType, Entry, Error, Family, Ledger, Meta, Mode, Operand, Place, Prepared, Relevance,
    Result, Step, Tensor, ValueId, WeightCache, rules,
};

/// Options of the walk.
#[derive(Debug, Clone, Default)]
pub struct WalkOptions {
    /// The rules.
    pub rules: RuleSet,
    /// Books relevance that reaches an operator without a rule as lost, instead of failing.
    pub allow_unruled: bool,
}

/// Follows the walk's progress.
pub trait Observer<T> {
    /// The walk has taken `done` of `total` steps. Within steps that are walked together, it is called with the same numbers again.
    ///
    /// # Errors
    /// The observer's own error, which ends the walk.
    fn walked(&mut self, done: usize, total: usize) -> Result<()> {
        let _ = (done, total);
        Ok(())
    }

    /// All relevance of a value has arrived; the step at `place` made that value.
    ///
    /// # Errors
    /// The observer's own error, which ends the walk.
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

    /// Whether to call [`arrived`](Observer::arrived) for this value. Between steps that are walked together, block by block, the
    /// relevance of a value is assembled only on request.
    fn watches(&self, value: ValueId) -> bool {
        let _ = value;
        false
    }

    /// A value received some of the relevance of the step at `place`, or of the start.
    fn handed(&mut self, place: Option<&Place>, value: ValueId, amount: Amount) {
        let _ = (place, value, amount);
    }
}

/// An observer that ignores everything.
impl<T> Observer<T> for () {}

/// The result of a walk.
#[derive(Debug)]
pub struct Backtrace<T> {
    /// The relevance of each input of the tape; `None` if none reached it.
    pub inputs: Vec<Option<Relevance<T>>>,
    /// The account of every step.
    pub ledger: Ledger,
}

impl<T: Tensor> Prepared<T> {
    /// Walks the tape backwards from the given starting relevances. It frees each step's tensors as soon as the step is walked.
    ///
    /// # Errors
    /// [`Error::NoRule`] if relevance reaches an operator without a rule, [`Error::Step`] if a rule fails, [`Error::Start`] if
    /// a starting relevance does not have its value's shape, or the observer's own error.
    pub fn backtrace(
        self,
        starts: Vec<(ValueId, Relevance<T>)>,
        weights: &WeightCache<T>,
        options: WalkOptions,
        observer: &mut dyn Observer<T>,
    ) -> Result<Backtrace<T>> {
        if starts.iter().any(|(value, _)| !self.depends(*value)) {
            let message = "the start does not depend on any explained input, so there is nothing to trace back; start at \
                           another output, or name an integer input to be explained as numbers";
            return Err(Error::Start(message.into()));
        }
        if !options.rules.is_backtrace() && starts.iter().any(|(_, start)| start.mode() == Mode::Contrastive)
        {
            let name = &options.rules.name;
            return Err(Error::Rules(format!(
                "contrastive mode belongs to the rule set backtrace; {name} has signs of its own, in default mode"
            )));
        }
        let mut tape = self.into_tape();
        let values: Vec<ValueId> = starts.iter().map(|(value, _)| *value).collect();
        rules::assign(&mut tape.steps, &options.rules, &values)?;
        let mut arrived = Arrived { relevances: tape.values.iter().map(|_| None).collect() };
        for (value, start) in starts {
            let meta = tape
                .values
                .get(value.0)
                .ok_or_else(|| Error::Start("the run computed no value to start at".into()))?;
            if meta.shape != start.shape() {
                let message =
                    format!("the start has shape {:?}, but its value has {:?}", start.shape(), meta.shape);
                return Err(Error::Start(message));
            }
            observer.handed(None, value, start.amount()?);
            arrived.add(value, start)?;
        }
        let mut walk = Walk {
            values: &tape.values,
            arrived,
            weights,
            options,
            observer,
            ledger: Ledger::default(),
            done: 0,
            total: tape.steps.len(),
        };
        while let Some(last) = tape.steps.pop() {
            let mut run = vec![last];
            while let Some(before) = tape.steps.pop_if(|step| step.joined) {
                run.push(before);
            }
            let steps = run.len();
            walk.run(run)?;
            walk.done += steps;
            walk.tell()?;
        }
        let Walk { mut arrived, ledger, .. } = walk;
        let inputs = tape.inputs.iter().map(|&value| arrived.take(value)).collect();
        Ok(Backtrace { inputs, ledger })
    }
}

/// Relevance that waits at a value for the step that made the value.
struct Arrived<T> {
    relevances: Vec<Option<Relevance<T>>>,
}

impl<T: Tensor> Arrived<T> {
    fn add(&mut self, value: ValueId, relevance: Relevance<T>) -> Result<()> {
        if let Some(slot) = self.relevances.get_mut(value.0) {
            *slot = Some(match slot.take() {
                Some(sum) => sum.accumulate(&relevance)?,
                None => relevance,
            });
        }
        Ok(())
    }

    fn has(&self, value: ValueId) -> bool {
        self.relevances.get(value.0).is_some_and(Option::is_some)
    }

    fn take(&mut self, value: ValueId) -> Option<Relevance<T>> {
        self.relevances.get_mut(value.0).and_then(Option::take)
    }
}

/// A walk in progress.
struct Walk<'a, T> {
    values: &'a [Meta],
    arrived: Arrived<T>,
    weights: &'a WeightCache<T>,
    options: WalkOptions,
    observer: &'a mut dyn Observer<T>,
    ledger: Ledger,
    done: usize,
    total: usize,
}

/// The result of a rule at a step.
struct Explained<T> {
    /// The relevance of each operand; what a constant would have received is booked as lost.
    shares: Vec<Option<Relevance<T>>>,
    entry: Entry,
}

impl<T: Tensor> Walk<'_, T> {
    /// Tells the observer how far the walk is, which may end it.
    fn tell(&mut self) -> Result<()> {
        self.observer.walked(self.done, self.total)
    }

    /// Walks steps together if they allow it, the last one first. Each is freed together with its tensors.
    fn run(&mut self, run: Vec<Step<T>>) -> Result<()> {
        if let Some(blocks) = by_rows::blocks(&run, self)? {
            let last = run.first().and_then(|step| Some((step, *step.outputs.first()?)));
            if let Some((step, value)) = last
                && let Some(relevance) = self.arrived.take(value)
            {
                self.observer.arrived(value, &step.operator, &step.place, &relevance)?;
                by_rows::walk(&run, &blocks, &relevance, self)?;
            }
            return Ok(());
        }
        run.into_iter().try_for_each(|step| self.step(&step))
    }

    fn step(&mut self, step: &Step<T>) -> Result<()> {
        let outputs: Vec<_> = step.outputs.iter().map(|&value| self.arrived.take(value)).collect();
        if outputs.iter().all(Option::is_none) {
            return Ok(());
        }
        for (&value, relevance) in step.outputs.iter().zip(&outputs) {
            if let Some(relevance) = relevance {
                self.observer.arrived(value, &step.operator, &step.place, relevance)?;
            }
        }
        let Explained { shares, entry } = self
            .explain(step, &step.inputs, step.result.clone(), &outputs)
            .map_err(|source| source.at(step))?;
        self.ledger.entries.push(entry);
        self.hand_on(step, shares)
    }

    /// Applies the rule of a step to its operands, or to the part of each that belongs to a block of the output.
    fn explain(
        &self,
        step: &Step<T>,
        operands: &[Operand<T>],
        result: Option<T>,
        arriving: &[Option<Relevance<T>>],
    ) -> Result<Explained<T>> {
        let derivative = step.call.as_ref().map(|call| &*call.derivative);
        let kernel = derivative.filter(|_| step.rule.differentiates());
        let family = step.op.family();
        if matches!(family, Family::Unruled | Family::Statistic)
            && kernel.is_none()
            && !self.options.allow_unruled
        {
            let (operator, place) = (step.operator.clone(), Box::new(step.place.clone()));
            return Err(match step.op.uncovered() {
                Some(reason) => Error::Unsupported { operator, message: reason.to_owned(), place },
                None => Error::NoRule { operator, place },
            });
        }
        let mut context = Context::new(self.weights).with_rule(step.rule.clone()).with_derivative(derivative);
        let mode = arriving.iter().flatten().next().map_or(Mode::Default, Relevance::mode);
        context.gate = step.gate.filter(|_| mode == Mode::Default);
        context.result = result;
        let mut entry = Entry::of(step);
        entry.received = arriving.iter().flatten().map(Relevance::amount).sum::<Result<Amount>>()?;
        let arriving = &self.numbers(step, arriving, &mut context)?;
        let mut shares = match (&step.rule, kernel) {
            _ if arriving.iter().all(Option::is_none) => vec![None; operands.len()],
            // Decisions and constants are flat.
            (Rule::Gradient, _) if matches!(family, Family::Decision | Family::Constant) => {
                return Ok(Explained { shares: vec![None; operands.len()], entry });
            }
            (Rule::Gradient, Some(_)) if !adjoins(step) => {
                let arriving: Vec<Option<T>> =
                    arriving.iter().map(|slot| slot.as_ref().map(|slot| slot.first().clone())).collect();
                context.differentiate(operands, &arriving)?
            }
            // A token has no derivative; it takes that of its row, times the row.
            (Rule::Gradient, _) if family == Family::Embedding => {
                context.rule();
                let row = context
                    .result
                    .clone()
                    .ok_or_else(|| Error::NotKept { what: "the rows of the tokens".into() })?;
                let times_row = |slot: &Relevance<T>| slot.map(|channel| channel.mul(&row));
                let arriving: Vec<_> = arriving
                    .iter()
                    .map(|slot| slot.as_ref().map(times_row).transpose())
                    .collect::<Result<_>>()?;
                step.op.backtrace(operands, &arriving, &mut context)?
            }
            _ => step.op.backtrace(operands, arriving, &mut context)?,
        };
        if let Some(rule) = context.ignored() {
            return Err(Error::Uncovered(format!(
                "the rule {rule} does not serve it; leave it to backtrace"
            )));
        }
        for (operand, slot) in operands.iter().zip(&mut shares) {
            let Some(share) = slot.take() else { continue };
            if operand.depends {
                let share = fitted(operand, share)?;
                entry.delivered += share.amount()?;
                *slot = Some(share);
            } else {
                context.lose(crate::Loss::Unexplained, share.amount()?);
            }
        }
        if step.chosen {
            context.chosen();
        }
        entry.lost = context.lost;
        let dtype =
            arriving.iter().flatten().next().map_or(DType::F32, |relevance| relevance.first().dtype());
        // A signed rule may hand on far more than arrived, with both signs.
        let handed = if step.rule == Rule::Backtrace { &[][..] } else { &shares };
        let moved: Vec<&Relevance<T>> = arriving.iter().chain(handed).flatten().collect();
        entry.closes = !step.rule.conserves() || closes(&entry, &moved, dtype)?;
        Ok(Explained { shares, entry })
    }

    /// The relevance that arrived at outputs that are numbers. A winner's place, returned beside it, is a decision.
    fn numbers(
        &self,
        step: &Step<T>,
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let mut arriving = arriving.to_vec();
        if matches!(step.op.family(), Family::Winner | Family::Movement) {
            for (value, slot) in step.outputs.iter().zip(&mut arriving).skip(1) {
                let place = self.values[value.0].dtype == DType::Int
                    && step.outputs.first().is_some_and(|first| self.values[first.0].dtype.is_float());
                if let Some(relevance) = slot.take_if(|_| place) {
                    context.lose(crate::Loss::Decision, relevance.amount()?);
                }
            }
        }
        Ok(arriving)
    }

    /// Delivers the shares of a step's operands.
    fn hand_on(&mut self, step: &Step<T>, shares: Vec<Option<Relevance<T>>>) -> Result<()> {
        for (operand, share) in step.inputs.iter().zip(shares) {
            let Some(share) = share else { continue };
            self.observer.handed(Some(&step.place), operand.value, share.amount()?);
            self.arrived.add(operand.value, share)?;
        }
        Ok(())
    }
}

/// Casts the share to the operand's compute type. A share of another shape is a defect of the rule.
fn fitted<T: Tensor>(operand: &Operand<T>, share: Relevance<T>) -> Result<Relevance<T>> {
    if share.shape() != operand.meta.shape {
        let message = format!(
            "a rule gave relevance of shape {:?} to an operand of {:?}",
            share.shape(),
            operand.meta.shape
        );
        return Err(Error::Uncovered(message));
    }
    let dtype = operand.meta.dtype.compute();
    if dtype.is_float() && share.first().dtype() != dtype { share.cast(dtype) } else { Ok(share) }
}

/// received = delivered + lost, relative to what moved. Sums of mixed signs cancel. If the totals are therefore too small to
/// judge by, Σ|R| is the measure.
fn closes<T: Tensor>(entry: &Entry, moved: &[&Relevance<T>], dtype: DType) -> Result<bool> {
    let gap = entry.gap();
    let scale = entry.received.magnitude().max(entry.delivered.magnitude());
    if balances(gap, scale, dtype) {
        return Ok(true);
    }
    let gross: Amount = moved
        .iter()
        .map(|relevance| relevance.measure(|channel| channel.abs()?.total()))
        .sum::<Result<Amount>>()?;
    Ok(balances(gap, gross.magnitude(), dtype))
}

fn balances(gap: Amount, scale: f64, dtype: DType) -> bool {
    gap.magnitude() <= tolerance(dtype) * scale.max(dtype.negligible())
}
