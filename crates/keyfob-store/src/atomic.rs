//! The atomics of the lock-free parts. Their tests build the same files over loom's.

pub use std::sync::atomic::{AtomicU64, Ordering, fence};

/// So many atomics, all zero. Memory is taken from the system as it is first written to.
pub fn zeroed(count: usize) -> Box<[AtomicU64]> {
    bytemuck::allocation::zeroed_slice_box(count)
}
