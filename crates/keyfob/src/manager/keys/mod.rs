//! The keys of a sealed store.

mod reseal;

pub use reseal::{ResealProgress, ResealRun};
