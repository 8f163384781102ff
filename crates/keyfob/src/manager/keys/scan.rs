//! Every sealed record of a store, page by page.

use crate::codec::{self, Record};
use crate::error::Error;
use crate::manager::issue::terms_of;
use crate::manager::read::PageCursor;
use keyfob_core::field::Field;
use keyfob_core::id::TokenId;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::namespace::{Namespace, Term};
use keyfob_seal::SealedStore;
use keyfob_store::{Order, Position, Query, RecordPage, StoreError, StoreWrapper};

const PAGE_SIZE: usize = 500;

/// Before the first record, newest first: no id is greater. The scan of tokens needs no position to
/// begin with; a cursor into the scan of other records does.
const FIRST_POSITION: Position =
    Position { keep_until_secs: 0, id: TokenId::from_bytes([u8::MAX; 16]) };

/// The kinds of records that a store seals, in the order in which they are scanned.
#[derive(Clone, Copy, Default)]
pub(super) enum RecordKind {
    #[default]
    Token,
    Other,
}

/// How far a scan has got.
#[derive(Clone, Copy, Default)]
pub(super) struct ScanPosition {
    pub(super) kind: RecordKind,
    after: Option<Position>,
}

impl RecordKind {
    const ALL: [Self; 2] = [Self::Token, Self::Other];

    /// The term under which every record of the kind is listed.
    fn listed_under(self, namespace: &Namespace) -> Term {
        match self {
            Self::Token => namespace.all(),
            Self::Other => namespace.other_records(),
        }
    }

    /// The terms under which a record with this body is listed.
    pub(super) fn terms(self, namespace: &Namespace, body: &[u8]) -> Result<Vec<Term>, StoreError> {
        match self {
            Self::Token => Ok(terms_of(namespace, &codec::decode::<Record>(body)?)),
            Self::Other => Ok(vec![namespace.other_records()]),
        }
    }
}

impl ScanPosition {
    pub(super) fn from_cursor(cursor: PageCursor) -> Result<Self, InvalidValue> {
        let (term, position) = cursor.within_everything()?;
        let kind = RecordKind::ALL.get(term).copied();
        let rule = "it names a kind of record that is not sealed";
        let invalid = || InvalidValue::new(Field::Cursor, InvalidReason::Contradiction { rule });
        Ok(Self { kind: kind.ok_or_else(invalid)?, after: Some(position) })
    }

    /// The cursor to resume from; `None` at the beginning.
    pub(super) fn cursor(self) -> Option<PageCursor> {
        self.after.map(|after| PageCursor::of_everything(self.kind as usize, after))
    }

    /// The position after a page that ended at `after`, or with the last record of its kind. `None`
    /// at the end of the scan.
    pub(super) fn next(self, after: Option<Position>) -> Option<Self> {
        match (self.kind, after) {
            (kind, Some(_)) => Some(Self { kind, after }),
            (RecordKind::Token, None) => {
                Some(Self { kind: RecordKind::Other, after: Some(FIRST_POSITION) })
            }
            (RecordKind::Other, None) => None,
        }
    }

    /// Reads one page of records as they are stored, newest first, without opening them.
    pub(super) async fn page(self, sealed: &SealedStore) -> Result<RecordPage, Error> {
        let store = sealed.inner();
        let term = self.kind.listed_under(store.namespace());
        let (order, after, limit) = (Order::NewestFirst, self.after, PAGE_SIZE);
        // A record that is left out would keep its old key.
        let page = store.query(&Query { term, lane: None, order, after, limit }).await?;
        Ok(page.complete()?)
    }
}
