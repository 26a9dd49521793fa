//! What is explained: one output of a model, as a function of one input.

use crate::{Error, Result};
use dlbacktrace::core::DType;
use dlbacktrace::rules::RuleSet;
use dlbacktrace::{Inputs, Mode, Model, Options, Output, Samples, Target};
use ndarray::{ArrayD, Axis, concatenate};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A function of one sample that methods and metrics ask. Samples have a first axis of extent 1.
pub trait Scores {
    /// Its value at each sample.
    ///
    /// # Errors
    /// If the function fails.
    fn scores(&self, samples: &[ArrayD<f64>]) -> Result<Vec<f64>>;

    /// Its derivative at each sample, in the samples' shape.
    ///
    /// # Errors
    /// If it fails or has no derivative.
    fn gradients(&self, samples: &[ArrayD<f64>]) -> Result<Vec<ArrayD<f64>>>;
}

/// One unit of a model's output as a function of one of its inputs.
#[derive(Debug)]
pub struct Subject<'a> {
    model: &'a Model,
    sample: ArrayD<f64>,
    output: usize,
    unit: usize,
    batch: usize,
    passes: AtomicUsize,
}

impl<'a> Subject<'a> {
    /// A model that takes one input of floating-point numbers, at this sample. Its first axis has the extent 1. `unit` counts over the flattened
    /// first floating-point output; the largest one by default.
    ///
    /// # Errors
    /// [`Error::Unfit`] if the sample holds several, or if there is no such output or unit; [`Error::Model`] if the model fails.
    pub fn new(model: &'a Model, sample: ArrayD<f64>, unit: Option<usize>) -> Result<Self> {
        if sample.shape().first() != Some(&1) {
            return Err(Error::Unfit(format!(
                "a sample has a first axis of extent 1, but this one has the shape {:?}",
                sample.shape()
            )));
        }
        let mut subject = Self { model, sample, output: 0, unit: 0, batch: 64, passes: AtomicUsize::new(0) };
        let outputs = model.forward(&subject.inputs(subject.sample.clone()))?;
        let found = outputs.iter().position(|output| output.is_floating());
        subject.output =
            found.ok_or_else(|| Error::Unfit("the model returns no floating-point numbers".into()))?;
        let values: Vec<f64> = outputs[subject.output].array()?.into_iter().collect();
        let largest = (0..values.len()).reduce(|best, at| if values[at] > values[best] { at } else { best });
        let unit = unit.or(largest).filter(|unit| *unit < values.len());
        subject.unit = unit.ok_or_else(|| {
            Error::Unfit(format!("{} has {} units", outputs[subject.output].name, values.len()))
        })?;
        Ok(subject)
    }

    /// The same with at most so many samples in one forward pass; 64 by default.
    #[must_use]
    pub fn batches_of(self, samples: usize) -> Self {
        Self { batch: samples.max(1), ..self }
    }

    /// The same for another unit.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of_unit(&self, unit: usize) -> Result<Self> {
        Ok(Self::new(self.model, self.sample.clone(), Some(unit))?.batches_of(self.batch))
    }

    /// The sample.
    pub fn sample(&self) -> &ArrayD<f64> {
        &self.sample
    }

    /// The explained unit.
    pub fn unit(&self) -> usize {
        self.unit
    }

    /// How many samples have run forwards since it was made. A walk counts as one, whatever its rules cost.
    pub fn passes(&self) -> usize {
        self.passes.load(Ordering::Relaxed)
    }

    /// The relevance of the sample by a rule set; in contrastive mode, that for minus that against, from probabilities.
    ///
    /// # Errors
    /// [`Error::Model`].
    pub fn walk(&self, rules: &RuleSet, mode: Mode) -> Result<ArrayD<f64>> {
        let options = Options::new().mode(mode).from_logits(mode == Mode::Contrastive);
        self.walked(self.sample.clone(), options.rules(rules.clone()))
    }

    fn walked(&self, samples: ArrayD<f64>, options: Options) -> Result<ArrayD<f64>> {
        self.passes.fetch_add(samples.shape()[0], Ordering::Relaxed);
        let options = options
            .output(Output::Index(self.output))
            .target(Target::Class(self.unit))
            .samples(Samples::Axis(0));
        let explanation = self.model.explain(&self.inputs(samples), &options)?;
        let [input] = explanation.inputs() else {
            return Err(Error::Unfit("the model has several inputs, of which one must be chosen".into()));
        };
        Ok(input.difference()?)
    }

    fn inputs(&self, samples: ArrayD<f64>) -> Inputs {
        match self.model.precision() {
            Some(DType::F64) => Inputs::new().push(samples),
            _ => Inputs::new().push(samples.mapv(|value| value as f32)),
        }
    }

    /// What `of` makes of all samples, batch by batch.
    fn batched<R>(
        &self,
        samples: &[ArrayD<f64>],
        mut of: impl FnMut(ArrayD<f64>) -> Result<Vec<R>>,
    ) -> Result<Vec<R>> {
        let mut all = Vec::with_capacity(samples.len());
        for batch in samples.chunks(self.batch) {
            let views: Vec<_> = batch.iter().map(|sample| sample.view()).collect();
            let joined = concatenate(Axis(0), &views)
                .map_err(|_| Error::Unfit("the samples have several shapes".into()))?;
            let found = of(joined)?;
            if found.len() != batch.len() {
                return Err(Error::Unfit(format!(
                    "the model returns {} rows for a batch of {}, so its samples cannot be told apart",
                    found.len(),
                    batch.len()
                )));
            }
            all.extend(found);
        }
        Ok(all)
    }
}

impl Scores for Subject<'_> {
    fn scores(&self, samples: &[ArrayD<f64>]) -> Result<Vec<f64>> {
        self.batched(samples, |batch| {
            self.passes.fetch_add(batch.shape()[0], Ordering::Relaxed);
            let outputs = self.model.forward(&self.inputs(batch))?;
            let output = outputs[self.output].array()?;
            let of = |row: ndarray::ArrayViewD<'_, f64>| row.iter().nth(self.unit).copied();
            output.axis_iter(Axis(0)).map(of).collect::<Option<_>>().ok_or_else(|| {
                Error::Unfit(format!("the output has no unit {} in every row of a batch", self.unit))
            })
        })
    }

    fn gradients(&self, samples: &[ArrayD<f64>]) -> Result<Vec<ArrayD<f64>>> {
        let gradient = RuleSet::named("gradient").map_err(dlbacktrace::Error::from)?;
        self.batched(samples, |batch| {
            let found = self.walked(batch, Options::new().rules(gradient.clone()))?;
            Ok(found.axis_iter(Axis(0)).map(|row| row.insert_axis(Axis(0)).to_owned()).collect())
        })
    }
}
