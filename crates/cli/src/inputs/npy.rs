//! `.npy`: one array of numpy.
//!
//! We read the header ourselves rather than by a library, so that a false header cannot make us allocate memory.

use super::elements::{Element, Raw};
use dlbacktrace::Value;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads the content of an `.npy` file.
///
/// # Errors
/// What is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    let (header, data) = split(bytes).ok_or("it is not an npy file, or it is cut off within the header")?;
    let header = std::str::from_utf8(header).map_err(|_| "its npy header is not a text")?;
    let (element, big_endian) = element(header)?;
    let column_major = match entry(header, "fortran_order") {
        Some(text) if text.starts_with("True") => true,
        Some(text) if text.starts_with("False") => false,
        _ => return Err("its npy header does not state the order of axes".to_owned()),
    };
    let shape = shape(header).ok_or("its npy header states no shape")?;
    Raw { element, big_endian, column_major, shape, bytes: data }.value()
}

/// Header text and data.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let ([major, _minor], rest) = rest.split_first_chunk()?;
    let (length, rest) = match major {
        1 => rest.split_first_chunk().map(|(length, rest)| (u16::from_le_bytes(*length).into(), rest))?,
        2 | 3 => rest.split_first_chunk().map(|(length, rest)| (u32::from_le_bytes(*length), rest))?,
        _ => return None,
    };
    rest.split_at_checked(usize::try_from(length).ok()?)
}

/// What follows the key in the header's Python dictionary.
fn entry<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let (_, after) = header.split_once(&format!("'{key}'"))?;
    Some(after.trim_start().strip_prefix(':')?.trim_start())
}

fn element(header: &str) -> Result<(Element, bool), String> {
    let descr = entry(header, "descr").ok_or("its npy header states no element type")?;
    let code = descr
        .strip_prefix('\'')
        .and_then(|text| text.split_once('\''))
        .map(|(code, _)| code)
        .ok_or("its elements are records; save an array of numbers instead")?;
    let (order, kind) = code.split_at_checked(1).unwrap_or_default();
    let element = match kind {
        "b1" => Element::Bool,
        "u1" => Element::U8,
        "i1" => Element::I8,
        "u2" => Element::U16,
        "i2" => Element::I16,
        "u4" => Element::U32,
        "i4" => Element::I32,
        "u8" => Element::U64,
        "i8" => Element::I64,
        "f2" => Element::F16,
        "f4" => Element::F32,
        "f8" => Element::F64,
        _ => {
            return Err(format!(
                "its elements are of numpy type `{code}`; save it as floats, integers or bools"
            ));
        }
    };
    Ok((element, order == ">"))
}

fn shape(header: &str) -> Option<Vec<usize>> {
    let (extents, _) = entry(header, "shape")?.strip_prefix('(')?.split_once(')')?;
    extents
        .split(',')
        .map(str::trim)
        .filter(|extent| !extent.is_empty())
        .map(|extent| extent.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let length = (header.len() as u16).to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
    }

    #[test]
    fn reads_what_numpy_writes() -> Result<(), String> {
        let header = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }   \n";
        let data: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let value = parse(&file(header, &data))?;
        assert!(matches!(value, Value::F32(array) if array == arr2(&[[1.0, 3.0], [2.0, 4.0]]).into_dyn()));
        let scalar = parse(&file("{'descr': '|b1', 'fortran_order': False, 'shape': (), }\n", &[1]))?;
        assert!(matches!(scalar, Value::Bool(array) if array.ndim() == 0 && array.iter().all(|v| *v)));
        Ok(())
    }

    #[test]
    fn nonsense_is_an_error() {
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
        let whole = file(good, &[0; 8]);
        assert!(parse(&whole).is_ok());
        for cut in 0..whole.len() {
            assert!(parse(&whole[..cut]).is_err(), "cut at {cut}");
        }
        for header in [
            "{'descr': '<U5', 'fortran_order': False, 'shape': (2,), }",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
            "{'descr': '', 'fortran_order': False, 'shape': (2,), }",
            "",
        ] {
            assert!(parse(&file(header, &[0; 8])).is_err(), "{header}");
        }
    }
}
