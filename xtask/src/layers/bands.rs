//! The tables of what may import what. ARCHITECTURE.md says why.

/// The crates, and the crates of this workspace that each may depend on.
pub(super) const CRATES: &[(&str, &[&str])] = &[
    ("keyfob-core", &[]),
    ("keyfob-api", &["keyfob-core"]),
    ("keyfob-jwt", &["keyfob-core"]),
    ("keyfob-webhook", &["keyfob-core"]),
    ("keyfob-client", &["keyfob-api", "keyfob-core"]),
    ("keyfob-metrics", &["keyfob-core"]),
    ("keyfob-limit", &["keyfob-core", "keyfob-metrics"]),
    ("keyfob-store", &["keyfob-core", "keyfob-metrics"]),
    ("keyfob-seal", &["keyfob-core", "keyfob-metrics", "keyfob-store"]),
    ("keyfob", &["keyfob-core", "keyfob-limit", "keyfob-metrics", "keyfob-seal", "keyfob-store"]),
    ("keyfob-keys", &["keyfob-core", "keyfob-seal"]),
    ("keyfob-edge", &["keyfob-api", "keyfob-client", "keyfob-limit", "keyfob-store"]),
    ("keyfob-redb", &["keyfob-store"]),
    ("keyfob-redis", &["keyfob-limit", "keyfob-store"]),
    ("keyfob-tower", &["keyfob", "keyfob-jwt"]),
    ("keyfob-server", &["keyfob", "keyfob-api", "keyfob-jwt", "keyfob-tower", "keyfob-webhook"]),
    ("keyfob-console", &["keyfob-api", "keyfob-client", "keyfob-core"]),
    ("keyfob-testkit", &["keyfob"]),
    (
        "keyfob-cli",
        &[
            "keyfob",
            "keyfob-api",
            "keyfob-client",
            "keyfob-console",
            "keyfob-edge",
            "keyfob-keys",
            "keyfob-redb",
            "keyfob-redis",
            "keyfob-server",
        ],
    ),
];

/// Libraries that only these crates may use.
pub(super) const ONLY_USERS: &[(&str, &[&str])] = &[
    ("aws-lc-rs", &["keyfob-jwt", "keyfob-seal"]),
    ("clap", &["keyfob-cli"]),
    ("redb", &["keyfob-redb"]),
    ("redis", &["keyfob-redis"]),
];

/// Libraries that a crate may not use: the core does no I/O, and a store needs no runtime.
pub(super) const FORBIDDEN: &[(&str, &str)] = &[
    ("keyfob-core", "tokio"),
    ("keyfob-core", "tracing"),
    ("keyfob-metrics", "tokio"),
    ("keyfob-store", "tokio"),
];

/// For each crate the bands of its top-level modules, the lowest first. A module imports from its
/// own band and from lower ones. The root (`lib.rs`, `main.rs`) is in no band.
///
/// A crate without a row has one band. Circles are checked in every crate.
pub(super) const BANDS: &[(&str, &[&[&str]])] = &[
    ("keyfob-core", &[&["values"], &["event", "token"], &["rules"]]),
    (
        "keyfob",
        &[
            &["error", "handlers", "sessions", "stats"],
            &["cache", "codec"],
            &["manager", "outcomes"],
            &["reexports"],
        ],
    ),
    (
        "keyfob-store",
        &[
            &["atomic", "count", "verdict", "invalidation"],
            &["change", "document", "event_log", "head", "loaded", "query", "relay", "report"],
            &["contract"],
            &["handover", "memory", "wrapper"],
            &["measured"],
        ],
    ),
    (
        "keyfob-redis",
        &[
            &["config", "protocol", "slot"],
            &["connections", "keys", "namespace_guard"],
            &["feed", "record"],
            &["store"],
        ],
    ),
];
