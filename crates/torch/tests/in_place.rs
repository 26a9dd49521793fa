//! Operations that consume a tensor work in its buffer, unless something else holds the tensor.

use dlbacktrace_core::{Range, Result, Tensor};
use dlbacktrace_torch::TorchTensor;
use tch::Kind::Float;

fn ones() -> TorchTensor {
    tch::Tensor::ones([3, 4], (Float, tch::Device::Cpu)).into()
}

type Operation = fn(TorchTensor) -> Result<TorchTensor>;

const OPERATIONS: [(&str, Operation); 6] = [
    ("accumulate", |x| x.accumulate(&ones())),
    ("multiplied", |x| x.multiplied(&ones().scale(2.0)?)),
    ("dividing", |x| Ok(x.divide_into_shares(None, &ones().scale(2.0)?)?.shares)),
    ("dividing, a bias", |x| Ok(x.divide_into_shares(Some(&ones()), &ones())?.shares)),
    ("add_region", |x| x.add_region(&[Range::full(3), Range::full(4)], &ones())),
    ("index_add", |x| {
        let index = x.indices(&[0, 2, 1])?;
        x.index_add(0, &index, &ones())
    }),
];

#[test]
fn what_nobody_else_holds_is_written_into() {
    for (name, operation) in OPERATIONS {
        let x = ones();
        let place = x.as_tch().data_ptr();
        let made = operation(x).unwrap();
        assert_eq!(made.as_tch().data_ptr(), place, "{name} made a copy");
    }
}

#[test]
fn what_somebody_else_holds_stays_as_it_is() {
    for (name, operation) in OPERATIONS {
        let x = ones();
        let made = operation(x.clone()).unwrap();
        assert_eq!(x.to_array().unwrap(), ones().to_array().unwrap(), "{name} wrote into it");
        assert_ne!(made.to_array().unwrap(), ones().to_array().unwrap(), "{name} did nothing");
    }
}
