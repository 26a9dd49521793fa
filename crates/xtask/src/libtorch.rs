//! The layout of libtorch: headers, and the libraries for the CPU.

use crate::layout::Layout;
use crate::stubs;
use crate::wheel::Wheel;
use anyhow::Result;
use dlbacktrace_libtorch::VERSION;
use std::fs;
use std::path::{Path, PathBuf};

const LIBRARIES: [&str; 3] = ["libtorch_cpu.so", "libc10.so", "libgomp.so.1"];

pub const LIBTORCH: Layout = Layout {
    what: "libtorch",
    version: VERSION,
    wheel: Wheel {
        package: "torch",
        version: VERSION,
        platform: "manylinux_2_28_x86_64",
        sha256: "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7",
        described: "libtorch (530 MB)",
        instead: "let LIBTORCH name your own libtorch of that version",
        place,
    },
    complete,
};

/// The licences of libtorch and of what it contains, for copies that are handed on.
pub const NOTICES: Layout = Layout {
    what: "libtorch-notices",
    version: VERSION,
    wheel: Wheel {
        described: "the licences of libtorch, which are in its wheel (530 MB)",
        place: |name| {
            Some(name.strip_prefix(format!("torch-{VERSION}.dist-info/licenses")).ok()?.to_path_buf())
        },
        ..LIBTORCH.wheel
    },
    complete: |_| Ok(()),
};

/// Adds what the wheel lacks of the layout that `torch-sys` expects.
fn complete(tree: &Path) -> Result<()> {
    stubs::make(&tree.join("lib/libtorch_cpu.so"))?;
    // torch-sys links `torch`, an empty library that only brings in the CUDA ones; a linker script suffices.
    fs::write(tree.join("lib/libtorch.so"), "INPUT(libtorch_cpu.so)\n")?;
    fs::write(tree.join("build-version"), format!("{VERSION}+cpu\n"))?;
    Ok(())
}

/// The place of a wheel's file in the layout of libtorch, if it has one.
fn place(name: &Path) -> Option<PathBuf> {
    let inside = name.strip_prefix("torch").ok()?;
    let library = LIBRARIES.iter().any(|library| inside == Path::new("lib").join(library));
    (library || inside.starts_with("include")).then(|| inside.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_headers_and_cpu_libraries_have_a_place() {
        let placed = |name: &str| place(Path::new(name)).map(|path| path.to_string_lossy().into_owned());
        assert_eq!(placed("torch/include/ATen/ATen.h").as_deref(), Some("include/ATen/ATen.h"));
        assert_eq!(placed("torch/lib/libtorch_cpu.so").as_deref(), Some("lib/libtorch_cpu.so"));
        assert_eq!(placed("torch/lib/libgomp.so.1").as_deref(), Some("lib/libgomp.so.1"));
        for other in
            ["torch/lib/libtorch_cuda.so", "torch/lib/libtorch.so", "torch/nn/include/a.h", "include/a.h"]
        {
            assert_eq!(placed(other), None, "{other}");
        }
    }
}
