//! A revocation as it goes to the other nodes, with its signal. They send it again if the primary that took
//! it is lost before its replica has it; see `store/resend.rs`.
//!
//! operation (16) · time (8) · what (1) · its target · note · terms · events. A note and an event begin with
//! their length; of the terms there is first the number.

use keyfob_store::{
    Advance, EpochField, EpochScope, Lane, OperationId, Revoke, Term, TermField, Timestamp, TokenId,
};

use crate::protocol::parts::{push_part, take_part};

/// The maximum size. A revocation whose events do not fit is sent without them.
const MAX_BYTES: usize = 16 * 1024;

const RECORD: u8 = 1;
const RECORD_AND_DESCENDANTS: u8 = 2;
const EPOCH_OF_LANE: u8 = 3;
const EPOCH_OF_CLIENT: u8 = 4;
const EVERYTHING: u8 = 5;

/// A revocation that a server has executed.
#[derive(Debug)]
pub(crate) enum Revocation {
    Revoked(OperationId, Revoke),
    Advanced(OperationId, Advance),
}

impl Revocation {
    pub(crate) fn operation(&self) -> OperationId {
        match self {
            Self::Revoked(operation, _) | Self::Advanced(operation, _) => *operation,
        }
    }

    /// About how much of memory it takes, as far as it depends on its content.
    pub(super) fn size(&self) -> usize {
        let (note, listed, events) = match self {
            Self::Revoked(_, revoke) => (&revoke.note, &revoke.listed, &revoke.events),
            Self::Advanced(_, advance) => (&advance.note, &advance.listed, &advance.events),
        };
        note.len() + size_of_val(&listed[..]) + events.iter().map(Vec::len).sum::<usize>()
    }

    pub(super) fn concerns(&self, lane: Lane) -> bool {
        match self {
            Self::Revoked(_, revoke) => revoke.id.lane() == lane,
            Self::Advanced(_, advance) => match advance.scope {
                EpochScope::Lane(own, _) => own == lane,
                EpochScope::EveryLane(_) | EpochScope::All => true,
            },
        }
    }

    pub(super) fn from_bytes(mut rest: &[u8]) -> Option<Self> {
        let rest = &mut rest;
        let operation = OperationId::from_bytes(take(rest)?);
        let at = Timestamp::from_millis(u64::from_be_bytes(take(rest)?));
        let [what] = take(rest)?;
        let field = |rest: &mut &[u8]| take(rest).map(EpochField::from_bytes);
        let lane = |rest: &mut &[u8]| take(rest).map(|lane| Lane::new(u16::from_be_bytes(lane)));
        let (record, scope) = match what {
            RECORD => (Some((TokenId::from_bytes(take(rest)?), None)), None),
            RECORD_AND_DESCENDANTS => {
                (Some((TokenId::from_bytes(take(rest)?), Some(field(rest)?))), None)
            }
            EPOCH_OF_LANE => (None, Some(EpochScope::Lane(lane(rest)?, field(rest)?))),
            EPOCH_OF_CLIENT => (None, Some(EpochScope::EveryLane(field(rest)?))),
            EVERYTHING => (None, Some(EpochScope::All)),
            _ => return None,
        };
        let note = take_part(rest)?.to_vec();
        let [count] = take(rest)?;
        let mut listed = Vec::new();
        for _ in 0..count {
            let [field] = take(rest)?;
            listed.push(Term::from_parts(TermField::from_number(field)?, take(rest)?));
        }
        let mut events = Vec::new();
        while !rest.is_empty() {
            events.push(take_part(rest)?.to_vec());
        }
        Some(match (record, scope) {
            (Some((id, cascade)), _) => {
                Self::Revoked(operation, Revoke { id, at, note, cascade, listed, events })
            }
            (None, Some(scope)) => {
                Self::Advanced(operation, Advance { scope, at, note, listed, events })
            }
            (None, None) => return None,
        })
    }
}

/// Writes the revocation of a record.
pub(crate) fn of_record(operation: OperationId, revoke: &Revoke) -> Vec<u8> {
    let what = if revoke.cascade.is_some() { RECORD_AND_DESCENDANTS } else { RECORD };
    let mut bytes = begin(operation, revoke.at, what);
    bytes.extend_from_slice(revoke.id.as_bytes());
    bytes.extend(revoke.cascade.iter().flat_map(|field| *field.as_bytes()));
    finish(bytes, &revoke.note, &revoke.listed, &revoke.events)
}

/// Writes the advance of an epoch.
pub(crate) fn of_advance(operation: OperationId, advance: &Advance) -> Vec<u8> {
    let (what, lane, field) = match advance.scope {
        EpochScope::Lane(lane, field) => (EPOCH_OF_LANE, Some(lane), Some(field)),
        EpochScope::EveryLane(field) => (EPOCH_OF_CLIENT, None, Some(field)),
        EpochScope::All => (EVERYTHING, None, None),
    };
    let mut bytes = begin(operation, advance.at, what);
    bytes.extend(lane.iter().flat_map(|lane| lane.number().to_be_bytes()));
    bytes.extend(field.iter().flat_map(|field| *field.as_bytes()));
    finish(bytes, &advance.note, &advance.listed, &advance.events)
}

fn begin(operation: OperationId, at: Timestamp, what: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    bytes.extend_from_slice(operation.as_bytes());
    bytes.extend_from_slice(&at.as_millis().to_be_bytes());
    bytes.push(what);
    bytes
}

fn finish(mut bytes: Vec<u8>, note: &[u8], listed: &[Term], events: &[Vec<u8>]) -> Vec<u8> {
    push_part(&mut bytes, note);
    let listed = listed.get(..listed.len().min(u8::MAX.into())).unwrap_or_default();
    bytes.push(listed.len() as u8);
    for term in listed {
        bytes.push(term.field() as u8);
        bytes.extend_from_slice(term.digest());
    }
    let size = events.iter().map(|event| event.len() + 4).sum::<usize>();
    if bytes.len() + size <= MAX_BYTES {
        events.iter().for_each(|event| push_part(&mut bytes, event));
    }
    bytes
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATION: OperationId = OperationId::from_bytes([3; 16]);
    const FIELD: EpochField = EpochField::from_bytes([9; 8]);

    fn all() -> Vec<Vec<u8>> {
        let at = Timestamp::from_millis(1_795_000_000_000);
        let listed = vec![Term::from_parts(TermField::Family, [5; 16])];
        let (note, events) = (b"why".to_vec(), vec![b"first".to_vec(), vec![0xff; 300]]);
        let id = TokenId::from_bytes([7; 16]);
        let mut all = Vec::new();
        for cascade in [None, Some(FIELD)] {
            let (note, listed, events) = (note.clone(), listed.clone(), events.clone());
            let revoke = Revoke { id, at, note, cascade, listed, events };
            all.push(of_record(OPERATION, &revoke));
        }
        for scope in
            [EpochScope::Lane(Lane::new(3), FIELD), EpochScope::EveryLane(FIELD), EpochScope::All]
        {
            let (note, listed, events) = (note.clone(), listed.clone(), events.clone());
            let advance = Advance { scope, at, note, listed, events };
            all.push(of_advance(OPERATION, &advance));
        }
        all
    }

    #[test]
    fn a_revocation_reads_back() {
        for bytes in all() {
            let again = match Revocation::from_bytes(&bytes).unwrap() {
                Revocation::Revoked(operation, revoke) => of_record(operation, &revoke),
                Revocation::Advanced(operation, advance) => of_advance(operation, &advance),
            };
            assert_eq!(again, bytes);
        }
    }

    #[test]
    fn cut_bytes_read_back_without_events_or_not_at_all() {
        for bytes in all() {
            for end in 0..bytes.len() {
                match Revocation::from_bytes(&bytes[..end]) {
                    None => {}
                    Some(Revocation::Revoked(_, revoke)) => assert!(revoke.events.len() < 2),
                    Some(Revocation::Advanced(_, advance)) => assert!(advance.events.len() < 2),
                }
            }
        }
    }

    #[test]
    fn events_that_are_too_large_are_left_out() {
        let at = Timestamp::from_millis(1);
        let events = vec![vec![1; MAX_BYTES]];
        let advance = Advance { events, ..Advance::new(EpochScope::All, at) };
        let bytes = of_advance(OPERATION, &advance);
        let Some(Revocation::Advanced(_, read)) = Revocation::from_bytes(&bytes) else { panic!() };
        assert!(read.events.is_empty());
    }
}
