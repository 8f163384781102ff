//! The names of signals: how changes are written into them and read from a push.
//!
//! After the lane's prefix come the ten bytes of a record, the eight bytes of an epoch field, both, or a
//! `*` for the epoch of everything. A name that cannot be read invalidates everything, because it may
//! have been any of these.

use keyfob_store::{EpochField, Invalidation, Lane, LaneCount, TokenId};
use redis::{PushInfo, PushKind, Value};

use crate::keys::Keys;
use crate::protocol::constants::lane;

/// Writes the changes that one script makes: a record, an epoch, or a record and then an epoch.
pub(crate) fn write(changes: impl IntoIterator<Item = Invalidation>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(TokenId::LOCAL_BYTES + 8);
    for change in changes {
        match change {
            Invalidation::Record(local) => bytes.extend_from_slice(&local),
            Invalidation::Field(field) => bytes.extend_from_slice(field.as_bytes()),
            Invalidation::All => bytes.extend_from_slice(lane::EVERYTHING.as_bytes()),
        }
    }
    bytes
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

/// Returns the changes that a push reports.
pub(super) fn changes_of_push(
    push: &PushInfo,
    keys: &Keys,
    lanes: LaneCount,
) -> Vec<(Lane, Invalidation)> {
    if push.kind != PushKind::Invalidate {
        return Vec::new();
    }
    match push.data.as_slice() {
        [Value::Array(names)] => {
            names.iter().flat_map(|name| changes_of_key(name, keys, lanes)).collect()
        }
        // All data was deleted.
        _ => everything(lanes),
    }
}

fn changes_of_key(name: &Value, keys: &Keys, lanes: LaneCount) -> Vec<(Lane, Invalidation)> {
    let parts = || {
        let Value::BulkString(name) = name else { return None };
        let rest = name.strip_prefix(keys.signals().as_slice())?;
        let end = rest.iter().position(|byte| *byte == b'}')?;
        Some((keys.lane_of_tag(rest.get(..end)?)?, rest.get(end + 1..)?))
    };
    match parts() {
        Some((lane, changes)) => read(changes).into_iter().map(|change| (lane, change)).collect(),
        None => everything(lanes),
    }
}

fn everything(lanes: LaneCount) -> Vec<(Lane, Invalidation)> {
    lanes.lanes().map(|lane| (lane, Invalidation::All)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push_of(names: Value) -> Vec<(Lane, Invalidation)> {
        let lanes = LaneCount::new(4).unwrap();
        let push = PushInfo { kind: PushKind::Invalidate, data: vec![names] };
        changes_of_push(&push, &Keys::new("shop", lanes), lanes)
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
