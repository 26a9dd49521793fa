//! The element type of floating-point inputs.

use crate::args::Dtype;
use dlbacktrace::Value;
use dlbacktrace::core::DType;
use half::{bf16, f16};
use ndarray::ArrayD;

/// Casts every floating-point array in a value; `precision` is that of the model, if it has one. Scalars stay as they are:
/// Python floats are doubles.
pub fn floats(value: &mut Value, dtype: Dtype, precision: Option<DType>) {
    match value {
        Value::List(items) | Value::Tuple(items) => {
            items.iter_mut().for_each(|item| floats(item, dtype, precision));
        }
        Value::Dict(entries) => entries.iter_mut().for_each(|(_, item)| floats(item, dtype, precision)),
        _ => {
            if let Some(cast) = array(value, dtype, precision) {
                *value = cast;
            }
        }
    }
}

fn array(value: &Value, dtype: Dtype, precision: Option<DType>) -> Option<Value> {
    let wanted = match dtype {
        Dtype::Keep => return None,
        Dtype::F16 => DType::F16,
        Dtype::Bf16 => DType::BF16,
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
        Dtype::Auto => match (precision, value) {
            (Some(precision), _) => precision,
            (None, Value::F64(_)) => DType::F32,
            (None, _) => return None,
        },
    };
    let doubles: ArrayD<f64> = match value {
        Value::F64(array) => array.clone(),
        Value::F32(array) => array.mapv(f64::from),
        Value::F16(array) => array.mapv(f64::from),
        Value::BF16(array) => array.mapv(f64::from),
        _ => return None,
    };
    Some(match wanted {
        DType::F16 => Value::F16(doubles.mapv(f16::from_f64)),
        DType::BF16 => Value::BF16(doubles.mapv(bf16::from_f64)),
        DType::F32 => Value::F32(doubles.mapv(|v| v as f32)),
        _ => Value::F64(doubles),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr1;

    #[test]
    fn auto_makes_doubles_floats_and_nothing_else() {
        let mut value = Value::List(vec![
            Value::F64(arr1(&[0.1]).into_dyn()),
            Value::F16(arr1(&[f16::ONE]).into_dyn()),
            Value::Int(arr1(&[1]).into_dyn()),
            Value::Float(0.1),
        ]);
        floats(&mut value, Dtype::Auto, None);
        let Value::List(items) = value else { panic!("a list stays a list") };
        assert!(matches!(items.as_slice(), [Value::F32(_), Value::F16(_), Value::Int(_), Value::Float(_)]));
    }

    #[test]
    fn on_request_any_float_becomes_any_other() {
        for (dtype, fits) in [
            (Dtype::F16, (|v| matches!(v, Value::F16(_))) as fn(&Value) -> bool),
            (Dtype::Bf16, |v| matches!(v, Value::BF16(_))),
            (Dtype::F64, |v| matches!(v, Value::F64(_))),
            (Dtype::Keep, |v| matches!(v, Value::F32(_))),
        ] {
            let mut value = Value::F32(arr1(&[0.5_f32]).into_dyn());
            floats(&mut value, dtype, Some(DType::F32));
            assert!(fits(&value), "{dtype:?} gave {value:?}");
        }
    }
}
