//! What a script takes: its keys and arguments by name.

/// The keys and arguments of a script.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(super) name: &'static str,
    pub(super) keys: &'static [&'static str],
    pub(super) more_keys: &'static [&'static str],
    pub(super) args: &'static [&'static str],
    pub(super) more_args: &'static [&'static str],
    /// The groups that occur in the lists.
    pub(super) groups: &'static [Group],
    /// The file in `src/lua`.
    pub(super) source: &'static str,
}

/// A group of keys or arguments that occurs several times in one call.
#[derive(Debug)]
pub(crate) struct Group {
    pub(super) name: &'static str,
    /// `KEYS` or `ARGV`.
    pub(super) table: &'static str,
    pub(super) fields: &'static [&'static str],
}
