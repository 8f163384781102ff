//! `keys`: the key ring, and what lies under its keys.

use clap::{Args, Subcommand};
use keyfob::{KeyVersion, PageCursor};

const AFTER_HELP: &str = "\
To change the key: generate one, give the ring to every node, activate it, give the ring to every
node again, reseal, and retire the old one. To seal a store that is in use: generate a ring by
generate --bare, give it to every node, reseal, and retire key 0, which is what is not sealed.

Examples:
  keyfob keys generate --keys /etc/keyfob/keys
  keyfob keys generate --keys /etc/keyfob/keys --bare
  keyfob keys list --count
  keyfob keys activate 2
  keyfob keys reseal
  keyfob keys retire 1";

/// Generate, list, activate and retire the keys that seal a store, and reseal it
///
/// The key ring is the file that --keys or KEYFOB_KEYS names. Whoever has it can read what the store
/// holds, and without it nobody can: keep it apart from the store, and keep a copy.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

/// What is to be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Generate a key: the first of a new ring, or one more that only reads until it is activated
    #[command(
        after_help = "Examples:\n  keyfob keys generate --keys keys\n  keyfob keys generate --terms"
    )]
    Generate {
        /// Also change the key of the index: resealing then moves every entry of it
        #[arg(long)]
        terms: bool,
        /// Of a new ring: also read what is not sealed, until key 0 is retired. For a store that is
        /// in use already
        #[arg(long, conflicts_with = "terms")]
        bare: bool,
    },
    /// List the keys, and on request how many records lie under each
    #[command(after_help = "Examples:\n  keyfob keys list\n  keyfob keys list --count --json")]
    List {
        /// Count the records under each: it looks at every record of the store
        #[arg(long)]
        count: bool,
    },
    /// Let a key seal from now on; the one that did so far goes on reading
    #[command(after_help = "Examples:\n  keyfob keys activate 2")]
    Activate {
        /// The number of the key
        key: KeyVersion,
    },
    /// Retire a key that nothing lies under any more: the store then refuses writes under it
    #[command(after_help = "Examples:\n  keyfob keys retire 1\n  keyfob keys retire 0")]
    Retire {
        /// The number of the key; 0 stands for what is not sealed
        key: KeyVersion,
    },
    /// Seal again whatever does not lie under the active key, while the store is in use
    #[command(after_help = "Examples:\n  keyfob keys reseal\n  keyfob keys reseal --resume CURSOR")]
    Reseal {
        /// Go on where an interrupted run stopped
        #[arg(long, value_name = "CURSOR")]
        resume: Option<PageCursor>,
    },
}

impl KeysCommand {
    /// Whether the store is needed for it.
    pub(crate) const fn needs_store(&self) -> bool {
        match self {
            Self::Generate { .. } | Self::Activate { .. } => false,
            Self::List { count } => *count,
            Self::Retire { .. } | Self::Reseal { .. } => true,
        }
    }
}
