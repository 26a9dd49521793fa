//! Arrays as samples, and the largest elements of each.

use dlbacktrace_report::Leader;
use dlbacktrace_report::tokens::TokenEntry;
use ndarray::{ArrayD, ArrayViewD, Axis};

/// The samples of a value: slices along its first axis if that is the axis of the batch, else the whole.
pub fn samples<T>(array: &ArrayD<T>, batch: usize) -> Vec<ArrayViewD<'_, T>> {
    if array.ndim() >= 2 && array.len_of(Axis(0)) == batch {
        array.axis_iter(Axis(0)).collect()
    } else {
        vec![array.view()]
    }
}

/// The elements of the greatest magnitude, zeros left out, in falling order; equal ones in the array's order.
pub fn leaders(sample: ArrayViewD<'_, f64>, features: Option<&[String]>, most: usize) -> Vec<Leader> {
    let shape = sample.shape();
    ranked(sample.iter().copied().enumerate(), most, |position| name(position, shape, features))
}

/// The tokens of the greatest magnitude, zeros left out, in falling order; equal ones in the text's order.
pub fn strongest(tokens: &[TokenEntry], most: usize) -> Vec<Leader> {
    let found = tokens.iter().map(|token| (token, token.difference()));
    ranked(found, most, |token| token.text.trim().to_owned())
}

fn ranked<K>(found: impl Iterator<Item = (K, f64)>, most: usize, name: impl Fn(K) -> String) -> Vec<Leader> {
    let mut found: Vec<_> = found.filter(|(_, value)| *value != 0.0).collect();
    found.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
    found.into_iter().take(most).map(|(key, value)| Leader { name: name(key), value }).collect()
}

/// The highest units of a sample of an output, in falling order, by name, number or coordinates.
pub fn highest(units: ArrayViewD<'_, f64>, names: Option<&[String]>, most: usize) -> Vec<Leader> {
    let mut ranked: Vec<(usize, f64)> = units.iter().copied().enumerate().collect();
    let falling = |(i, a): &(usize, f64), (j, b): &(usize, f64)| b.total_cmp(a).then(i.cmp(j));
    // An output may have millions of units, so they are not all sorted.
    if ranked.len() > most {
        ranked.select_nth_unstable_by(most, falling);
        ranked.truncate(most);
    }
    ranked.sort_by(falling);
    let called = |unit: usize| match (names.and_then(|names| names.get(unit)), units.shape()) {
        (Some(name), [_]) => name.clone(),
        (_, []) => "score".to_owned(),
        (_, [_]) => unit.to_string(),
        (_, shape) => name(unit, shape, None),
    };
    ranked.into_iter().map(|(unit, value)| Leader { name: called(unit), value }).collect()
}

/// A feature's name, if the sample is a vector with names; else its indices.
pub fn name(position: usize, shape: &[usize], features: Option<&[String]>) -> String {
    if let ([_], Some(name)) = (shape, features.and_then(|names| names.get(position))) {
        return name.clone();
    }
    let mut rest = position;
    let mut indices: Vec<String> = Vec::with_capacity(shape.len());
    for extent in shape.iter().rev() {
        indices.push((rest % extent).to_string());
        rest /= extent;
    }
    indices.reverse();
    format!("[{}]", indices.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{arr1, arr2};

    #[test]
    fn the_first_axis_is_the_batch_only_if_it_is_as_long() {
        let array = ArrayD::<f32>::zeros(vec![3, 4, 4]);
        assert_eq!(samples(&array, 3).len(), 3);
        assert_eq!(samples(&array, 1).len(), 1);
        assert_eq!(samples(&ArrayD::<f32>::zeros(vec![3]), 3).len(), 1);
    }

    #[test]
    fn strongest_first_with_its_name() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let first = leaders(arr1(&[0.1, -3.0, 2.0]).into_dyn().view(), Some(&names), 2);
        assert_eq!(
            first.iter().map(|l| (l.name.as_str(), l.value)).collect::<Vec<_>>(),
            [("b", -3.0), ("c", 2.0)]
        );
        let first = leaders(arr2(&[[0.0, 1.0], [-2.0, 0.0]]).into_dyn().view(), Some(&names), 3);
        assert_eq!((first[0].name.as_str(), first[0].value), ("[1, 0]", -2.0));
        assert_eq!(first.len(), 2, "what received nothing does not lead");
    }

    #[test]
    fn highest_is_not_strongest() {
        let scores = arr1(&[0.1, -3.0, 2.0]).into_dyn();
        let first = highest(scores.view(), None, 2);
        assert_eq!(first.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(), ["2", "0"]);
        let names = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(highest(scores.view(), Some(&names), 1)[0].name, "c");
        assert_eq!(highest(ndarray::arr0(0.5).into_dyn().view(), None, 5)[0].name, "score");
        assert_eq!(highest(arr2(&[[0.0, 1.0], [2.0, 3.0]]).into_dyn().view(), None, 5)[0].name, "[1, 1]");
    }
}
