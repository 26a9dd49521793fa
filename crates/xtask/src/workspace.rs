//! Points a cargo workspace outside this checkout to libtorch.

use anyhow::{Context, Result, bail, ensure};
use dlbacktrace_libtorch::cache;
use std::fs;
use std::path::Path;
use toml_edit::{DocumentMut, Item, Table, value};

/// Names `home` in `.cargo/config.toml` of the workspace, whose other content stays as it is.
pub fn point(workspace: &Path, home: &Path) -> Result<()> {
    ensure!(workspace.join("Cargo.toml").is_file(), "{} has no Cargo.toml", workspace.display());
    // Older cargo wrote it without the extension, and reads that one first.
    let directory = workspace.join(".cargo");
    let old = directory.join("config");
    let path = if old.is_file() { old } else { directory.join("config.toml") };
    let present = if path.exists() {
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?
    } else {
        String::new()
    };
    let text = named(&present, home).with_context(|| format!("cannot use {}", path.display()))?;
    if text != present {
        let new = path.with_extension("new");
        fs::create_dir_all(&directory)
            .and_then(|()| fs::write(&new, text))
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    eprintln!("{} names libtorch in {}", path.display(), home.display());
    Ok(())
}

/// The configuration with `LIBTORCH` in its table `env`. A value that set-up wrote for an older release is replaced, one of the
/// user's is not.
fn named(present: &str, home: &Path) -> Result<String> {
    let home =
        home.to_str().context("the path of libtorch is not UTF-8; set DLBACKTRACE_CACHE to one that is")?;
    let mut document: DocumentMut = present.parse()?;
    let table = document.entry("env").or_insert_with(|| Item::Table(Table::new()));
    let table = table.as_table_like_mut().context("its `env` is not a table")?;
    let before = table.get("LIBTORCH");
    let before = before.and_then(|item| item.as_str().or_else(|| item.get("value")?.as_str()));
    match before {
        Some(before) if before == home => return Ok(present.to_owned()),
        Some(before) if cache().is_none_or(|cache| !Path::new(before).starts_with(cache)) => {
            bail!("it already sets LIBTORCH to {before:?}; remove that, or keep it if it is what you want")
        }
        _ => table.insert("LIBTORCH", value(home)),
    };
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_stays() -> Result<()> {
        let home = Path::new("/a \"b\"/libtorch");
        assert_eq!(named("", home)?, "[env]\nLIBTORCH = '/a \"b\"/libtorch'\n");
        let present = "# mine\n[build]\njobs = 2 # few\n\n[env]\nA = { value = \"b\", relative = true }\n";
        let text = named(present, home)?;
        assert_eq!(text, format!("{present}LIBTORCH = '/a \"b\"/libtorch'\n"));
        assert_eq!(named(&text, home)?, text);
        Ok(())
    }

    #[test]
    fn only_what_set_up_wrote_is_replaced() -> Result<()> {
        let cache = cache().context("no cache")?;
        let old = cache.join("libtorch-1.0.0-cpu");
        let new = cache.join("libtorch-2.0.0-cpu");
        for form in
            [format!("[env]\nLIBTORCH = {old:?}\n"), format!("env.LIBTORCH = {{ value = {old:?} }}\n")]
        {
            assert!(named(&form, &new)?.contains("libtorch-2.0.0-cpu"));
            assert!(!named(&form, &new)?.contains("libtorch-1.0.0-cpu"));
        }
        let error = named("[env]\nLIBTORCH = \"/mine\"\n", &new).map(|_| ()).map_err(|e| e.to_string());
        assert!(error.is_err_and(|text| text.contains("already sets LIBTORCH to \"/mine\"")));
        Ok(())
    }
}
