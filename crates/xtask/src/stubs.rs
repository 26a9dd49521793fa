//! Stand-ins for the CUDA libraries that the CPU library of PyTorch's wheel asks for although it computes without:
//! libraries of the same names whose functions all answer that there is no device. They spare 3 GB of download.

use anyhow::{Context, Result, bail};
use object::LittleEndian;
use object::elf::{FileHeader64, SHT_DYNSYM};
use object::read::ReadCache;
use object::read::elf::{FileHeader, Sym};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

/// Functions that must fill in a result before they answer with an error.
const PARTICULAR: [(&str, &str); 4] = [
    ("cudaGetDeviceCount", "int NAME(int *count) { *count = 0; return 100; }"),
    ("cudaGetErrorString", "const char *NAME(int error) { return \"no CUDA device\"; }"),
    (
        "cuptiGetResultString",
        "int NAME(int result, const char **text) { *text = \"no CUDA device\"; return 15; }",
    ),
    ("cuptiGetCallbackName", "int NAME(int a, unsigned b, const char **text) { *text = \"\"; return 15; }"),
];
/// `cudaErrorNoDevice`.
const NO_DEVICE: &str = "int NAME(void) { return 100; }";
/// `CUPTI_ERROR_NOT_INITIALIZED`.
const NOT_INITIALIZED: &str = "int NAME(void) { return 15; }";

/// Makes a stand-in beside `library` for each CUDA library that it asks for.
pub fn make(library: &Path) -> Result<()> {
    let directory = library.parent().context("a library lies in a directory")?;
    for (name, functions) in cuda_functions(library)? {
        let (source, versions) = (directory.join("stub.c"), directory.join("stub.map"));
        fs::write(&source, c_source(&functions))?;
        fs::write(&versions, format!("{name} {{ global: *; }};\n"))?;
        let output = Command::new("cc")
            .args(["-w", "-O1", "-shared", "-fPIC"])
            .arg(format!("-Wl,-soname,{name},--version-script={}", versions.display()))
            .arg("-o")
            .arg(directory.join(&name))
            .arg(&source)
            .output()
            .context("`cc` does not start; set-up needs a C compiler, which comes with g++")?;
        if !output.status.success() {
            bail!("cc could not make {name}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        fs::remove_file(source)?;
        fs::remove_file(versions)?;
    }
    Ok(())
}

/// The functions that `library` takes from CUDA libraries, by the name of the library.
fn cuda_functions(library: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let data =
        ReadCache::new(File::open(library).with_context(|| format!("cannot read {}", library.display()))?);
    let header = FileHeader64::<LittleEndian>::parse(&data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, &data)?;
    let symbols = sections.symbols(endian, &data, SHT_DYNSYM)?;
    let versions = sections.versions(endian, &data)?.context("the library has no symbol versions")?;
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for (index, symbol) in symbols.enumerate() {
        let Some(version) = versions.version(versions.version_index(endian, index))? else { continue };
        let from = String::from_utf8_lossy(version.name());
        if symbol.is_undefined(endian) && from.starts_with("libcu") {
            let function = symbols.symbol_name(endian, symbol)?;
            found
                .entry(from.into_owned())
                .or_default()
                .insert(String::from_utf8_lossy(function).into_owned());
        }
    }
    Ok(found)
}

fn c_source(functions: &BTreeSet<String>) -> String {
    let mut source = String::new();
    for function in functions {
        let particular = PARTICULAR.iter().find(|(name, _)| name == function).map(|(_, code)| *code);
        let general = if function.starts_with("cupti") { NOT_INITIALIZED } else { NO_DEVICE };
        let _ = writeln!(source, "{}", particular.unwrap_or(general).replace("NAME", function));
    }
    source
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A library that asks for functions of a versioned one, as libtorch_cpu does, gets all of them.
    #[test]
    fn a_stub_answers_for_what_a_library_asks() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let path = |name: &str| directory.path().join(name);
        let cc = |arguments: &[&str]| -> Result<()> {
            let status = Command::new("cc").args(arguments).current_dir(directory.path()).status()?;
            if status.success() { Ok(()) } else { bail!("cc failed") }
        };
        // The library as it was when the asking one was linked.
        fs::write(
            path("real.c"),
            "int cudaGetDeviceCount(int *n) { return 0; } int cudaOther(void) { return 0; }",
        )?;
        fs::write(path("real.map"), "libcudart.so.13 { global: *; };")?;
        let link = "-Wl,-soname,libcudart.so.13,--version-script=real.map";
        cc(&["-shared", "-fPIC", link, "-o", "libcudart.so.13", "real.c"])?;
        let asking = "int cudaGetDeviceCount(int *); int cudaOther(void);
            int ask(void) { int n = 7; return cudaGetDeviceCount(&n) * 1000 + cudaOther() + n; }";
        fs::write(path("asking.c"), asking)?;
        cc(&["-shared", "-fPIC", "-o", "libasking.so", "asking.c", "-L.", "-l:libcudart.so.13"])?;
        fs::remove_file(path("libcudart.so.13"))?;

        make(&path("libasking.so"))?;

        fs::write(path("main.c"), "int ask(void); int main(void) { return ask() == 100100 ? 0 : 1; }")?;
        cc(&["-o", "main", "main.c", "-L.", "-lasking", "-Wl,-rpath,$ORIGIN", "-Wl,-rpath-link,."])?;
        let ran = Command::new(path("main")).env("LD_LIBRARY_PATH", directory.path()).status()?;
        assert!(ran.success(), "{ran}");
        Ok(())
    }

    #[test]
    fn each_function_answers_that_there_is_no_device() {
        let functions =
            ["cudaDeviceSynchronize", "cudaGetErrorString", "cuptiFinalize"].map(str::to_owned).into();
        assert_eq!(
            c_source(&functions),
            "int cudaDeviceSynchronize(void) { return 100; }\n\
             const char *cudaGetErrorString(int error) { return \"no CUDA device\"; }\n\
             int cuptiFinalize(void) { return 15; }\n"
        );
    }
}
