//! Runs cargo from cargo, for the chores.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt};

/// A command that failed and has already said why.
#[derive(Debug)]
pub struct Failed {
    /// The exit code to pass on.
    pub code: u8,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}", self.code)
    }
}

impl std::error::Error for Failed {}

/// The top directory of the checkout.
pub fn checkout() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    crates.map(Path::to_path_buf).unwrap_or_default()
}

/// Whether LIBTORCH comes from the user, not from this checkout's own `.cargo/`, which sets both variables to the same value.
pub fn libtorch_is_the_users() -> bool {
    match (env::var_os("LIBTORCH"), env::var_os("DLBACKTRACE_LIBTORCH")) {
        (Some(named), own) => Some(named) != own,
        (None, _) => false,
    }
}

/// `cargo ARGUMENTS` at the top of the checkout. It reads `.cargo/` again, because set-up may just have changed it.
pub fn cargo<S: AsRef<str>>(arguments: &[S]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments.iter().map(AsRef::as_ref)).current_dir(checkout());
    if !libtorch_is_the_users() {
        command.env_remove("LIBTORCH");
    }
    command.env_remove("DLBACKTRACE_LIBTORCH");
    command
}

/// Runs a command to its end.
///
/// # Errors
/// [`Failed`] with its exit code if that is not 0.
pub fn finish(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("`{program}` does not start"))?;
    if status.success() {
        return Ok(());
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Err(Failed { code }.into())
}
