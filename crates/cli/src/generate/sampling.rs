//! From the scores of all tokens to the next token. Scores are logits; −∞ excludes a token.

use std::collections::BTreeSet;

/// What restricts the next token, whatever the way of choosing it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Constraints {
    pub repetition_penalty: Option<f64>,
    pub no_repeat_ngram: Option<usize>,
    /// Tokens that end the text; excluded until `min_new` tokens are generated.
    pub stops: BTreeSet<u32>,
    pub min_new: usize,
}

impl Constraints {
    /// Applies the restrictions to the scores of the token after `ids`, of which the first `prompt` were given.
    pub fn apply(&self, scores: &mut [f64], ids: &[u32], prompt: usize) {
        if let Some(penalty) = self.repetition_penalty {
            penalise(scores, ids, penalty);
        }
        if let Some(length) = self.no_repeat_ngram {
            repeated(ids, length).into_iter().for_each(|id| forbid(scores, id));
        }
        if ids.len() < prompt + self.min_new {
            self.stops.iter().for_each(|id| forbid(scores, *id));
        }
    }
}

/// Makes tokens that already occur less probable: divides positive scores, multiplies negative ones.
fn penalise(scores: &mut [f64], ids: &[u32], penalty: f64) {
    for id in ids.iter().collect::<BTreeSet<_>>() {
        if let Some(score) = scores.get_mut(*id as usize) {
            *score = if *score > 0.0 { *score / penalty } else { *score * penalty };
        }
    }
}

/// The tokens that would complete a sequence of `length` tokens that already occurs.
fn repeated(ids: &[u32], length: usize) -> BTreeSet<u32> {
    let Some(end) = length.checked_sub(1).and_then(|begun| ids.len().checked_sub(begun)) else {
        return BTreeSet::new();
    };
    let begun = &ids[end..];
    ids.windows(length).filter_map(|window| window.strip_prefix(begun)?.first()).copied().collect()
}

fn forbid(scores: &mut [f64], id: u32) {
    if let Some(score) = scores.get_mut(id as usize) {
        *score = f64::NEG_INFINITY;
    }
}

/// The tokens that are not excluded, the highest score first, equal ones in the order of their numbers.
pub fn ranked(scores: &[f64]) -> Vec<(u32, f64)> {
    let possible = |(_, score): &(u32, f64)| *score > f64::NEG_INFINITY;
    let mut ranked: Vec<(u32, f64)> = (0..).zip(scores.iter().copied()).filter(possible).collect();
    ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    ranked
}

/// The token of the highest score; `None` if all are excluded.
pub fn best(scores: &[f64]) -> Option<u32> {
    let possible = (0..).zip(scores).filter(|(_, score)| **score > f64::NEG_INFINITY);
    possible.reduce(|a, b| if b.1 > a.1 { b } else { a }).map(|(id, _)| id)
}

/// The logarithms of the probabilities that belong to the scores.
pub fn log_softmax(scores: &[f64]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total = scores.iter().map(|score| (score - most).exp()).sum::<f64>().ln() + most;
    scores.iter().map(|score| score - total).collect()
}

/// How a token is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    pub temperature: f64,
    pub top_k: Option<usize>,
    pub top_p: Option<f64>,
}

impl Sampling {
    /// Draws a token; `None` if all are excluded.
    pub fn draw(self, scores: &[f64], random: &mut Random) -> Option<u32> {
        let mut candidates = ranked(scores);
        candidates.truncate(self.top_k.unwrap_or(usize::MAX));
        let highest = candidates.first()?.1;
        for (_, score) in &mut candidates {
            *score = ((*score - highest) / self.temperature).exp();
        }
        if let Some(share) = self.top_p {
            let total: f64 = candidates.iter().map(|(_, weight)| weight).sum();
            let mut sum = 0.0;
            let enough = candidates.iter().position(|(_, weight)| {
                sum += weight;
                sum >= share * total
            });
            candidates.truncate(enough.map_or(usize::MAX, |last| last + 1));
        }
        let total: f64 = candidates.iter().map(|(_, weight)| weight).sum();
        let mut left = random.unit() * total;
        let drawn = candidates.iter().find(|(_, weight)| {
            left -= weight;
            left < 0.0
        });
        drawn.or(candidates.first()).map(|(id, _)| *id)
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014), which gives the same numbers on every machine.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// A number from 0 up to but not including 1.
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: [f64; 4] = [1.0, 3.0, -2.0, 3.0];

    fn draws(sampling: Sampling, scores: &[f64]) -> Vec<u32> {
        let mut random = Random(7);
        (0..2000).filter_map(|_| sampling.draw(scores, &mut random)).collect()
    }

    const PLAIN: Sampling = Sampling { temperature: 1.0, top_k: None, top_p: None };

    #[test]
    fn the_first_of_equals_is_best_and_nothing_is_not_a_token() {
        assert_eq!(best(&SCORES), Some(1));
        assert_eq!(ranked(&SCORES).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 3, 0, 2]);
        assert_eq!(best(&[f64::NEG_INFINITY, f64::NAN]), None);
        assert_eq!(PLAIN.draw(&[f64::NEG_INFINITY; 3], &mut Random(0)), None);
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let scores = [0.5_f64.ln(), 0.3_f64.ln(), 0.2_f64.ln(), f64::NEG_INFINITY];
        let share = |sampling, id| {
            let drawn = draws(sampling, &scores);
            drawn.iter().filter(|drawn| **drawn == id).count() as f64 / drawn.len() as f64
        };
        for (id, probability) in [(0, 0.5), (1, 0.3), (2, 0.2), (3, 0.0)] {
            assert!((share(PLAIN, id) - probability).abs() < 0.04, "{id}");
        }
        // A temperature of ½ squares the probabilities.
        assert!((share(Sampling { temperature: 0.5, ..PLAIN }, 0) - 0.25 / 0.38).abs() < 0.04);
        assert!((share(Sampling { top_k: Some(2), ..PLAIN }, 0) - 0.5 / 0.8).abs() < 0.04);
        assert!((share(Sampling { top_p: Some(0.6), ..PLAIN }, 1) - 0.3 / 0.8).abs() < 0.04);
        assert_eq!(share(Sampling { top_p: Some(0.5), ..PLAIN }, 0), 1.0);
        assert_eq!(share(Sampling { top_k: Some(1), ..PLAIN }, 0), 1.0);
    }

    #[test]
    fn random_numbers_are_the_published_ones() {
        // The first output of SplitMix64 for the seed 0 is 0xe220a8397b1dcdaf.
        assert_eq!(Random(0).unit(), (0xe220_a839_7b1d_cdaf_u64 >> 11) as f64 / (1_u64 << 53) as f64);
    }

    #[test]
    fn repetition_is_penalised_on_both_sides_of_zero() {
        let mut scores = SCORES;
        penalise(&mut scores, &[1, 2, 1, 99], 2.0);
        assert_eq!(scores, [1.0, 1.5, -4.0, 3.0]);
    }

    #[test]
    fn sequences_do_not_come_twice() {
        assert_eq!(repeated(&[1, 2, 3, 1, 2], 3), BTreeSet::from([3]));
        assert_eq!(repeated(&[1, 2, 3, 1, 2], 1), BTreeSet::from([1, 2, 3]));
        assert_eq!(repeated(&[1, 2, 1, 3, 1], 2), BTreeSet::from([2, 3]));
        assert_eq!(repeated(&[1, 2], 4), BTreeSet::new());
    }

    #[test]
    fn a_text_does_not_end_too_soon() {
        let constraints = Constraints { stops: [3].into(), min_new: 2, ..Constraints::default() };
        let allowed = |ids: &[u32]| {
            let mut scores = SCORES;
            constraints.apply(&mut scores, ids, 1);
            scores[3].is_finite()
        };
        assert_eq!([&[1][..], &[1, 0], &[1, 0, 0]].map(allowed), [false, false, true]);
    }

    #[test]
    fn log_probabilities_add_up() {
        let sum: f64 = log_softmax(&[1000.0, 1001.0, f64::NEG_INFINITY]).iter().map(|l| l.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-12);
    }
}
