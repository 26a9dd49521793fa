//! Einstein sums (rules §2 and §4).

use super::Entry;
use crate::Record;
use crate::lowering::Lowering;
use dlbacktrace_core::{Error, Family, Result};

pub(super) const ENTRIES: &[Entry] = &[Entry::by_data(&["Einsum"], Family::WeightedSum, einsum).of_complex()];

fn einsum(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let operands = record.inputs.iter().map(|slot| lowering.operand(slot)).collect::<Result<Vec<_>>>()?;
    let no_equation = || Error::Uncovered("the operator has no equation".into());
    let equation = record.operation.text("equation").ok_or_else(no_equation)?;
    let (op, operands) = lowering.writer.einsum(equation, operands, &[])?;
    lowering.step(record, op, operands)
}

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, FLOAT, text, values};
    use crate::Tensor;
    use crate::proto::Attribute;

    fn case(equation: &str, operands: &[Tensor]) -> Case {
        let count = Attribute::Int(operands.len() as i64);
        Case::new("Einsum", &[("equation", text(equation)), ("N", count), ("T", FLOAT)], operands)
    }

    #[test]
    fn sums_share_by_their_jacobian() {
        for equation in ["bij->jb", "bbj->bj", "b...->..."] {
            case(equation, &[values(&[3, 3, 2])]).is_a_sum_of(&[0]);
        }
        for (equation, b) in
            [("abc,cd->adb", &[4, 2][..]), ("abc,bce->ae", &[3, 4, 2]), ("...b,bd->...d", &[4, 3])]
        {
            let operands = [values(&[2, 3, 4]), values(b)];
            case(equation, &operands).is_a_sum_of(&[0]);
            case(equation, &operands).is_a_sum_of(&[1]);
        }
    }
}
