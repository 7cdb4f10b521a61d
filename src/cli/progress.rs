//! Progress on standard error, only on a terminal: not in logs and pipes.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::visible;

/// A progress bar, removed when dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar for `total` items, e.g. `subscribers`; without a total it only counts.
    pub(crate) fn new(what: &str, total: Option<u64>) -> Self {
        let target =
            if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(total, target);
        bar.set_style(style(total.is_some()));
        bar.set_prefix(what.to_owned());
        Self { bar }
    }

    /// Sets the number of finished items.
    pub(crate) fn set(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// Sets the total number of items, once known.
    pub(crate) fn set_total(&self, total: u64) {
        if self.bar.length() != Some(total) {
            self.bar.set_length(total);
            self.bar.set_style(style(true));
        }
    }

    /// Sets the text after the bar.
    pub(crate) fn say(&self, words: &str) {
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
