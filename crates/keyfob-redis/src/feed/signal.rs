//! The names of signals: how changes are written into them and read from a push.
//!
//! After the lane's prefix come the ten bytes of a record, the eight bytes of an epoch field, both, or a
//! `*` for the epoch of everything. A revocation is longer: the length of these bytes, these bytes, and the
//! whole [`Revocation`], so that every node can send it again. A name that cannot be read invalidates
//! everything, because it may have been any of these.

use keyfob_store::{EpochField, Invalidation, Lane, LaneCount, TokenId};
use redis::{PushInfo, PushKind, Value};

use super::revocation::Revocation;
use crate::keys::Keys;
use crate::protocol::constants::lane;

/// The most bytes that changes take.
const MAX_CHANGES: usize = TokenId::LOCAL_BYTES + 8;

/// What a push reports.
#[derive(Debug, Default)]
pub(super) struct Pushed {
    pub(super) changes: Vec<(Lane, Invalidation)>,
    pub(super) revocations: Vec<Revocation>,
}

/// Writes the changes that one script makes: a record, an epoch, or a record and then an epoch.
pub(crate) fn write(changes: impl IntoIterator<Item = Invalidation>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAX_CHANGES);
    for change in changes {
        match change {
            Invalidation::Record(local) => bytes.extend_from_slice(&local),
            Invalidation::Field(field) => bytes.extend_from_slice(field.as_bytes()),
            Invalidation::All => bytes.extend_from_slice(lane::EVERYTHING.as_bytes()),
        }
    }
    bytes
}

/// Writes the changes of a revocation, and the revocation itself.
pub(crate) fn write_revocation(
    changes: impl IntoIterator<Item = Invalidation>,
    revocation: &[u8],
) -> Vec<u8> {
    let changes = write(changes);
    let mut bytes = Vec::with_capacity(1 + changes.len() + revocation.len());
    bytes.push(changes.len() as u8);
    bytes.extend_from_slice(&changes);
    bytes.extend_from_slice(revocation);
    bytes
}

/// Returns the changes that a name has, and its revocation.
fn split(bytes: &[u8]) -> (&[u8], Option<Revocation>) {
    if bytes.len() <= MAX_CHANGES {
        return (bytes, None);
    }
    let parts = bytes.split_first().and_then(|(length, rest)| {
        let (changes, revocation) = rest.split_at_checked(usize::from(*length))?;
        Some((changes, Revocation::from_bytes(revocation)))
    });
    parts.unwrap_or((bytes, None))
}

/// Reads what [`write`] wrote.
fn read(bytes: &[u8]) -> Vec<Invalidation> {
    let record = |bytes: &[u8]| bytes.try_into().ok().map(Invalidation::Record);
    let field = |bytes: &[u8]| {
        bytes.try_into().ok().map(|bytes| Invalidation::Field(EpochField::from_bytes(bytes)))
    };
    let both = |bytes: &[u8]| {
        let (first, rest) = bytes.split_at_checked(TokenId::LOCAL_BYTES)?;
        Some(vec![record(first)?, field(rest)?])
    };
    let one = record(bytes).or_else(|| field(bytes)).map(|change| vec![change]);
    one.or_else(|| both(bytes)).unwrap_or_else(|| vec![Invalidation::All])
}

/// Reads a push.
pub(super) fn read_push(push: &PushInfo, keys: &Keys, lanes: LaneCount) -> Pushed {
    let mut pushed = Pushed::default();
    if push.kind != PushKind::Invalidate {
        return pushed;
    }
    match push.data.as_slice() {
        [Value::Array(names)] => {
            names.iter().for_each(|name| read_key(name, keys, lanes, &mut pushed));
        }
        // All data was deleted.
        _ => pushed.changes = everything(lanes),
    }
    pushed
}

fn read_key(name: &Value, keys: &Keys, lanes: LaneCount, pushed: &mut Pushed) {
    let parts = || {
        let Value::BulkString(name) = name else { return None };
        let rest = name.strip_prefix(keys.signals().as_slice())?;
        let end = rest.iter().position(|byte| *byte == b'}')?;
        Some((keys.lane_of_tag(rest.get(..end)?)?, rest.get(end + 1..)?))
    };
    match parts() {
        Some((lane, bytes)) => {
            let (changes, revocation) = split(bytes);
            pushed.changes.extend(read(changes).into_iter().map(|change| (lane, change)));
            pushed.revocations.extend(revocation);
        }
        None => pushed.changes.extend(everything(lanes)),
    }
}

fn everything(lanes: LaneCount) -> Vec<(Lane, Invalidation)> {
    lanes.lanes().map(|lane| (lane, Invalidation::All)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::revocation;
    use super::*;

    fn push_of(names: Value) -> Vec<(Lane, Invalidation)> {
        let lanes = LaneCount::new(4).unwrap();
        let push = PushInfo { kind: PushKind::Invalidate, data: vec![names] };
        read_push(&push, &Keys::new("shop", lanes), lanes).changes
    }

    fn signal(lane: u16, change: &[u8]) -> Value {
        let keys = Keys::new("shop", LaneCount::new(4).unwrap());
        Value::BulkString(keys.signal(Lane::new(lane), change))
    }

    #[test]
    fn a_push_names_what_was_revoked() {
        let (record, field) = ([1; 10], [b'}'; 8]);
        let names = vec![
            signal(2, &record),
            signal(3, &field),
            signal(0, &[&record[..], &field].concat()),
            signal(1, b"*"),
        ];
        let of_field = Invalidation::Field(EpochField::from_bytes(field));
        let expected = [
            (2, Invalidation::Record(record)),
            (3, of_field),
            (0, Invalidation::Record(record)),
            (0, of_field),
            (1, Invalidation::All),
        ];
        let expected = expected.map(|(lane, change)| (Lane::new(lane), change));
        assert_eq!(push_of(Value::Array(names)), expected);
    }

    #[test]
    fn a_signal_name_parses_back() {
        let record = Invalidation::Record([7; 10]);
        let field = Invalidation::Field(EpochField::from_bytes([9; 8]));
        for changes in [vec![record], vec![field], vec![record, field], vec![Invalidation::All]] {
            assert_eq!(read(&write(changes.clone())), changes);
        }
    }

    #[test]
    fn a_revocation_comes_with_its_changes() {
        let operation = keyfob_store::OperationId::from_bytes([4; 16]);
        let field = EpochField::from_bytes([9; 8]);
        let scope = keyfob_store::EpochScope::Lane(Lane::new(2), field);
        let advance = keyfob_store::Advance::new(scope, keyfob_store::Timestamp::from_millis(1));
        let change = Invalidation::Field(field);
        let bytes = write_revocation([change], &revocation::of_advance(operation, &advance));
        let (changes, found) = split(&bytes);
        assert_eq!(read(changes), [change]);
        assert_eq!(found.unwrap().operation(), operation);
        assert_eq!(push_of(Value::Array(vec![signal(2, &bytes)])), [(Lane::new(2), change)]);
        // One that cannot be read still has its changes.
        let bytes = write_revocation([change], &[0xff; 40]);
        assert_eq!(push_of(Value::Array(vec![signal(2, &bytes)])), [(Lane::new(2), change)]);
    }

    #[test]
    fn a_name_that_cannot_be_read_invalidates_everything() {
        let all = everything(LaneCount::new(4).unwrap());
        let strange = Value::BulkString(b"shop:x{no tag of ours}".to_vec());
        for push in [Value::Nil, Value::Int(1), Value::Array(vec![strange])] {
            assert_eq!(push_of(push.clone()), all, "{push:?}");
        }
        for change in [&b""[..], b"short", &[0; 17], &[0; 19]] {
            let changes = push_of(Value::Array(vec![signal(1, change)]));
            assert_eq!(changes, [(Lane::new(1), Invalidation::All)], "{change:?}");
        }
        assert_eq!(push_of(Value::Array(vec![])), []);
    }
}
