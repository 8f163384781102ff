//! Which types of events are wanted.

/// Returns whether an event of a type is wanted: by its whole name, or by the start of some that ends with a dot.
pub(crate) fn is_wanted(wanted: &str, kind: &str) -> bool {
    kind == wanted || (wanted.ends_with('.') && kind.starts_with(wanted))
}
