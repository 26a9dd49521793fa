//! A model as a language model: the scores of the next token, and the tokens that explain it.

use super::interrupt::Interrupt;
use super::probe::{self, at};
use super::sampling::log_softmax;
use super::search::Scores;
use super::steps::Record;
use crate::failure::{Failure, Result};
use crate::text::Roles;
use dlbacktrace::{Error, Inputs, Loss, Model, Options, Output, OutputTensor, Progress, Target, Task};
use std::ops::ControlFlow;

/// Why a text ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Interrupted,
    /// The model takes no longer text; the message it gave.
    Model(String),
}

/// A model that scores the token after each position.
pub struct Language<'a> {
    model: &'a Model,
    roles: Roles,
    /// The output with the scores, counted over all tensors of the result.
    output: usize,
    prompt: usize,
    interrupt: Interrupt,
    /// Why no scores could be given, if so.
    pub end: Option<End>,
}

impl<'a> Language<'a> {
    /// Checks that the model takes texts of any length, and that later tokens do not change the scores of earlier ones.
    ///
    /// # Errors
    /// [`Failure::Inputs`] if a check fails, [`Failure::Usage`] if there is no such output.
    pub fn new(model: &'a Model, output: Option<&str>, prompt: &[u32], interrupt: Interrupt) -> Result<Self> {
        let roles = Roles::of(model.arguments())?;
        roles.suffice(model.arguments())?;
        let output = probe::output(&|ids| run(model, &roles, ids), output, prompt, model.precision())?;
        Ok(Self { model, roles, output, prompt: prompt.len(), interrupt, end: None })
    }

    /// The model's probabilities for the token after the prompt.
    ///
    /// # Errors
    /// If the model fails.
    pub fn probabilities(&self, ids: &[u32]) -> Result<Vec<f64>> {
        let Some((_, before)) = ids.split_last().filter(|_| ids.len() > self.prompt) else {
            return Ok(Vec::new());
        };
        let scores = self.computed(before)?;
        let of = |(place, id): (usize, &u32)| {
            let logs = log_softmax(&at(&scores, place)?);
            Ok(logs.get(*id as usize).map_or(f64::NAN, |log| log.exp()))
        };
        ids.iter().enumerate().skip(self.prompt).map(|(place, id)| of((place - 1, id))).collect()
    }

    /// Explains the token `id` after `ids` by these; `None` if the user asked to stop meanwhile.
    ///
    /// # Errors
    /// If an operator has no rule, or the model fails.
    pub fn explain(&self, ids: &[u32], id: u32, step: usize, options: &Options) -> Result<Option<Record>> {
        let options = options
            .clone()
            .task(Task::NextToken)
            .target(Target::Class(id as usize))
            .output(Output::Index(self.output))
            .progress(self.goes_on());
        let options = self.roles.bookkeeping().fold(options, |options, name| options.constant_input(name));
        let explanation = match self.model.explain(&inputs(&self.roles, ids), &options) {
            Err(Error::Cancelled(_)) => return Ok(None),
            explanation => explanation?,
        };
        let (start, warnings) = (explanation.start_amount().positive, explanation.warnings().to_vec());
        let mut record = Record { step, id, start, warnings, ..Record::default() };
        for input in explanation.inputs() {
            if input.name == self.roles.ids {
                record.relevance = input.relevance()?.iter().map(|relevance| *relevance as f32).collect();
            } else {
                record.other_inputs += input.amount().positive;
            }
        }
        let losses = explanation.ledger().losses();
        record.lost = losses.iter().map(|(loss, amount)| (named(*loss), amount.positive)).collect();
        Ok(Some(record))
    }

    /// Lets an explanation go on until the user asks to stop.
    fn goes_on(&self) -> impl Fn(Progress) -> ControlFlow<()> + Send + Sync + 'static {
        let interrupt = self.interrupt.clone();
        move |_| if interrupt.seen() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn computed(&self, ids: &[u32]) -> Result<OutputTensor> {
        let mut outputs = run(self.model, &self.roles, ids)?;
        if self.output >= outputs.len() {
            return Err(Failure::Inputs(format!(
                "the model gives no scores for a text of {} tokens",
                ids.len()
            )));
        }
        Ok(outputs.swap_remove(self.output))
    }
}

impl Scores for Language<'_> {
    fn scores(&mut self, ids: &[u32]) -> Result<Option<Vec<f64>>> {
        if self.interrupt.seen() {
            self.end = Some(End::Interrupted);
            return Ok(None);
        }
        match self.computed(ids).and_then(|scores| at(&scores, ids.len() - 1)) {
            Ok(scores) => Ok(Some(scores)),
            // The text may have become longer than the positions that the model knows.
            Err(Failure::Explanation(Error::Inputs(said))) if ids.len() > self.prompt => {
                self.end = Some(End::Model(said));
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }
}

fn inputs(roles: &Roles, ids: &[u32]) -> Inputs {
    roles.values_of(ids).into_iter().fold(Inputs::new(), |inputs, (name, value)| inputs.set(&name, value))
}

fn run(model: &Model, roles: &Roles, ids: &[u32]) -> Result<Vec<OutputTensor>> {
    Ok(model.forward(&inputs(roles, ids))?)
}

/// A reason as the documents write it.
fn named(loss: Loss) -> String {
    match serde_json::to_value(loss) {
        Ok(serde_json::Value::String(name)) => name,
        _ => format!("{loss:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_stops_in_the_midst_of_a_token() -> Result<()> {
        let model = Model::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/models/gpt2.pt"))?;
        let explained = |pressed| {
            let language = Language::new(&model, None, &[1, 2], Interrupt::faked(pressed))?;
            language.explain(&[1, 2], 3, 1, &Options::new())
        };
        assert!(explained(false)?.is_some());
        assert_eq!(explained(true)?, None);
        Ok(())
    }
}
