//! CMake: the machine's own, or one from the cache together with Ninja, because a machine with only g++ has no make either.

use crate::layout::Layout;
use crate::wheel::Wheel;
use anyhow::Result;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const INSTEAD: &str = "install CMake 3.20 or later";
const PLATFORM: &str = "manylinux_2_17_x86_64";

const CMAKE: Layout = Layout {
    what: "cmake",
    version: "4.4.5",
    wheel: Wheel {
        package: "cmake",
        version: "4.4.5",
        platform: PLATFORM,
        sha256: "85625a9b6d5e88ff99c7eb79123d85570844e77ac076366cf75c609cc0b1b579",
        described: "CMake (30 MB)",
        instead: INSTEAD,
        place: |name| {
            let inside = name.strip_prefix("cmake/data").ok()?;
            let wanted = ["bin", "share/cmake-4.4"].iter().any(|part| inside.starts_with(part));
            wanted.then(|| inside.to_path_buf())
        },
    },
    complete: executable,
};

const NINJA: Layout = Layout {
    what: "ninja",
    version: "1.13.2",
    wheel: Wheel {
        package: "ninja",
        version: "1.13.2",
        platform: PLATFORM,
        sha256: "65a24341b5ac09fcadcc37082660be40a94174e51a937fabf6e2cae26225fa2c",
        described: "Ninja (0.2 MB)",
        instead: INSTEAD,
        place: |name| name.ends_with("scripts/ninja").then(|| "bin/ninja".into()),
    },
    complete: executable,
};

/// Makes files executable, because wheels do not say which are.
fn executable(tree: &Path) -> Result<()> {
    for program in fs::read_dir(tree.join("bin"))? {
        fs::set_permissions(program?.path(), fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// A CMake that can be called.
pub struct Cmake {
    /// The directory of its programs; `None` for the one on the path.
    bin: Option<PathBuf>,
    ninja: Option<PathBuf>,
}

impl Cmake {
    /// The machine's own CMake, else the one in the cache, which is fetched if needed.
    pub fn find() -> Result<Self> {
        let own = Command::new("cmake").arg("--version").stdout(Stdio::null()).status();
        if own.is_ok_and(|status| status.success()) {
            return Ok(Self { bin: None, ninja: None });
        }
        let (cmake, ninja) = (CMAKE.make(false)?, NINJA.make(false)?);
        Ok(Self { bin: Some(cmake.join("bin")), ninja: Some(ninja.join("bin/ninja")) })
    }

    /// `cmake`, or another program that comes with it.
    pub fn command(&self, program: &str) -> Command {
        Command::new(self.bin.as_ref().map_or_else(|| program.into(), |bin| bin.join(program)))
    }

    /// `cmake` that configures `source` in `build`.
    pub fn configure(&self, source: &Path, build: &Path) -> Command {
        let mut command = self.command("cmake");
        command.arg("-S").arg(source).arg("-B").arg(build);
        if let Some(ninja) = &self.ninja {
            let mut program = std::ffi::OsString::from("-DCMAKE_MAKE_PROGRAM=");
            program.push(ninja);
            command.args(["-G", "Ninja"]).arg(program);
        }
        command
    }
}
