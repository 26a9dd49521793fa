//! Standard output, which may be closed before all is written.

use crate::failure::{Failure, Result};
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// Prints text as it is.
///
/// # Errors
/// [`Failure::Output`].
pub fn text(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Prints JSON over several lines.
///
/// # Errors
/// [`Failure::Output`].
pub fn json(document: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string_pretty(document).map_err(|e| Failure::Output(e.into()))?;
    text(&(json + "\n"))
}

/// Names the files that were written; of many, only the first.
pub fn written(out: &Path, document: &str, files: &[String]) -> String {
    const NAMED: usize = 6;
    let mut files: Vec<String> = [document]
        .into_iter()
        .chain(files.iter().map(String::as_str))
        .map(|file| out.join(file).display().to_string())
        .collect();
    if files.len() > NAMED {
        let more = files.split_off(NAMED).len();
        files.push(format!("… and {more} more"));
    }
    files.iter().enumerate().fold(String::new(), |text, (i, file)| {
        let head = if i == 0 { "wrote" } else { "" };
        format!("{text}{head:<13} {file}\n")
    })
}

/// Aligns rows of cells in columns, two spaces apart.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_stand_under_each_other() {
        let rows = [["a".to_owned(), "x".to_owned()], ["long".to_owned(), String::new()]];
        assert_eq!(super::columns(&rows), "a     x\nlong\n");
    }
}
