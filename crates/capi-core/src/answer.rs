//! Results in the program's memory, and structs that grow.

use crate::status::guarded;
use dlbacktrace::{Error, Result};
use std::ffi::c_int;
use std::{mem, ptr};

/// What a function writes to its last argument.
pub(crate) trait Answer: Sized {
    /// Writes zeros, which is what a failed call leaves.
    ///
    /// # Safety
    /// `place` is valid for a write, and begins with its size if the type says so.
    unsafe fn clear(place: *mut Self) -> Result<()>;

    /// Writes the result.
    ///
    /// # Safety
    /// As for `clear`, which must have been called.
    unsafe fn put(self, place: *mut Self);
}

macro_rules! plain {
    ($($type:ty $(, $variable:ident)?;)*) => {$(
        impl$(<$variable>)? Answer for $type {
            unsafe fn clear(place: *mut Self) -> Result<()> {
                // SAFETY: the caller guarantees the place; zeros are a value of these types.
                unsafe { place.write(mem::zeroed()) };
                Ok(())
            }

            unsafe fn put(self, place: *mut Self) {
                // SAFETY: the caller guarantees the place.
                unsafe { place.write(self) };
            }
        }
    )*};
}

plain! {
    *const T, T;
    *mut T, T;
    usize;
}

/// A struct of the header that may grow: its first field, `struct_size`, is its size in the program that calls.
///
/// # Safety
/// It is `repr(C)`, its first field is the `usize` of that size, and zeros are a value of it.
pub(crate) unsafe trait Growing: Copy {}

/// No struct grows beyond this; a larger size was never set.
const LARGEST: usize = 4096;

const WORD: usize = size_of::<usize>();

/// The size of the struct in the program.
///
/// # Safety
/// `place` is valid for a read of its first field.
unsafe fn size_in_program<T>(place: *const T) -> Result<usize> {
    // SAFETY: the caller guarantees it.
    let size = unsafe { place.cast::<usize>().read_unaligned() };
    if (WORD..=LARGEST).contains(&size) {
        return Ok(size);
    }
    let name = std::any::type_name::<T>().rsplit("::").next().unwrap_or_default();
    Err(Error::Usage(format!(
        "struct_size of a struct ({name}) is {size}: set it to the sizeof of the struct before the call, which is {} in this library",
        size_of::<T>()
    )))
}

impl<T: Growing> Answer for T {
    unsafe fn clear(place: *mut Self) -> Result<()> {
        // SAFETY: the caller guarantees that the place begins with its size, and has it.
        unsafe {
            let size = size_in_program(place)?;
            ptr::write_bytes(place.cast::<u8>().add(WORD), 0, size - WORD);
        }
        Ok(())
    }

    unsafe fn put(self, place: *mut Self) {
        // SAFETY: as above; only what both sides know is written.
        unsafe {
            let size = size_in_program(place).unwrap_or(WORD).min(size_of::<Self>());
            let from = (&raw const self).cast::<u8>().add(WORD);
            ptr::copy_nonoverlapping(from, place.cast::<u8>().add(WORD), size - WORD);
        }
    }
}

/// Writes what `work` returns, or zeros if it fails.
///
/// # Safety
/// `place` is null or as the header asks.
pub(crate) unsafe fn answer<T: Answer>(place: *mut T, work: impl FnOnce() -> Result<T>) -> c_int {
    guarded(|| {
        if place.is_null() {
            return Err(Error::Usage("the place for the result is null".into()));
        }
        // SAFETY: not null; the caller guarantees the rest.
        unsafe {
            T::clear(place)?;
            work()?.put(place);
        }
        Ok(())
    })
}

/// Copies a struct of the program; fields that an older program does not know are zero.
///
/// # Safety
/// `given` points to a struct that begins with its size.
pub(crate) unsafe fn taken<T: Growing>(given: *const T) -> Result<T> {
    // SAFETY: zeros are a value of it; the caller guarantees as many bytes as the struct says.
    unsafe {
        let (size, mut own) = (size_in_program(given)?, mem::zeroed::<T>());
        ptr::copy_nonoverlapping(given.cast::<u8>(), (&raw mut own).cast::<u8>(), size.min(size_of::<T>()));
        let beyond = (size_of::<T>()..size).map(|place| given.cast::<u8>().add(place).read());
        if beyond.into_iter().any(|byte| byte != 0) {
            return Err(Error::Usage(
                "the program sets options that this library does not know: install the library of its header"
                    .into(),
            ));
        }
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Known {
        struct_size: usize,
        first: usize,
        second: usize,
    }

    // SAFETY: it holds only integers, and begins with its size.
    unsafe impl Growing for Known {}

    fn answered(place: &mut [usize; 4], found: Result<Known>) -> c_int {
        // SAFETY: the place has the four words that it says at most.
        unsafe { answer(place.as_mut_ptr().cast::<Known>(), || found) }
    }

    #[test]
    fn older_newer_and_careless_programs_get_what_they_have_room_for() {
        let found = || Ok(Known { struct_size: 0, first: 7, second: 8 });
        let mut older = [2 * WORD, 1, 1, 1];
        assert_eq!(answered(&mut older, found()), 0);
        assert_eq!(older, [2 * WORD, 7, 1, 1]);
        let mut newer = [4 * WORD, 1, 1, 1];
        assert_eq!(answered(&mut newer, found()), 0);
        assert_eq!(newer, [4 * WORD, 7, 8, 0]);
        assert_eq!(answered(&mut newer, Err(Error::Inputs("no".into()))), 5);
        assert_eq!(newer, [4 * WORD, 0, 0, 0]);
        for careless in [0, 1, usize::MAX] {
            assert_eq!(answered(&mut [careless, 1, 1, 1], found()), 2);
        }
        // SAFETY: null is allowed.
        assert_eq!(unsafe { answer(ptr::null_mut::<Known>(), found) }, 2);
    }

    #[test]
    fn unknown_options_are_refused_unless_they_are_zero() {
        let take = |given: &[usize; 4]| {
            // SAFETY: the array has the words that it says.
            unsafe { taken(given.as_ptr().cast::<Known>()) }.map_err(|error| error.exit_code())
        };
        assert_eq!(take(&[2 * WORD, 7, 8, 9]), Ok(Known { struct_size: 2 * WORD, first: 7, second: 0 }));
        assert_eq!(take(&[4 * WORD, 7, 8, 0]), Ok(Known { struct_size: 4 * WORD, first: 7, second: 8 }));
        assert_eq!(take(&[4 * WORD, 7, 8, 9]), Err(2));
        assert_eq!(take(&[0, 7, 8, 9]), Err(2));
    }
}
