//! The options of a request.

use crate::arrays::array;
use crate::numbers::{
    DLB_ALL, DLB_ARGMAX, DLB_BOUNDING_BOX, DLB_BOX, DLB_BOX_OF, DLB_CLASSIFICATION, DLB_CONTRASTIVE,
    DLB_DEFAULT, DLB_NEXT_TOKEN, DLB_SEGMENTATION, DLB_UNIT,
};
use crate::request::{Request, request_behind};
use crate::status::guarded;
use crate::text::{given, needed};
use crate::types::{Gate, Progress};
use dlbacktrace::{Classes, Coordinate, Error, Mode, Options, Output, Result, Samples, Target, Task, core};
use std::ffi::{c_char, c_int, c_void};

/// A coordinate of a target: every index.
pub const DLB_EVERY: i64 = i64::MIN;
/// A coordinate of a target: the index of the largest value.
pub const DLB_LARGEST: i64 = i64::MAX;

/// Replaces the options of a request by what `change` makes of them.
///
/// # Safety
/// `request` is as the header asks.
unsafe fn change(request: *mut Request, change: impl FnOnce(Options) -> Result<Options>) -> c_int {
    guarded(|| {
        // SAFETY: the caller guarantees it.
        let request = unsafe { request_behind(request) }?;
        request.options = change(request.options.clone())?;
        Ok(())
    })
}

pub(crate) unsafe extern "C" fn dlb_request_mode(request: *mut Request, mode: c_int) -> c_int {
    let chosen = |options: Options| match mode {
        DLB_DEFAULT => Ok(options.mode(Mode::Default)),
        DLB_CONTRASTIVE => Ok(options.mode(Mode::Contrastive)),
        other => Err(Error::Usage(format!("{other} is not a mode"))),
    };
    // SAFETY: the header asks for a request.
    unsafe { change(request, chosen) }
}

pub(crate) unsafe extern "C" fn dlb_request_task(
    request: *mut Request,
    task: c_int,
    threshold: f64,
) -> c_int {
    let chosen = |options: Options| match task {
        DLB_CLASSIFICATION => Ok(options.task(Task::Classification)),
        DLB_BOUNDING_BOX => Ok(options.task(Task::BoundingBox)),
        DLB_SEGMENTATION => Ok(options.task(Task::Segmentation { threshold })),
        DLB_NEXT_TOKEN => Ok(options.task(Task::NextToken)),
        other => Err(Error::Usage(format!("{other} is not a task"))),
    };
    // SAFETY: the header asks for a request.
    unsafe { change(request, chosen) }
}

pub(crate) unsafe extern "C" fn dlb_request_target(
    request: *mut Request,
    target: c_int,
    unit: usize,
) -> c_int {
    let chosen = |options: Options| match target {
        DLB_ARGMAX => Ok(options.target(Target::Argmax)),
        DLB_UNIT => Ok(options.target(Target::Class(unit))),
        DLB_ALL => Ok(options.target(Target::AllOutputs)),
        DLB_BOX => Ok(options.target(Target::Box(unit))),
        DLB_BOX_OF => Ok(options.target(Target::BoxOf(unit.try_into().unwrap_or(i64::MAX)))),
        other => Err(Error::Usage(format!("{other} is not a target"))),
    };
    // SAFETY: the header asks for a request.
    unsafe { change(request, chosen) }
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
    let chosen = |options: Options| {
        // SAFETY: the header asks for as many coordinates.
        let coordinates = unsafe { array(coordinates, &raw const count, 1) }?;
        Ok(options.target(Target::At(coordinates.iter().map(coordinate).collect::<Result<_>>()?)))
    };
    // SAFETY: the header asks for a request.
    unsafe { change(request, chosen) }
}

pub(crate) unsafe extern "C" fn dlb_request_sample_axis(request: *mut Request, axis: c_int) -> c_int {
    let samples = usize::try_from(axis).map_or(Samples::One, Samples::Axis);
    // SAFETY: the header asks for a request.
    unsafe { change(request, |options| Ok(options.samples(samples))) }
}

pub(crate) unsafe extern "C" fn dlb_request_class_axis(request: *mut Request, axis: usize) -> c_int {
    // SAFETY: the header asks for a request.
    unsafe { change(request, |options| Ok(options.classes(Classes::Axis(axis)))) }
}

pub(crate) unsafe extern "C" fn dlb_request_output(request: *mut Request, index: usize) -> c_int {
    // SAFETY: the header asks for a request.
    unsafe { change(request, |options| Ok(options.output(Output::Index(index)))) }
}

pub(crate) unsafe extern "C" fn dlb_request_output_named(
    request: *mut Request,
    name: *const c_char,
) -> c_int {
    // SAFETY: the header asks for a request and a name.
    unsafe {
        change(request, |options| Ok(options.output(Output::Name(needed(name, "the name")?.to_owned()))))
    }
}

pub(crate) unsafe extern "C" fn dlb_request_start(
    request: *mut Request,
    module: *const c_char,
    positive: *const f64,
    negative: *const f64,
    shape: *const usize,
    rank: usize,
) -> c_int {
    let chosen = |options: Options| {
        // SAFETY: the header asks for a path or null, and for arrays of this shape.
        let (module, start) = unsafe { (given(module)?, array(positive, shape, rank)?) };
        let options = match module {
            Some(module) => options.start_at(module, start),
            None => options.start(start),
        };
        if negative.is_null() {
            return Ok(options);
        }
        // SAFETY: as above.
        Ok(options.negative_start(unsafe { array(negative, shape, rank) }?))
    };
    // SAFETY: the header asks for a request.
    unsafe { change(request, chosen) }
}

pub(crate) unsafe extern "C" fn dlb_request_gates(request: *mut Request, gates: c_int) -> c_int {
    // SAFETY: the header asks for a request.
    unsafe { change(request, |options| Ok(options.gates(gates != 0))) }
}

pub(crate) unsafe extern "C" fn dlb_request_gate_of(
    request: *mut Request,
    module: *const c_char,
    gate: *const Gate,
) -> c_int {
    let chosen = |options: Options| {
        let bound = |bound: f64| (!bound.is_nan()).then_some(bound);
        // SAFETY: the header asks for a path, and for a gate or null.
        let (module, gate) = unsafe { (needed(module, "the module")?, gate.as_ref()) };
        let gate = gate.map(|gate| core::Gate {
            lower: bound(gate.lower),
            upper: bound(gate.upper),
            swish: bound(gate.swish),
        });
        Ok(options.gate_of(module, gate))
    };
    // SAFETY: the header asks for a request.
    unsafe { change(request, chosen) }
}

pub(crate) unsafe extern "C" fn dlb_request_scaler(request: *mut Request, scaler: f64) -> c_int {
    // SAFETY: the header asks for a request.
    unsafe { change(request, |options| Ok(options.scaler(scaler))) }
}

pub(crate) unsafe extern "C" fn dlb_request_multiplier(request: *mut Request, multiplier: f64) -> c_int {
    // SAFETY: the header asks for a request.
    unsafe { change(request, |options| Ok(options.multiplier(multiplier))) }
}

pub(crate) unsafe extern "C" fn dlb_request_from_logits(request: *mut Request, from_logits: c_int) -> c_int {
    // SAFETY: the header asks for a request.
    unsafe { change(request, |options| Ok(options.from_logits(from_logits != 0))) }
}

pub(crate) unsafe extern "C" fn dlb_request_all_values(request: *mut Request, all_values: c_int) -> c_int {
    // SAFETY: the header asks for a request.
    unsafe { change(request, |options| Ok(options.all_values(all_values != 0))) }
}

pub(crate) unsafe extern "C" fn dlb_request_modules(request: *mut Request, modules: c_int) -> c_int {
    // SAFETY: the header asks for a request.
    unsafe { change(request, |options| Ok(options.modules(modules != 0))) }
}

pub(crate) unsafe extern "C" fn dlb_request_numeric_input(
    request: *mut Request,
    name: *const c_char,
) -> c_int {
    // SAFETY: the header asks for a request and a name.
    unsafe { change(request, |options| Ok(options.numeric_input(needed(name, "the name")?))) }
}

pub(crate) unsafe extern "C" fn dlb_request_constant_input(
    request: *mut Request,
    name: *const c_char,
) -> c_int {
    // SAFETY: the header asks for a request and a name.
    unsafe { change(request, |options| Ok(options.constant_input(needed(name, "the name")?))) }
}

pub(crate) unsafe extern "C" fn dlb_request_whole_tokens(request: *mut Request, whole: c_int) -> c_int {
    // SAFETY: the header asks for a request.
    unsafe { change(request, |options| Ok(options.whole_tokens(whole != 0))) }
}

pub(crate) unsafe extern "C" fn dlb_request_allow_unruled(request: *mut Request, allow: c_int) -> c_int {
    // SAFETY: the header asks for a request.
    unsafe { change(request, |options| Ok(options.allow_unruled(allow != 0))) }
}

pub(crate) unsafe extern "C" fn dlb_request_random_seed(request: *mut Request, seed: u64) -> c_int {
    // SAFETY: the header asks for a request.
    unsafe { change(request, |options| Ok(options.random_seed(seed))) }
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
    let chosen = |options: Options| {
        let Some(progress) = progress else { return Ok(options.progress(|_, _| ())) };
        Ok(options.progress(move |done, total| {
            // SAFETY: the header asks for a function that takes `user` and does not throw.
            unsafe { progress(user.pointer(), done, total) }
        }))
    };
    // SAFETY: the header asks for a request.
    unsafe { change(request, chosen) }
}
