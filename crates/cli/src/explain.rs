//! `dlbacktrace explain`.

use crate::args::Explain;
use crate::document;
use crate::explained::Explained;
use crate::failure::{Failure, Result};
use crate::pictures::Pictures;
use crate::progress::Progress;
use crate::text::{self, texts};
use crate::{inputs, interrupt, model, options, output};
use dlbacktrace::Explanation;
use dlbacktrace_report::{ArrayFile, Document, Staging, summary, tree};
use std::path::{Path, PathBuf};

/// The directory for the results, unless `--out` names another.
const OUT: &str = "dlbacktrace-out";
const ARRAYS: &str = "relevance.npz";
const DOCUMENT: &str = "explanation.json";

/// Explains a model's output for the given inputs; writes and prints what was asked for.
pub fn run(args: &Explain) -> Result<()> {
    args.rules.check_bounds()?;
    let out = args.out.clone().or_else(|| (!args.json).then(|| PathBuf::from(OUT)));
    if let Some(out) = &out {
        Staging::check(out).map_err(Failure::of_place)?;
    }
    interrupt::ends_at_once()?;

    let progress = Progress::new(args.quiet || args.json);
    progress.say("loading the model");
    let model = model::load(&args.model)?;
    let bound = inputs::read(&model, &args.inputs)?;
    let labels = text::labels(args.rules.labels.as_deref(), model::path(&model))?;
    let options = options::of(&args.rules, &bound, labels.as_ref())?
        .all_values(args.all_values)
        .modules(args.modules)
        .progress(progress.walk());
    progress.say("running the model");
    let (explanation, bound) = inputs::run(&model, bound, |inputs| model.explain(inputs, &options))?;
    progress.say("writing");
    let explained = Explained::all(&explanation, &bound.notes)?;
    let mut document = document::of(args, &model, &explanation, &explained, bound, labels.as_ref())?;
    if let Some(out) = &out {
        write(&explanation, &explained, &mut document, out)?;
    }
    drop(progress);

    if args.json {
        return output::json(&document);
    }
    if !args.quiet {
        output::text(&summary(&document))?;
        output::text(&texts::shown(&document))?;
        output::text(&tree(&document.modules, document.settings.mode))?;
        if let Some(out) = &out {
            output::text(&output::written(out, DOCUMENT, &document.files))?;
        }
    }
    Ok(())
}

/// Writes arrays, pictures and document, all of them or none.
fn write(
    explanation: &Explanation,
    explained: &[Explained],
    document: &mut Document,
    out: &Path,
) -> Result<()> {
    let staging = Staging::beside(out)?;
    let mut arrays = ArrayFile::create(&staging.path(ARRAYS))?;
    for (input, entry) in explained.iter().zip(&document.inputs) {
        input.relevance.add_to(&mut arrays, &entry.arrays)?;
    }
    document.values = document::values(explanation, document.settings.mode, &mut arrays)?;
    arrays.finish()?;
    let batch = document::batch(explanation);
    let drawn = Pictures {
        batch,
        target: document.target.as_deref(),
        names: &document.target_names,
        versus: &document.apart_from(),
        staging: &staging,
    }
    .draw(explained)?;
    let texts = texts::write(document, &staging)?;
    document.files = [ARRAYS.to_owned()].into_iter().chain(drawn.files).chain(texts).collect();
    document.warnings.extend(drawn.warnings);
    let json = serde_json::to_vec_pretty(document).map_err(dlbacktrace_report::Error::from)?;
    staging.write(DOCUMENT, &json)?;
    Ok(staging.commit()?)
}
