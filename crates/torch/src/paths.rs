//! Completes the paths of modules. libtorch names only modules whose `forward` was called, and a list of modules is never called.

use dlbacktrace_torch_recorder::{Record, Submodule};
use std::collections::HashMap;

/// Classes that only contain modules.
const HOLDERS: &[&str] = &["ModuleList", "ModuleDict"];

/// The full path, `layers.0.mlp`, for each path that libtorch gives, `0.mlp`. If two modules have the same, it stays as it is.
pub(crate) struct Paths(HashMap<String, String>);

impl Paths {
    /// Takes modules in an order in which each comes before those in it.
    pub(crate) fn of(modules: &[Submodule]) -> Self {
        let join = |around: &str, name: &str| match around {
            "" => name.to_owned(),
            around => format!("{around}.{name}"),
        };
        let mut full: HashMap<String, Option<&str>> = HashMap::new();
        let mut around: HashMap<&str, String> = HashMap::new();
        for Submodule { path, class_name } in modules.iter().filter(|module| !module.path.is_empty()) {
            let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
            let outer = around.get(parent).cloned().unwrap_or_default();
            let told = join(&outer, name);
            if HOLDERS.contains(&class_name.as_str()) {
                around.insert(path, outer);
                continue;
            }
            around.insert(path, told.clone());
            full.entry(told).and_modify(|full| *full = None).or_insert(Some(path));
        }
        let known = full.into_iter().filter_map(|(told, full)| Some((told, full?.to_owned())));
        Self(known.filter(|(told, full)| told != full).collect())
    }

    /// Completes the paths of a recording.
    pub(crate) fn complete(&self, records: &mut [Record]) {
        for record in records {
            if let Record::Call(call) = record
                && let Some(full) = self.0.get(&call.path)
            {
                call.path.clone_from(full);
            }
        }
    }

    /// The full path of a module for the path that libtorch gives.
    pub(crate) fn full<'a>(&'a self, told: &'a str) -> &'a str {
        self.0.get(told).map_or(told, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_stand_in_the_path_where_it_is_clear_which() {
        let module = |(path, class_name): (&str, &str)| Submodule {
            path: path.to_owned(),
            class_name: class_name.to_owned(),
        };
        let modules = [
            ("", "Net"),
            ("stem", "Linear"),
            ("net", "Stack"),
            ("net.layers", "ModuleList"),
            ("net.layers.0", "Layer"),
            ("net.layers.0.parts", "ModuleDict"),
            ("net.layers.0.parts.a", "Linear"),
            ("first", "ModuleList"),
            ("first.0", "Linear"),
            ("second", "ModuleList"),
            ("second.0", "Linear"),
        ];
        let Paths(paths) = Paths::of(&modules.map(module));
        let mut paths: Vec<(String, String)> = paths.into_iter().collect();
        paths.sort();
        let expected = [("net.0", "net.layers.0"), ("net.0.a", "net.layers.0.parts.a")];
        assert_eq!(paths, expected.map(|(told, full)| (told.to_owned(), full.to_owned())));
    }
}
