//! Where the key ring of a sealed store comes from.
//!
//! The core takes a [`KeyRing`] from whatever a [`KeyProvider`] is written for, and does no I/O
//! itself. Here are the providers that most need:
//!
//! | provider | the ring is |
//! |---|---|
//! | [`FileKeys`] | in a file that only its owner can read |
//! | [`EnvKeys`] | in a variable of the environment |
//! | [`CommandKeys`] | what a command writes, such as that of a key management service |
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("keys");
//! use keyfob::seal::KeyRing;
//! use keyfob::{Clock, KeyProvider, MemoryStore, OsRandom, SystemClock, TokenManager, Ttl};
//! use keyfob_keys::FileKeys;
//!
//! let keys = FileKeys::new(path);
//! keys.create(&KeyRing::generate(SystemClock.now(), &OsRandom)?)?;
//! let store = MemoryStore::new()?;
//! let manager = TokenManager::builder(store).keys(&keys.ring().await?).build();
//!
//! manager.poll_keys(keys, Ttl::from_mins(1))?; // from now on, every minute
//! # Ok(())
//! # }
//! ```

mod command;
mod environment;
mod file;

pub use command::CommandKeys;
pub use environment::EnvKeys;
pub use file::{FileKeys, RingChange};

#[cfg(doc)]
use keyfob_core::KeyProvider;
use keyfob_seal::{KeyError, KeyRing};
use zeroize::Zeroizing;

/// The most bytes of text that are read for a ring.
const MOST: u64 = 1 << 20;

fn parse(what: &str, bytes: Zeroizing<Vec<u8>>) -> Result<KeyRing, KeyError> {
    let unreadable =
        |detail: &str| KeyError::Unreadable { what: what.to_owned(), detail: detail.to_owned() };
    if bytes.len() as u64 > MOST {
        return Err(unreadable("it is far too large for one"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable("it is not text"))?;
    KeyRing::parse(text)
}

#[cfg(test)]
mod tests;
