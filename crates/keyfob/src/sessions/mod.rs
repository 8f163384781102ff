//! How many sessions a subject may have at a time, and which of them ends for a new one.
//!
//! To count the listed sessions and then store one more is a race: two logins at the same time would
//! both find room. So the sessions of a subject are named by a **session index**, a record of its own
//! in the subject's lane. A new session is stored in the same step as the index that names it, on the
//! condition that the index is the version that was read. Of two logins that read the same version,
//! one has to read again.
//!
//! The index grants nothing and holds nothing that cannot be rebuilt: which sessions are live is
//! looked up where it matters. If the index is gone, it is rebuilt from the list of the subject's
//! tokens. It is listed under a term of its own, which no filter names, so that no list and no count
//! of tokens includes it.

mod index;
mod policy;

pub(crate) use index::{FullQuota, IndexedSession, LiveSession, SessionIndex};
pub use policy::{SessionPolicy, WhenFull};
