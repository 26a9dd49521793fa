//! Which value is which: in-place writes, views, no-ops.

use dlbacktrace_torch_recorder::{Keep, Origin, Policy, Recorder, Recording, ValueId};
use tch::{Kind, Tensor};
use testkit::memory::peak;
use testkit_torch::recordings::{
    FLOAT, aliases, assert_aliases_exact, assert_sound, calls, inputs, keeping_all, load, policy, rows, slots,
};

/// Records a closure on one input.
fn live(policy: &Policy, x: &Tensor, compute: impl FnOnce(&Tensor) -> Tensor) -> Recording {
    let recorder = Recorder::begin(policy, &[("x", x)], &[]).unwrap();
    let y = compute(x);
    let recording = recorder.finish(&[("y", &y)]).unwrap();
    assert_sound(&recording);
    recording
}

fn output_of(recording: &Recording, name: &str) -> ValueId {
    calls(recording).find(|call| call.name == name).unwrap().outputs[0].slot.value
}

#[test]
fn writing_in_place_gives_a_new_value_and_keeps_the_old_tensor() {
    let recording = load("in_place").record(&inputs("in_place"), &policy()).unwrap();
    let first = calls(&recording).find(|call| call.path == "first").unwrap();
    let relu = calls(&recording).find(|call| call.name == "aten::relu_").unwrap();
    assert_eq!(relu.base, "aten::relu");
    let before = &first.outputs[0].slot;
    assert_ne!(relu.outputs[0].slot.value, before.value);
    assert!(relu.outputs[0].fresh);
    let kept = rows(before.tensor.as_ref().unwrap());
    assert!(kept.iter().any(|&v| v < 0.0), "the tensor before relu_ lost its negative numbers: {kept:?}");
    let add = calls(&recording).find(|call| call.name == "aten::add_").unwrap();
    assert_eq!(add.base, "aten::add");
    assert_ne!(add.outputs[0].slot.value, relu.outputs[0].slot.value);
    assert_eq!(aliases(&recording).count(), 0);
}

#[test]
fn a_read_after_a_write_through_a_view_is_an_alias() {
    let x = Tensor::arange(6, FLOAT).reshape([2, 3]);
    let recording = live(&keeping_all(), &x, |x| {
        let y = x * 2.0;
        let _ = y.select(0, 1).relu_();
        y.exp()
    });
    let alias = aliases(&recording).next().unwrap();
    let sources: Vec<ValueId> = alias.sources.iter().map(|source| source.value).collect();
    assert_eq!(sources, [output_of(&recording, "aten::mul"), output_of(&recording, "aten::relu_")]);
    assert_eq!(
        (alias.target.offset, &alias.target.sizes[..], &alias.target.strides[..]),
        (0, &[2, 3][..], &[3, 1][..])
    );
    assert_eq!((alias.sources[1].offset, &alias.sources[1].sizes[..]), (3, &[3][..]));
    assert_eq!(assert_aliases_exact(&recording), 1);
}

#[test]
fn a_region_that_no_write_touched_is_still_the_same_value() {
    let x = Tensor::arange(12, FLOAT).reshape([3, 4]);
    let recording = live(&policy(), &x, |x| {
        let y = x * 2.0;
        let (left, mut right) = (y.select(1, 0), y.select(1, 2));
        let _ = right.relu_();
        left.exp()
    });
    assert_eq!(aliases(&recording).count(), 0);
    let read = calls(&recording).find(|call| call.name == "aten::exp").unwrap();
    assert_eq!(slots(read)[0].value, output_of(&recording, "aten::select"));
}

#[test]
fn a_read_that_no_single_value_covers_lists_everything_written() {
    // Two halves of zeros are written one by one; a view then reads from both.
    let x = Tensor::arange(3, FLOAT);
    let recording = live(&keeping_all(), &x, |x| {
        let y = Tensor::zeros([2, 6], FLOAT);
        let mut left = y.narrow(1, 0, 3);
        let mut right = y.narrow(1, 3, 3);
        left.copy_(&x.unsqueeze(0).expand([2, 3], false));
        right.copy_(&(x * 2.0).unsqueeze(0).expand([2, 3], false));
        y.narrow(1, 1, 4).exp()
    });
    assert_eq!(assert_aliases_exact(&recording), 1);
    let alias = aliases(&recording).next().unwrap();
    assert_eq!(alias.sources.len(), 3, "zeros and two writes: {alias:?}");
}

#[test]
fn a_loop_of_writes_and_reads_stays_linear() {
    let recording = load("loop_write").record(&inputs("loop_write"), &keeping_all()).unwrap();
    let longest = aliases(&recording).map(|alias| alias.sources.len()).collect::<Vec<_>>();
    // A column is a part of the zeros before it is overwritten, and the written value afterwards. Only the sum at the
    // end puts all six on the zeros.
    assert_eq!(longest, [1, 1, 1, 1, 1, 7]);
    assert_eq!(assert_aliases_exact(&recording), 6);
}

#[test]
fn no_ops_and_round_trips_are_the_same_value() {
    let x = Tensor::arange(4, FLOAT);
    let recording = live(&policy(), &x, |x| {
        let same = x.contiguous().to_kind(Kind::Float).dropout(0.5, false).reshape([4]);
        same.unsqueeze(0).squeeze_dim(0).exp()
    });
    let read = calls(&recording).find(|call| call.name == "aten::exp").unwrap();
    assert_eq!(slots(read)[0].value, recording.inputs[0].value);
    let squeeze = calls(&recording).find(|call| call.name == "aten::squeeze").unwrap();
    assert!(!squeeze.outputs[0].fresh);
}

#[test]
fn an_output_may_be_an_input() {
    let x = Tensor::arange(4, FLOAT);
    let recording = live(&policy(), &x, |x| x.contiguous());
    assert_eq!(recording.outputs[0].value, recording.inputs[0].value);
    assert_eq!(recording.values[recording.inputs[0].value.0].origin, Origin::Input("x".to_owned()));
}

#[test]
fn a_conjugate_view_is_another_value() {
    let x = Tensor::arange(4, FLOAT).to_kind(Kind::ComplexFloat);
    let recording = live(&policy(), &x, |x| x.conj());
    assert_ne!(recording.outputs[0].value, recording.inputs[0].value);
}

#[test]
fn kept_tensors_follow_the_policy() {
    let x = Tensor::arange(6, FLOAT).reshape([2, 3]);
    let keep = |keep| Policy::new([("aten::index_select", keep)]);
    let compute = |x: &Tensor| x.exp().index_select(1, &Tensor::from_slice(&[2_i64, 0]));
    for (policy, read, made) in [
        (keep(Keep::All), true, true),
        (keep(Keep::Read), true, false),
        (keep(Keep::Unwritten), true, false),
        (keep(Keep::Indices), false, false),
    ] {
        let recording = live(&policy, &x, compute);
        let call = calls(&recording).find(|call| call.name == "aten::index_select").unwrap();
        let kept: Vec<bool> = slots(call).iter().map(|slot| slot.tensor.is_some()).collect();
        assert_eq!(kept, [read, true]);
        assert_eq!(call.outputs[0].slot.tensor.is_some(), made);
        let exp = calls(&recording).find(|call| call.name == "aten::exp").unwrap();
        assert!(exp.outputs[0].slot.tensor.is_none());
    }
}

#[test]
fn what_is_written_over_is_kept_where_the_policy_asks_for_it() {
    let x = Tensor::arange(6, FLOAT);
    for (keep, kept) in [(Keep::Read, true), (Keep::Unwritten, false)] {
        let recording = live(&Policy::new([("aten::sigmoid", keep)]), &x, |x| x.exp().sigmoid_());
        let call = calls(&recording).find(|call| call.name == "aten::sigmoid_").unwrap();
        assert_eq!(slots(call)[0].tensor.is_some(), kept);
    }
}

#[test]
fn what_is_not_kept_is_freed_while_recording() {
    // Each step needs 40 MB; kept together they would be 4 GB.
    let x = Tensor::ones([10_000_000], FLOAT);
    let before = peak();
    let recording = live(&policy(), &x, |x| {
        let mut y = x.exp();
        for _ in 0..100 {
            y = y.sin();
        }
        y
    });
    assert!(calls(&recording).count() > 100);
    let grown = peak() - before;
    assert!(grown < 500 << 20, "peak memory grew by {grown} bytes");
}
