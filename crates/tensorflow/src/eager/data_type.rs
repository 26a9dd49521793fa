//! Element types.

use std::fmt;

/// The element type of a tensor, by TensorFlow's own number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataType(pub i32);

/// Number, name and bytes for each element.
const TYPES: [(DataType, &str, usize); 17] = [
    (DataType::FLOAT, "float32", 4),
    (DataType::DOUBLE, "float64", 8),
    (DataType::HALF, "float16", 2),
    (DataType::BFLOAT16, "bfloat16", 2),
    (DataType::INT8, "int8", 1),
    (DataType::INT16, "int16", 2),
    (DataType::INT32, "int32", 4),
    (DataType::INT64, "int64", 8),
    (DataType::UINT8, "uint8", 1),
    (DataType::UINT16, "uint16", 2),
    (DataType::UINT32, "uint32", 4),
    (DataType::UINT64, "uint64", 8),
    (DataType::BOOL, "bool", 1),
    (DataType::COMPLEX64, "complex64", 8),
    (DataType::COMPLEX128, "complex128", 16),
    (DataType(24), "float8_e5m2", 1),
    (DataType(25), "float8_e4m3fn", 1),
];

impl DataType {
    /// Single precision.
    pub const FLOAT: Self = Self(1);
    /// Double precision.
    pub const DOUBLE: Self = Self(2);
    /// 32 bits, signed.
    pub const INT32: Self = Self(3);
    /// 8 bits, unsigned.
    pub const UINT8: Self = Self(4);
    /// 16 bits, signed.
    pub const INT16: Self = Self(5);
    /// 8 bits, signed.
    pub const INT8: Self = Self(6);
    /// Byte strings of any length.
    pub const STRING: Self = Self(7);
    /// Two numbers in single precision.
    pub const COMPLEX64: Self = Self(8);
    /// 64 bits, signed.
    pub const INT64: Self = Self(9);
    /// Truth values, a byte each.
    pub const BOOL: Self = Self(10);
    /// The upper half of single precision.
    pub const BFLOAT16: Self = Self(14);
    /// 16 bits, unsigned.
    pub const UINT16: Self = Self(17);
    /// Two numbers in double precision.
    pub const COMPLEX128: Self = Self(18);
    /// IEEE half precision.
    pub const HALF: Self = Self(19);
    /// A handle to a variable, a table, a queue …
    pub const RESOURCE: Self = Self(20);
    /// A list of tensors, a data set …: something that only operators read.
    pub const VARIANT: Self = Self(21);
    /// 32 bits, unsigned.
    pub const UINT32: Self = Self(22);
    /// 64 bits, unsigned.
    pub const UINT64: Self = Self(23);

    /// The type of the two numbers that a complex element is.
    pub(crate) fn part(self) -> Option<Self> {
        match self {
            Self::COMPLEX64 => Some(Self::FLOAT),
            Self::COMPLEX128 => Some(Self::DOUBLE),
            _ => None,
        }
    }

    /// Bytes for each element; `None` if elements are not plain bytes.
    pub fn size(self) -> Option<usize> {
        TYPES.iter().find(|(data_type, ..)| *data_type == self).map(|(.., size)| *size)
    }

    /// The type without TensorFlow 1's mark for references to variables.
    pub(crate) fn without_reference(self) -> Self {
        if self.0 > 100 { Self(self.0 - 100) } else { self }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (TYPES.iter().find(|(data_type, ..)| data_type == self), *self) {
            (Some((_, name, _)), _) => f.write_str(name),
            (None, Self::STRING) => f.write_str("string"),
            (None, Self::RESOURCE) => f.write_str("resource"),
            (None, Self::VARIANT) => f.write_str("variant"),
            (None, Self(number)) => write!(f, "type {number}"),
        }
    }
}
