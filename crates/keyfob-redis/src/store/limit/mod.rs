//! Limits: what their keys owe, kept beside the tokens.
//!
//! On one server, all keys of a call are charged by one script, all or none. In a cluster keys lie
//! on several servers: those in one slot are charged by one script, and when another refuses, what
//! was taken is given back. Until then it is held: for the time of two round trips a call that would
//! fit may be refused, and if the node dies in between, what it held drains with time. What drains
//! while it is held is not given back: for each refusal of one key, another loses at most what its
//! rate gives in a round trip. More than the limit is never admitted: every key is charged before a
//! call is.

mod refusals;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use keyfob_limit::{Charge, ChargeOutcome, Charged, Level};
use keyfob_store::{StoreError, Timestamp};

pub(super) use self::refusals::Refusals;
use super::Shared;
use crate::config::Topology;
use crate::net::{Arg, Call, next};

/// The charges of one slot, with their places among all.
type Group = Vec<(usize, Charge)>;

pub(super) async fn charge(
    shared: &Arc<Shared>,
    charges: &[Charge],
) -> Result<Charged, StoreError> {
    Charge::check(charges)?;
    let mut groups = BTreeMap::<u16, Group>::new();
    let clustered = matches!(shared.config.topology, Topology::Cluster(_));
    for (place, charge) in charges.iter().enumerate() {
        let slot = if clustered { shared.keys.limit_slot(charge.key) } else { 0 };
        groups.entry(slot).or_default().push((place, *charge));
    }
    if groups.len() <= 1 {
        let Some((slot, group)) = groups.pop_first() else {
            return Ok(Charged { admitted: true, tallies: Vec::new() });
        };
        return shared.charge_group(slot, &group).await;
    }
    if let Some(refused) = shared.refusals.answer(charges) {
        return Ok(refused);
    }
    // Whoever no longer waits for the answer must not keep what was held from being given back.
    let (shared, count) = (Arc::clone(shared), charges.len());
    let charged = tokio::spawn(async move { shared.charge_groups(groups, count).await }).await;
    charged.map_err(|_| StoreError::unavailable("the process is shutting down"))?
}

impl Shared {
    async fn charge_groups(
        &self,
        groups: BTreeMap<u16, Group>,
        count: usize,
    ) -> Result<Charged, StoreError> {
        let calls = groups.iter().map(|(slot, group)| self.charge_group(*slot, group));
        let answers = join_all(calls).await;
        let is_admitted =
            |answer: &Result<Charged, _>| matches!(answer, Ok(charged) if charged.admitted);
        let admitted = answers.iter().all(is_admitted);
        if !admitted {
            let held = groups.iter().zip(&answers).filter_map(|((slot, group), answer)| {
                let charged = answer.as_ref().ok().filter(|charged| charged.admitted)?;
                Some(self.refund(*slot, group, &charged.tallies))
            });
            join_all(held).await;
        }
        let nothing = ChargeOutcome {
            taken: 0,
            in_hand: 0,
            level: Level::default(),
            now: Timestamp::default(),
            pause: None,
        };
        let mut tallies = vec![nothing; count];
        for (group, answer) in groups.values().zip(answers) {
            for ((place, charge), mut tally) in group.iter().zip(answer?.tallies) {
                if !admitted {
                    if tally.taken == 0 {
                        self.refusals.remember(charge, &tally);
                    }
                    tally.level = charge.meter.refunded(tally.level, tally.taken, tally.now);
                    tally.taken = 0;
                }
                if let Some(kept) = tallies.get_mut(*place) {
                    *kept = tally;
                }
            }
        }
        Ok(Charged { admitted, tallies })
    }

    async fn charge_group(&self, slot: u16, group: &Group) -> Result<Charged, StoreError> {
        let names = group.iter().map(|(_, charge)| self.keys.limit(charge.key)).collect();
        let args = group.iter().flat_map(|(_, charge)| {
            let meter = charge.meter;
            [
                Arg::from(meter.permit()),
                meter.drain().into(),
                meter.whole().into(),
                u64::from(charge.least).into(),
                u64::from(charge.most).into(),
            ]
        });
        // Done twice it would be charged twice.
        let mut call = Call::new(&self.scripts.charge, names, args.collect());
        call.repeatable = false;
        let mut parts = self.net.read(slot, &call).await?.array()?.into_iter();
        let mut number = || next(&mut parts)?.number();
        let admitted = number()? == 1;
        let now = Timestamp::from_millis(number()?);
        let mut tallies = Vec::with_capacity(group.len());
        for _ in group {
            let level = Level { debt: number()?, at: Timestamp::from_millis(number()?) };
            let taken = u32::try_from(number()?).unwrap_or(u32::MAX);
            tallies.push(ChargeOutcome { taken, in_hand: 0, level, now, pause: None });
        }
        Ok(Charged { admitted, tallies })
    }

    /// Gives back what a group took. If that fails, it drains with time.
    async fn refund(&self, slot: u16, group: &Group, tallies: &[ChargeOutcome]) {
        let Some(first) = tallies.first() else { return };
        let mut args = vec![Arg::from(first.now.as_millis())];
        for ((_, charge), tally) in group.iter().zip(tallies) {
            args.push((charge.meter.permit() * u64::from(tally.taken)).into());
            args.push(charge.meter.drain().into());
        }
        let names = group.iter().map(|(_, charge)| self.keys.limit(charge.key)).collect();
        let mut call = Call::new(&self.scripts.refund, names, args);
        call.repeatable = false;
        if let Err(error) = self.net.read(slot, &call).await {
            tracing::debug!(%error, "permits that were held are lost until they drain");
        }
    }
}
