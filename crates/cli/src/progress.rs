//! A sign of life on a terminal while work takes long.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Once;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Work that is done sooner needs no sign.
const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(200);

/// A line on standard error that says what is going on and for how long. Nothing where that is no terminal.
pub struct Progress {
    bar: ProgressBar,
    /// Shows the line when the patience is over; ends when the sender is dropped.
    waiting: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins; `quiet` shows nothing.
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

    /// Says what comes now.
    pub fn say(&self, what: &'static str) {
        self.bar.set_message(what);
    }

    /// Says what comes with the first call of the result, which shows how many steps of how many are done.
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
            // It cannot fail, and there is nothing to be done if it did.
            let _ = shows.join();
        }
        self.bar.finish_and_clear();
    }
}
