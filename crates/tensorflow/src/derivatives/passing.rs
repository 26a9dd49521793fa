//! What rounds, and what ends derivatives.

use super::Row;
use super::value::Value;

pub(super) const ROWS: &[Row] = &[
    Row::nothing(&["StopGradient"]).of_complex(),
    Row::nothing(&["Floor", "Ceil", "Round", "Rint", "FloorDiv", "TruncateDiv"]),
    // Rounding to few levels counts as the identity within its range; what is beyond the range belongs to its ends.
    Row::each(&["QuantizeAndDequantizeV4"], &[0, 1, 2], |c, by| {
        let [x, low, high] = [0, 1, 2].map(|index| c.input(index));
        Value::output_of(
            c"QuantizeAndDequantizeV4Grad",
            &c.given(&["axis"]),
            [&c.r(), &x, &low, &high],
            (by, 3),
        )
    }),
    Row::first(&["FakeQuantWithMinMaxArgs"], |c| {
        let how = c.given(&["min", "max", "num_bits", "narrow_range"]);
        Value::of(c"FakeQuantWithMinMaxArgsGradient", &how, [&c.r(), &c.x()])
    }),
    Row::each(&["FakeQuantWithMinMaxVars"], &[0, 1, 2], |c, by| {
        let (how, [x, low, high]) =
            (c.given(&["num_bits", "narrow_range"]), [0, 1, 2].map(|index| c.input(index)));
        Value::output_of(c"FakeQuantWithMinMaxVarsGradient", &how, [&c.r(), &x, &low, &high], (by, 3))
    }),
    Row::each(&["FakeQuantWithMinMaxVarsPerChannel"], &[0, 1, 2], |c, by| {
        let (how, [x, low, high]) =
            (c.given(&["num_bits", "narrow_range"]), [0, 1, 2].map(|index| c.input(index)));
        Value::output_of(
            c"FakeQuantWithMinMaxVarsPerChannelGradient",
            &how,
            [&c.r(), &x, &low, &high],
            (by, 3),
        )
    }),
];
