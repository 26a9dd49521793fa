//! Names that a mistyped one may mean.

use std::cmp::Reverse;

/// The most names that are proposed.
const MOST: usize = 3;

/// How alike two names must be, from 0 to 1.
const ALIKE: f64 = 0.8;

/// ". Did you mean a or b?" with those of the names that are nearest to the one asked for; nothing if none is near.
pub fn did_you_mean<'a>(asked: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let likeness =
        |name: &str| (1e6 * strsim::jaro_winkler(&asked.to_lowercase(), &name.to_lowercase())) as u32;
    let mut near: Vec<(Reverse<u32>, &str)> = names
        .into_iter()
        .filter(|name| !name.is_empty())
        .map(|name| (Reverse(likeness(name)), name))
        .collect();
    near.retain(|(Reverse(likeness), _)| f64::from(*likeness) >= 1e6 * ALIKE);
    near.sort_unstable();
    near.dedup();
    near.truncate(MOST);
    let near: Vec<&str> = near.into_iter().map(|(_, name)| name).collect();
    match near.split_last() {
        None => String::new(),
        Some((only, [])) => format!(". Did you mean {only}?"),
        Some((last, others)) => format!(". Did you mean {} or {last}?", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn the_nearest_come_first() {
        let names = ["backtrace", "epsilon", "epsilon-plus", "gamma", "epsilon"];
        assert_eq!(did_you_mean("epsilonn", names), ". Did you mean epsilon or epsilon-plus?");
        assert_eq!(did_you_mean("Gama", names), ". Did you mean gamma?");
        assert_eq!(did_you_mean("quantum", names), "");
        assert_eq!(did_you_mean("", [""]), "");
    }
}
