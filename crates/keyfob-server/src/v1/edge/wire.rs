//! The bodies of the edge's routes, from and to the values that they carry.

use std::time::Duration;

use keyfob::limit::{Charge, Charged, LimitKey, Meter, Rate};
use keyfob::store::relay::{Beat, JournalId, Since};
use keyfob::store::{
    Consumed, EpochField, Epochs, Invalidation, LastUse, Loaded, MarkScope, Operation, OperationId,
    Replaced, RevocationMark, Verdict,
};
use keyfob::{Timestamp, Ttl};
use keyfob_api::Binary;
use keyfob_api::edge::{
    EdgeBeatAnswer, EdgeBeatBody, EdgeChange, EdgeChanged, EdgeCharged, EdgeChargesBody,
    EdgeConsumed, EdgeEpochs, EdgeLevel, EdgeMark, EdgeMarkScope, EdgeOperation, EdgePosition,
    EdgeRecordBody, EdgeReplaced, EdgeUse, EdgeVerdict,
};

use crate::respond::failure::Failure;

pub(super) fn since(body: &EdgeBeatBody) -> Result<Since, Failure> {
    let after = body.after.as_ref().map(|position| {
        let journal = JournalId(bytes("after.journal", &position.journal)?);
        Ok::<_, Failure>((journal, position.number))
    });
    Ok(Since { after: after.transpose()?, ago: Duration::from_micros(body.ago_us) })
}

pub(super) fn beat(beat: &Beat) -> EdgeBeatAnswer {
    let changes = beat.changes.iter().map(|(lane, what)| EdgeChange {
        lane: lane.number(),
        what: match what {
            Invalidation::Record(local) => EdgeChanged::Record((*local).into()),
            Invalidation::Field(field) => EdgeChanged::Epoch((*field.as_bytes()).into()),
            Invalidation::All => EdgeChanged::All,
        },
    });
    EdgeBeatAnswer {
        namespace: beat.namespace.into(),
        position: EdgePosition { journal: beat.journal.0.into(), number: beat.number },
        continuous: beat.is_continuous,
        // What is covered is rounded down, and the age up.
        covers_us: micros(beat.covers),
        held_us: micros(beat.held),
        age_us: micros(beat.age).saturating_add(1),
        distrusted: beat.distrusted.iter().map(|lane| lane.number()).collect(),
        changes: changes.collect(),
    }
}

pub(super) fn record(loaded: Loaded) -> EdgeRecordBody {
    let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
    EdgeRecordBody {
        id: loaded.id,
        body: loaded.body.into(),
        version: loaded.version.0,
        stamp: loaded.stamp.value(),
        keep_until_ms: loaded.keep_until.as_millis(),
        uses_left: loaded.uses_left,
        last_used_ms: millis(loaded.last_used),
        epochs: epochs(&loaded.epochs),
        verdict: match loaded.verdict {
            Verdict::Clear => EdgeVerdict::Clear,
            Verdict::Revoked(mark) => EdgeVerdict::Revoked(self::mark(mark)),
            Verdict::Damaged => EdgeVerdict::Damaged,
        },
        last_advance_ms: millis(loaded.last_advance),
    }
}

fn epochs(epochs: &Epochs) -> EdgeEpochs {
    let field = |field: &EpochField| Binary::from(*field.as_bytes());
    EdgeEpochs {
        subject: epochs.subject.as_ref().map(field),
        client: epochs.client.as_ref().map(field),
        ancestors: epochs.ancestors.iter().map(field).collect(),
    }
}

fn mark(mark: RevocationMark) -> EdgeMark {
    let through = match mark.through {
        MarkScope::Token => EdgeMarkScope::Token,
        MarkScope::Ancestor(number) => EdgeMarkScope::Ancestor(number),
        MarkScope::Subject => EdgeMarkScope::Subject,
        MarkScope::Client => EdgeMarkScope::Client,
        MarkScope::All => EdgeMarkScope::All,
    };
    EdgeMark { through, at_ms: mark.at.as_millis(), note: mark.note.into() }
}

pub(super) fn operation(operation: &EdgeOperation, now: Timestamp) -> Result<Operation, Failure> {
    let id = OperationId::from_bytes(bytes("operation.id", &operation.id)?);
    let deadline = Timestamp::from_millis(operation.deadline_ms);
    if deadline <= now {
        let detail = "operation.deadline_ms is over: begin another operation";
        return Err(Failure::bad("invalid_value", detail));
    }
    Ok(Operation { id, deadline })
}

pub(super) fn consumed(consumed: Consumed) -> EdgeConsumed {
    match consumed {
        Consumed::Left(left) => EdgeConsumed::Consumed { left },
        Consumed::Exhausted => EdgeConsumed::Exhausted,
        Consumed::Refused => EdgeConsumed::Refused,
    }
}

pub(super) fn replaced(replaced: Replaced) -> EdgeReplaced {
    match replaced {
        Replaced::Stored(version) => EdgeReplaced::Stored { version: version.0 },
        // Nothing is minted, so no id is taken.
        Replaced::Stale | Replaced::IdTaken => EdgeReplaced::Stale,
        Replaced::Ended => EdgeReplaced::Ended,
        Replaced::Missing => EdgeReplaced::Missing,
    }
}

pub(super) fn last_use(one: &EdgeUse) -> LastUse {
    let at = Timestamp::from_millis(one.at_ms);
    LastUse { id: one.id, at, ends_at: one.ends_at_ms.map(Timestamp::from_millis) }
}

pub(super) fn charges(body: &EdgeChargesBody) -> Result<Vec<Charge>, Failure> {
    if body.charges.len() > Charge::MAX_KEYS {
        let detail = format!("there are too many charges: at most {}", Charge::MAX_KEYS);
        return Err(Failure::bad("too_many_items", detail));
    }
    let charges = body.charges.iter().map(|charge| {
        let rate = Rate::new(charge.permits, Ttl::from_millis(charge.period_ms)?)?;
        let meter = Meter::new(rate, charge.burst)?;
        let (min_permits, max_permits) = (charge.min_permits, charge.max_permits);
        if min_permits > charge.burst || min_permits > max_permits {
            let detail = "min_permits has to be at most the burst and at most max_permits";
            return Err(Failure::bad("invalid_value", detail));
        }
        let key = LimitKey::from_bytes(bytes("key", &charge.key)?);
        Ok(Charge { key, meter, min_permits, max_permits })
    });
    let charges: Vec<Charge> = charges.collect::<Result<_, Failure>>()?;
    let keys: std::collections::BTreeSet<_> = charges.iter().map(|charge| charge.key).collect();
    match keys.len() == charges.len() {
        true => Ok(charges),
        false => Err(Failure::bad("invalid_value", "each charge needs another key")),
    }
}

pub(super) fn charged(charged: &Charged) -> EdgeCharged {
    let levels = charged.tallies.iter().map(|outcome| EdgeLevel {
        taken: outcome.taken,
        debt: outcome.level.debt,
        at_ms: outcome.level.at.as_millis(),
        now_ms: outcome.now.as_millis(),
    });
    let began_at_ms = charged.began_at.map(Timestamp::as_millis);
    EdgeCharged { admitted: charged.admitted, levels: levels.collect(), began_at_ms }
}

fn bytes<const N: usize>(member: &str, bytes: &Binary) -> Result<[u8; N], Failure> {
    bytes.array().ok_or_else(|| {
        Failure::bad("invalid_value", format!("{member} has to be {N} bytes in base64url"))
    })
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
