//! The checks of an explanation.

use crate::table::{TABLE, Table};
use crate::text::c_string;
use crate::types::Checks;
use dlbacktrace::{Error, Result};
use std::ffi::{CString, c_char};

/// A `dlb_verification`. Threads may read it at the same time.
#[repr(C)]
pub struct Verification {
    table: *const Table,
    found: dlbacktrace::Verification,
    json: CString,
}

impl Verification {
    pub(crate) fn new(found: dlbacktrace::Verification) -> Result<Self> {
        let json = serde_json::to_string(&found).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Self { table: &raw const TABLE, json: c_string(&json), found })
    }

    pub(crate) fn checks(&self) -> Result<Checks> {
        let found = &self.found;
        Ok(Checks {
            struct_size: 0,
            holds: found.holds().into(),
            closes: found.ledger_closes.into(),
            repeats: found.repeats.into(),
            replayed: found.replay.checked,
            failed: found.replay.failed.len(),
            skipped: found.replay.skipped,
            coverage: found.coverage,
        })
    }

    pub(crate) fn json(&self) -> Result<*const c_char> {
        Ok(self.json.as_ptr())
    }
}
