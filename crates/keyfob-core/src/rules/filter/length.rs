//! The length of a text form, without building it.

use std::fmt::{self, Display, Write};

/// Returns the number of bytes of a value's text form.
pub(super) fn text_length(value: &impl Display) -> usize {
    struct Counter(usize);

    impl Write for Counter {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }

    let mut counter = Counter(0);
    // The counter takes everything, and no value fails to be shown.
    match write!(counter, "{value}") {
        Ok(()) => counter.0,
        Err(fmt::Error) => usize::MAX,
    }
}
