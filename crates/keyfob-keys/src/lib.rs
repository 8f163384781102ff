//! Key providers: read the key ring of a sealed store.
//!
//! The core takes a [`KeyRing`] from a [`KeyProvider`] and does no I/O itself. This crate has the most
//! common providers:
//!
//! | provider | source of the ring |
//! |---|---|
//! | [`FileKeys`] | a file that only its owner can read |
//! | [`EnvKeys`] | an environment variable |
//! | [`CommandKeys`] | the output of a command, such as the client of a key management service |
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("keys");
//! use keyfob::seal::KeyRing;
//! use keyfob::clock::{Clock, SystemClock};
//! use keyfob::random::OsRandom;
//! use keyfob::{KeyProvider, MemoryStore, TokenManager, Ttl};
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

mod change;
mod command;
mod environment;
mod file;
mod target;

pub use change::RingChange;
pub use command::CommandKeys;
pub use environment::EnvKeys;
pub use file::FileKeys;

#[cfg(doc)]
use keyfob_seal::KeyProvider;
use keyfob_seal::{KeyError, KeyRing};
use zeroize::Zeroizing;

/// The maximum length of the text of a ring, in bytes.
const MAX_RING_BYTES: u64 = 1 << 20;

fn parse(what: &str, bytes: Zeroizing<Vec<u8>>) -> Result<KeyRing, KeyError> {
    let unreadable =
        |detail: &str| KeyError::Unreadable { what: what.to_owned(), detail: detail.to_owned() };
    if bytes.len() as u64 > MAX_RING_BYTES {
        return Err(unreadable("it is too large: a key ring has at most 1 MiB"));
    }
    let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let text = std::str::from_utf8(&bytes).map_err(|_| match is_utf16 {
        true => unreadable("it is UTF-16 text. Save it as UTF-8"),
        false => unreadable("it is not UTF-8 text"),
    })?;
    KeyRing::parse(text)
}

#[cfg(test)]
mod tests;
