//! An explanation, laid out for C. What C seldom asks for is made when it is first asked for, and lives as long as the handle.

use crate::json;
use crate::kept::Kept;
use crate::numbers::{
    DLB_CHANNEL_DIFFERENCE, DLB_CHANNEL_NEGATIVE, DLB_CHANNEL_POSITIVE, DLB_LOSS_BIAS, DLB_LOSS_CANCELLED,
    DLB_LOSS_CLOSED, DLB_LOSS_CONSTANT, DLB_LOSS_DECISION, DLB_LOSS_GATE, DLB_LOSS_MISSING_SIGN,
    DLB_LOSS_PADDING, DLB_LOSS_REMAINDER, DLB_LOSS_STABILISER, DLB_LOSS_UNEXPLAINED, DLB_LOSS_UNRULED,
    DLB_LOSS_ZERO_DENOMINATOR, precision,
};
use crate::table::{TABLE, Table};
use crate::text::c_string;
use crate::torch::Tensors;
use crate::types::{Amount, Array, Entry, Input, Output, Summary, Value};
use dlbacktrace::{Error, InputRelevance, Loss, Result, ValueRelevance};
use ndarray::ArrayD;
use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

/// A `dlb_explanation`. Threads may read it at the same time.
#[repr(C)]
pub struct Explanation {
    table: *const Table,
    inner: dlbacktrace::Explanation,
    framework: CString,
    output: Kept,
    output_name: CString,
    lost: Losses,
    warnings: Vec<CString>,
    assumed: Vec<CString>,
    inputs: Vec<Named>,
    values: Vec<Named>,
    entries: OnceLock<Vec<Told>>,
    json: OnceLock<CString>,
}

/// The texts and the channels of an input or a recorded value.
struct Named {
    texts: Texts,
    channels: [Kept; 3],
}

/// The texts that C sees of an input, a value or a step.
#[derive(Default)]
struct Texts {
    name: CString,
    module: CString,
    operator: CString,
    source: Option<CString>,
}

/// What C sees of a step by a pointer.
struct Told {
    texts: Texts,
    lost: Losses,
}

impl Named {
    fn new(texts: Texts) -> Self {
        Self { texts, channels: Default::default() }
    }
}

/// The relevance of an input or of a recorded value.
trait Relevant: Tensors {
    fn positive(&self) -> Result<ArrayD<f64>>;
    fn negative(&self) -> Result<Option<ArrayD<f64>>>;
    fn difference(&self) -> Result<ArrayD<f64>>;
}

macro_rules! relevant {
    ($($type:ty),*) => {$(
        impl Relevant for $type {
            fn positive(&self) -> Result<ArrayD<f64>> {
                self.relevance()
            }

            fn negative(&self) -> Result<Option<ArrayD<f64>>> {
                self.negative()
            }

            fn difference(&self) -> Result<ArrayD<f64>> {
                self.difference()
            }
        }
    )*};
}

relevant!(InputRelevance, ValueRelevance);

fn relevance<T: Relevant>((found, named): (&T, &Named), channel: c_int, element: c_int) -> Result<Array> {
    let channel = channel_of(channel)?;
    named.channels[channel].told(element, || match channel {
        0 => found.positive().map(Some),
        1 => found.negative(),
        _ => found.difference().map(Some),
    })
}

/// A pointer to a channel as an `at::Tensor`; null if there is none.
fn tensor<T: Relevant>((found, _): (&T, &Named), channel: c_int) -> Result<*const c_void> {
    Ok(found.tensor_pointer(channel_of(channel)?))
}

impl Explanation {
    pub(crate) fn new(inner: dlbacktrace::Explanation) -> Self {
        let input =
            |input: &InputRelevance| Named::new(Texts { name: c_string(&input.name), ..Texts::default() });
        let value = |value: &ValueRelevance| {
            Named::new(Texts {
                name: c_string(&value.name),
                module: c_string(&value.module),
                operator: c_string(&value.operator),
                source: None,
            })
        };
        let sentences = |sentences: &[String]| sentences.iter().map(|text| c_string(text)).collect();
        Self {
            table: &raw const TABLE,
            framework: c_string(inner.framework()),
            output: Kept::default(),
            output_name: c_string(inner.output_name()),
            lost: lost(&inner.ledger().losses()),
            warnings: sentences(inner.warnings()),
            assumed: sentences(inner.assumed()),
            inputs: inner.inputs().iter().map(input).collect(),
            values: inner.values().iter().map(value).collect(),
            entries: OnceLock::new(),
            json: OnceLock::new(),
            inner,
        }
    }

    pub(crate) fn warning(&self, index: usize) -> Result<*const c_char> {
        sentence("warning", &self.warnings, index)
    }

    pub(crate) fn assumed(&self, index: usize) -> Result<*const c_char> {
        sentence("assumption", &self.assumed, index)
    }

    pub(crate) fn output(&self) -> Result<Output> {
        let targets = self.inner.target().unwrap_or_default();
        Ok(Output {
            struct_size: 0,
            name: self.output_name.as_ptr(),
            targets: targets.as_ptr(),
            target_count: targets.len(),
            sample_axis: self.inner.sample_axis().and_then(|axis| c_int::try_from(axis).ok()).unwrap_or(-1),
        })
    }

    pub(crate) fn output_array(&self, element: c_int) -> Result<Array> {
        self.output.told(element, || Ok(Some(self.inner.output())))
    }

    pub(crate) fn output_torch(&self) -> Result<*const c_void> {
        Ok(self.inner.tensor_pointer(0))
    }

    pub(crate) fn input(&self, index: usize) -> Result<Input> {
        let (found, Named { texts, .. }) = self.found_input(index)?;
        Ok(Input {
            struct_size: 0,
            name: texts.name.as_ptr(),
            total: found.amount().into(),
            precision: precision(Some(found.precision())),
        })
    }

    pub(crate) fn input_relevance(&self, index: usize, channel: c_int, element: c_int) -> Result<Array> {
        relevance(self.found_input(index)?, channel, element)
    }

    pub(crate) fn input_torch(&self, index: usize, channel: c_int) -> Result<*const c_void> {
        tensor(self.found_input(index)?, channel)
    }

    pub(crate) fn value(&self, index: usize) -> Result<Value> {
        let (found, Named { texts, .. }) = self.found_value(index)?;
        Ok(Value {
            struct_size: 0,
            name: texts.name.as_ptr(),
            module: texts.module.as_ptr(),
            operator_name: texts.operator.as_ptr(),
            step: found.step,
            precision: precision(Some(found.precision())),
        })
    }

    pub(crate) fn value_relevance(&self, index: usize, channel: c_int, element: c_int) -> Result<Array> {
        relevance(self.found_value(index)?, channel, element)
    }

    pub(crate) fn value_torch(&self, index: usize, channel: c_int) -> Result<*const c_void> {
        tensor(self.found_value(index)?, channel)
    }

    pub(crate) fn json(&self) -> Result<*const c_char> {
        if let Some(text) = self.json.get() {
            return Ok(text.as_ptr());
        }
        let text = json::document(&self.inner)?;
        Ok(self.json.get_or_init(|| c_string(&text)).as_ptr())
    }

    fn found_input(&self, index: usize) -> Result<(&InputRelevance, &Named)> {
        let inputs = self.inner.inputs().iter().zip(&self.inputs).nth(index);
        inputs.ok_or_else(|| out_of_range("input", index, self.inputs.len()))
    }

    fn found_value(&self, index: usize) -> Result<(&ValueRelevance, &Named)> {
        let values = self.inner.values().iter().zip(&self.values).nth(index);
        values.ok_or_else(|| out_of_range("recorded value", index, self.values.len()))
    }

    pub(crate) fn entry(&self, index: usize) -> Result<Entry> {
        let entries = &self.inner.ledger().entries;
        let told = self.entries.get_or_init(|| {
            let told = |entry: &dlbacktrace::Entry| Told {
                texts: Texts {
                    name: CString::default(),
                    module: c_string(&entry.place.module.path),
                    operator: c_string(&entry.operator),
                    source: entry.place.source.as_deref().map(c_string),
                },
                lost: lost(&entry.lost),
            };
            entries.iter().map(told).collect()
        });
        let found = entries.iter().zip(told).nth(index);
        let (entry, Told { texts, lost }) =
            found.ok_or_else(|| out_of_range("entry", index, entries.len()))?;
        Ok(Entry {
            struct_size: 0,
            operator_name: texts.operator.as_ptr(),
            module: texts.module.as_ptr(),
            source: texts.source.as_ref().map_or(ptr::null(), |source| source.as_ptr()),
            step: entry.place.step,
            received: entry.received.into(),
            delivered: entry.delivered.into(),
            lost: lost.as_ptr(),
            lost_count: lost.len(),
            closes: entry.closes.into(),
        })
    }

    pub(crate) fn summary(&self) -> Result<Summary> {
        let (ledger, timings) = (self.inner.ledger(), self.inner.timings());
        Ok(Summary {
            struct_size: 0,
            framework: self.framework.as_ptr(),
            input_count: self.inputs.len(),
            value_count: self.values.len(),
            entry_count: ledger.entries.len(),
            warning_count: self.warnings.len(),
            assumed_count: self.assumed.len(),
            start: self.inner.start_amount().into(),
            lost: self.lost.as_ptr(),
            lost_count: self.lost.len(),
            closes: ledger.closes().into(),
            coverage: self.inner.coverage(),
            load_seconds: timings.load.as_secs_f64(),
            forward_seconds: timings.forward.as_secs_f64(),
            relevance_seconds: timings.relevance.as_secs_f64(),
        })
    }
}

pub(crate) fn out_of_range(what: &str, index: usize, count: usize) -> Error {
    Error::Usage(format!("there is no {what} {index} among {count}"))
}

fn sentence(what: &str, sentences: &[CString], index: usize) -> Result<*const c_char> {
    let text = sentences.get(index).map(|text| text.as_ptr());
    text.ok_or_else(|| out_of_range(what, index, sentences.len()))
}

/// One for each reason of `dlb_loss`.
type Losses = [Amount; DLB_LOSS_CLOSED as usize + 1];

/// Losses in the order of `dlb_loss`; a reason that the header does not know counts as unexplained.
fn lost(losses: &BTreeMap<Loss, dlbacktrace::Amount>) -> Losses {
    let mut lost = [dlbacktrace::Amount::default(); size_of::<Losses>() / size_of::<Amount>()];
    for (loss, amount) in losses {
        let place = match loss {
            Loss::Bias => DLB_LOSS_BIAS,
            Loss::Constant => DLB_LOSS_CONSTANT,
            Loss::Gate => DLB_LOSS_GATE,
            Loss::ZeroDenominator => DLB_LOSS_ZERO_DENOMINATOR,
            Loss::MissingSign => DLB_LOSS_MISSING_SIGN,
            Loss::Padding => DLB_LOSS_PADDING,
            Loss::Unruled => DLB_LOSS_UNRULED,
            Loss::Decision => DLB_LOSS_DECISION,
            Loss::Stabiliser => DLB_LOSS_STABILISER,
            Loss::Cancelled => DLB_LOSS_CANCELLED,
            Loss::Remainder => DLB_LOSS_REMAINDER,
            Loss::Closed => DLB_LOSS_CLOSED,
            _ => DLB_LOSS_UNEXPLAINED,
        };
        lost[place as usize] += *amount;
    }
    lost.map(Amount::from)
}

/// The index of a channel.
fn channel_of(channel: c_int) -> Result<usize> {
    match channel {
        DLB_CHANNEL_POSITIVE => Ok(0),
        DLB_CHANNEL_NEGATIVE => Ok(1),
        DLB_CHANNEL_DIFFERENCE => Ok(2),
        other => Err(Error::Usage(format!("{other} is not a channel"))),
    }
}

/// Has the compiler check that threads may share models and hand explanations on.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    const fn handed_on<T: Send>() {}
    shared::<dlbacktrace::Model>();
    handed_on::<dlbacktrace::Explanation>();
};
