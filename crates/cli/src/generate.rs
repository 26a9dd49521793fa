//! `dlbacktrace generate`: a language model continues a text, and each token it adds is explained by the tokens before it.

mod interrupt;
mod language;
mod probe;
mod results;
mod sampling;
mod search;
mod steps;
mod stops;

pub use interrupt::Interrupt;

use crate::args::{ChoiceArgs, Generate};
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::text::Tokenizer;
use crate::{model, output};
use dlbacktrace::{Options, Versus};
use dlbacktrace_report::generation::{Choice, Generation};
use dlbacktrace_report::{SCHEMA_VERSION, Staging, Versions};
use language::{End, Language};
use results::DOCUMENT;
use sampling::{Constraints, Sampling};
use search::{Method, Scores};
use std::fs;
use steps::{Found, Steps, Work};

/// Generates, explains and writes what was asked for.
pub fn run(args: &Generate) -> Result<()> {
    Staging::check(&args.out).map_err(Failure::of_place)?;
    let tokenizer = Tokenizer::load(&args.tokenizer)?;
    let prompt = prompt(args, &tokenizer)?;
    let constraints = constraints(args, &tokenizer)?;
    let versus = versus(args, &tokenizer)?;

    let progress = Progress::new(args.quiet || args.json);
    progress.say("loading the model");
    let model = model::load(&args.model)?;
    let interrupt = Interrupt::watch()?;
    progress.say("running the model");
    let mut language = Language::new(&model, args.output.as_deref(), &prompt, interrupt)?;
    let text = continued(args, &mut language, &prompt, &constraints, &progress)?;
    let mut wanted = args.explain.of(text.generated().len());
    // Nothing tells a token apart from itself.
    let itself = |step: &usize| versus.is_some_and(|versus| versus == text.unit(*step));
    let alike: Vec<usize> = wanted.extract_if(.., |step| itself(step)).collect();
    let work = work(args, &model, &text)?;
    let mut steps = Steps::open(&args.out, &work)?;
    let options = options(args, versus);
    explain(&options, &language, &text, &wanted, &mut steps, &progress)?;

    progress.say("writing");
    let complete = steps.records.len() == wanted.len() && text.ended != "interrupted";
    let tokens = results::tokens(&text.ids, &tokenizer);
    let mut document = Generation {
        schema_version: SCHEMA_VERSION,
        versions: Versions {
            dlbacktrace: env!("CARGO_PKG_VERSION").to_owned(),
            framework: model.framework(),
        },
        model: model::identity(&model)?,
        text: tokenizer.decode(text.generated())?,
        ended: text.ended,
        settings: settings(&args.choice, &constraints),
        rules: args.rules.clone(),
        versus: versus.map(|versus| words(versus, &tokenizer)),
        prompt_tokens: text.prompt,
        steps: results::steps(&tokens, text.prompt, &language.probabilities(&text.ids)?, &steps.records),
        tokens,
        complete,
        warnings: [apart(&alike), warnings(&language, &steps)].concat(),
        files: Vec::new(),
    };
    results::write(&mut document, &steps.records, &args.out)?;
    let kept = steps.records.len();
    if complete {
        steps.remove()?;
    }
    drop(progress);

    if args.json {
        output::json(&document)?;
    } else if !args.quiet {
        output::text(&results::summary(&document))?;
        output::text(&output::written(&args.out, DOCUMENT, &document.files))?;
    }
    if complete {
        return Ok(());
    }
    Err(Failure::Interrupted(format!(
        "interrupted: {kept} of {} tokens are explained and kept in {}; run the same command again to resume",
        wanted.len(),
        args.out.display()
    )))
}

/// The prompt with what the model added.
struct Text {
    ids: Vec<u32>,
    /// The number of tokens of the prompt.
    prompt: usize,
    /// Why it ends.
    ended: &'static str,
}

impl Text {
    fn generated(&self) -> &[u32] {
        &self.ids[self.prompt..]
    }

    /// The generated token of a step, counted from 1, as a unit of the scores.
    fn unit(&self, step: usize) -> Versus {
        Versus::Unit(self.generated()[step - 1] as usize)
    }
}

/// Lets the model continue the prompt.
fn continued(
    args: &Generate,
    language: &mut Language<'_>,
    prompt: &[u32],
    constraints: &Constraints,
    progress: &Progress,
) -> Result<Text> {
    let shown = progress.steps("generating");
    let most = args.choice.max_new_tokens as usize;
    let mut told = Told { language, told: &|length| shown(length - prompt.len(), most) };
    let ids = search::generate(&mut told, prompt, method(&args.choice), constraints, most)?;
    let ended = ended(language, &ids, prompt, constraints, args);
    Ok(Text { ids, prompt: prompt.len(), ended })
}

fn work(args: &Generate, model: &dlbacktrace::Model, text: &Text) -> Result<Work> {
    Ok(Work {
        model: model::identity(model)?.sha256,
        output: args.output.clone(),
        ids: text.ids.clone(),
        prompt: text.prompt,
        rules: args.rules.clone(),
        versus: args.versus.clone(),
        gates: args.gates,
        whole_tokens: args.whole_tokens,
        allow_unruled: args.allow_unruled,
    })
}

/// The options of every explanation.
fn options(args: &Generate, versus: Option<Versus>) -> Options {
    let options = Options::new()
        .rules(args.rules.clone())
        .gates(args.gates)
        .whole_tokens(args.whole_tokens)
        .allow_unruled(args.allow_unruled);
    versus.into_iter().fold(options, Options::versus)
}

/// What each generated token is told apart from.
fn versus(args: &Generate, tokenizer: &Tokenizer) -> Result<Option<Versus>> {
    match args.versus.as_deref() {
        None => Ok(None),
        Some("others") => Ok(Some(Versus::Others)),
        Some(name) => Ok(Some(Versus::Unit(stops::named("--versus", name, tokenizer)? as usize))),
    }
}

fn words(versus: Versus, tokenizer: &Tokenizer) -> String {
    match versus {
        Versus::Others => "others".to_owned(),
        Versus::Unit(unit) => u32::try_from(unit).map_or_else(|_| unit.to_string(), |id| tokenizer.name(id)),
    }
}

/// Says which steps are not explained because their token is the one that it should be told apart from.
fn apart(alike: &[usize]) -> Vec<String> {
    let steps: Vec<String> = alike.iter().map(usize::to_string).collect();
    let warning =
        || format!("not explained, because the token is the one of --versus: steps {}", steps.join(", "));
    (!steps.is_empty()).then(warning).into_iter().collect()
}

/// Adds the wanted steps that are lacking, up to an interrupt.
fn explain(
    options: &Options,
    language: &Language<'_>,
    text: &Text,
    wanted: &[usize],
    steps: &mut Steps,
    progress: &Progress,
) -> Result<()> {
    steps.records.retain(|step, _| wanted.contains(step));
    let shown = progress.steps("explaining tokens");
    for (done, step) in wanted.iter().enumerate() {
        shown(done, wanted.len());
        let (before, added) = text.ids.split_at(text.prompt + step - 1);
        if let (Some(id), false) = (added.first(), steps.records.contains_key(step)) {
            let Some(record) = language.explain(before, *id, *step, options)? else { break };
            steps.add(record)?;
        }
    }
    Ok(())
}

/// The tokens of the text to continue.
fn prompt(args: &Generate, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    let text = match (&args.prompt, &args.prompt_file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => {
            let text = fs::read_to_string(file)
                .map_err(|e| Failure::Usage(format!("cannot read {}: {e}", file.display())))?;
            // An editor ends the last line with a line break that is not part of the text.
            text.strip_suffix('\n').unwrap_or(&text).to_owned()
        }
        (None, None) => String::new(),
    };
    let tokens = tokenizer.encode(&text, None, !args.no_special_tokens)?.tokens;
    if tokens.is_empty() {
        return Err(Failure::Usage("the prompt has no tokens; give a text of at least one token".to_owned()));
    }
    Ok(tokens.into_iter().map(|token| token.id).collect())
}

fn constraints(args: &Generate, tokenizer: &Tokenizer) -> Result<Constraints> {
    let choice = &args.choice;
    Ok(Constraints {
        repetition_penalty: (choice.repetition_penalty != 1.0).then_some(choice.repetition_penalty),
        no_repeat_ngram: choice.no_repeat_ngram.map(|length| length as usize),
        stops: stops::of(&choice.stop, &args.model.model, &args.tokenizer, tokenizer)?,
        min_new: choice.min_new_tokens as usize,
    })
}

fn method(choice: &ChoiceArgs) -> Method {
    if choice.beams > 1 {
        return Method::Beams { count: choice.beams as usize, length_penalty: choice.length_penalty };
    }
    if choice.temperature.is_none() && choice.top_k.is_none() && choice.top_p.is_none() {
        return Method::Greedy;
    }
    let sampling = Sampling {
        temperature: choice.temperature.unwrap_or(1.0),
        top_k: choice.top_k.map(|count| count as usize),
        top_p: choice.top_p,
    };
    Method::Sampled { sampling, seed: choice.seed }
}

fn settings(choice: &ChoiceArgs, constraints: &Constraints) -> Choice {
    let method = method(choice);
    let (beams, sampled) = (matches!(method, Method::Beams { .. }), matches!(method, Method::Sampled { .. }));
    Choice {
        method: match method {
            Method::Greedy => "greedy",
            Method::Sampled { .. } => "sampled",
            Method::Beams { .. } => "beams",
        },
        max_new_tokens: choice.max_new_tokens,
        min_new_tokens: choice.min_new_tokens,
        stops: constraints.stops.iter().copied().collect(),
        temperature: choice.temperature,
        top_k: choice.top_k,
        top_p: choice.top_p,
        seed: sampled.then_some(choice.seed),
        beams: beams.then_some(choice.beams),
        length_penalty: beams.then_some(choice.length_penalty),
        repetition_penalty: constraints.repetition_penalty,
        no_repeat_ngram: choice.no_repeat_ngram,
    }
}

fn ended(
    language: &Language<'_>,
    ids: &[u32],
    prompt: &[u32],
    constraints: &Constraints,
    args: &Generate,
) -> &'static str {
    let generated = ids.len() - prompt.len();
    match &language.end {
        Some(End::Interrupted) => "interrupted",
        Some(End::Model(_)) => "model",
        None if generated > 0 && ids.last().is_some_and(|id| constraints.stops.contains(id)) => "stop",
        None if generated == args.choice.max_new_tokens as usize => "length",
        None => "model",
    }
}

fn warnings(language: &Language<'_>, steps: &Steps) -> Vec<String> {
    let mut warnings = Vec::new();
    match steps.found {
        Found::Same(count) if count > 0 => {
            warnings.push(format!("{count} explained tokens are taken over from an interrupted run"));
        }
        Found::Other(count) if count > 0 => {
            warnings
                .push(format!("{count} explained tokens of an interrupted run on another text are replaced"));
        }
        _ => {}
    }
    if let Some(End::Model(said)) = &language.end {
        warnings.push(format!("the text ends here because the model takes no more tokens: {said}"));
    }
    for warning in steps.records.values().flat_map(|record| &record.warnings) {
        if !warnings.contains(warning) {
            warnings.push(warning.clone());
        }
    }
    warnings
}

/// Scores that report to the progress line how long the text has become.
struct Told<'a, 'b> {
    language: &'a mut Language<'b>,
    told: &'a dyn Fn(usize),
}

impl Scores for Told<'_, '_> {
    fn scores(&mut self, ids: &[u32]) -> Result<Option<Vec<f64>>> {
        (self.told)(ids.len());
        self.language.scores(ids)
    }
}
