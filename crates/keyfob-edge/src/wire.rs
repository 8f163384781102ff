//! The bodies of the edge's routes, as the values of a store.

use std::time::Duration;

use keyfob_api::Binary;
use keyfob_api::edge::{
    EdgeBeatAnswer, EdgeBeatBody, EdgeBody, EdgeChange, EdgeChanged, EdgeConsumed, EdgeEpochs,
    EdgeMark, EdgeMarkScope, EdgeOperation, EdgePosition, EdgeRecordBody, EdgeReplaced, EdgeUse,
    EdgeVerdict,
};
use keyfob_store::relay::{Beat, JournalId, Since};
use keyfob_store::{
    Consumed, EpochField, Epochs, Invalidation, KeyVersion, Lane, LaneCount, LastUse, Loaded,
    MarkScope, MonotonicInstant, Namespace, NamespaceKey, Operation, RecordVersion, Replaced,
    RevocationMark, Stamp, StoreError, Timestamp, TokenId, Verdict,
};

use crate::failure::malformed;

pub(crate) fn namespace(body: &EdgeBody) -> Result<Namespace, StoreError> {
    let lanes = LaneCount::new(body.lanes).map_err(|_| malformed("a number of lanes"))?;
    let key = body.key.array().map(NamespaceKey::from_bytes);
    let namespace = Namespace::new(lanes, key.ok_or_else(|| malformed("a key"))?);
    Ok(if body.requires_id_macs { namespace.require_id_macs() } else { namespace })
}

pub(crate) fn question(since: &Since, hold: Duration) -> EdgeBeatBody {
    let after =
        since.after.map(|(journal, number)| EdgePosition { journal: journal.0.into(), number });
    // Rounded up: it is for how long the answer has to go back.
    EdgeBeatBody { after, ago_us: micros(since.ago).saturating_add(1), hold_us: micros(hold) }
}

pub(crate) fn beat(body: &EdgeBeatAnswer) -> Result<Beat, StoreError> {
    let span = Duration::from_micros;
    let id = body.position.journal.array().ok_or_else(|| malformed("a journal"))?;
    Ok(Beat {
        namespace: body.namespace.array().ok_or_else(|| malformed("a namespace"))?,
        journal: JournalId(id),
        number: body.position.number,
        is_continuous: body.continuous,
        covers: span(body.covers_us),
        held: span(body.held_us),
        age: span(body.age_us),
        distrusted: body.distrusted.iter().copied().map(Lane::new).collect(),
        changes: body
            .changes
            .iter()
            .map(change)
            .collect::<Option<_>>()
            .ok_or_else(|| malformed("a change"))?,
    })
}

fn change(change: &EdgeChange) -> Option<(Lane, Invalidation)> {
    let what = match &change.what {
        EdgeChanged::Record(local) => Invalidation::Record(local.array()?),
        EdgeChanged::Epoch(field) => Invalidation::Field(EpochField::from_bytes(field.array()?)),
        EdgeChanged::All => Invalidation::All,
    };
    Some((Lane::new(change.lane), what))
}

/// Returns a record that was asked for at `sent`.
pub(crate) fn record(
    id: TokenId,
    body: EdgeRecordBody,
    sent: MonotonicInstant,
) -> Result<Loaded, StoreError> {
    if body.id != id {
        return Err(malformed("another record"));
    }
    Ok(Loaded {
        id,
        body: body.body.0,
        key: KeyVersion::PLAINTEXT,
        version: RecordVersion(body.version),
        stamp: Stamp::new(body.stamp),
        keep_until: Timestamp::from_millis(body.keep_until_ms),
        uses_left: body.uses_left,
        last_used: body.last_used_ms.map(Timestamp::from_millis),
        epochs: epochs(&body.epochs).ok_or_else(|| malformed("epochs"))?,
        sent,
        verdict: match body.verdict {
            EdgeVerdict::Clear => Verdict::Clear,
            EdgeVerdict::Revoked(mark) => Verdict::Revoked(self::mark(mark)),
            EdgeVerdict::Damaged => Verdict::Damaged,
        },
        last_advance: body.last_advance_ms.map(Timestamp::from_millis),
    })
}

fn epochs(body: &EdgeEpochs) -> Option<Epochs> {
    let field = |bytes: &Binary| bytes.array().map(EpochField::from_bytes);
    let one = |bytes: &Option<Binary>| match bytes {
        Some(bytes) => field(bytes).map(Some),
        None => Some(None),
    };
    let ancestors = body.ancestors.iter().map(field).collect::<Option<_>>()?;
    Some(Epochs { subject: one(&body.subject)?, client: one(&body.client)?, ancestors })
}

fn mark(body: EdgeMark) -> RevocationMark {
    let through = match body.through {
        EdgeMarkScope::Token => MarkScope::Token,
        EdgeMarkScope::Ancestor(number) => MarkScope::Ancestor(number),
        EdgeMarkScope::Subject => MarkScope::Subject,
        EdgeMarkScope::Client => MarkScope::Client,
        EdgeMarkScope::All => MarkScope::All,
    };
    RevocationMark { through, at: Timestamp::from_millis(body.at_ms), note: body.note.0 }
}

pub(crate) fn operation(operation: Operation) -> EdgeOperation {
    EdgeOperation {
        id: (*operation.id.as_bytes()).into(),
        deadline_ms: operation.deadline.as_millis(),
    }
}

pub(crate) fn consumed(body: EdgeConsumed) -> Consumed {
    match body {
        EdgeConsumed::Consumed { left } => Consumed::Left(left),
        EdgeConsumed::Exhausted => Consumed::Exhausted,
        EdgeConsumed::Refused => Consumed::Refused,
    }
}

pub(crate) fn replaced(body: EdgeReplaced) -> Replaced {
    match body {
        EdgeReplaced::Stored { version } => Replaced::Stored(RecordVersion(version)),
        EdgeReplaced::Stale => Replaced::Stale,
        EdgeReplaced::Ended => Replaced::Ended,
        EdgeReplaced::Missing => Replaced::Missing,
    }
}

pub(crate) fn last_use(last: &LastUse) -> EdgeUse {
    let ends_at_ms = last.ends_at.map(Timestamp::as_millis);
    EdgeUse { id: last.id, at_ms: last.at.as_millis(), ends_at_ms }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
