//! A sign of life on a terminal during long work.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::ops::ControlFlow;
use std::sync::Once;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Work that takes less time shows no sign.
const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(200);

/// A line on standard error that says what is happening and for how long; nothing if that is not a terminal.
pub struct Progress {
    bar: ProgressBar,
    /// Shows the line once the patience is over; ends when the sender is dropped.
    waiting: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins; with `quiet` it shows nothing.
    pub fn new(quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        style(&bar, "{spinner} {msg} ({elapsed})");
        let waiting = (!quiet).then(|| {
            let (sender, receiver) = mpsc::channel();
            let bar = bar.clone();
            let show = move || {
                if receiver.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                    bar.enable_steady_tick(TICK);
                }
            };
            (sender, thread::spawn(show))
        });
        Self { bar, waiting }
    }

    /// Names the work that begins now.
    pub fn say(&self, what: &'static str) {
        self.bar.set_message(what);
    }

    /// What the options of an explanation tell; nothing stops them here.
    pub fn walk(&self) -> impl Fn(dlbacktrace::Progress) -> ControlFlow<()> + Send + Sync + 'static {
        let steps = self.steps("tracing relevance back");
        move |at| {
            if let dlbacktrace::Progress::Walking { done, total } = at {
                steps(done, total);
            }
            ControlFlow::Continue(())
        }
    }

    /// Names the work that begins with the first call of the result; each call shows how many of how many steps are done.
    pub fn steps(&self, what: &'static str) -> impl Fn(usize, usize) + Send + Sync + 'static {
        let (bar, begun) = (self.bar.clone(), Once::new());
        move |done, all| {
            begun.call_once(|| {
                style(&bar, "{spinner} {msg} {bar:30} {pos}/{len} ({elapsed}, {eta} left)");
                bar.set_message(what);
                bar.set_length(all as u64);
                bar.reset_eta();
            });
            bar.set_position(done as u64);
        }
    }
}

fn style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((sender, shows)) = self.waiting.take() {
            drop(sender);
            // Joining fails only if the thread panicked, which shows on standard error anyway.
            let _ = shows.join();
        }
        self.bar.finish_and_clear();
    }
}
