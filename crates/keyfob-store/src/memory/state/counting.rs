//! Keeps the counts in step with the records.

use super::*;

impl State {
    /// Moves a record to the bucket of its new end. An exhausted record stays where it is.
    pub(super) fn shift(&mut self, id: TokenId, ends_at: Timestamp, now: Timestamp) {
        let is_clear = self.load(id, now).is_some_and(|loaded| loaded.is_clear());
        let record = self.records.get_mut(&local_key(id)).filter(|_| is_clear);
        let Some(record) = record.filter(|record| record.uses_left != Some(0)) else { return };
        let Some(mut stands) = record.stands.take() else { return };
        let to = TimeBucket::of_end(ends_at, now);
        self.lane_mut(id.lane()).counts.shift(&mut stands, to, id, now);
        if let Some(record) = self.records.get_mut(&local_key(id)) {
            record.stands = Some(stands);
        }
    }

    /// Counts a record as exhausted.
    pub(super) fn exhaust(&mut self, id: TokenId, now: Timestamp) {
        if let Some(stands) = self.records.get(&local_key(id)).and_then(|record| record.stands) {
            self.lane_mut(id.lane()).counts.exhaust(stands, now);
        }
    }

    /// Counts a record as revoked, unless it has ended already.
    pub(super) fn end(&mut self, id: TokenId, now: Timestamp) {
        let record = self.records.get(&local_key(id));
        let counted = record.and_then(|record| Some((record.stands?, record.uses_left == Some(0))));
        if let Some((stands, was_exhausted)) = counted {
            self.lane_mut(id.lane()).counts.end(stands, was_exhausted, now);
        }
    }

    /// Counts the listed records as revoked that the epoch of `field` ends, except `other`. Records that
    /// have ended before were counted before.
    pub(super) fn count_out(
        &mut self,
        lane: Lane,
        listed: &[Term],
        field: EpochField,
        other: Option<TokenId>,
        now: Timestamp,
    ) {
        let walk = |term: &Term| self.index.walk(*term, Order::NewestFirst, None);
        let ids = listed.iter().flat_map(walk).filter(|id| id.lane() == lane);
        let ids: BTreeSet<TokenId> = ids.filter(|id| Some(*id) != other).collect();
        for id in ids {
            let ends = self.load(id, now).is_some_and(|loaded| {
                let mut fields = loaded.epochs.fields();
                loaded.is_clear() && fields.any(|(_, known)| known == Some(field))
            });
            if ends {
                self.end(id, now);
            }
        }
    }
}
