//! A progress display on stderr, shown only on a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A progress display. It disappears when dropped.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Creates a display for work of unknown size.
    pub(crate) fn counting(what: &'static str) -> Self {
        let bar = ProgressBar::no_length().with_message(what);
        Self::shown(bar, "{spinner} {human_pos} {msg} ({elapsed})")
    }

    /// Creates a display for work of a known size.
    pub(crate) fn towards(total: u64, what: &'static str) -> Self {
        let bar = ProgressBar::new(total).with_message(what);
        Self::shown(bar, "{bar:30} {human_pos} of {human_len} {msg} ({eta} left)")
    }

    /// Creates a display for reading a file of this many bytes.
    pub(crate) fn reading(bytes: u64) -> Self {
        Self::shown(ProgressBar::new(bytes), "{bar:30} {bytes} of {total_bytes} read ({eta} left)")
    }

    /// Creates no display, for a command that writes to the terminal itself.
    pub(crate) fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    fn shown(bar: ProgressBar, template: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::hidden();
        }
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// Shows this position.
    pub(crate) fn set(&self, position: u64) {
        self.0.set_position(position);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
