//! The command `dlbacktrace`, as a library that its program loads at run time (see `main.rs`).

mod args;
mod document;
mod explain;
mod explained;
mod failure;
mod generate;
mod inputs;
mod inspect;
mod interrupt;
mod model;
mod ops;
mod options;
mod output;
mod pictures;
mod progress;
mod rules;
mod samples;
mod text;
mod verify;

use args::{Cli, Command};
use clap::Parser;
use std::ffi::{CStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStringExt;
use std::panic::catch_unwind;

/// Runs the command and returns the exit code of the process.
///
/// # Safety
/// `argv` points to `argc` valid C strings, the first of them the program's name, as in C's `main`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlbacktrace_main(argc: c_int, argv: *const *const c_char) -> c_int {
    let count = usize::try_from(argc).unwrap_or(0);
    let argument = |index| {
        // SAFETY: the caller guarantees `argc` pointers to C strings, and the index is below that.
        let argument = unsafe { CStr::from_ptr(*argv.add(index)) };
        OsString::from_vec(argument.to_bytes().to_vec())
    };
    let arguments: Vec<OsString> = (0..count).map(argument).collect();
    std::panic::set_hook(Box::new(|panic| {
        eprintln!(
            "error: this is a defect of dlbacktrace. Please report it with the command line and the model: {panic}"
        );
    }));
    // A panic must not cross into C.
    catch_unwind(|| run(arguments)).unwrap_or(1)
}

/// Runs the command with these arguments, the first of them the program's name; returns the exit code.
pub fn run(arguments: Vec<OsString>) -> i32 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(e) => {
            // Help goes to standard output; if that is closed, nobody is left to read it.
            let _ = e.print();
            return e.exit_code();
        }
    };
    let outcome = match &cli.command {
        Command::Explain(args) => explain::run(args),
        Command::Generate(args) => generate::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Ops(args) => ops::run(args),
        Command::Rules(args) => rules::run(args),
    };
    match outcome {
        Ok(()) => 0,
        Err(failure) => {
            let code = failure.exit_code();
            if code != 0 {
                let told = failure.to_string();
                eprintln!("error: {}", if cli.verbose { told } else { paragraph(&told) });
            }
            code
        }
    }
}

/// A short text is ours and stays as it is. A long one is a library's: its lines are joined.
fn paragraph(text: &str) -> String {
    const LINES: usize = 5;
    let text = without_numbers(text);
    match text.trim_end() {
        text if text.lines().count() <= LINES => text.to_owned(),
        text => text.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// The text without the system's error numbers, which its words repeat.
fn without_numbers(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(')').map_or(part, |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    #[test]
    fn few_lines_are_kept_and_more_joined() {
        assert_eq!(
            super::paragraph("cannot read x: gone (os error 2). Look\n    at it"),
            "cannot read x: gone. Look\n    at it"
        );
        assert_eq!(super::paragraph(&"frame\n".repeat(9)), ["frame"; 9].join(" "));
    }
}
