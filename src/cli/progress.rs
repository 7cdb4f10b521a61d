//! Progress on standard error, and only when that is a terminal: logs and pipes get none.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::visible;

/// A progress bar that removes itself when it is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar for work of `total` parts, e.g. `subscribers`; without a total it only counts.
    pub fn new(what: &str, total: Option<u64>) -> Self {
        let target =
            if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(total, target);
        bar.set_style(style(total.is_some()));
        bar.set_prefix(what.to_owned());
        Self { bar }
    }

    /// So many parts are done.
    pub fn set(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// So many parts there are, now that it is known.
    pub fn set_total(&self, total: u64) {
        if self.bar.length() != Some(total) {
            self.bar.set_length(total);
            self.bar.set_style(style(true));
        }
    }

    /// A few words behind the bar.
    pub fn say(&self, words: &str) {
        self.bar.set_message(visible(words));
    }
}

fn style(has_end: bool) -> ProgressStyle {
    let template = match has_end {
        true => "{prefix} [{bar:30}] {percent:>3} %, {eta} left, {msg}",
        false => "{prefix} {spinner} {human_pos} {msg}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("##-")
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
