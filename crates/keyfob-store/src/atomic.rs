//! The atomics of the lock-free code. The loom tests compile the same files with loom's atomics.

pub use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Returns this many atomics, all zero. The system provides the memory when it is first written to.
pub fn zeroed(count: usize) -> Box<[AtomicU64]> {
    bytemuck::allocation::zeroed_slice_box(count)
}
