//! The advance of an epoch in several lanes, and its form in the tables of unfinished advances.

use keyfob_store::{Advance, EpochField, EpochScope, Invalidation, Lane, OperationId, Timestamp};

use crate::protocol::constants::lane;
use crate::protocol::parts::{push_part, take_part};

/// What the stored form begins with. The form before it had no events and began with the time,
/// whose first byte is 0.
const FORMAT: [u8; 9] = [0xff; 9];

/// What is the same in every lane that an epoch is advanced in. It is also what the tables of
/// unfinished advances hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct EpochAdvance {
    pub(super) operation: OperationId,
    pub(super) field: Option<EpochField>,
    pub(super) at: Timestamp,
    pub(super) note: Vec<u8>,
    /// The events of an advance over all lanes. Its first lane has them.
    events: Vec<Vec<u8>>,
}

impl EpochAdvance {
    pub(super) fn new(operation: OperationId, advance: &Advance) -> Self {
        let field = match advance.scope {
            EpochScope::Lane(_, field) | EpochScope::EveryLane(field) => Some(field),
            EpochScope::All => None,
        };
        let (note, events) = (advance.note.clone(), advance.events.clone());
        Self { operation, field, at: advance.at, note, events }
    }

    /// The field of the lane's hash.
    pub(super) fn field(&self) -> Vec<u8> {
        match self.field {
            Some(field) => field.as_bytes().to_vec(),
            None => lane::EVERYTHING.as_bytes().to_vec(),
        }
    }

    /// The advance over all lanes that this is, without the terms that only a lane's own has.
    pub(super) fn as_advance(&self) -> Advance {
        let scope = self.field.map_or(EpochScope::All, EpochScope::EveryLane);
        let (note, events) = (self.note.clone(), self.events.clone());
        Advance { note, events, ..Advance::new(scope, self.at) }
    }

    /// The invalidation to report in each lane.
    pub(super) fn change(&self) -> Invalidation {
        self.field.map_or(Invalidation::All, Invalidation::Field)
    }

    /// The events that a lane has of an advance over all lanes.
    pub(super) fn events_in(&self, lane: Lane) -> Vec<Vec<u8>> {
        if lane == Lane::default() { self.events.clone() } else { Vec::new() }
    }

    /// The format, the time, the field, the note, the events. Each but the first two begins with
    /// its length.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let field = self.field();
        let mut bytes = FORMAT.to_vec();
        bytes.extend_from_slice(&self.at.as_millis().to_be_bytes());
        for part in [&field, &self.note].into_iter().chain(&self.events) {
            push_part(&mut bytes, part);
        }
        bytes
    }

    /// Reads the stored form, or returns `None` if it cannot be read.
    pub(super) fn from_bytes(operation: &[u8], bytes: &[u8]) -> Option<Self> {
        let operation = OperationId::from_bytes(operation.try_into().ok()?);
        let Some(bytes) = bytes.strip_prefix(&FORMAT) else {
            return Self::from_bytes_without_events(operation, bytes);
        };
        let (at, mut rest) = bytes.split_first_chunk::<8>()?;
        let field = take_part(&mut rest)?;
        let note = take_part(&mut rest)?.to_vec();
        let mut events = Vec::new();
        while !rest.is_empty() {
            events.push(take_part(&mut rest)?.to_vec());
        }
        Some(Self { operation, field: read_field(field)?, at: read_time(*at), note, events })
    }

    /// Reads the form before [`FORMAT`]: the time, the length of the field, the field, the note.
    /// The first lane then has its events already.
    fn from_bytes_without_events(operation: OperationId, bytes: &[u8]) -> Option<Self> {
        let (at, rest) = bytes.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first()?;
        let (field, note) = rest.split_at_checked(usize::from(*length))?;
        let (field, note, events) = (read_field(field)?, note.to_vec(), Vec::new());
        Some(Self { operation, field, at: read_time(*at), note, events })
    }
}

fn read_field(field: &[u8]) -> Option<Option<EpochField>> {
    if field == lane::EVERYTHING.as_bytes() {
        return Some(None);
    }
    field.try_into().ok().map(|field| Some(EpochField::from_bytes(field)))
}

fn read_time(at: [u8; 8]) -> Timestamp {
    Timestamp::from_millis(u64::from_be_bytes(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATION: OperationId = OperationId::from_bytes([3; 16]);

    fn advance(scope: EpochScope) -> EpochAdvance {
        let at = Timestamp::from_millis(1_795_000_000_000);
        let events = vec![b"first".to_vec(), Vec::new(), vec![0xff; 300]];
        EpochAdvance::new(
            OPERATION,
            &Advance { note: b"why".to_vec(), events, ..Advance::new(scope, at) },
        )
    }

    #[test]
    fn it_reads_back_and_nothing_shorter_does() {
        for scope in [EpochScope::All, EpochScope::EveryLane(EpochField::from_bytes([7; 8]))] {
            let advance = advance(scope);
            let bytes = advance.to_bytes();
            let read = |bytes: &[u8]| EpochAdvance::from_bytes(OPERATION.as_bytes(), bytes);
            assert_eq!(read(&bytes), Some(advance.clone()));
            // If the bytes are cut between two events, they decode as a shorter list.
            let cut = (0..bytes.len()).filter_map(|end| read(&bytes[..end]));
            assert!(cut.into_iter().all(|cut| cut.events.len() < 3 && cut.note == advance.note));
        }
    }

    #[test]
    fn records_of_an_earlier_version_are_readable() {
        let advance = advance(EpochScope::All);
        let at = advance.at.as_millis().to_be_bytes();
        let bytes = [&at[..], &[1], lane::EVERYTHING.as_bytes(), b"why"].concat();
        let read = EpochAdvance::from_bytes(OPERATION.as_bytes(), &bytes);
        assert_eq!(read, Some(EpochAdvance { events: Vec::new(), ..advance }));
    }
}
