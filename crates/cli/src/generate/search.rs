//! From a prompt to a text: token by token, or by beam search.

use super::sampling::{Constraints, Random, Sampling, best, log_softmax, ranked};
use crate::failure::Result;

/// The scores of the token after some tokens; `None` if the text must end here.
pub trait Scores {
    fn scores(&mut self, ids: &[u32]) -> Result<Option<Vec<f64>>>;
}

/// How tokens are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// The most probable token at each step.
    Greedy,
    /// At random.
    Sampled { sampling: Sampling, seed: u64 },
    /// The most probable of several texts.
    Beams { count: usize, length_penalty: f64 },
}

/// The tokens of the text, those of the prompt included.
pub fn generate(
    model: &mut impl Scores,
    prompt: &[u32],
    method: Method,
    constraints: &Constraints,
    most: usize,
) -> Result<Vec<u32>> {
    match method {
        Method::Greedy => chain(model, prompt, constraints, most, best),
        Method::Sampled { sampling, seed } => {
            let mut random = Random(seed);
            chain(model, prompt, constraints, most, |scores| sampling.draw(scores, &mut random))
        }
        Method::Beams { count, length_penalty } => {
            Beams { count, length_penalty, prompt: prompt.len(), constraints }.search(model, prompt, most)
        }
    }
}

fn chain(
    model: &mut impl Scores,
    prompt: &[u32],
    constraints: &Constraints,
    most: usize,
    mut choose: impl FnMut(&[f64]) -> Option<u32>,
) -> Result<Vec<u32>> {
    let mut ids = prompt.to_vec();
    while ids.len() < prompt.len() + most {
        let Some(mut scores) = model.scores(&ids)? else { break };
        constraints.apply(&mut scores, &ids, prompt.len());
        let Some(next) = choose(&scores) else { break };
        ids.push(next);
        if constraints.stops.contains(&next) {
            break;
        }
    }
    Ok(ids)
}

struct Beams<'a> {
    count: usize,
    length_penalty: f64,
    prompt: usize,
    constraints: &'a Constraints,
}

/// A text, and the logarithm of its probability given the prompt.
#[derive(Debug, Clone)]
struct Beam {
    ids: Vec<u32>,
    log_probability: f64,
}

impl Beams<'_> {
    /// Looks at the best `2 · count` continuations of the live texts. One that ends and is among the first `count` of them is done;
    /// the first `count` of the others live on. The search is over when `count` texts are done and no live one has a higher
    /// value, as it is now, than the worst of them.
    fn search(&self, model: &mut impl Scores, prompt: &[u32], most: usize) -> Result<Vec<u32>> {
        let mut live = vec![Beam { ids: prompt.to_vec(), log_probability: 0.0 }];
        let mut done: Vec<Beam> = Vec::new();
        'tokens: for _ in 0..most {
            let mut candidates = Vec::new();
            for beam in &live {
                let Some(scores) = model.scores(&beam.ids)? else { break 'tokens };
                let mut scores = log_softmax(&scores);
                self.constraints.apply(&mut scores, &beam.ids, self.prompt);
                for (id, score) in ranked(&scores).into_iter().take(2 * self.count) {
                    let ids = beam.ids.iter().copied().chain([id]).collect();
                    candidates.push(Beam { ids, log_probability: beam.log_probability + score });
                }
            }
            candidates.sort_by(|a, b| b.log_probability.total_cmp(&a.log_probability));
            candidates.truncate(2 * self.count);
            let next: Vec<Beam> = self.sort_out(candidates, &mut done);
            if next.is_empty() {
                break;
            }
            live = next;
            if done.len() >= self.count
                && live.iter().all(|beam| self.value(beam) <= self.value(&done[self.count - 1]))
            {
                break;
            }
        }
        done.extend(live);
        let best = done.into_iter().reduce(|a, b| if self.value(&b) > self.value(&a) { b } else { a });
        Ok(best.map_or_else(|| prompt.to_vec(), |beam| beam.ids))
    }

    /// Moves the texts that end to the finished ones, of which the best `count` are kept; returns those that live on.
    fn sort_out(&self, candidates: Vec<Beam>, done: &mut Vec<Beam>) -> Vec<Beam> {
        let mut live = Vec::with_capacity(self.count);
        for (rank, beam) in candidates.into_iter().enumerate() {
            let ends = beam.ids.last().is_some_and(|id| self.constraints.stops.contains(id));
            if !ends && live.len() < self.count {
                live.push(beam);
            } else if ends && rank < self.count {
                done.push(beam);
            }
        }
        done.sort_by(|a, b| self.value(b).total_cmp(&self.value(a)));
        done.truncate(self.count);
        live
    }

    /// The number by which texts of different length are compared.
    fn value(&self, beam: &Beam) -> f64 {
        let length = (beam.ids.len() - self.prompt).max(1) as f64;
        beam.log_probability / length.powf(self.length_penalty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The probabilities of the next token, one row for each last token.
    struct Chain([[f64; 4]; 4]);

    impl Scores for Chain {
        fn scores(&mut self, ids: &[u32]) -> Result<Option<Vec<f64>>> {
            let row = ids.last().and_then(|last| self.0.get(*last as usize));
            Ok(row.map(|row| row.iter().map(|p| p.ln()).collect()))
        }
    }

    /// The likelier first token, 1, leads to nothing likely; token 3 ends the text.
    const TRAP: Chain =
        Chain([[0.0, 0.6, 0.4, 0.0], [0.25, 0.25, 0.25, 0.25], [0.04, 0.03, 0.03, 0.9], [0.25; 4]]);

    fn run(method: Method, constraints: &Constraints, most: usize) -> Result<Vec<u32>> {
        generate(&mut Chain(TRAP.0), &[0], method, constraints, most)
    }

    #[test]
    fn beams_see_further_than_one_step() -> Result<()> {
        let constraints = Constraints { stops: [3].into(), ..Constraints::default() };
        assert_eq!(run(Method::Greedy, &constraints, 2)?, [0, 1, 0]);
        for count in 2..5 {
            let beams = Method::Beams { count, length_penalty: 1.0 };
            assert_eq!(run(beams, &constraints, 2)?, [0, 2, 3], "{count}");
        }
        Ok(())
    }

    #[test]
    fn one_beam_is_greedy() -> Result<()> {
        for most in 1..6 {
            let beams = Method::Beams { count: 1, length_penalty: 1.0 };
            let constraints = Constraints::default();
            assert_eq!(run(beams, &constraints, most)?, run(Method::Greedy, &constraints, most)?);
        }
        Ok(())
    }

    #[test]
    fn the_length_penalty_favours_long_texts() -> Result<()> {
        // Ending at once has probability 0.5; going on has 0.5 at first, then 0.8 for each token.
        let mut model = Chain([[0.0, 0.499, 0.0, 0.501], [0.0, 0.8, 0.1, 0.1], [0.25; 4], [0.25; 4]]);
        let constraints = Constraints { stops: [3].into(), ..Constraints::default() };
        let mut length = |length_penalty| {
            let beams = Method::Beams { count: 2, length_penalty };
            Ok::<_, crate::failure::Failure>(generate(&mut model, &[0], beams, &constraints, 6)?.len())
        };
        assert_eq!(length(0.0)?, 2);
        assert_eq!(length(2.0)?, 7);
        Ok(())
    }

    #[test]
    fn a_stop_ends_the_text_and_is_part_of_it() -> Result<()> {
        let constraints = Constraints { stops: [1].into(), ..Constraints::default() };
        assert_eq!(run(Method::Greedy, &constraints, 9)?, [0, 1]);
        let later = Constraints { min_new: 1, ..constraints };
        assert_eq!(run(Method::Greedy, &later, 9)?, [0, 2, 3, 0, 1]);
        Ok(())
    }
}
