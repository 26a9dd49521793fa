//! Operators that pass or move relevance.

use super::{Check, both};
use crate::cases::{Case, Data, for_all, oracle};
use crate::geometry;
use crate::numbers::Numbers;
use dlbacktrace_core::ops::{
    Alias, AsComplex, Bundle, Concat, Embedding, Expand, Flip, IndexSelect, Nearest, OneHot, Pad, Pass,
    Permute, Rearrange, Reshape, Select, Slice, Strided, TokenScatter,
};
use dlbacktrace_core::{DType, Function, Range, Tensor};
use proptest::prelude::*;

/// All of them.
pub fn movements<T: Tensor>(like: &T, check: Check<T>) {
    for_all(48, (geometry::shape(1..4), any::<u64>()), |(shape, seed)| {
        let numbers = &mut Numbers::new(seed);
        of_all(check, &shape, numbers);
        along_an_axis(check, &shape, numbers);
        by_index(like, check, &shape, numbers);
        between_several(check, &shape, numbers);
    });
    for_all(16, (geometry::broadcast(), any::<u64>()), |((wide, narrow), seed)| {
        let numbers = &mut Numbers::new(seed);
        let case = Case::new(vec![Data::moving(numbers.exact(&narrow))], &[&wide], numbers);
        both(check, &case, &Expand);
        let operands = vec![Data::moving(numbers.exact(&narrow)), Data::constant(numbers.exact(&wide))];
        both(check, &Case::new(operands, &[&wide], numbers), &Pass::norm());
        let condition = Data::of(numbers.whole(&wide, 2), DType::Bool);
        let sides = [Data::moving(numbers.exact(&narrow)), Data::moving(numbers.exact(&wide))];
        let operands = [condition].into_iter().chain(sides).collect();
        both(check, &Case::new(operands, &[&wide], numbers), &Select { a: Some(1), b: Some(2) });
    });
}

fn one(shape: &[usize], output: &[usize], numbers: &mut Numbers) -> Case {
    Case::new(vec![Data::moving(numbers.exact(shape))], &[output], numbers)
}

fn of_all<T: Tensor>(check: Check<T>, shape: &[usize], numbers: &mut Numbers) {
    both(check, &one(shape, shape, numbers), &Pass::function(Function::Tanh));
    both(check, &one(shape, &[shape, &[2]].concat(), numbers), &AsComplex);
    let count: usize = shape.iter().product();
    both(check, &one(shape, &[count, 1], numbers), &Reshape);
    let order: Vec<usize> = (1..shape.len()).chain([0]).collect();
    let turned: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    both(check, &one(shape, &turned, numbers), &Permute { order });
    let axes = (0..shape.len()).filter(|_| numbers.chance(2)).collect();
    both(check, &one(shape, shape, numbers), &Flip { axes });
    let mut around = || -> Vec<usize> { shape.iter().map(|_| numbers.below(3)).collect() };
    let (before, after) = (around(), around());
    let padded: Vec<usize> = (0..shape.len()).map(|axis| before[axis] + shape[axis] + after[axis]).collect();
    both(check, &one(shape, &padded, numbers), &Pad { before, after });
    let condition = Data::of(numbers.whole(shape, 2), DType::Bool);
    let operands = vec![condition, Data::moving(numbers.exact(shape))];
    both(check, &Case::new(operands, &[shape], numbers), &Select { a: None, b: Some(1) });
}

fn along_an_axis<T: Tensor>(check: Check<T>, shape: &[usize], numbers: &mut Numbers) {
    let axis = numbers.below(shape.len());
    // Two parts that may overlap, one with a step.
    let mut part = |step: usize| {
        let start = numbers.below(shape[axis]);
        let mut region: Vec<Range> = shape.iter().map(|&extent| Range::full(extent)).collect();
        region[axis] = Range { start, len: (shape[axis] - start).div_ceil(step), step };
        region
    };
    let regions = vec![part(1), part(2)];
    let outputs: Vec<Vec<usize>> =
        regions.iter().map(|region| region.iter().map(|range| range.len).collect()).collect();
    let outputs: Vec<&[usize]> = outputs.iter().map(Vec::as_slice).collect();
    let case = Case::new(vec![Data::moving(numbers.exact(shape))], &outputs, numbers);
    both(check, &case, &Slice { regions });

    let mut wide = shape.to_vec();
    wide[axis] = 1 + numbers.below(6);
    let sources = (0..wide[axis]).map(|_| numbers.below(shape[axis])).collect();
    both(check, &one(shape, &wide, numbers), &Nearest::new(shape, &[(axis, sources)]).unwrap());

    let index = numbers.whole(&[wide[axis]], shape[axis]);
    let operands = vec![Data::moving(numbers.exact(shape)), Data::of(index, DType::Int)];
    both(check, &Case::new(operands, &[&wide], numbers), &IndexSelect { axis });
}

fn by_index<T: Tensor>(like: &T, check: Check<T>, shape: &[usize], numbers: &mut Numbers) {
    let count: usize = shape.iter().product();
    let index: Vec<i64> = (0..7).map(|_| numbers.below(2 * count + 1) as i64 - 1).collect();
    let operands = [Data::moving(numbers.exact(shape)), Data::constant(numbers.exact(shape))];
    let case = Case::new(operands.to_vec(), &[&[7]], numbers);
    let on_oracle = Rearrange::new(oracle().indices(&index).unwrap());
    check(&case, &on_oracle, &Rearrange::new(like.indices(&index).unwrap()));

    let (rows, width) = (shape[0] + 1, 3);
    let tokens = numbers.whole(shape, rows);
    let output = [shape, &[width]].concat();
    for token_input in [true, false] {
        let tokens = Data { depends: token_input, ..Data::of(tokens.clone(), DType::Int) };
        let table = Data { depends: !token_input, ..Data::moving(numbers.exact(&[rows, width])) };
        both(check, &Case::new(vec![table, tokens], &[&output], numbers), &Embedding);
    }
    for moving in [true, false] {
        let value = Data { depends: moving, ..Data::moving(numbers.exact(shape)) };
        let tokens = Data { depends: true, ..Data::of(tokens.clone(), DType::Int) };
        both(check, &Case::new(vec![value, tokens], &[shape], numbers), &TokenScatter);
    }
    let axis = numbers.below(shape.len() + 1);
    let mut spread = shape.to_vec();
    spread.insert(axis, rows);
    let tokens = Data { depends: true, ..Data::of(tokens, DType::Int) };
    both(check, &Case::new(vec![tokens], &[&spread], numbers), &OneHot { axis });
}

fn between_several<T: Tensor>(check: Check<T>, shape: &[usize], numbers: &mut Numbers) {
    let axis = numbers.below(shape.len());
    let mut longer = shape.to_vec();
    longer[axis] += 1;
    let mut all = shape.to_vec();
    all[axis] += longer[axis];
    let operands = vec![Data::moving(numbers.exact(shape)), Data::constant(numbers.exact(&longer))];
    both(check, &Case::new(operands, &[&all], numbers), &Concat { axis, new_axis: false });
    let mut stacked = shape.to_vec();
    stacked.insert(axis, 2);
    let operands = vec![Data::moving(numbers.exact(shape)), Data::moving(numbers.exact(shape))];
    both(check, &Case::new(operands, &[&stacked], numbers), &Concat { axis, new_axis: true });

    let operands = vec![Data::moving(numbers.exact(shape)), Data::constant(numbers.exact(&longer))];
    both(check, &Case::new(operands, &[shape, &longer], numbers), &Bundle);

    // A buffer of 3 × 4 cells, read transposed after a column was overwritten.
    let strided = |offset, shape: &[usize], strides: &[usize]| Strided {
        offset,
        shape: shape.to_vec(),
        strides: strides.to_vec(),
    };
    let column = numbers.below(4);
    let op = Alias {
        sources: vec![strided(0, &[3, 4], &[4, 1]), strided(column, &[3], &[4])],
        target: strided(0, &[4, 3], &[1, 4]),
    };
    let operands = vec![Data::moving(numbers.exact(&[3, 4])), Data::moving(numbers.exact(&[3]))];
    both(check, &Case::new(operands, &[&[4, 3]], numbers), &op);
}
