//! Raw elements of the binary formats as arrays.

use dlbacktrace::Value;
use half::{bf16, f16};
use ndarray::{ArrayD, IxDyn, ShapeBuilder};

/// The element types of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    BF16,
    F32,
    F64,
}

/// The bytes of an array, with the element type, order and extents that the file states.
#[derive(Debug)]
pub struct Raw<'a> {
    pub element: Element,
    pub big_endian: bool,
    pub column_major: bool,
    pub shape: Vec<usize>,
    pub bytes: &'a [u8],
}

impl Element {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::BF16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }
}

impl Raw<'_> {
    /// The array. Integers other than bytes and 32-bit ones are widened to 64 bits, as models take them.
    ///
    /// # Errors
    /// If there are fewer or more bytes than the extents ask for, or if a number is too large.
    pub fn value(&self) -> Result<Value, String> {
        let elements = self.shape.iter().try_fold(1_usize, |product, extent| product.checked_mul(*extent));
        let expected = elements.and_then(|elements| elements.checked_mul(self.element.size()));
        if expected != Some(self.bytes.len()) {
            let (bytes, shape) = (self.bytes.len(), &self.shape);
            return Err(format!(
                "its {bytes} bytes of data do not fill an array of shape {shape:?}; the file may be cut off"
            ));
        }
        Ok(match self.element {
            Element::Bool => Value::Bool(self.array(|[byte]: [u8; 1]| byte != 0)?),
            Element::U8 => Value::U8(self.array(|[byte]: [u8; 1]| byte)?),
            Element::I8 => Value::Int(self.array(|bytes| i8::from_le_bytes(bytes).into())?),
            Element::U16 => Value::Int(self.array(|bytes| u16::from_le_bytes(bytes).into())?),
            Element::I16 => Value::Int(self.array(|bytes| i16::from_le_bytes(bytes).into())?),
            Element::U32 => Value::Int(self.array(|bytes| u32::from_le_bytes(bytes).into())?),
            Element::I32 => Value::Int32(self.array(i32::from_le_bytes)?),
            Element::U64 => Value::Int(self.signed()?),
            Element::I64 => Value::Int(self.array(i64::from_le_bytes)?),
            Element::F16 => Value::F16(self.array(f16::from_le_bytes)?),
            Element::BF16 => Value::BF16(self.array(bf16::from_le_bytes)?),
            Element::F32 => Value::F32(self.array(f32::from_le_bytes)?),
            Element::F64 => Value::F64(self.array(f64::from_le_bytes)?),
        })
    }

    fn array<const N: usize, T: Clone>(&self, element: impl Fn([u8; N]) -> T) -> Result<ArrayD<T>, String> {
        let (chunks, _) = self.bytes.as_chunks::<N>();
        let in_order = |mut chunk: [u8; N]| {
            if self.big_endian {
                chunk.reverse();
            }
            element(chunk)
        };
        let elements = chunks.iter().copied().map(in_order).collect();
        ArrayD::from_shape_vec(IxDyn(&self.shape).set_f(self.column_major), elements)
            .map_err(|e| e.to_string())
    }

    fn signed(&self) -> Result<ArrayD<i64>, String> {
        let unsigned = self.array(u64::from_le_bytes)?;
        match unsigned.iter().find(|number| i64::try_from(**number).is_err()) {
            Some(number) => {
                Err(format!("the integer {number} is too large; models take signed 64-bit integers"))
            }
            None => Ok(unsigned.mapv(|number| number as i64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    fn raw(element: Element, shape: &[usize], bytes: &'static [u8]) -> Raw<'static> {
        Raw { element, big_endian: false, column_major: false, shape: shape.to_vec(), bytes }
    }

    #[test]
    fn order_of_bytes_and_of_axes() -> Result<(), String> {
        let bytes = &[0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6];
        let big = Raw { big_endian: true, column_major: true, ..raw(Element::I16, &[2, 3], bytes) };
        assert!(
            matches!(big.value()?, Value::Int(array) if array == arr2(&[[1, 3, 5], [2, 4, 6]]).into_dyn())
        );
        Ok(())
    }

    #[test]
    fn sizes_are_checked_before_memory_is_taken() {
        for shape in [&[3][..], &[1], &[], &[usize::MAX, 2], &[1 << 40]] {
            assert!(raw(Element::F32, shape, &[0; 8]).value().is_err(), "{shape:?}");
        }
        assert!(raw(Element::F32, &[2], &[0; 8]).value().is_ok());
        assert!(raw(Element::U64, &[1], &[255; 8]).value().is_err());
    }
}
