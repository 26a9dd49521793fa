//! `dlbacktrace verify`.

use crate::args::Verify;
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::{inputs, interrupt, model, options, output, text};
use dlbacktrace::Verification;
use std::fmt::Write;

/// The largest number of steps to name one by one.
const NAMED: usize = 10;

/// Replays the recording and checks the account of every step.
pub fn run(args: &Verify) -> Result<()> {
    args.rules.check_bounds()?;
    interrupt::ends_at_once()?;
    let progress = Progress::new(args.json);
    progress.say("loading the model");
    let model = model::load(&args.model)?;
    let bound = inputs::read(&model, &args.inputs)?;
    progress.say("running and replaying the model");
    let labels = text::labels(args.rules.labels.as_deref(), model::path(&model))?;
    let options = options::of(&args.rules, &bound, labels.as_ref())?.progress(progress.walk());
    let (verification, _) = inputs::run(&model, bound, |inputs| model.verify(inputs, &options))?;
    drop(progress);

    if args.json {
        output::json(&verification)?;
    } else {
        output::text(&report(&verification))?;
    }
    match (verification.holds(), verification.repeats) {
        (true, _) => Ok(()),
        (false, false) => Err(Failure::Unrepeatable),
        (false, true) => Err(Failure::Unverified),
    }
}

fn report(Verification { replay, open, random, repeats, .. }: &Verification) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "replay  {} steps give the recorded values again, {} cannot be repeated, {} differ",
        replay.checked.saturating_sub(replay.failed.len()),
        replay.skipped,
        replay.failed.len()
    );
    named(&mut text, &replay.failed);
    let _ = match open.len() {
        0 => writeln!(text, "ledger  every step accounts for its relevance"),
        count => writeln!(text, "ledger  {count} steps do not account for their relevance"),
    };
    named(&mut text, open);
    if !random.is_empty() {
        let outcome = if *repeats {
            "a second run gives the same explanation, though something other than the inputs decides part of it"
        } else {
            "a second run gives another explanation; --random-seed N fixes random numbers"
        };
        let _ = writeln!(text, "repeat  {outcome}");
        named(&mut text, &random.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
    text
}

fn named(text: &mut String, steps: &[String]) {
    for step in steps.iter().take(NAMED) {
        let _ = writeln!(text, "        {step}");
    }
    if steps.len() > NAMED {
        let _ = writeln!(text, "        … and {} more", steps.len() - NAMED);
    }
}
