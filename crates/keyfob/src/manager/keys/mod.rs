//! The keys of a sealed store.
//!
//! | module | what |
//! |---|---|
//! | `ring` | the ring that a manager uses: replaced, reloaded, and a key retired |
//! | `reseal` | records sealed again under the active key, while traffic flows |
//! | `scan` | every sealed record of a store, page by page |
//! | `documents` | the documents of a store, which are few |

mod documents;
mod reseal;
mod ring;
mod scan;

pub use reseal::{ResealProgress, ResealRun};
