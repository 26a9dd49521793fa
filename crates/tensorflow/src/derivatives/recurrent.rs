//! Recurrent layers in one operator.

use super::Row;
use super::value::Value;

pub(super) const ROWS: &[Row] = &[
    // Inputs: the number of steps, then x and all else that moves. Of the outputs, the cells (1) and the hidden states (6) count.
    Row::each(&["BlockLSTM", "BlockLSTMV2"], &[1, 2, 3, 4, 5, 6, 7, 8], |c, by| {
        let states = [c.arrived(1), c.arrived(6)];
        let inputs: Vec<Value> = c.inputs.iter().chain(&c.outputs).chain(&states).cloned().collect();
        let operator =
            if c.operation.operator == "BlockLSTM" { c"BlockLSTMGrad" } else { c"BlockLSTMGradV2" };
        Value::output_of(operator, &c.given(&["use_peephole"]), &inputs, (by - 1, 8))
    })
    .from(&[1, 6]),
];
