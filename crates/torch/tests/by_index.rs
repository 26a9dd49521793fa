//! Elements added, compared and sampled by index, against the operators' matrices.

use dlbacktrace_core::Mode;
use dlbacktrace_torch::Input::{Bool, Float, Int, List, None as Nothing};
use tch::{Kind, Tensor};
use testkit_torch::operators::{
    DOUBLE, assert_equal, call, check_movement, check_weighted_sum, check_winners, explain, indices, ints,
    numbers, result, tensor, text,
};

/// Whole numbers from 0, so that some are equal.
fn with_ties(shape: &[i64]) -> Tensor {
    (numbers(shape, 3) * 2.0).round()
}

#[test]
fn sub_tensors_are_added_along_an_axis() {
    let index = indices(&[2, 0, 2]);
    let add = |x: &Tensor, source: &Tensor, alpha| {
        result(
            "aten::index_add",
            "",
            vec![tensor(x), Int(1), tensor(&index), tensor(source), Float(alpha)],
            0,
        )
    };
    check_weighted_sum("to itself", &[2, 4], &|x| add(x, &x.narrow(1, 0, 3), 1.0));
    check_weighted_sum("scaled", &[2, 4], &|x| add(x, &x.narrow(1, 1, 3), 2.5));
    let one = indices(&[0]);
    check_weighted_sum("to a scalar", &[], &|x| {
        call("aten::index_add", vec![tensor(x), Int(0), tensor(&one), tensor(x)])
    });
}

#[test]
fn elements_are_added_where_they_scatter() {
    // The source has more elements than there are indices.
    let index = indices(&[0, 2, 2, 1]).reshape([2, 2]);
    check_weighted_sum("scatter_add", &[2, 4], &|x| {
        call("aten::scatter_add", vec![tensor(x), Int(1), tensor(&index), tensor(&x.flip([1]))])
    });
    check_weighted_sum("scatter by adding", &[2, 4], &|x| {
        result("aten::scatter", "reduce", vec![tensor(x), Int(1), tensor(&index), tensor(x), text("add")], 0)
    });
    for (how, with_base) in [("sum", true), ("mean", true), ("sum", false), ("mean", false)] {
        check_weighted_sum(&format!("{how}, base {with_base}"), &[2, 4], &|x| {
            reduced(x, 1, &index, &x.flip([0]), how, with_base)
        });
    }
    check_weighted_sum("means along an axis", &[3, 2], &|x| {
        let index = indices(&[1, 1, 0]);
        let arguments =
            vec![tensor(x), Int(0), tensor(&index), tensor(&x.flip([0])), text("mean"), Bool(false)];
        result("aten::index_reduce", "", arguments, 0)
    });
}

#[test]
fn elements_are_added_where_they_are_put() {
    let (rows, columns) = (indices(&[0, 1, 0]), indices(&[1, 1, 1]));
    check_weighted_sum("two indices, repeated", &[2, 3], &|x| {
        let places = List(vec![tensor(&rows), tensor(&columns)]);
        call("aten::index_put", vec![tensor(x), places, tensor(&x.select(0, 0)), Bool(true)])
    });
    check_weighted_sum("a whole axis, values repeated", &[2, 3], &|x| {
        let places = List(vec![Nothing, tensor(&indices(&[2, 0]))]);
        call("aten::index_put", vec![tensor(x), places, tensor(&x.narrow(1, 0, 1)), Bool(true)])
    });
}

/// scatter_reduce along an axis.
fn reduced(base: &Tensor, axis: i64, index: &Tensor, source: &Tensor, how: &str, with_base: bool) -> Tensor {
    let arguments = vec![tensor(base), Int(axis), tensor(index), tensor(source), text(how), Bool(with_base)];
    result("aten::scatter_reduce", "two", arguments, 0)
}

#[test]
fn the_largest_where_they_scatter_takes_it() {
    let index = indices(&[0, 2, 2, 1, 0, 0]).reshape([2, 3]);
    let x = with_ties(&[2, 4]);
    for how in ["amax", "amin"] {
        let along = |x: &Tensor| x.index_reduce(1, &indices(&[1, 1, 0, 1]), &x.flip([1]), how, true);
        check_winners(how, &x, &along, &along);
        let scattered = |x: &Tensor| reduced(x, 1, &index, &x.flip([1]), how, true);
        // The same along the axis of all elements.
        let flat = |x: &Tensor| {
            let cells = (&index + indices(&[0, 4]).unsqueeze(1)).flatten(0, 1);
            let source = x.flip([1]).narrow(1, 0, 3).flatten(0, 1);
            x.flatten(0, 1).index_reduce(0, &cells, &source, how, true).reshape([2, 4])
        };
        check_winners(how, &x, &scattered, &flat);
    }
}

#[test]
fn a_base_without_a_part_wins_only_where_nothing_lands() {
    let x = Tensor::from_slice(&[9.0, 7.0, 5.0, 3.0, 5.0, 5.0, 1.0]);
    let index = indices(&[0, 2, 2, 2]);
    let start = Tensor::from_slice(&[1.0, 2.0, 4.0]);
    let expected = Tensor::from_slice(&[0.0, 2.0, 0.0, 1.0, 2.0, 2.0, 0.0]);
    let (base, source) = (|| x.narrow(0, 0, 3), || x.narrow(0, 3, 4));
    let scattered = || reduced(&base(), 0, &index, &source(), "amax", false);
    let along = || base().index_reduce(0, &index, &source(), "amax", false);
    for mode in [Mode::Default, Mode::Contrastive] {
        for found in [explain(&x, &start, mode, scattered), explain(&x, &start, mode, along)] {
            assert_equal(&found.unwrap()[0], &expected, "amax");
        }
    }
}

#[test]
fn what_meets_as_a_product_has_no_rule() {
    let (x, index) = (numbers(&[2, 4], 1), indices(&[0, 1]).reshape([1, 2]));
    let compute = || reduced(&x, 1, &index, &x, "prod", true);
    let error = explain(&x, &numbers(&[2, 4], 2), Mode::Default, compute).unwrap_err();
    assert!(error.to_string().contains("aten::scatter_reduce: values that meet by prod"), "{error}");
}

#[test]
fn columns_fold_to_an_image() {
    let fold = |x: &Tensor, [dilation, padding, stride]: [i64; 3]| {
        let of = |value| ints(&[value, value]);
        call(
            "aten::col2im",
            vec![tensor(x), ints(&[4, 5]), ints(&[2, 3]), of(dilation), of(padding), of(stride)],
        )
    };
    check_weighted_sum("plain", &[2, 12, 9], &|x| fold(x, [1, 0, 1]));
    check_weighted_sum("padded, wide steps", &[2, 12, 9], &|x| fold(x, [1, 1, 2]));
    check_weighted_sum("dilated, one image", &[12, 12], &|x| fold(x, [2, 1, 1]));
}

#[test]
fn cells_are_sampled_at_a_grid() {
    for (padding, corners) in [(0, false), (1, true), (2, false)] {
        for interpolation in [0, 1] {
            for (shape, points) in
                [(&[2, 2, 4, 3][..], &[2, 3, 5, 2][..]), (&[1, 2, 3, 2, 3], &[1, 2, 2, 3, 3])]
            {
                // Some points lie outside.
                let grid = numbers(points, 4) * 1.3;
                check_weighted_sum(&format!("{shape:?}, {interpolation}, {padding}"), shape, &|x| {
                    let modes = [Int(interpolation), Int(padding), Bool(corners)];
                    call("aten::grid_sampler", [tensor(x), tensor(&grid)].into_iter().chain(modes).collect())
                });
            }
        }
    }
}

#[test]
fn a_grid_that_moves_has_no_rule() {
    let grid = numbers(&[1, 2, 2, 2], 1);
    let image = numbers(&[1, 1, 3, 3], 2);
    let sample =
        || call("aten::grid_sampler", vec![tensor(&image), tensor(&grid), Int(0), Int(0), Bool(false)]);
    let error = explain(&grid, &numbers(&[1, 1, 2, 2], 3), Mode::Default, sample).unwrap_err();
    assert!(error.to_string().contains("a grid that depends on the input"), "{error}");
}

#[test]
fn cells_are_copied_by_the_nearest() {
    for name in ["aten::upsample_nearest2d", "aten::_upsample_nearest_exact2d"] {
        for (height, width) in [(7, 9), (2, 8), (4, 3)] {
            check_movement(&format!("{name} to {height} × {width}"), &[2, 2, 4, 5], &|x| {
                result(name, "", vec![tensor(x), ints(&[height, width])], 0)
            });
        }
        check_movement(&format!("{name} by factors"), &[1, 2, 4, 5], &|x| {
            result(name, "vec", vec![tensor(x), Nothing, List(vec![Float(1.7), Float(2.3)])], 0)
        });
    }
}

#[test]
fn rows_of_a_table_go_to_their_bags() {
    let tokens = indices(&[3, 1, 4, 1, 0, 2, 3]);
    // The second bag is empty.
    let offsets = indices(&[0, 3, 3, 5]);
    let ends = indices(&[0, 3, 3, 5, 7]);
    let bags = |table: &Tensor, offsets: &Tensor, mode, last, padding: Option<i64>| {
        let none = None::<Tensor>;
        Tensor::embedding_bag_padding_idx(table, &tokens, offsets, false, mode, false, none, last, padding).0
    };
    for padding in [None, Some(1), Some(-1)] {
        for mode in [0, 1] {
            check_weighted_sum("sum and mean", &[5, 3], &|table| bags(table, &offsets, mode, false, padding));
            check_weighted_sum("ends given", &[5, 3], &|table| bags(table, &ends, mode, true, padding));
        }
        let largest = |table: &Tensor| bags(table, &offsets, 2, false, padding);
        check_winners("largest", &numbers(&[5, 3], 1), &largest, &largest);
    }
    let factors = numbers(&[7], 5).abs();
    check_weighted_sum("weighted", &[5, 3], &|table| {
        let arguments =
            vec![tensor(table), tensor(&tokens), tensor(&offsets), Bool(false), Int(0), Bool(false)];
        let rest = [tensor(&factors), Bool(false)];
        call("aten::embedding_bag", arguments.into_iter().chain(rest).collect())
    });
}

#[test]
fn tokens_of_a_bag_receive_what_their_rows_do() {
    let table = numbers(&[5, 3], 1).abs();
    let tokens = indices(&[3, 1, 4, 1]);
    let start = Tensor::ones([2, 3], DOUBLE);
    let compute = || {
        let arguments = [tensor(&table), tensor(&tokens), tensor(&indices(&[0, 1]))];
        call("aten::embedding_bag", arguments.into_iter().collect())
    };
    let found = explain(&tokens, &start, Mode::Default, compute).unwrap();
    let rows = table.index_select(0, &tokens);
    let second = rows.narrow(0, 1, 3);
    let shares = &second / second.sum_dim_intlist([0].as_slice(), true, Kind::Double);
    let expected = Tensor::cat(&[Tensor::ones([1, 3], DOUBLE), shares], 0);
    let expected = expected.sum_dim_intlist([1].as_slice(), false, Kind::Double);
    let gap = (&found[0] - expected).abs().max().double_value(&[]);
    // Tokens are whole numbers, and their relevance is in single precision.
    assert!(gap < 1e-6, "{}", found[0]);
}
