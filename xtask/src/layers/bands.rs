//! The tables of what may import what. ARCHITECTURE.md says why.

/// The crates, and the crates of this workspace that each may depend on.
pub(super) const CRATES: &[(&str, &[&str])] = &[
    ("keyfob", &[]),
    ("keyfob-redb", &["keyfob"]),
    ("keyfob-redis", &["keyfob"]),
    ("keyfob-keys", &["keyfob"]),
    ("keyfob-testkit", &["keyfob"]),
    ("keyfob-cli", &["keyfob", "keyfob-redb", "keyfob-redis", "keyfob-keys"]),
];

/// Libraries that one crate alone may use.
pub(super) const ONLY_USERS: &[(&str, &str)] =
    &[("redb", "keyfob-redb"), ("redis", "keyfob-redis"), ("clap", "keyfob-cli")];

/// Libraries that a crate may not use.
pub(super) const FORBIDDEN: &[(&str, &str)] = &[];

/// For each crate the bands of its top-level modules, the lowest first. A module imports from its
/// own band and from lower ones. The root (`lib.rs`, `main.rs`) is in no band.
pub(super) const BANDS: &[(&str, &[&[&str]])] = &[];

/// Circles of files that are there still, by the files of each.
pub(super) const KNOWN_CIRCLES: &[(&str, &[&str])] = &[];
