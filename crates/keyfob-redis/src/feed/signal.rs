//! What the name of a signal says, and what a push says of it.
//!
//! After the lane's prefix come the ten bytes of a record, the eight of an epoch field, both, or a
//! `*` for the epoch of everything. Whatever cannot be read empties: it may have been any of them.

use keyfob_store::{EpochField, Invalidation, Lane, LaneCount, Revoke};
use redis::{PushInfo, PushKind, Value};

use crate::keys::Keys;

/// What a revocation signals: the record, and the epoch that goes with it.
pub(crate) fn of_revocation(revoke: &Revoke) -> Vec<u8> {
    let cascade = revoke.cascade.iter().flat_map(|field| *field.as_bytes());
    revoke.id.local().into_iter().chain(cascade).collect()
}

/// The changes that a push tells of.
pub(super) fn changes(push: &PushInfo, keys: &Keys, lanes: LaneCount) -> Vec<(Lane, Invalidation)> {
    if push.kind != PushKind::Invalidate {
        return Vec::new();
    }
    match push.data.as_slice() {
        [Value::Array(names)] => names.iter().flat_map(|name| named(name, keys, lanes)).collect(),
        // Everything was flushed.
        _ => all(lanes),
    }
}

fn named(name: &Value, keys: &Keys, lanes: LaneCount) -> Vec<(Lane, Invalidation)> {
    let read = || {
        let Value::BulkString(name) = name else { return None };
        let rest = name.strip_prefix(keys.signals().as_slice())?;
        let end = rest.iter().position(|byte| *byte == b'}')?;
        Some((keys.lane_of_tag(rest.get(..end)?)?, rest.get(end + 1..)?))
    };
    match read() {
        Some((lane, change)) => told(change).into_iter().map(|change| (lane, change)).collect(),
        None => all(lanes),
    }
}

fn told(change: &[u8]) -> Vec<Invalidation> {
    let record = |bytes: &[u8]| bytes.try_into().ok().map(Invalidation::Record);
    let field = |bytes: &[u8]| {
        bytes.try_into().ok().map(|bytes| Invalidation::Field(EpochField::from_bytes(bytes)))
    };
    let both = |bytes: &[u8]| {
        let (first, rest) = bytes.split_at_checked(keyfob_store::TokenId::LOCAL_BYTES)?;
        Some(vec![record(first)?, field(rest)?])
    };
    let one = record(change).or_else(|| field(change)).map(|change| vec![change]);
    one.or_else(|| both(change)).unwrap_or_else(|| vec![Invalidation::All])
}

fn all(lanes: LaneCount) -> Vec<(Lane, Invalidation)> {
    lanes.lanes().map(|lane| (lane, Invalidation::All)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(names: Value) -> Vec<(Lane, Invalidation)> {
        let lanes = LaneCount::new(4).unwrap();
        let push = PushInfo { kind: PushKind::Invalidate, data: vec![names] };
        changes(&push, &Keys::new("shop", lanes), lanes)
    }

    fn signal(lane: u16, change: &[u8]) -> Value {
        let keys = Keys::new("shop", LaneCount::new(4).unwrap());
        Value::BulkString(keys.signal(Lane::new(lane), change))
    }

    #[test]
    fn a_push_names_what_ended() {
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
        assert_eq!(read(Value::Array(names)), expected);
    }

    #[test]
    fn what_cannot_be_read_empties() {
        let everything = all(LaneCount::new(4).unwrap());
        let strange = Value::BulkString(b"shop:x{no tag of ours}".to_vec());
        for push in [Value::Nil, Value::Int(1), Value::Array(vec![strange])] {
            assert_eq!(read(push.clone()), everything, "{push:?}");
        }
        for change in [&b""[..], b"short", &[0; 17], &[0; 19]] {
            let told = read(Value::Array(vec![signal(1, change)]));
            assert_eq!(told, [(Lane::new(1), Invalidation::All)], "{change:?}");
        }
        assert_eq!(read(Value::Array(vec![])), []);
    }
}
