//! Einstein sums against the operators that they stand for.

use dlbacktrace_core::Mode;
use dlbacktrace_torch::Input::{Int, List};
use tch::Tensor;
use testkit_torch::operators::{
    assert_equal, call, check_movement, check_weighted_sum, explain, numbers, tensor, text,
};

fn einsum(equation: &str, operands: &[&Tensor]) -> Tensor {
    call("aten::einsum", vec![text(equation), List(operands.iter().map(|operand| tensor(operand)).collect())])
}

/// Both ways give the same relevance in both modes.
#[track_caller]
fn check_twin(x: &Tensor, equation: &str, by_einsum: &dyn Fn() -> Tensor, otherwise: &dyn Fn() -> Tensor) {
    let start = numbers(&otherwise().size(), 9);
    for mode in [Mode::Default, Mode::Contrastive] {
        let found = explain(x, &start, mode, by_einsum).unwrap();
        let expected = explain(x, &start, mode, otherwise).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            assert_equal(found, expected, equation);
        }
    }
}

#[test]
fn one_operand_moves_and_adds() {
    for equation in ["nij->jin", "nij", "...i->i..."] {
        check_movement(equation, &[2, 3, 4], &|x| einsum(equation, &[x]));
    }
    for equation in ["nij->nj", "nij->", "n...->...", "nnj->nj", "nnj->j", "nni->"] {
        check_weighted_sum(equation, &[3, 3, 4], &|x| einsum(equation, &[x]));
    }
}

#[test]
fn a_constant_operand_is_a_weight() {
    let (x, weight) = (numbers(&[2, 3, 4], 1), numbers(&[4, 5], 2));
    check_twin(&x, "nij,jk->nik", &|| einsum("nij,jk->nik", &[&x, &weight]), &|| x.matmul(&weight));
    check_twin(&x, "...j,jk", &|| einsum("...j,jk", &[&x, &weight]), &|| x.matmul(&weight));
    check_twin(&x, "jk,nij->kin", &|| einsum("jk,nij->kin", &[&weight, &x]), &|| {
        x.matmul(&weight).permute([2, 1, 0])
    });
    let rows = numbers(&[3], 3);
    check_twin(&x, "an axis summed alone", &|| einsum("nij,k->n", &[&x, &rows]), &|| {
        let sums = x.sum_dim_intlist([1, 2].as_slice(), false, tch::Kind::Double);
        sums * rows.sum(tch::Kind::Double)
    });
}

#[test]
fn a_constant_added_to_each_feature_is_a_bias() {
    let (x, weight, bias) = (numbers(&[3, 4], 1), numbers(&[4, 6], 2), numbers(&[6], 3));
    let head = numbers(&[6, 2], 4);
    // The gate of the tanh sees the sum with its bias.
    check_twin(
        &x,
        "linear",
        &|| (einsum("ni,io->no", &[&x, &(&weight * 3.0)]) + &bias).tanh().matmul(&head),
        &|| x.linear(&(&weight * 3.0).tr(), Some(&bias)).tanh().matmul(&head),
    );
}

#[test]
fn two_moving_operands_share() {
    let x = numbers(&[2, 3, 4], 1);
    check_twin(&x, "nij,nkj->nik", &|| einsum("nij,nkj->nik", &[&x, &x.flip([1])]), &|| {
        x.matmul(&x.flip([1]).transpose(1, 2))
    });
    check_twin(&x, "elements", &|| einsum("nij,nij->ijn", &[&x, &x.flip([0])]), &|| {
        (&x * x.flip([0])).permute([1, 2, 0])
    });
    let (a, b) = (|| x.select(0, 0).select(0, 0), || x.select(0, 1).select(0, 2));
    check_twin(&x, "i,j->ij", &|| einsum("i,j->ij", &[&a(), &b()]), &|| a().unsqueeze(1) * b().unsqueeze(0));
}

#[test]
fn more_operands_go_pair_by_pair() {
    let x = numbers(&[2, 3, 4], 1);
    let (w, v) = (numbers(&[4, 4], 2), numbers(&[4, 5], 3));
    let scores = || x.matmul(&x.flip([1]).transpose(1, 2));
    check_twin(&x, "from the left", &|| einsum("nij,nkj,nkl,lm->nim", &[&x, &x.flip([1]), &x, &v]), &|| {
        scores().matmul(&x).matmul(&v)
    });
    let arguments = || vec![text("nij,jk,kl->nil"), List(vec![tensor(&x), tensor(&w), tensor(&v)])];
    check_twin(
        &x,
        "by a path",
        &|| {
            let path = List([1, 2, 0, 1].map(Int).into());
            call("aten::einsum", arguments().into_iter().chain([path]).collect())
        },
        &|| x.matmul(&w.matmul(&v)),
    );
}

#[test]
fn a_bilinear_layer_is_an_einsum_and_a_bias() {
    let (x, z) = (numbers(&[3, 2, 4], 1), numbers(&[3, 2, 5], 2));
    let (weight, bias) = (numbers(&[6, 4, 5], 3), numbers(&[6], 4));
    let by_einsum = |x: &Tensor, z: &Tensor| einsum("...i,oij,...j->...o", &[x, &weight, z]);
    check_twin(&x, "z constant", &|| Tensor::bilinear(&x, &z, &weight, Some(&bias)), &|| {
        by_einsum(&x, &z) + &bias
    });
    check_twin(
        &x,
        "both depend",
        &|| Tensor::bilinear(&x, &x.pad([0, 1], "constant", 0.5), &weight, Some(&bias)),
        &|| by_einsum(&x, &x.pad([0, 1], "constant", 0.5)) + &bias,
    );
    check_twin(&x, "no bias", &|| Tensor::bilinear(&x, &z, &weight, None::<&Tensor>), &|| by_einsum(&x, &z));
}
