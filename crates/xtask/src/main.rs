//! Set-up and chores: `cargo xtask`. Every command sets the checkout up first, which costs nothing once it is done.

mod cargo;
mod chores;
mod cmake;
mod cpp;
mod dist;
mod install;
mod layout;
mod libtorch;
mod manifest;
mod outside;
mod setup;
mod stubs;
mod tensorflow;
mod wheel;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use dlbacktrace_libtorch::Unfit;
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit code for a framework library that is missing or wrong, the same as that of `dlbacktrace`.
const UNFIT: u8 = 6;

/// Set-up and chores of dlbacktrace. Every command sets the checkout up first.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fetches and unpacks libtorch, unless the environment names one (LIBTORCH, LIBTORCH_USE_PYTORCH)
    Setup {
        /// Reads every unpacked file again and compares its SHA-256
        #[arg(long)]
        verify: bool,
        /// Fetches TensorFlow too, unless the environment names one (DLBACKTRACE_LIBTENSORFLOW)
        #[arg(long)]
        tensorflow: bool,
        /// Lets a cargo workspace outside this checkout find libtorch too: names it in .cargo/config.toml there
        #[arg(long = "for", value_name = "DIR")]
        workspace: Option<PathBuf>,
    },
    /// Explains the bundled models on real data
    Demo,
    /// Runs the tests; those of SavedModels need TensorFlow, which is fetched first
    Test {
        /// Arguments for `cargo test`, such as `--test fixtures`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measures recording and relevance against the plain forward run
    Bench {
        /// Arguments for the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Checks formatting, clippy, documentation and licences
    Lint,
    /// Installs the command `dlbacktrace`
    Install {
        /// The directory that gets bin/ and lib/
        #[arg(long)]
        prefix: PathBuf,
    },
    /// Installs the C and C++ library: headers, libraries, and the files by which CMake and pkg-config find them
    CppInstall {
        /// The directory that gets include/ and lib/
        #[arg(long)]
        prefix: PathBuf,
    },
    /// Builds the C and C++ examples against the installed library and runs them
    CppDemo,
    /// Builds and runs crates outside this checkout, one of them with C++ of its own
    RustTest,
    /// Runs the tests written in C++
    CppTest {
        /// Under the address and leak sanitizers, the recorder included
        #[arg(long)]
        sanitize: bool,
        /// With as many random calls as show rare faults
        #[arg(long)]
        long: bool,
    },
    /// Checks all there is, also what is slow and rarely breaks
    TestAll,
    /// Makes a tarball and a Debian package of the command and the C and C++ library, with libtorch for the CPU
    Dist {
        /// Of the development build, which may be there already
        #[arg(long)]
        development: bool,
    },
}

fn run(command: Command) -> Result<()> {
    let verify = matches!(command, Command::Setup { verify: true, .. });
    let libtorch = setup::set_up(verify)?;
    let savedmodels = matches!(
        command,
        Command::Setup { tensorflow: true, .. }
            | Command::Test { .. }
            | Command::Demo
            | Command::CppDemo
            | Command::CppTest { .. }
            | Command::TestAll
    );
    if savedmodels {
        setup::set_up_tensorflow(verify)?;
    }
    match command {
        Command::Setup { workspace: Some(workspace), .. } => workspace::point(&workspace, &libtorch),
        Command::Setup { .. } => Ok(()),
        Command::Demo => chores::demo(),
        Command::Test { arguments } => chores::test(&arguments),
        Command::Bench { arguments } => chores::bench(&arguments),
        Command::Lint => chores::lint(),
        Command::Install { prefix } => install::install(&prefix, cpp::Build::Release),
        Command::CppInstall { prefix } => cpp::install(&prefix, cpp::Build::Release),
        Command::RustTest => outside::test(&libtorch),
        Command::CppDemo => cpp::demo(),
        Command::CppTest { sanitize, long } => cpp::test(sanitize, long),
        Command::TestAll => {
            chores::lint()?;
            chores::test(&[])?;
            chores::demo()?;
            outside::test(&libtorch)?;
            cpp::demo()?;
            cpp::test(false, true)?;
            cpp::test(true, true)?;
            dist::dist(cpp::Build::Development)
        }
        Command::Dist { development } => {
            dist::dist(if development { cpp::Build::Development } else { cpp::Build::Release })
        }
    }
}

fn main() -> ExitCode {
    let Err(error) = run(Arguments::parse().command) else { return ExitCode::SUCCESS };
    if let Some(cargo::Failed { code, .. }) = error.downcast_ref() {
        return ExitCode::from(*code);
    }
    eprintln!("error: {error:#}");
    if error.is::<Unfit>() { ExitCode::from(UNFIT) } else { ExitCode::FAILURE }
}
