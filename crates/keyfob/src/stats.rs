//! The number of tokens at a time, computed from counts by spans of time.
//!
//! A [`BucketCounts`] holds how many tokens end within a span of time, or how many begin within
//! one. For a span that the present lies in, the ends (or the beginnings) are assumed to be spread
//! evenly. A number that is not whole is rounded up.

use std::collections::BTreeMap;

use keyfob_core::id::Lane;
use keyfob_core::namespace::EpochField;
use keyfob_core::text::ClientId;
use keyfob_core::time::Timestamp;
use keyfob_core::token::{Kind, TokenState};
use keyfob_store::{BucketCounts, TimeBucket};

/// The number of tokens that have not expired, from counts that the store keeps as tokens are
/// written. [`TokenManager::stats`](crate::TokenManager::stats) returns it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// The time of the numbers.
    pub at: Timestamp,
    /// The numbers for each kind.
    pub by_kind: BTreeMap<Kind, StateCounts>,
    /// The numbers for each client that has tokens, those with the most tokens first.
    pub by_client: Vec<ClientCounts>,
    /// The number of tokens of which it is not known whether their end, or their beginning, has
    /// come. Each number above is wrong by at most this number, and by one for the rounding.
    pub unsure: u64,
    /// The lanes of the store that could not be reached. Their tokens are missing from each number.
    pub missing_lanes: Vec<Lane>,
}

/// The number of tokens in each state. Expired tokens are not counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct StateCounts {
    /// Tokens whose not-before time has not come.
    pub pending: u64,
    /// Active tokens. Some that were revoked with an ancestor, or with everything of a subject that
    /// has very many tokens, may be counted here until they would have expired.
    pub active: u64,
    /// Revoked tokens.
    pub revoked: u64,
    /// Tokens without uses left.
    pub exhausted: u64,
}

/// The tokens of one client.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ClientCounts {
    /// The client.
    pub client: CountedClient,
    /// The number of its tokens.
    pub counts: StateCounts,
}

/// The client of counted tokens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CountedClient {
    /// No client: the tokens were issued without one.
    None,
    /// This client.
    Known(ClientId),
    /// A client whose name is not known, because none of its tokens was found.
    Unknown(EpochField),
}

/// A sum in fractions of a token, so that shares of spans are added before the sum is rounded.
#[derive(Clone, Copy, Default)]
struct Sum {
    pending: i128,
    active: i128,
    revoked: i128,
    exhausted: i128,
}

/// One token.
const WHOLE: i128 = 1 << 32;

impl StateCounts {
    /// The number of tokens in all states.
    pub fn total(&self) -> u64 {
        self.pending + self.active + self.revoked + self.exhausted
    }

    /// The number of tokens in a state; `None` for expired ones, which are not counted.
    pub fn of(&self, state: TokenState) -> Option<u64> {
        match state {
            TokenState::Pending => Some(self.pending),
            TokenState::Active => Some(self.active),
            TokenState::Revoked => Some(self.revoked),
            TokenState::Exhausted => Some(self.exhausted),
            TokenState::Expired => None,
        }
    }
}

impl Stats {
    /// The numbers at a time, from counts. `name` finds the name of a client.
    pub(crate) fn of(
        tallies: &[BucketCounts],
        at: Timestamp,
        name: impl Fn(EpochField) -> Option<ClientId>,
    ) -> Self {
        let mut by_kind: BTreeMap<Kind, Sum> = Kind::ALL.map(|kind| (kind, Sum::default())).into();
        let mut by_client: BTreeMap<Option<EpochField>, Sum> = BTreeMap::new();
        let mut unsure = 0;
        for tally in tallies {
            let share = share_ahead(tally.span, at);
            if share == 0 {
                continue;
            }
            // A token that ends at the first moment of a span has ended at that moment.
            if tally.span.from() <= at {
                unsure += tally.stored;
            }
            by_kind.entry(tally.kind).or_default().add(tally, share);
            by_client.entry(tally.client).or_default().add(tally, share);
        }
        let mut by_client: Vec<_> = by_client
            .into_iter()
            .map(|(client, sum)| ClientCounts {
                client: match client {
                    None => CountedClient::None,
                    Some(field) => {
                        name(field).map_or(CountedClient::Unknown(field), CountedClient::Known)
                    }
                },
                counts: sum.rounded(),
            })
            .filter(|client| client.counts.total() > 0)
            .collect();
        by_client.sort_by(|one, other| {
            let totals = other.counts.total().cmp(&one.counts.total());
            totals.then_with(|| one.client.cmp(&other.client))
        });
        let by_kind = by_kind.into_iter().map(|(kind, sum)| (kind, sum.rounded())).collect();
        Self { at, by_kind, by_client, unsure, missing_lanes: Vec::new() }
    }

    /// The numbers of all kinds together.
    pub fn total(&self) -> StateCounts {
        self.by_kind.values().fold(StateCounts::default(), |sum, of_kind| StateCounts {
            pending: sum.pending + of_kind.pending,
            active: sum.active + of_kind.active,
            revoked: sum.revoked + of_kind.revoked,
            exhausted: sum.exhausted + of_kind.exhausted,
        })
    }
}

impl Sum {
    fn add(&mut self, tally: &BucketCounts, share: i128) {
        let live = i128::from(tally.live()) * share;
        if tally.span.is_start() {
            // A pending token is counted by its end as well.
            self.pending += live;
            self.active -= live;
        } else {
            self.active += live;
            self.revoked += i128::from(tally.revoked) * share;
            self.exhausted += i128::from(tally.exhausted) * share;
        }
    }

    fn rounded(self) -> StateCounts {
        let round = |sum: i128| u64::try_from((sum + WHOLE - 1) / WHOLE).unwrap_or_default();
        StateCounts {
            pending: round(self.pending),
            active: round(self.active),
            revoked: round(self.revoked),
            exhausted: round(self.exhausted),
        }
    }
}

/// The share of a span that is in the future.
fn share_ahead(span: TimeBucket, at: Timestamp) -> i128 {
    let millis = |moment: Timestamp| i128::from(moment.as_millis());
    let (from, to, at) = (millis(span.from()), millis(span.to()), millis(at));
    if at >= to {
        0
    } else if at <= from {
        WHOLE
    } else {
        (to - at) * WHOLE / (to - from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::time::Ttl;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn tally(span: TimeBucket, stored: u64, revoked: u64, exhausted: u64) -> BucketCounts {
        BucketCounts { stored, revoked, exhausted, ..BucketCounts::new(span, Kind::Session, None) }
    }

    fn sessions(tallies: &[BucketCounts], at: Timestamp) -> (StateCounts, u64) {
        let stats = Stats::of(tallies, at, |_| None);
        (stats.by_kind[&Kind::Session], stats.unsure)
    }

    #[test]
    fn active_tokens_are_counted_exactly_and_ended_ones_are_not() {
        let span = TimeBucket::of_end(NOW + Ttl::from_hours(8), NOW);
        let all = [tally(span, 10, 3, 2)];
        let counts = StateCounts { pending: 0, active: 5, revoked: 3, exhausted: 2 };
        assert_eq!(sessions(&all, NOW), (counts, 0));
        assert_eq!(
            sessions(&all, span.from()),
            (counts, 10),
            "a token may end in the first millisecond of the bucket"
        );
        assert_eq!(sessions(&all, span.to()), (StateCounts::default(), 0));
        assert!(Stats::of(&all, span.to(), |_| None).by_client.is_empty());
    }

    #[test]
    fn at_the_edge_they_are_spread_evenly_and_rounded_up() {
        let span = TimeBucket::of_end(NOW + Ttl::from_hours(8), NOW);
        let half = span.from() + span.to().since(span.from()).unwrap().half();
        let (counts, unsure) = sessions(&[tally(span, 11, 0, 0)], half);
        assert_eq!((counts.active, unsure), (6, 11));
        let (counts, _) = sessions(&[tally(span, 1, 0, 0)], half);
        assert_eq!(counts.active, 1, "a token is counted until it ends");
    }

    #[test]
    fn tokens_before_their_start_are_pending() {
        let end = TimeBucket::of_end(NOW + Ttl::from_hours(8), NOW);
        let start = TimeBucket::of_start(NOW + Ttl::from_hours(1), NOW);
        let all = [tally(end, 5, 1, 0), tally(start, 3, 1, 0)];
        let (counts, _) = sessions(&all, NOW);
        assert_eq!((counts.pending, counts.active, counts.revoked), (2, 2, 1));
        let (counts, _) = sessions(&all, start.to());
        assert_eq!((counts.pending, counts.active, counts.revoked), (0, 4, 1));
    }

    #[test]
    fn clients_are_listed_largest_first() {
        let span = TimeBucket::of_end(NOW + Ttl::from_hours(8), NOW);
        let of = |client: u8, stored| BucketCounts {
            client: Some(EpochField::from_bytes([client; 8])),
            ..tally(span, stored, 0, 0)
        };
        let shop = ClientId::new("shop").unwrap();
        let named = EpochField::from_bytes([1; 8]);
        let name = |field| (field == named).then(|| shop.clone());
        let stats = Stats::of(&[of(1, 2), of(2, 5), tally(span, 3, 0, 0)], NOW, name);
        let clients: Vec<_> =
            stats.by_client.iter().map(|of| (of.client.clone(), of.counts.active)).collect();
        let unknown = CountedClient::Unknown(EpochField::from_bytes([2; 8]));
        let expected =
            [(unknown, 5), (CountedClient::None, 3), (CountedClient::Known(shop.clone()), 2)];
        assert_eq!(clients, expected);
        assert_eq!(stats.total().active, 10);
    }
}
