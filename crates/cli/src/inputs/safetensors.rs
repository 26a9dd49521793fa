//! `.safetensors`: named tensors.

use super::elements::{Element, Raw};
use dlbacktrace::Value;
use safetensors::{Dtype, SafeTensors};

/// Reads the content of a `.safetensors` file: names and tensors, by name.
///
/// # Errors
/// What is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<Vec<(String, Value)>, String> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| format!("it is not a complete safetensors file ({e})"))?;
    let mut tensors = file.tensors();
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    let value = |(name, tensor): (String, safetensors::tensor::TensorView<'_>)| {
        let element = element(tensor.dtype()).map_err(|e| format!("its tensor `{name}`: {e}"))?;
        let shape = tensor.shape().to_vec();
        let raw = Raw { element, big_endian: false, column_major: false, shape, bytes: tensor.data() };
        Ok((name, raw.value()?))
    };
    tensors.into_iter().map(value).collect()
}

fn element(dtype: Dtype) -> Result<Element, String> {
    Ok(match dtype {
        Dtype::BOOL => Element::Bool,
        Dtype::U8 => Element::U8,
        Dtype::I8 => Element::I8,
        Dtype::U16 => Element::U16,
        Dtype::I16 => Element::I16,
        Dtype::U32 => Element::U32,
        Dtype::I32 => Element::I32,
        Dtype::U64 => Element::U64,
        Dtype::I64 => Element::I64,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::BF16,
        Dtype::F32 => Element::F32,
        Dtype::F64 => Element::F64,
        other => {
            return Err(format!(
                "its elements are of type {other:?}; save them as floats, integers or bools"
            ));
        }
    })
}
