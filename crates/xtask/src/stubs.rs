//! Stand-ins for the CUDA libraries that the CPU library of PyTorch's wheel is linked to but does not use: libraries of the
//! same names whose functions all answer that there is no device. They save a download of 3 GB.

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

/// Functions that must fill in a result before they return an error.
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

/// Makes a stand-in beside `library` for each CUDA library that it is linked to.
pub fn make(library: &Path) -> Result<()> {
    let directory = library.parent().context("a library lies in a directory")?;
    for (name, functions) in cuda_functions(library)? {
        compile(directory, &name, &c_source(&functions), Some(&name), None)?;
    }
    Ok(())
}

/// Compiles a library; `version` is that of all its symbols, `needed` a library that it is linked to.
fn compile(
    directory: &Path,
    name: &str,
    source: &str,
    version: Option<&str>,
    needed: Option<&Path>,
) -> Result<()> {
    let (code, versions) = (directory.join("stub.c"), directory.join("stub.map"));
    fs::write(&code, source)?;
    let mut compiler = Command::new("cc");
    compiler.args(["-w", "-O1", "-shared", "-fPIC"]).arg(format!("-Wl,-soname,{name}"));
    if let Some(version) = version {
        fs::write(&versions, format!("{version} {{ global: *; }};\n"))?;
        compiler.arg(format!("-Wl,--version-script={}", versions.display()));
    }
    compiler.arg("-o").arg(directory.join(name)).arg(&code);
    if let Some(needed) = needed {
        compiler.arg("-Wl,--no-as-needed,--allow-shlib-undefined").arg(needed);
    }
    let output =
        compiler.output().context("`cc` does not start; set-up needs a C compiler, which comes with g++")?;
    if !output.status.success() {
        bail!("cc could not make {name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    fs::remove_file(code)?;
    if version.is_some() {
        fs::remove_file(versions)?;
    }
    Ok(())
}

/// The directory of stand-ins beside the libraries. They lie apart, because `torch-sys` takes a `libtorch_cuda.so` for a sign of
/// CUDA, and because older checkouts know the other files as they are.
const STAND_INS: &str = "stand-ins";

/// Makes stand-ins for the parts of PyTorch that operator libraries are linked to but do not use on the CPU, unless they exist
/// already.
pub fn make_stand_ins(lib: &Path) -> Result<()> {
    let home = lib.join(STAND_INS);
    if home.exists() {
        return Ok(());
    }
    let partial = lib.join(format!("{STAND_INS}.{}", std::process::id()));
    fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
    for Standing { name, source, version } in STANDING {
        let needed = (name == "libtorch.so").then(|| lib.join("libtorch_cpu.so"));
        compile(&partial, name, source, version, needed.as_deref())?;
    }
    match fs::rename(&partial, &home) {
        Err(_) if home.exists() => Ok(fs::remove_dir_all(partial)?), // Another set-up made them meanwhile.
        other => other.with_context(|| format!("cannot make {}", home.display())),
    }
}

struct Standing {
    name: &'static str,
    source: &'static str,
    version: Option<&'static str>,
}

const fn standing(name: &'static str, source: &'static str) -> Standing {
    Standing { name, source, version: None }
}

/// What a library looks up when it is opened; functions that it would call on a GPU are never looked up.
const STANDING: [Standing; 5] = [
    standing("libtorch.so", ""),
    standing("libtorch_cuda.so", ""),
    standing("libtorch_python.so", ""),
    standing("libc10_cuda.so", "void *_ZN3c104cuda20CUDACachingAllocator9allocatorE;"),
    Standing { name: "libcudart_registration.so", source: REGISTRATION, version: Some("libcudart.so.13") },
];
/// Code for GPUs registers itself when its library is opened.
const REGISTRATION: &str = "\
    static void *none;
    void **__cudaRegisterFatBinary(void *code) { return &none; }
    void __cudaRegisterFatBinaryEnd(void **code) {}
    void __cudaUnregisterFatBinary(void **code) {}
    void __cudaRegisterFunction(void) {}
    void __cudaRegisterVar(void) {}
    char __cudaInitModule(void **code) { return 0; }
";

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
        // The library against which the asking one was linked.
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

    /// A library of operators made for CUDA is opened and computes on the CPU.
    #[test]
    fn stand_ins_answer_for_what_a_library_of_operators_asks() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let path = |name: &str| directory.path().join(name);
        let cc = |arguments: &[&str]| -> Result<()> {
            let status = Command::new("cc").args(arguments).current_dir(directory.path()).status()?;
            if status.success() { Ok(()) } else { bail!("cc failed") }
        };
        fs::write(path("cpu.c"), "int computes(void) { return 7; }")?;
        cc(&["-shared", "-fPIC", "-Wl,-soname,libtorch_cpu.so", "-o", "libtorch_cpu.so", "cpu.c"])?;
        make_stand_ins(directory.path())?;
        make_stand_ins(directory.path())?;
        let operators = "void **__cudaRegisterFatBinary(void *); int computes(void); void on_a_gpu(void);
            extern void *_ZN3c104cuda20CUDACachingAllocator9allocatorE;
            __attribute__((constructor)) static void opened(void) { __cudaRegisterFatBinary(0); }
            int computed(void) { if (_ZN3c104cuda20CUDACachingAllocator9allocatorE) on_a_gpu(); return computes(); }";
        fs::write(path("operators.c"), operators)?;
        let stands = STANDING.map(|stand| format!("{STAND_INS}/{}", stand.name));
        let mut link = vec!["-shared", "-fPIC", "-Wl,--no-as-needed", "-o", "operators.so", "operators.c"];
        link.extend(stands.iter().map(String::as_str));
        cc(&link)?;
        let main = "#include <dlfcn.h>\nint main(int n, char **files) {
            for (int i = 1; i < n - 1; i++) if (!dlopen(files[i], RTLD_LAZY | RTLD_GLOBAL)) return i;
            void *library = dlopen(files[n - 1], RTLD_LAZY | RTLD_GLOBAL);
            return library ? ((int (*)(void))dlsym(library, \"computed\"))() : 100; }";
        fs::write(path("main.c"), main)?;
        cc(&["-o", "main", "main.c", "-ldl"])?;
        let opened = Command::new(path("main"))
            .args(stands.iter().map(String::as_str).chain(["operators.so"]).map(path))
            .env("LD_LIBRARY_PATH", directory.path())
            .status()?;
        assert_eq!(opened.code(), Some(7));
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
