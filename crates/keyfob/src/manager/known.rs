//! Refresh tokens that this node has just issued, read or rotated: so that their next rotation need
//! not read them first.
//!
//! Nothing but a rotation is decided on the strength of what is kept here, and the store makes none
//! that rests on an older record than it has. So it need not hear of changes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::codec::Record;
use crate::id::TokenId;
use crate::store::Loaded;

/// How many are kept, at most; the oldest give way.
const MOST: usize = 4096;

#[derive(Default)]
pub(super) struct Known(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_id: HashMap<TokenId, (Loaded, Record)>,
    order: VecDeque<TokenId>,
}

impl Known {
    /// Takes a token out: of two that rotate it at the same time, the other reads it.
    pub(super) fn take(&self, id: TokenId) -> Option<(Loaded, Record)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_id.remove(&id)
    }

    pub(super) fn put(&self, loaded: Loaded, record: Record) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.order.push_back(loaded.id);
        kept.by_id.insert(loaded.id, (loaded, record));
        while kept.order.len() > MOST {
            if let Some(oldest) = kept.order.pop_front() {
                kept.by_id.remove(&oldest);
            }
        }
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Known")
    }
}
