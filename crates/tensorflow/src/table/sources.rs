//! What reads files and messages inside the model (rules §9). Bytes are no evidence by themselves: the numbers and texts that are
//! read of them are inputs of their own, by names such as `image:DecodeJpeg` and `examples[age]`.

use super::Entry;
use crate::lowering::{Lowering, input};
use crate::{Record, Result as TfResult, Slot};
use dlbacktrace_core::ops::Constant;
use dlbacktrace_core::{Error, Family, Result, ValueId};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_result(
        &[
            "DecodeJpeg",
            "DecodeAndCropJpeg",
            "DecodePng",
            "DecodeBmp",
            "DecodeGif",
            "DecodeWebP",
            "DecodeImage",
            "DecodeWav",
            "DecodeRaw",
            "DecodePaddedRaw",
            "ParseTensor",
        ],
        Family::Constant,
        |lowering, record| {
            let operator = &record.operation.operator;
            // Beside a sound stands its rate.
            read(lowering, record, |owner, output| (output == 0).then(|| format!("{owner}:{operator}")))
        },
    ),
    Entry::by_result(&["DecodeCSV"], Family::Constant, |lowering, record| {
        read(lowering, record, |owner, column| Some(format!("{owner}[{column}]")))
    }),
    Entry::by_result(&["ParseExample", "ParseExampleV2", "ParseSingleExample"], Family::Constant, parsed),
];

/// Each output that gets a name becomes an input; the others, as places and shapes, carry nothing.
fn read(
    lowering: &mut Lowering,
    record: &Record,
    name: impl Fn(&str, usize) -> Option<String>,
) -> Result<()> {
    let Some(owner) = lowering.owner(input(record, 0)?) else {
        return lowering.all(record, Box::new(Constant));
    };
    for (index, output) in record.outputs.iter().enumerate() {
        match name(&owner, index) {
            Some(name) => lowering.begin(name, output)?,
            None => lowering.writer.step(Box::new(Constant), Vec::new(), vec![ValueId(output.value.0)]),
        }
    }
    lowering.owners.insert(owner);
    Ok(())
}

/// Features of three kinds, one kind after the other: sparse ones, by places, values and shapes; dense ones; rows of unequal
/// length, by values and bounds.
fn parsed(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let Keys { sparse, dense, ragged } =
        Keys::of(record).map_err(|error| Error::tensor("features", error))?;
    let of_dense = 3 * sparse.len();
    let of_ragged = of_dense + dense.len();
    read(lowering, record, |owner, output| {
        let key = match output {
            _ if output < sparse.len() => None,
            _ if output < 2 * sparse.len() => sparse.get(output - sparse.len()),
            _ if output < of_dense => None,
            _ if output < of_ragged => dense.get(output - of_dense),
            _ => ragged.get(output - of_ragged),
        };
        key.map(|key| format!("{owner}[{key}]"))
    })
}

struct Keys {
    sparse: Vec<String>,
    dense: Vec<String>,
    ragged: Vec<String>,
}

impl Keys {
    fn of(record: &Record) -> TfResult<Self> {
        let (operation, inputs) = (&record.operation, &record.inputs);
        let count = |name| operation.int(name).and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        let attribute = |name| {
            let keys = operation.texts(name).unwrap_or_default();
            keys.into_iter().map(str::to_owned).collect()
        };
        Ok(match operation.operator.as_str() {
            "ParseExampleV2" => Self {
                sparse: texts(&inputs[2..3])?,
                dense: texts(&inputs[3..4])?,
                ragged: texts(&inputs[4..5])?,
            },
            "ParseExample" => {
                let (sparse, dense) = inputs[2..].split_at(count("Nsparse").min(inputs.len() - 2));
                let dense = &dense[..count("Ndense").min(dense.len())];
                Self { sparse: texts(sparse)?, dense: texts(dense)?, ragged: Vec::new() }
            }
            _ => {
                Self { sparse: attribute("sparse_keys"), dense: attribute("dense_keys"), ragged: Vec::new() }
            }
        })
    }
}

fn texts(slots: &[Slot]) -> TfResult<Vec<String>> {
    let mut texts = Vec::new();
    for tensor in slots.iter().filter_map(|slot| slot.tensor.as_ref()) {
        texts.extend(tensor.strings()?.iter().map(|text| String::from_utf8_lossy(text).into_owned()));
    }
    Ok(texts)
}
