//! What belongs to the core stays there: the crates of the frameworks know no rule and no analysis.

use std::fs;
use std::path::{Path, PathBuf};

/// Words that only rules and analyses use, and why.
const OF_THE_CORE: [(&str, &str); 4] = [
    ("Relevance", "a rule hands relevance on"),
    ("fn backtrace", "a rule is a BacktraceOp"),
    ("weighted_sum", "a rule sums; bring a map for core::ops::Linear"),
    (".role(", "an analysis asks what a neighbour is"),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// The lines of a file that are not for tests.
fn own_lines(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap();
    let lines = (1..).zip(text.lines().map(str::to_owned));
    lines.take_while(|(_, line)| line != "#[cfg(test)]").collect()
}

#[test]
fn rules_and_analyses_are_the_cores() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let rooms = ["torch", "torch-recorder", "tensorflow"].map(|room| crates.join(room).join("src"));
    let files: Vec<PathBuf> = rooms.iter().flat_map(|room| sources(room)).collect();
    assert!(files.len() > 50, "{} files", files.len());
    // Files that hold only tests.
    let for_tests = |path: &&PathBuf| path.ends_with("tests.rs") || path.ends_with("jacobians.rs");
    let mut found = Vec::new();
    for path in files.iter().filter(|path| !for_tests(path)) {
        for (number, line) in own_lines(path) {
            let words = OF_THE_CORE.iter().filter(|(word, _)| line.contains(word) && !line.contains("//"));
            found.extend(words.map(|(word, why)| format!("{}:{number}: {word:?}: {why}", path.display())));
        }
    }
    assert!(found.is_empty(), "these belong to crates/core:\n{}", found.join("\n"));
}
