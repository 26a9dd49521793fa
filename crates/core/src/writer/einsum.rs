//! Einstein sums (rules §2 and §4): diagonals and sums of single operands first, then pair by pair.

use super::{Last, TapeWriter};
use crate::ops::{ComplexProduct, Einsum, Multiply, Permute, Product, Rearrange, Reduce};
use crate::{Error, Operand, Result, Tensor};
use std::collections::{BTreeMap, VecDeque};

/// The label of the axis of real and imaginary parts, which stays apart.
const PARTS: usize = usize::MAX;

/// An operand with the label of each axis.
struct Labelled<T> {
    operand: Operand<T>,
    labels: Vec<usize>,
}

impl<T: Tensor> TapeWriter<T> {
    /// Writes an Einstein sum except for its last step, which makes the value that the framework has. `path` holds, step by step, the
    /// places of the two operands to combine next; their result becomes the last operand. Without a path, it goes from left to
    /// right.
    ///
    /// # Errors
    /// [`Error::Uncovered`] if the equation does not fit, [`Error::NotKept`], [`Error::Tensor`].
    pub fn einsum(&mut self, equation: &str, operands: Vec<Operand<T>>, path: &[usize]) -> Result<Last<T>> {
        let complex: Vec<bool> = operands.iter().map(|operand| operand.meta.complex).collect();
        let ranks = operands.iter().zip(&complex);
        let ranks: Vec<usize> =
            ranks.map(|(operand, &complex)| operand.meta.shape.len() - usize::from(complex)).collect();
        let Equation { operands: mut labels, mut output } = Equation::parse(equation, &ranks)?;
        labels.iter_mut().zip(&complex).for_each(|(labels, complex)| labels.extend(complex.then_some(PARTS)));
        output.extend(complex.contains(&true).then_some(PARTS));
        let mut waiting = operands
            .into_iter()
            .zip(&labels)
            .enumerate()
            .map(|(index, (operand, own))| {
                let elsewhere = |label: &usize| {
                    let others = labels.iter().enumerate().filter(|(other, _)| *other != index);
                    output.contains(label) || others.into_iter().any(|(_, labels)| labels.contains(label))
                };
                self.alone(Labelled { operand, labels: own.clone() }, elsewhere)
            })
            .collect::<Result<VecDeque<_>>>()?;
        let mut pairs = path.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        while waiting.len() > 2 {
            let chosen = pairs.next();
            let (a, b) = take(&mut waiting, chosen)?;
            let kept: Vec<usize> =
                waiting.iter().flat_map(|other| &other.labels).chain(&output).copied().collect();
            let mut labels = a.labels.clone();
            labels.extend(b.labels.iter().filter(|label| !a.labels.contains(label)));
            labels.retain(|label| kept.contains(label) && *label != PARTS);
            let complex = a.is_complex() || b.is_complex();
            labels.extend(complex.then_some(PARTS));
            let (op, [a, b]) = self.pair(a, b, &labels)?;
            let data = op.multiply(a.data()?, b.data()?)?;
            let operand = self.inner_of(op, vec![a, b], data, complex);
            let result = Labelled { operand, labels };
            if chosen.is_some() { waiting.push_back(result) } else { waiting.push_front(result) }
        }
        if waiting.len() == 2 {
            let (a, b) = take(&mut waiting, None)?;
            let (op, operands) = self.pair(a, b, &output)?;
            return Ok((op, operands.into()));
        }
        let last = waiting.pop_front().ok_or_else(|| Error::Uncovered("einsum needs an operand".into()))?;
        let order = places(&output, &last.labels)?;
        Ok((Box::new(Permute { order }), vec![last.operand]))
    }

    /// What an operand needs by itself: a label that it has twice is a diagonal, one that occurs nowhere else is summed over.
    fn alone(
        &mut self,
        Labelled { mut operand, mut labels }: Labelled<T>,
        elsewhere: impl Fn(&usize) -> bool,
    ) -> Result<Labelled<T>> {
        while let Some((first, second)) = repeated(&labels) {
            operand = self.diagonal(&operand, first, second)?;
            let label = labels.remove(second);
            labels.remove(first);
            labels.push(label);
        }
        let axes: Vec<usize> = (0..labels.len()).filter(|&axis| !elsewhere(&labels[axis])).collect();
        if !axes.is_empty() {
            let data = operand.data()?.sum(&axes, false)?;
            operand = self.inner(Box::new(Reduce { axes }), vec![operand], data);
            labels.retain(elsewhere);
        }
        Ok(Labelled { operand, labels })
    }

    /// The cells whose indices along two axes are equal; the last axis of the result counts them.
    fn diagonal(&mut self, x: &Operand<T>, first: usize, second: usize) -> Result<Operand<T>> {
        let shape = &x.meta.shape;
        let (length, other) = (shape[first], shape[second]);
        if length != other {
            return Err(Error::Uncovered(format!(
                "einsum takes a diagonal of unequal axes {length} and {other}"
            )));
        }
        let stride = |axis: usize| shape[axis + 1..].iter().product::<usize>();
        let mut extents = Vec::with_capacity(shape.len() - 1);
        let mut cells = vec![0];
        let along = |cells: &[usize], extent: usize, stride: usize| -> Vec<usize> {
            cells.iter().flat_map(|cell| (0..extent).map(move |index| cell + index * stride)).collect()
        };
        for axis in (0..shape.len()).filter(|axis| ![first, second].contains(axis)) {
            cells = along(&cells, shape[axis], stride(axis));
            extents.push(shape[axis]);
        }
        cells = along(&cells, length, stride(first) + stride(second));
        extents.push(length);
        let cells: Vec<i64> = cells.into_iter().map(|cell| cell as i64).collect();
        let data = x.data()?;
        let index = data.indices(&cells)?;
        let data = data.reshape(&[shape.iter().product()])?.index_select(0, &index)?.reshape(&extents)?;
        Ok(self.inner(Box::new(Rearrange::new(index)), vec![x.clone()], data))
    }

    /// Combines two operands to one with these labels.
    fn pair(&mut self, a: Labelled<T>, b: Labelled<T>, output: &[usize]) -> Result<Pair<T>> {
        let both = a.is_complex() && b.is_complex();
        if a.labels.iter().any(|label| !output.contains(label)) {
            if !both {
                let sum = Einsum { a: a.labels, b: b.labels, output: output.to_vec() };
                return Ok((Box::new(sum), [a.operand, b.operand]));
            }
            let ((a, of_a), (b, of_b)) = (self.parts_last(a)?, self.parts_last(b)?);
            let own = output.iter().copied().filter(|&label| label != PARTS).collect();
            let of_parts = Einsum { a: of_a, b: of_b, output: own };
            return Ok((Box::new(ComplexProduct { of_parts }), [a, b]));
        }
        let mut spread = |Labelled { operand, labels }: Labelled<T>| -> Result<Operand<T>> {
            let own: Vec<usize> = output.iter().filter(|label| labels.contains(label)).copied().collect();
            let ordered = self.permute(&operand, &places(&own, &labels)?)?;
            let mut extents = ordered.meta.shape.iter();
            let shape: Vec<usize> = output
                .iter()
                .map(|label| if labels.contains(label) { extents.next().copied().unwrap_or(1) } else { 1 })
                .collect();
            self.reshape(&ordered, &shape)
        };
        let operands = [spread(a)?, spread(b)?];
        match both {
            true => Ok((Box::new(ComplexProduct { of_parts: Product }), operands)),
            false => Ok((Box::new(Product), operands)),
        }
    }

    /// Complex numbers with their parts along the last axis, and the labels of the other axes.
    fn parts_last(&mut self, Labelled { operand, labels }: Labelled<T>) -> Result<(Operand<T>, Vec<usize>)> {
        let own: Vec<usize> = labels.iter().copied().filter(|&label| label != PARTS).collect();
        if labels.last() == Some(&PARTS) {
            return Ok((operand, own));
        }
        Ok((self.permute(&operand, &places(&[&own[..], &[PARTS]].concat(), &labels)?)?, own))
    }
}

/// A product of two operands.
type Pair<T> = (Box<dyn Multiply<T>>, [Operand<T>; 2]);

impl<T> Labelled<T> {
    fn is_complex(&self) -> bool {
        self.labels.contains(&PARTS)
    }
}

/// Takes two of the operands: those that the path names, or the first two.
fn take<T>(
    waiting: &mut VecDeque<Labelled<T>>,
    chosen: Option<(usize, usize)>,
) -> Result<(Labelled<T>, Labelled<T>)> {
    let (i, j) = chosen.unwrap_or((0, 1));
    let (second, first) = (waiting.remove(i.max(j)), waiting.remove(i.min(j)));
    first.zip(second).ok_or_else(|| Error::Uncovered(format!("einsum has no operands {i} and {j}")))
}

/// The axis of each wanted label.
fn places(wanted: &[usize], labels: &[usize]) -> Result<Vec<usize>> {
    wanted
        .iter()
        .map(|label| labels.iter().position(|other| other == label))
        .collect::<Option<_>>()
        .ok_or_else(|| Error::Uncovered("an einsum output names an axis that no operand has".into()))
}

/// The places of the first label that occurs twice.
fn repeated(labels: &[usize]) -> Option<(usize, usize)> {
    labels.iter().enumerate().find_map(|(second, label)| {
        let first = labels[..second].iter().position(|other| other == label)?;
        Some((first, second))
    })
}

/// The labels of all axes.
struct Equation {
    operands: Vec<Vec<usize>>,
    output: Vec<usize>,
}

impl Equation {
    /// Letters are their own labels. The axes of an ellipsis are counted from the last one, and their labels follow all letters.
    fn parse(equation: &str, ranks: &[usize]) -> Result<Self> {
        let text: String = equation.chars().filter(|letter| !letter.is_whitespace()).collect();
        let (left, right) = match text.split_once("->") {
            Some((left, right)) => (left, Some(right)),
            None => (text.as_str(), None),
        };
        let parts: Vec<&str> = left.split(',').collect();
        let widths: Vec<usize> = parts
            .iter()
            .zip(ranks)
            .map(|(part, rank)| if part.contains("...") { (rank + 3).saturating_sub(part.len()) } else { 0 })
            .collect();
        let operands: Vec<Vec<usize>> =
            parts.iter().zip(&widths).map(|(part, &width)| labels(part, width)).collect();
        let fits = parts.len() == ranks.len()
            && operands.iter().zip(ranks).all(|(labels, &rank)| labels.len() == rank);
        if !fits {
            return Err(Error::Uncovered(format!(
                "einsum {equation:?} does not fit operands of {ranks:?} axes"
            )));
        }
        let dots = widths.into_iter().max().unwrap_or(0);
        let output = match right {
            Some(right) => labels(right, dots),
            None => once(&operands, dots),
        };
        Ok(Self { operands, output })
    }
}

const DOTS: usize = 256;

fn labels(part: &str, dots: usize) -> Vec<usize> {
    let letters = |text: &str| text.bytes().map(usize::from).collect::<Vec<_>>();
    match part.split_once("...") {
        Some((before, after)) => {
            [letters(before), (0..dots).rev().map(|axis| DOTS + axis).collect(), letters(after)].concat()
        }
        None => letters(part),
    }
}

/// The output if the equation leaves it out: the ellipsis, then every label that occurs once, in alphabetical order.
fn once(operands: &[Vec<usize>], dots: usize) -> Vec<usize> {
    let mut counts = BTreeMap::new();
    for &label in operands.iter().flatten().filter(|&&label| label < DOTS) {
        *counts.entry(label).or_insert(0) += 1;
    }
    let letters = counts.into_iter().filter(|&(_, count)| count == 1).map(|(label, _)| label);
    (0..dots).rev().map(|axis| DOTS + axis).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(equation: &str, ranks: &[usize]) -> (Vec<Vec<usize>>, Vec<usize>) {
        let equation = Equation::parse(equation, ranks).unwrap();
        (equation.operands, equation.output)
    }

    fn letters(text: &str) -> Vec<usize> {
        text.bytes().map(usize::from).collect()
    }

    #[test]
    fn letters_label_axes() {
        let (operands, output) = parsed("nij, jk -> nik", &[3, 2]);
        assert_eq!(operands, [letters("nij"), letters("jk")]);
        assert_eq!(output, letters("nik"));
    }

    #[test]
    fn an_ellipsis_counts_from_the_last_axis() {
        let (operands, output) = parsed("...ij,...j->i...", &[4, 2]);
        assert_eq!(operands[0], [vec![DOTS + 1, DOTS], letters("ij")].concat());
        assert_eq!(operands[1], [vec![DOTS], letters("j")].concat());
        assert_eq!(output, [letters("i"), vec![DOTS + 1, DOTS]].concat());
    }

    #[test]
    fn what_stands_once_is_the_output_left_unsaid() {
        assert_eq!(parsed("ba", &[2]).1, letters("ab"));
        assert_eq!(parsed("ij,jk", &[2, 2]).1, letters("ik"));
        assert_eq!(parsed("ii", &[2]).1, letters(""));
        assert_eq!(parsed("...iB,i", &[3, 1]).1, [vec![DOTS], letters("B")].concat());
    }

    #[test]
    fn ranks_must_fit() {
        for (equation, ranks) in [("ij", &[3][..]), ("ij,jk", &[2]), ("...ij", &[1])] {
            assert!(matches!(Equation::parse(equation, ranks), Err(Error::Uncovered(_))), "{equation}");
        }
    }
}
