//! Where the fixtures are. A test names one; this finds the folder it lies in.

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

/// `NAME.pt` with `NAME.safetensors`
pub const TORCHSCRIPT: Fixtures = Fixtures("fixtures");
/// The directory `NAME` with `NAME.safetensors`
pub const SAVED_MODELS: Fixtures = Fixtures("savedmodels");

impl Fixtures {
    fn folder(&self) -> PathBuf {
        checkout().join("tests").join(self.0)
    }

    /// A file of a fixture.
    pub fn path(&self, file: &str) -> PathBuf {
        let found = self.folder().join(file);
        assert!(found.exists(), "there is no {}", found.display());
        found
    }

    /// What `index.json` says of each.
    pub fn index<Entry: DeserializeOwned>(&self) -> Vec<Entry> {
        #[derive(Deserialize)]
        struct Index<Entry> {
            fixtures: Vec<Entry>,
        }
        let text = fs::read_to_string(self.folder().join("index.json")).unwrap();
        serde_json::from_str::<Index<Entry>>(&text).unwrap().fixtures
    }
}
