//! Inserting, replacing, spending, touching.

use std::collections::{BTreeMap, HashSet};

use futures_util::future::try_join_all;
use keyfob_store::{
    Consumed, CountBucket, Insert, Inserted, KeyVersion, Lane, LastUse, NewRecord, Operation,
    RecordVersion, Replace, Replaced, Stamp, StampRule, StoreError, TimeBucket, Timestamp, TokenId,
    Ttl,
};

use super::Shared;
use crate::config::misconfigured;
use crate::net::{Arg, Call, Reply, next};
use crate::{keys, record};

/// 2025-01-01, where the scores of an index begin: so they fit 32 bits, which is 4 bytes less.
pub(super) const SCORE_EPOCH: u64 = 1_735_689_600;

/// How many uses one call notes at most.
const TOUCHED: usize = 500;

impl Shared {
    pub(super) async fn insert(
        &self,
        operation: Operation,
        insert: Insert,
    ) -> Result<Inserted, StoreError> {
        let Some(lane) = insert.records.first().map(|first| first.id.lane()) else {
            return Err(misconfigured("an insert has at least one record, such as a token's own"));
        };
        self.check(&insert.records, lane)?;
        if clash(&insert.records) {
            return Ok(Inserted::IdTaken);
        }
        let remembers = |record: &NewRecord| remembers(record, operation);
        let remember = u64::from(!insert.records.iter().any(remembers));
        let mut names = vec![
            self.keys.lane(lane),
            self.keys.events(lane),
            self.keys.answer(lane, operation.id),
        ];
        let first = [Arg::Local(operation.deadline), remember.into()];
        let mut args = self.with_events(first, insert.events);
        args.push((insert.records.len() as u64).into());
        self.describe(&insert.records, operation, &mut names, &mut args);
        let call = Call::new(&self.scripts.insert, names, args);
        let reply = self.net.run(self.keys.slot(lane), &call).await;
        let (code, mut more) = outcome(reply.map_err(|failed| failed.of(operation.id))?)?;
        match code.as_str() {
            "stored" => Ok(Inserted::Stored(Stamp::new(next(&mut more)?.number()?))),
            "taken" => Ok(Inserted::IdTaken),
            "superseded" => Ok(Inserted::Superseded),
            _ => Err(refusal(&code, operation, None, more)),
        }
    }

    pub(super) async fn replace(
        &self,
        operation: Operation,
        replace: Replace,
    ) -> Result<Replaced, StoreError> {
        let (id, lane) = (replace.id, replace.id.lane());
        NewRecord::check_body(&replace.body)?;
        self.check(&replace.minted, lane)?;
        if clash(&replace.minted) {
            return Ok(Replaced::IdTaken);
        }
        let mut names = vec![
            self.keys.lane(lane),
            self.keys.events(lane),
            self.keys.answer(lane, operation.id),
            self.keys.record(id),
            self.keys.signal(lane, &id.local()),
            self.keys.cells(lane),
        ];
        names.extend(replace.added_terms.iter().map(|term| self.keys.head(lane, *term)));
        let broad = |is| if is { b'1' } else { b'0' };
        let broad: Vec<u8> =
            replace.added_terms.iter().map(|term| broad(term.field().is_broad())).collect();
        let first = [Arg::Local(operation.deadline), keys::rest(id)[..].into()];
        let mut args = self.with_events(first, replace.events);
        args.push(u64::from(replace.read.0).into());
        args.push(replace.body.into());
        args.push(u64::from(replace.key.value()).into());
        args.push(self.span_of(replace.ends_at).into());
        args.push((replace.added_terms.len() as u64).into());
        args.push(broad.into());
        args.push((replace.minted.len() as u64).into());
        let first = replace.minted.first();
        args.push(u64::from(!first.is_some_and(|first| remembers(first, operation))).into());
        self.describe(&replace.minted, operation, &mut names, &mut args);
        let call = Call::new(&self.scripts.replace, names, args);
        let reply = self.net.run(self.keys.slot(lane), &call).await;
        let (code, mut more) = outcome(reply.map_err(|failed| failed.of(operation.id))?)?;
        match code.as_str() {
            "stored" => Ok(Replaced::Stored(RecordVersion(next(&mut more)?.number()? as u32))),
            "stale" => Ok(Replaced::Stale),
            "ended" => Ok(Replaced::Ended),
            "missing" => Ok(Replaced::Missing),
            "taken" => Ok(Replaced::IdTaken),
            _ => Err(refusal(&code, operation, Some(id), more)),
        }
    }

    pub(super) async fn consume(
        &self,
        operation: Operation,
        id: TokenId,
    ) -> Result<Consumed, StoreError> {
        let lane = id.lane();
        let names = vec![
            self.keys.lane(lane),
            self.keys.answer(lane, operation.id),
            self.keys.record(id),
            self.keys.cells(lane),
        ];
        let args = vec![Arg::Local(operation.deadline), keys::rest(id)[..].into()];
        let call = Call::new(&self.scripts.consume, names, args);
        let reply = self.net.run(self.keys.slot(lane), &call).await;
        let (code, mut more) = outcome(reply.map_err(|failed| failed.of(operation.id))?)?;
        match code.as_str() {
            "left" => Ok(Consumed::Left(next(&mut more)?.number()? as u32)),
            "exhausted" => Ok(Consumed::Exhausted),
            "refused" => Ok(Consumed::Refused),
            _ => Err(refusal(&code, operation, Some(id), more)),
        }
    }

    pub(super) async fn touch(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        let mut by_lane: BTreeMap<Lane, Vec<&LastUse>> = BTreeMap::new();
        for last in uses {
            by_lane.entry(last.id.lane()).or_default().push(last);
        }
        let batches = by_lane.iter().flat_map(|(lane, uses)| {
            uses.chunks(TOUCHED).map(|batch| self.touch_batch(*lane, batch))
        });
        try_join_all(batches).await.map(drop)
    }

    async fn touch_batch(&self, lane: Lane, uses: &[&LastUse]) -> Result<(), StoreError> {
        let names =
            uses.iter().flat_map(|last| [self.keys.record(last.id), self.keys.last_use(last.id)]);
        let names = [self.keys.lane(lane), self.keys.cells(lane)].into_iter().chain(names);
        let args = uses.iter().flat_map(|last| {
            let rest = Arg::from(&keys::rest(last.id)[..]);
            [rest, last.at.as_millis().into(), self.span_of(last.ends_at).into()]
        });
        let call = Call::new(&self.scripts.touch, names.collect(), args.collect());
        self.net.read(self.keys.slot(lane), &call).await.map(drop)
    }

    /// The bytes of the span that an end has moved to; none, if it has not.
    fn span_of(&self, ends_at: Option<Timestamp>) -> Vec<u8> {
        let span = ends_at.map(|ends_at| TimeBucket::of_end(ends_at, self.now()).to_bytes());
        span.map_or_else(Vec::new, |span| span.to_vec())
    }

    /// Adds new records to the keys and the arguments of a call, as `records.lua` reads them.
    fn describe(
        &self,
        records: &[NewRecord],
        operation: Operation,
        names: &mut Vec<Vec<u8>>,
        args: &mut Vec<Arg>,
    ) {
        let now = self.now();
        for new in records {
            let keep = new.keep_until.as_millis();
            let life = keep.saturating_sub(now.as_millis());
            let lane = new.id.lane();
            names.push(self.keys.record(new.id));
            names.extend(new.terms.iter().map(|term| self.keys.head_for(lane, *term, life / 1000)));
            let place = new.counted.map(|counted| counted.place(now));
            let spans: Vec<TimeBucket> = place.iter().flat_map(CountBucket::spans).collect();
            names.extend(spans.iter().map(|span| self.keys.cell(lane, *span)));
            let cells = spans.len() as u8 + if new.uses_left == Some(0) { 2 } else { 0 };
            let under = place.map(|place| record::counted_under(cells, place.kind, &new.epochs));
            let seen = match new.stamp {
                StampRule::Present => String::new(),
                StampRule::Seen(stamp) => stamp.value().to_string(),
            };
            args.extend([
                record::front(new).into(),
                record::back(new, operation.id, place).into(),
                keep.into(),
                keep.div_ceil(1000).saturating_sub(SCORE_EPOCH).into(),
                coarse(keep, life).into(),
                seen.into_bytes().into(),
                record::fields(&new.epochs).into(),
                ((new.terms.len() + spans.len()) as u64).into(),
                under.unwrap_or_default().into(),
            ]);
        }
    }

    fn check(&self, records: &[NewRecord], lane: Lane) -> Result<(), StoreError> {
        records.iter().try_for_each(|record| NewRecord::check_body(&record.body))?;
        if records.iter().any(|record| record.id.lane() != lane) {
            return Err(misconfigured(
                "records that are stored in one step are of one lane, such as a token and what is \
                 minted from it",
            ));
        }
        if !records.is_empty() && lane.number() >= self.namespace.lanes().get() {
            return Err(misconfigured(format!(
                "this namespace has no lane {}: draw the id for a lane of Store::namespace",
                lane.number()
            )));
        }
        Ok(())
    }
}

/// A moment not before `keep`, in steps of about a sixteenth of the life: so most records find the
/// keys of their indexes with the time to live that they want, and nothing has to be replicated.
fn coarse(keep: u64, life: u64) -> u64 {
    let step = 1 << (life / 16).checked_ilog2().unwrap_or(0);
    keep.next_multiple_of(step)
}

/// Whether a new record outlives the deadline of its operation, and so remembers it for as long as it
/// may be sent again.
fn remembers(record: &NewRecord, operation: Operation) -> bool {
    record.keep_until > operation.deadline + Ttl::from_secs(60)
}

/// Whether two of the records would have one key. A script that found out only while it stores them
/// would have stored one.
fn clash(records: &[NewRecord]) -> bool {
    let mut seen = HashSet::new();
    !records.iter().all(|record| seen.insert(record.id.local()))
}

/// The word that a script answers with, and what follows it.
pub(super) fn outcome(reply: Reply) -> Result<(String, std::vec::IntoIter<Reply>), StoreError> {
    let mut parts = reply.array()?.into_iter();
    Ok((next(&mut parts)?.text()?, parts))
}

/// The error that a script's answer means which is none of the verb's own.
pub(super) fn refusal(
    code: &str,
    operation: Operation,
    id: Option<TokenId>,
    mut more: std::vec::IntoIter<Reply>,
) -> StoreError {
    let ahead = |more: &mut std::vec::IntoIter<Reply>| {
        Ttl::from_millis(next(more).ok()?.number().ok()?).ok()
    };
    let key = |more: &mut std::vec::IntoIter<Reply>| {
        let number = next(more).ok()?.number().ok()?;
        u16::try_from(number).ok().map(KeyVersion::new)
    };
    match code {
        "retired" => {
            let (below, floor) = (key(&mut more), key(&mut more));
            let (key, floor) = (below.unwrap_or_default(), floor.unwrap_or_default());
            StoreError::KeyRetired { key, floor }
        }
        "late" => StoreError::DeadlinePassed { operation: operation.id },
        "ahead" => StoreError::ClockSkew { ahead: ahead(&mut more).unwrap_or(Ttl::from_secs(10)) },
        "damaged" => StoreError::Corrupt {
            what: id.map_or_else(|| "a token".to_owned(), |id| id.to_string()),
            detail: "its header is of no known format".to_owned(),
        },
        _ => StoreError::unavailable(format!("the script answered '{code}', which means nothing")),
    }
}

/// A moment some time from now that no call under way needs to reach.
pub(super) fn soon(now: Timestamp) -> Timestamp {
    now + Operation::WINDOW
}
