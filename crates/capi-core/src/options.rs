//! The options of a request.

use crate::answer::taken;
use crate::arrays::{MAX_RANK, array};
use crate::numbers::{
    DLB_MODE_CONTRASTIVE, DLB_MODE_DEFAULT, DLB_PHASE_RUN, DLB_PHASE_WALK, DLB_TARGET_ALL, DLB_TARGET_ARGMAX,
    DLB_TARGET_BOX, DLB_TARGET_BOX_OF, DLB_TARGET_UNIT, DLB_TASK_BOUNDING_BOX, DLB_TASK_CLASSIFICATION,
    DLB_TASK_NEXT_TOKEN, DLB_TASK_SEGMENTATION, DLB_VERSUS_NOTHING, DLB_VERSUS_OTHERS, DLB_VERSUS_UNIT,
};
use crate::request::{Request, request_behind};
use crate::status::guarded;
use crate::text::{given, needed};
use crate::types::{Gate, Progress};
use dlbacktrace::rules::{BatchNorm, RuleSet};
use dlbacktrace::{
    Classes, Coordinate, Error, Mode, Options, Output, Result, Samples, Target, Task, Versus, core,
};
use std::ffi::{c_char, c_int, c_void};
use std::mem;
use std::ops::ControlFlow;

/// A coordinate of a target: every index.
pub const DLB_EVERY: i64 = i64::MIN;
/// A coordinate of a target: the index of the largest value.
pub const DLB_LARGEST: i64 = i64::MAX;

/// Sets an option of a request to what `read` makes of the program's arguments, unless it refuses them.
///
/// # Safety
/// `request` is as the header asks.
unsafe fn set<V>(
    request: *mut Request,
    read: impl FnOnce() -> Result<V>,
    set: impl FnOnce(Options, V) -> Options,
) -> c_int {
    guarded(|| {
        // SAFETY: the caller guarantees it.
        let request = unsafe { request_behind(request) }?;
        let value = read()?;
        request.options = set(mem::take(&mut request.options), value);
        Ok(())
    })
}

macro_rules! plain {
    ($($name:ident($argument:ident: $type:ty) = $value:expr => $set:expr;)*) => {$(
        pub(crate) unsafe extern "C" fn $name(request: *mut Request, $argument: $type) -> c_int {
            // SAFETY: the header asks for a request.
            unsafe { set(request, || Ok($value), $set) }
        }
    )*};
}

plain! {
    dlb_request_class_axis(axis: usize) = Classes::Axis(axis) => Options::classes;
    dlb_request_output(index: usize) = Output::Index(index) => Options::output;
    dlb_request_gates(gates: c_int) = gates != 0 => Options::gates;
    dlb_request_fold_batch_norms(fold: c_int) =
        if fold == 0 { BatchNorm::Pass } else { BatchNorm::Fold } => Options::batch_norm;
    dlb_request_scaler(scaler: f64) = scaler => Options::scaler;
    dlb_request_multiplier(multiplier: f64) = multiplier => Options::multiplier;
    dlb_request_from_logits(from_logits: c_int) = from_logits != 0 => Options::from_logits;
    dlb_request_all_values(all_values: c_int) = all_values != 0 => Options::all_values;
    dlb_request_modules(modules: c_int) = modules != 0 => Options::modules;
    dlb_request_whole_tokens(whole: c_int) = whole != 0 => Options::whole_tokens;
    dlb_request_allow_unruled(allow: c_int) = allow != 0 => Options::allow_unruled;
    dlb_request_random_seed(seed: u64) = seed => Options::random_seed;
}

macro_rules! named {
    ($($name:ident => $set:expr;)*) => {$(
        pub(crate) unsafe extern "C" fn $name(request: *mut Request, name: *const c_char) -> c_int {
            // SAFETY: the header asks for a request and a name.
            unsafe { set(request, || needed(name, "the name"), $set) }
        }
    )*};
}

named! {
    dlb_request_output_named => |options, name| options.output(Output::Name(name.to_owned()));
    dlb_request_numeric_input => Options::numeric_input;
    dlb_request_constant_input => Options::constant_input;
}

pub(crate) unsafe extern "C" fn dlb_request_rules(request: *mut Request, rules: *const c_char) -> c_int {
    // SAFETY: the header asks for a string.
    let read = || Ok(unsafe { needed(rules, "the rules") }?.parse::<RuleSet>()?);
    // SAFETY: the header asks for a request.
    unsafe { set(request, read, Options::rules) }
}

pub(crate) unsafe extern "C" fn dlb_request_mode(request: *mut Request, mode: c_int) -> c_int {
    let read = || match mode {
        DLB_MODE_DEFAULT => Ok(Mode::Default),
        DLB_MODE_CONTRASTIVE => Ok(Mode::Contrastive),
        other => Err(Error::Usage(format!("{other} is not a mode"))),
    };
    // SAFETY: the header asks for a request.
    unsafe { set(request, read, Options::mode) }
}

pub(crate) unsafe extern "C" fn dlb_request_task(
    request: *mut Request,
    task: c_int,
    threshold: f64,
) -> c_int {
    let read = || match task {
        DLB_TASK_CLASSIFICATION => Ok(Task::Classification),
        DLB_TASK_BOUNDING_BOX => Ok(Task::BoundingBox),
        DLB_TASK_SEGMENTATION => Ok(Task::Segmentation { threshold }),
        DLB_TASK_NEXT_TOKEN => Ok(Task::NextToken),
        other => Err(Error::Usage(format!("{other} is not a task"))),
    };
    // SAFETY: the header asks for a request.
    unsafe { set(request, read, Options::task) }
}

pub(crate) unsafe extern "C" fn dlb_request_target(
    request: *mut Request,
    target: c_int,
    unit: usize,
) -> c_int {
    let read = || match target {
        DLB_TARGET_ARGMAX => Ok(Target::Argmax),
        DLB_TARGET_UNIT => Ok(Target::Class(unit)),
        DLB_TARGET_ALL => Ok(Target::AllOutputs),
        DLB_TARGET_BOX => Ok(Target::Box(unit)),
        DLB_TARGET_BOX_OF => i64::try_from(unit)
            .map(Target::BoxOf)
            .map_err(|_| Error::Usage(format!("{unit} is not the number of a class"))),
        other => Err(Error::Usage(format!("{other} is not a target"))),
    };
    // SAFETY: the header asks for a request.
    unsafe { set(request, read, Options::target) }
}

pub(crate) unsafe extern "C" fn dlb_request_versus(
    request: *mut Request,
    versus: c_int,
    unit: usize,
) -> c_int {
    let read = || match versus {
        DLB_VERSUS_NOTHING => Ok(None),
        DLB_VERSUS_UNIT => Ok(Some(Versus::Unit(unit))),
        DLB_VERSUS_OTHERS => Ok(Some(Versus::Others)),
        other => Err(Error::Usage(format!("{other} is not a dlb_versus"))),
    };
    // SAFETY: the header asks for a request.
    unsafe { set(request, read, Options::versus) }
}

pub(crate) unsafe extern "C" fn dlb_request_target_at(
    request: *mut Request,
    coordinates: *const i64,
    count: usize,
) -> c_int {
    let coordinate = |index: &i64| match *index {
        DLB_EVERY => Ok(Coordinate::All),
        DLB_LARGEST => Ok(Coordinate::Argmax),
        index => isize::try_from(index)
            .map(Coordinate::At)
            .map_err(|_| Error::Usage(format!("{index} is not an index"))),
    };
    let read = || {
        if count > MAX_RANK {
            return Err(Error::Usage(format!(
                "a target has {count} coordinates, but an array at most {MAX_RANK} axes"
            )));
        }
        // SAFETY: the header asks for as many coordinates.
        let coordinates = unsafe { array(coordinates, &raw const count, 1) }?;
        Ok(Target::At(coordinates.iter().map(coordinate).collect::<Result<_>>()?))
    };
    // SAFETY: the header asks for a request.
    unsafe { set(request, read, Options::target) }
}

pub(crate) unsafe extern "C" fn dlb_request_sample_axis(request: *mut Request, axis: c_int) -> c_int {
    let read = || match axis {
        -1 => Ok(Samples::One),
        axis => usize::try_from(axis)
            .map(Samples::Axis)
            .map_err(|_| Error::Usage(format!("{axis} is not an axis: count from 0, or give -1 for none"))),
    };
    // SAFETY: the header asks for a request.
    unsafe { set(request, read, Options::samples) }
}

pub(crate) unsafe extern "C" fn dlb_request_start(
    request: *mut Request,
    module: *const c_char,
    positive: *const f64,
    negative: *const f64,
    shape: *const usize,
    rank: usize,
) -> c_int {
    let read = || {
        // SAFETY: the header asks for a path or null, and for arrays of this shape; the second may be null.
        unsafe {
            let negative = if negative.is_null() { None } else { Some(array(negative, shape, rank)?) };
            Ok((given(module)?, array(positive, shape, rank)?, negative))
        }
    };
    let start = |options: Options, (module, positive, negative): (Option<&str>, _, Option<_>)| {
        let options = match module {
            Some(module) => options.start_at(module, positive),
            None => options.start(positive),
        };
        match negative {
            Some(negative) => options.negative_start(negative),
            None => options,
        }
    };
    // SAFETY: the header asks for a request.
    unsafe { set(request, read, start) }
}

pub(crate) unsafe extern "C" fn dlb_request_gate_of(
    request: *mut Request,
    module: *const c_char,
    gate: *const Gate,
) -> c_int {
    let bound = |bound: f64| (!bound.is_nan()).then_some(bound);
    let read = || {
        // SAFETY: the header asks for a path.
        let module = unsafe { needed(module, "the module") }?;
        if gate.is_null() {
            return Ok((module, None));
        }
        // SAFETY: not null; the header asks for a gate.
        let gate = unsafe { taken(gate) }?;
        let (lower, upper, swish) = (bound(gate.lower), bound(gate.upper), bound(gate.swish));
        Ok((module, Some(core::Gate { lower, upper, swish })))
    };
    // SAFETY: the header asks for a request.
    unsafe { set(request, read, |options, (module, gate)| options.gate_of(module, gate)) }
}

/// The pointer that the program receives back in its callback.
#[derive(Clone, Copy)]
struct User(*mut c_void);

// SAFETY: the callback is called on the explaining thread, within `dlb_request_explain`; nothing is read here.
unsafe impl Send for User {}
// SAFETY: as above.
unsafe impl Sync for User {}

impl User {
    fn pointer(self) -> *mut c_void {
        self.0
    }
}

pub(crate) unsafe extern "C" fn dlb_request_progress(
    request: *mut Request,
    progress: Progress,
    user: *mut c_void,
) -> c_int {
    let user = User(user);
    let chosen = |options: Options, progress: Progress| {
        let Some(progress) = progress else { return options.progress(|_| ControlFlow::Continue(())) };
        options.progress(move |at| {
            let (phase, done, total) = match at {
                dlbacktrace::Progress::Running { operators } => (DLB_PHASE_RUN, operators, 0),
                dlbacktrace::Progress::Walking { done, total } => (DLB_PHASE_WALK, done, total),
                _ => return ControlFlow::Continue(()),
            };
            // SAFETY: the header asks for a function that takes `user` and does not throw.
            match unsafe { progress(user.pointer(), phase, done, total) } {
                0 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        })
    };
    // SAFETY: the header asks for a request.
    unsafe { set(request, || Ok(progress), chosen) }
}
