//! The layout of TensorFlow: its two libraries, side by side.

use crate::layout::Layout;
use crate::wheel::Wheel;
use std::path::{Path, PathBuf};

const VERSION: &str = "2.21.0";

const LIBRARIES: [&str; 2] = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"];

pub const TENSORFLOW: Layout = Layout {
    what: "tensorflow",
    version: VERSION,
    wheel: Wheel {
        package: "tensorflow-cpu",
        version: VERSION,
        platform: "manylinux_2_27_x86_64",
        sha256: "2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c",
        described: "TensorFlow (270 MB)",
        instead: "let DLBACKTRACE_LIBTENSORFLOW name the directory of your own TensorFlow",
        place,
    },
    complete: |_| Ok(()),
};

/// The place of a wheel's file in the layout, if it has one.
fn place(name: &Path) -> Option<PathBuf> {
    let inside = name.strip_prefix("tensorflow").ok()?;
    LIBRARIES.iter().any(|library| inside == Path::new(library)).then(|| inside.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_libraries_have_a_place() {
        assert_eq!(
            place(Path::new("tensorflow/libtensorflow_cc.so.2")),
            Some("libtensorflow_cc.so.2".into())
        );
        for other in
            ["tensorflow/python/libtensorflow_cc.so.2", "tensorflow/__init__.py", "libtensorflow_cc.so.2"]
        {
            assert_eq!(place(Path::new(other)), None, "{other}");
        }
    }
}
