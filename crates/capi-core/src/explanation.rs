//! An explanation, laid out for C. Everything is computed when it is first requested, and lives as long as the handle.

use crate::json;
use crate::numbers::{
    DLB_F32, DLB_F64, DLB_LOSS_BIAS, DLB_LOSS_CONSTANT, DLB_LOSS_DECISION, DLB_LOSS_GATE,
    DLB_LOSS_MISSING_SIGN, DLB_LOSS_PADDING, DLB_LOSS_UNEXPLAINED, DLB_LOSS_UNRULED,
    DLB_LOSS_ZERO_DENOMINATOR, DLB_NEGATIVE, DLB_POSITIVE,
};
use crate::table::{TABLE, Table};
use crate::text::c_string;
use crate::types::{
    Amount, DoubleArray, Entry, FloatArray, Input, LOSSES, NumberArray, Output, Summary, Value,
};
use dlbacktrace::core::DType;
use dlbacktrace::{Error, Loss, Result};
use ndarray::ArrayD;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;

/// A `dlb_explanation`, which belongs to one thread at a time.
#[repr(C)]
pub struct Explanation {
    table: *const Table,
    inner: dlbacktrace::Explanation,
    framework: CString,
    output: Floats<f64>,
    output_name: CString,
    warnings: Vec<CString>,
    assumed: Vec<CString>,
    inputs: Vec<Named>,
    values: Vec<Named>,
    entries: OnceCell<Vec<Texts>>,
    json: OnceCell<CString>,
}

/// Elements in order, with their shape.
struct Floats<T> {
    data: Vec<T>,
    shape: Vec<usize>,
}

/// The texts and the channels of an input or a recorded value.
struct Named {
    texts: Texts,
    floats: Channels<f32>,
    doubles: Channels<f64>,
}

/// The channels in one element type, each computed when it is first requested; `None` if there is none.
type Channels<T> = [OnceCell<Option<Floats<T>>>; 2];

/// The texts that C sees of an input, a value or a step.
#[derive(Default)]
struct Texts {
    name: CString,
    module: CString,
    operator: CString,
    source: Option<CString>,
}

impl<T: Clone> From<ArrayD<T>> for Floats<T> {
    fn from(array: ArrayD<T>) -> Self {
        Self { shape: array.shape().to_vec(), data: array.iter().cloned().collect() }
    }
}

impl Named {
    fn new(texts: Texts) -> Self {
        Self { texts, floats: Default::default(), doubles: Default::default() }
    }
}

/// The relevance of an input or of a recorded value.
trait Relevant {
    fn channel(&self, channel: usize) -> Result<Option<ArrayD<f64>>>;
}

impl Relevant for dlbacktrace::InputRelevance {
    fn channel(&self, channel: usize) -> Result<Option<ArrayD<f64>>> {
        if channel == 0 { self.relevance().map(Some) } else { self.negative() }
    }
}

impl Relevant for dlbacktrace::ValueRelevance {
    fn channel(&self, channel: usize) -> Result<Option<ArrayD<f64>>> {
        if channel == 0 { self.relevance().map(Some) } else { self.negative() }
    }
}

/// A channel in an element type, kept once it is computed; an array without data if there is none.
fn told<T: Clone>(
    kept: &Channels<T>,
    found: &impl Relevant,
    channel: c_int,
    element: impl Fn(f64) -> T,
) -> Result<NumberArray<T>> {
    let channel = channel_of(channel)?;
    let made = match kept[channel].get() {
        Some(made) => made,
        None => {
            let made = found.channel(channel)?;
            kept[channel].get_or_init(|| made.map(|array| array.mapv(element).into()))
        }
    };
    Ok(match made {
        Some(Floats { data, shape }) => {
            NumberArray { data: data.as_ptr(), size: data.len(), shape: shape.as_ptr(), rank: shape.len() }
        }
        None => NumberArray { data: ptr::null(), size: 0, shape: ptr::null(), rank: 0 },
    })
}

impl Explanation {
    pub(crate) fn new(inner: dlbacktrace::Explanation) -> Self {
        let input = |input: &dlbacktrace::InputRelevance| {
            Named::new(Texts { name: c_string(&input.name), ..Texts::default() })
        };
        let value = |value: &dlbacktrace::ValueRelevance| {
            Named::new(Texts {
                name: c_string(&value.name),
                module: c_string(&value.module),
                operator: c_string(&value.operator),
                source: None,
            })
        };
        Self {
            table: &raw const TABLE,
            framework: c_string(inner.framework()),
            output: inner.output().into(),
            output_name: c_string(inner.output_name()),
            warnings: inner.warnings().iter().map(|warning| c_string(warning)).collect(),
            assumed: inner.assumed().iter().map(|assumed| c_string(assumed)).collect(),
            inputs: inner.inputs().iter().map(input).collect(),
            values: inner.values().iter().map(value).collect(),
            entries: OnceCell::new(),
            json: OnceCell::new(),
            inner,
        }
    }

    pub(crate) fn warning(&self, index: usize) -> Result<*const c_char> {
        let text = self.warnings.get(index).map(|text| text.as_ptr());
        text.ok_or_else(|| out_of_range("warning", index, self.warnings.len()))
    }

    pub(crate) fn assumed(&self, index: usize) -> Result<*const c_char> {
        let text = self.assumed.get(index).map(|text| text.as_ptr());
        text.ok_or_else(|| out_of_range("assumption", index, self.assumed.len()))
    }

    pub(crate) fn output(&self) -> Output {
        let Floats { data, shape } = &self.output;
        let targets = self.inner.target().unwrap_or_default();
        Output {
            name: self.output_name.as_ptr(),
            data: data.as_ptr(),
            size: data.len(),
            shape: shape.as_ptr(),
            rank: shape.len(),
            targets: targets.as_ptr(),
            target_count: targets.len(),
            sample_axis: self.inner.sample_axis().and_then(|axis| c_int::try_from(axis).ok()).unwrap_or(-1),
        }
    }

    pub(crate) fn input(&self, index: usize) -> Result<Input> {
        let (found, named) = self.found_input(index)?;
        let precision = if found.precision() == DType::F64 { DLB_F64 } else { DLB_F32 };
        Ok(Input { name: named.texts.name.as_ptr(), total: found.amount().into(), precision })
    }

    pub(crate) fn input_relevance(&self, index: usize, channel: c_int) -> Result<FloatArray> {
        let (found, named) = self.found_input(index)?;
        told(&named.floats, found, channel, |relevance| relevance as f32)
    }

    pub(crate) fn input_relevance_f64(&self, index: usize, channel: c_int) -> Result<DoubleArray> {
        let (found, named) = self.found_input(index)?;
        told(&named.doubles, found, channel, |relevance| relevance)
    }

    /// A pointer to the relevance as an `at::Tensor`; null if there is none.
    pub(crate) fn input_torch(&self, index: usize, channel: c_int) -> Result<*const c_void> {
        let (found, _) = self.found_input(index)?;
        tensor_of(found, channel_of(channel)?)
    }

    pub(crate) fn value(&self, index: usize) -> Result<Value> {
        let (found, Named { texts, .. }) = self.found_value(index)?;
        Ok(Value {
            name: texts.name.as_ptr(),
            module: texts.module.as_ptr(),
            operator_name: texts.operator.as_ptr(),
            step: found.step,
        })
    }

    pub(crate) fn value_relevance(&self, index: usize, channel: c_int) -> Result<FloatArray> {
        let (found, named) = self.found_value(index)?;
        told(&named.floats, found, channel, |relevance| relevance as f32)
    }

    pub(crate) fn value_relevance_f64(&self, index: usize, channel: c_int) -> Result<DoubleArray> {
        let (found, named) = self.found_value(index)?;
        told(&named.doubles, found, channel, |relevance| relevance)
    }

    pub(crate) fn json(&self) -> Result<*const c_char> {
        if let Some(text) = self.json.get() {
            return Ok(text.as_ptr());
        }
        let text = json::document(&self.inner)?;
        Ok(self.json.get_or_init(|| c_string(&text)).as_ptr())
    }

    fn found_input(&self, index: usize) -> Result<(&dlbacktrace::InputRelevance, &Named)> {
        let inputs = self.inner.inputs().iter().zip(&self.inputs).nth(index);
        inputs.ok_or_else(|| out_of_range("input", index, self.inputs.len()))
    }

    fn found_value(&self, index: usize) -> Result<(&dlbacktrace::ValueRelevance, &Named)> {
        let values = self.inner.values().iter().zip(&self.values).nth(index);
        values.ok_or_else(|| out_of_range("recorded value", index, self.values.len()))
    }

    pub(crate) fn entry(&self, index: usize) -> Result<Entry> {
        let entries = &self.inner.ledger().entries;
        let texts = self.entries.get_or_init(|| {
            let texts = |entry: &dlbacktrace::Entry| Texts {
                name: CString::default(),
                module: c_string(&entry.place.module.path),
                operator: c_string(&entry.operator),
                source: entry.place.source.as_deref().map(c_string),
            };
            entries.iter().map(texts).collect()
        });
        let found = entries.iter().zip(texts).nth(index);
        let (entry, texts) = found.ok_or_else(|| out_of_range("entry", index, entries.len()))?;
        Ok(Entry {
            operator_name: texts.operator.as_ptr(),
            module: texts.module.as_ptr(),
            source: texts.source.as_ref().map_or(ptr::null(), |source| source.as_ptr()),
            step: entry.place.step,
            received: entry.received.into(),
            delivered: entry.delivered.into(),
            lost: lost(&entry.lost),
            closes: entry.closes.into(),
        })
    }

    pub(crate) fn summary(&self) -> Summary {
        let (ledger, timings) = (self.inner.ledger(), self.inner.timings());
        Summary {
            framework: self.framework.as_ptr(),
            input_count: self.inputs.len(),
            value_count: self.values.len(),
            entry_count: ledger.entries.len(),
            warning_count: self.warnings.len(),
            assumed_count: self.assumed.len(),
            start: self.inner.start_amount().into(),
            lost: lost(&ledger.losses()),
            closes: ledger.closes().into(),
            coverage: self.inner.coverage(),
            load_seconds: timings.load.as_secs_f64(),
            forward_seconds: timings.forward.as_secs_f64(),
            relevance_seconds: timings.relevance.as_secs_f64(),
        }
    }
}

fn out_of_range(what: &str, index: usize, count: usize) -> Error {
    Error::Usage(format!("there is no {what} {index} among {count}"))
}

/// Losses in the order of `dlb_loss`; a reason that the header does not know counts as unexplained.
fn lost(losses: &BTreeMap<Loss, dlbacktrace::Amount>) -> [Amount; LOSSES] {
    let mut lost = [dlbacktrace::Amount::default(); LOSSES];
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
            _ => DLB_LOSS_UNEXPLAINED,
        };
        lost[place as usize] += *amount;
    }
    lost.map(Amount::from)
}

/// The index of a channel.
fn channel_of(channel: c_int) -> Result<usize> {
    match channel {
        DLB_POSITIVE => Ok(0),
        DLB_NEGATIVE => Ok(1),
        other => Err(Error::Usage(format!("{other} is not a channel"))),
    }
}

#[cfg(feature = "torch")]
fn tensor_of(input: &dlbacktrace::InputRelevance, channel: usize) -> Result<*const c_void> {
    let tensor = if channel == 0 { input.tensor() } else { input.negative_tensor() };
    Ok(tensor.map_or(ptr::null(), |tensor| tensor.as_ptr().cast()))
}

#[cfg(not(feature = "torch"))]
fn tensor_of(_: &dlbacktrace::InputRelevance, _: usize) -> Result<*const c_void> {
    Ok(ptr::null())
}

/// Has the compiler check that threads may share models and hand explanations on.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    const fn handed_on<T: Send>() {}
    shared::<dlbacktrace::Model>();
    handed_on::<dlbacktrace::Explanation>();
};
