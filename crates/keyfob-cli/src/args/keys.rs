//! The arguments of `keys`.

use clap::{Args, Subcommand};
use keyfob::manager::PageCursor;
use keyfob::seal::KeyVersion;

const AFTER_HELP: &str = "\
To change the key: generate a key, distribute the ring to every node, activate the key, distribute
the ring again, reseal, and retire the old key.
To seal a store that is in use: create a ring with generate --bare, distribute it to every node,
reseal, and retire key 0. Key 0 stands for records that are not sealed.

Examples:
  keyfob keys generate --keys /etc/keyfob/keys
  keyfob keys generate --keys /etc/keyfob/keys --bare
  keyfob keys list --count
  keyfob keys activate 2
  keyfob keys reseal
  keyfob keys retire 1";

/// Generate, list, activate and retire the keys that seal a store, and reseal it
///
/// The key ring is the file that --keys or KEYFOB_KEYS names. The ring is needed to read a sealed
/// store, and is enough to read it. Keep it apart from the store, and keep a backup.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

/// An action on the key ring.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Generate a key: the first key of a new ring, or another key that only reads until activated
    #[command(
        after_help = "Examples:\n  keyfob keys generate --keys keys\n  keyfob keys generate --terms"
    )]
    Generate {
        /// Also change the key of the index. Resealing then moves every index entry
        #[arg(long)]
        terms: bool,
        /// For a new ring: also read records that are not sealed, until key 0 is retired. Use it for a
        /// store that is already in use
        #[arg(long, conflicts_with = "terms")]
        bare: bool,
    },
    /// List the keys, and optionally the number of records that each key seals
    #[command(after_help = "Examples:\n  keyfob keys list\n  keyfob keys list --count --json")]
    List {
        /// Count the records that each key seals. This reads every record of the store
        #[arg(long)]
        count: bool,
    },
    /// Seal with this key from now on. The previous key still reads
    #[command(after_help = "Examples:\n  keyfob keys activate 2")]
    Activate {
        /// The number of the key
        key: KeyVersion,
    },
    /// Retire a key that seals no records any more. The store then refuses writes with it
    #[command(after_help = "Examples:\n  keyfob keys retire 1\n  keyfob keys retire 0")]
    Retire {
        /// The number of the key. 0 stands for records that are not sealed
        key: KeyVersion,
    },
    /// Seal all records with the active key, while the store stays in use
    #[command(after_help = "Examples:\n  keyfob keys reseal\n  keyfob keys reseal --resume CURSOR")]
    Reseal {
        /// Resume an interrupted run at this cursor
        #[arg(long, value_name = "CURSOR")]
        resume: Option<PageCursor>,
    },
}

impl KeysCommand {
    /// Whether the command needs the store.
    pub(crate) const fn needs_store(&self) -> bool {
        match self {
            Self::Generate { .. } | Self::Activate { .. } => false,
            Self::List { count } => *count,
            Self::Retire { .. } | Self::Reseal { .. } => true,
        }
    }
}
