//! The memory of this process, in bytes, as Linux tells it.

use std::fs;

/// The memory in use now.
pub fn resident() -> usize {
    of("VmRSS:")
}

/// The most that was ever in use.
pub fn peak() -> usize {
    of("VmHWM:")
}

fn of(what: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
