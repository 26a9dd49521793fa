//! Where the fixtures are: in a folder for each theme. A test names one; this finds the theme it lies in.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::path::{Path, PathBuf};

/// The root of the checkout.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// The fixtures of one form, by their folder in `tests`.
pub struct Fixtures(&'static str);

/// `THEME/NAME.pt` with `NAME.safetensors`
pub const TORCHSCRIPT: Fixtures = Fixtures("fixtures");
/// The directory `THEME/NAME` with `NAME.safetensors`
pub const SAVED_MODELS: Fixtures = Fixtures("savedmodels");

impl Fixtures {
    /// The folders of the themes.
    fn themes(&self) -> Vec<PathBuf> {
        let folder = checkout().join("tests").join(self.0);
        let mut themes: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        themes.sort();
        themes
    }

    /// A file of a fixture, whatever its theme.
    pub fn path(&self, file: &str) -> PathBuf {
        let found = self.themes().into_iter().map(|theme| theme.join(file)).find(|path| path.exists());
        found.unwrap_or_else(|| panic!("no theme in tests/{} has {file}", self.0))
    }

    /// What the `index.json` of every theme says of its fixtures.
    pub fn index<Entry: DeserializeOwned>(&self) -> Vec<Entry> {
        self.themes().iter().flat_map(|theme| entries(theme)).collect()
    }
}

fn entries<Entry: DeserializeOwned>(theme: &Path) -> Vec<Entry> {
    #[derive(Deserialize)]
    struct Index<Entry> {
        fixtures: Vec<Entry>,
    }
    let text = fs::read_to_string(theme.join("index.json")).unwrap();
    serde_json::from_str::<Index<Entry>>(&text).unwrap().fixtures
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[derive(Deserialize)]
    struct Named {
        name: String,
    }

    fn files(theme: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(theme).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_name_is_that_of_one_fixture() {
        for form in [TORCHSCRIPT, SAVED_MODELS] {
            let mut names = BTreeSet::new();
            for entry in form.index::<Named>() {
                assert!(names.insert(entry.name.clone()), "two fixtures are called {}", entry.name);
            }
        }
    }

    #[test]
    fn the_index_of_a_theme_names_what_lies_there() {
        for (form, ending) in [(TORCHSCRIPT, ".pt"), (SAVED_MODELS, "")] {
            for theme in form.themes() {
                let mut named = BTreeSet::from(["index.json".to_owned()]);
                for Named { name } in entries(&theme) {
                    named.extend([format!("{name}{ending}"), format!("{name}.safetensors")]);
                }
                assert_eq!(files(&theme), named, "{}", theme.display());
            }
        }
    }
}
