//! Branches and loops of TensorFlow 1, which are nodes among nodes.
//!
//! A Switch gives its input to one of two outputs; the other output is *dead*, and so is everything that reads it. A Merge passes
//! on the input that is not dead. A loop runs in a frame of its own: Enter leads into it, Exit out of it, and NextIteration
//! from one round to the next. Values are requested backwards from the results, each once for each frame and round.

use super::action::{Action, Frame};
use super::body::{Body, Node};
use super::recorder::Value;
use super::recording::{Origin, Scope};
use super::run::{Run, failed, truth};
use crate::{DataType, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// The outputs of a node in one round, `None` for a dead one; `None` for a node that did not run.
type Outputs = Option<Vec<Option<Value>>>;

/// The number of a round.
type RoundId = usize;

/// One round of a loop; round 0 is the graph outside every loop.
struct Round {
    /// The round around it, and the loop's name there.
    outer: Option<(RoundId, String)>,
    count: usize,
    scope: Arc<Scope>,
}

/// The answer to a request for a node.
enum Answer {
    Outputs(Outputs),
    /// This node is needed first, in this round.
    Needs(usize, RoundId),
}

struct Evaluation<'b> {
    number: usize,
    body: &'b Body,
    arguments: Vec<Value>,
    producers: Vec<Option<(usize, usize)>>,
    rounds: Vec<Round>,
    round_ids: HashMap<(RoundId, String, usize), RoundId>,
    known: HashMap<(usize, RoundId), Outputs>,
    /// For each Exit, how many rounds are known to be over.
    passed: HashMap<(usize, RoundId), usize>,
}

impl Run<'_, '_> {
    pub(super) fn frames(
        &mut self,
        number: usize,
        body: &Body,
        arguments: Vec<Value>,
        scope: &Arc<Scope>,
    ) -> Result<Vec<Value>> {
        let mut evaluation = Evaluation {
            number,
            body,
            arguments,
            producers: body.producers(),
            rounds: vec![Round { outer: None, count: 0, scope: Arc::clone(scope) }],
            round_ids: HashMap::new(),
            known: HashMap::new(),
            passed: HashMap::new(),
        };
        let producers =
            body.results.iter().filter_map(|&slot| evaluation.producers.get(slot).copied().flatten());
        let wanted: Vec<usize> =
            body.targets.iter().copied().chain(producers.map(|(node, _)| node)).collect();
        for node in wanted {
            evaluation.evaluate(self, node)?;
        }
        let results = body.results.iter().map(|&slot| match evaluation.value(slot, 0) {
            Ok(Some(value)) => Ok(value),
            _ => Err(crate::Error::Operator {
                operator: body.name.clone(),
                place: scope.path.clone(),
                reason: "an output belongs to a branch that was not taken".into(),
            }),
        });
        results.collect()
    }
}

impl Evaluation<'_> {
    /// Computes the outputs of a node in the outermost round, and all that they need.
    fn evaluate(&mut self, run: &mut Run<'_, '_>, node: usize) -> Result<()> {
        let mut open = vec![(node, 0)];
        while let Some(&(node, round)) = open.last() {
            if self.known.contains_key(&(node, round)) {
                open.pop();
                continue;
            }
            match self.ask(run, node, round)? {
                Answer::Outputs(outputs) => {
                    self.known.insert((node, round), outputs);
                    open.pop();
                }
                Answer::Needs(node, round) => open.push((node, round)),
            }
        }
        Ok(())
    }

    /// A value in a round, `None` if it is dead; or the node that is needed first.
    fn value(&self, slot: usize, round: RoundId) -> Result<Option<Value>, usize> {
        match self.producers.get(slot).copied().flatten() {
            None => Ok(self.arguments.get(slot).cloned()),
            Some((node, output)) => {
                let outputs = self.known.get(&(node, round)).ok_or(node)?;
                Ok(outputs.as_ref().and_then(|outputs| outputs.get(output).cloned().flatten()))
            }
        }
    }

    fn ask(&mut self, run: &mut Run<'_, '_>, index: usize, round: RoundId) -> Result<Answer> {
        let body = self.body;
        let Some(node) = body.nodes.get(index) else { return Ok(Answer::Outputs(None)) };
        // A Merge, and a node that only orders others, run even if what they wait for is dead.
        let tolerant = matches!(node.action, Action::Frame(Frame::Merge) | Action::Nothing);
        for &control in &node.controls {
            match self.known.get(&(control, round)) {
                None => return Ok(Answer::Needs(control, round)),
                Some(None) if !tolerant => return Ok(Answer::Outputs(None)),
                Some(_) => {}
            }
        }
        match node.action {
            Action::Frame(Frame::Enter) => self.enter(node, round),
            Action::Frame(Frame::Exit) => self.exit(node, index, round),
            Action::Frame(Frame::Merge) => self.merge(run, node, round),
            _ => {
                let mut inputs = Vec::with_capacity(node.inputs.len());
                for &slot in &node.inputs {
                    match self.value(slot, round) {
                        Err(needed) => return Ok(Answer::Needs(needed, round)),
                        Ok(None) => return Ok(Answer::Outputs(None)),
                        Ok(Some(value)) => inputs.push(value),
                    }
                }
                let scope = self.scope(round);
                let outputs = match node.action {
                    Action::Frame(Frame::Switch) => switch(node, inputs, &scope)?,
                    Action::Frame(_) => inputs.into_iter().map(Some).collect(),
                    _ => run
                        .perform(node, (self.number, index), &inputs, &scope)?
                        .into_iter()
                        .map(Some)
                        .collect(),
                };
                Ok(Answer::Outputs(Some(outputs)))
            }
        }
    }

    /// A value from the round around this one.
    fn enter(&self, node: &Node, round: RoundId) -> Result<Answer> {
        let outer = self.rounds.get(round).and_then(|round| round.outer.as_ref()).map(|(outer, _)| *outer);
        let outer = outer.ok_or_else(|| self.malformed(node, "it leads into a loop that has no exit"))?;
        let slot = node.inputs.first().ok_or_else(|| self.malformed(node, "it has no input"))?;
        Ok(match self.value(*slot, outer) {
            Ok(value) => Answer::Outputs(value.map(|value| vec![Some(value)])),
            Err(needed) => Answer::Needs(needed, outer),
        })
    }

    /// The first live input and its number; in a loop, that of Enter in the first round and that of NextIteration later.
    fn merge(&self, run: &mut Run<'_, '_>, node: &Node, round: RoundId) -> Result<Answer> {
        let is_next = |slot: &usize| {
            let producer = self.producer(*slot).map(|(_, node)| node.action.clone());
            producer == Some(Action::Frame(Frame::Next))
        };
        let closes = node.inputs.iter().position(is_next);
        let count = self.rounds.get(round).map_or(0, |round| round.count);
        for (number, &slot) in node.inputs.iter().enumerate() {
            let answer = match closes {
                Some(closing) if (closing == number) != (count > 0) => continue,
                Some(_) if count > 0 => self.last_round(node, slot, round)?,
                _ => self.value(slot, round).map_err(|needed| (needed, round)),
            };
            match answer {
                Err((needed, round)) => return Ok(Answer::Needs(needed, round)),
                Ok(None) => {}
                Ok(Some(value)) => {
                    let number = i32::try_from(number).unwrap_or_default().to_ne_bytes();
                    let number = run.context.tensor(DataType::INT32, &[], &number)?;
                    let number = run.recorder.value(number, Origin::Constant(node.operation.name.clone()))?;
                    return Ok(Answer::Outputs(Some(vec![Some(value), Some(number)])));
                }
            }
        }
        Ok(Answer::Outputs(None))
    }

    /// What the round before gave to a NextIteration, whose output is `slot`.
    fn last_round(
        &self,
        node: &Node,
        slot: usize,
        round: RoundId,
    ) -> Result<Result<Option<Value>, (usize, RoundId)>> {
        let last = self.rounds.get(round).and_then(|this| {
            let (outer, name) = this.outer.clone()?;
            self.round_ids.get(&(outer, name, this.count.checked_sub(1)?)).copied()
        });
        let last = last.ok_or_else(|| self.malformed(node, "there is no round before it"))?;
        let handed = self.producer(slot).and_then(|(_, next)| next.inputs.first().copied());
        let handed = handed.ok_or_else(|| self.malformed(node, "nothing leads to its next round"))?;
        Ok(self.value(handed, last).map_err(|needed| (needed, last)))
    }

    /// The value that leaves a loop when its condition fails. The input of an Exit is the Switch that the condition sets. The Switch
    /// reads a Merge, and the Merge reads an Enter, which knows the name of the loop.
    fn exit(&mut self, node: &Node, index: usize, round: RoundId) -> Result<Answer> {
        let lost = |what: &str| {
            failed(&node.operation, &self.scope(round), format!("it leaves a loop without {what}"))
        };
        let input = |node: &Node, number: usize| node.inputs.get(number).copied();
        let (_, switch) =
            input(node, 0).and_then(|slot| self.producer(slot)).ok_or_else(|| lost("a Switch"))?;
        let (value, condition) = input(switch, 0).zip(input(switch, 1)).ok_or_else(|| lost("a condition"))?;
        let (_, merge) = self.producer(value).ok_or_else(|| lost("a Merge"))?;
        let enters = merge.inputs.iter().filter_map(|&slot| self.producer(slot));
        let mut names = enters.filter(|(_, node)| node.action == Action::Frame(Frame::Enter));
        let name = names.find_map(|(_, enter)| enter.operation.text("frame_name").map(str::to_owned));
        let name = name.ok_or_else(|| lost("an Enter"))?;
        loop {
            let count = self.passed.get(&(index, round)).copied().unwrap_or_default();
            let inner = self.round(round, &name, count);
            let goes_on = match self.value(condition, inner) {
                Err(needed) => return Ok(Answer::Needs(needed, inner)),
                Ok(None) => return Ok(Answer::Outputs(None)),
                Ok(Some(goes_on)) => truth(&goes_on.tensor)?,
            };
            if !goes_on {
                return Ok(match self.value(value, inner) {
                    Ok(value) => Answer::Outputs(value.map(|value| vec![Some(value)])),
                    Err(needed) => Answer::Needs(needed, inner),
                });
            }
            self.passed.insert((index, round), count + 1);
        }
    }

    /// The number of round `count` of the loop `name` within the round `outer`.
    fn round(&mut self, outer: RoundId, name: &str, count: usize) -> RoundId {
        let key = (outer, name.to_owned(), count);
        if let Some(&round) = self.round_ids.get(&key) {
            return round;
        }
        let scope = Arc::new(self.scope(outer).within(name.rsplit('/').nth(1).unwrap_or(name), Some(count)));
        self.rounds.push(Round { outer: Some((outer, name.to_owned())), count, scope });
        self.round_ids.insert(key, self.rounds.len() - 1);
        self.rounds.len() - 1
    }

    fn scope(&self, round: RoundId) -> Arc<Scope> {
        self.rounds.get(round).map(|round| Arc::clone(&round.scope)).unwrap_or_default()
    }

    /// The node that makes a slot.
    fn producer(&self, slot: usize) -> Option<(usize, &Node)> {
        let (index, _) = self.producers.get(slot).copied().flatten()?;
        Some((index, self.body.nodes.get(index)?))
    }

    fn malformed(&self, node: &Node, reason: &str) -> crate::Error {
        failed(&node.operation, &Scope::default(), reason.to_owned())
    }
}

/// Output 1 where the condition holds, else output 0.
fn switch(node: &Node, inputs: Vec<Value>, scope: &Scope) -> Result<Vec<Option<Value>>> {
    let mut inputs = inputs.into_iter();
    let (Some(value), Some(condition)) = (inputs.next(), inputs.next()) else {
        return Err(failed(&node.operation, scope, "it lacks a value or a condition".into()));
    };
    Ok(if truth(&condition.tensor)? { vec![None, Some(value)] } else { vec![Some(value), None] })
}
