//! Rate limits: the debts of their keys, stored beside the tokens.
//!
//! On one server, one script charges all keys of a call, all or none. In a cluster the keys are on several
//! servers. One script charges the keys of one slot. If another slot refuses, the permits that were taken
//! are given back. They are held until then: for two round trips, a call that would fit may be refused. If
//! the node stops in between, the held permits drain with time. What drains while permits are held is not
//! given back: for each refusal of one key, another key loses at most what its rate gives in a round trip.
//! More than the limit is never admitted, because every key is charged before a call is admitted.

pub(super) mod refusals;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use keyfob_limit::{Charge, ChargeOutcome, Charged, Level};
use keyfob_store::{StoreError, Timestamp};

use super::shared::Shared;
use crate::config::Topology;
use crate::connections::{Call, next};
use crate::protocol::arg::Arg;
use crate::protocol::signatures::{ChargeArgs, RefundArgs, refund};

/// The charges of one slot, with their positions among all charges.
type SlotCharges = Vec<(usize, Charge)>;

pub(super) async fn charge(
    shared: &Arc<Shared>,
    charges: &[Charge],
) -> Result<Charged, StoreError> {
    Charge::check(charges)?;
    let mut groups = BTreeMap::<u16, SlotCharges>::new();
    let clustered = matches!(shared.config.topology, Topology::Cluster(_));
    for (position, charge) in charges.iter().enumerate() {
        let slot = if clustered { shared.keys.limit_slot(charge.key) } else { 0 };
        groups.entry(slot).or_default().push((position, *charge));
    }
    if groups.len() <= 1 {
        let Some((slot, group)) = groups.pop_first() else {
            return Ok(Charged { admitted: true, tallies: Vec::new(), began_at: None });
        };
        return shared.charge_group(slot, &group).await;
    }
    if let Some(refused) = shared.refusals.answer(charges) {
        return Ok(refused);
    }
    // In a task of its own, so that held permits are given back even if the caller stops waiting.
    let (shared, count) = (Arc::clone(shared), charges.len());
    let charged = tokio::spawn(async move { shared.charge_groups(groups, count).await }).await;
    charged.map_err(|_| StoreError::unavailable("the process is shutting down"))?
}

impl Shared {
    async fn charge_groups(
        &self,
        groups: BTreeMap<u16, SlotCharges>,
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
            for ((position, charge), mut tally) in group.iter().zip(answer?.tallies) {
                if !admitted {
                    if tally.taken == 0 {
                        self.refusals.remember(charge, &tally);
                    }
                    tally.level = charge.meter.refunded(tally.level, tally.taken, tally.now);
                    tally.taken = 0;
                }
                if let Some(kept) = tallies.get_mut(*position) {
                    *kept = tally;
                }
            }
        }
        Ok(Charged { admitted, tallies, began_at: None })
    }

    async fn charge_group(&self, slot: u16, charges: &SlotCharges) -> Result<Charged, StoreError> {
        let keys: Vec<_> = charges.iter().map(|(_, charge)| self.keys.limit(charge.key)).collect();
        let args = charges.iter().flat_map(|(_, charge)| {
            let meter = charge.meter;
            Vec::from(ChargeArgs {
                permit: meter.permit().into(),
                drain: meter.drain().into(),
                burst: meter.whole().into(),
                min_permits: u64::from(charge.min_permits).into(),
                max_permits: u64::from(charge.max_permits).into(),
            })
        });
        // A repeated call would charge twice.
        let mut call = Call::new(&self.scripts.charge, keys, args.collect::<Vec<_>>());
        call.repeatable = false;
        call.fails_early = true;
        let mut parts = self.connections.read(slot, &call).await?.array()?.into_iter();
        let mut number = || next(&mut parts)?.number();
        let admitted = number()? == 1;
        let now = Timestamp::from_millis(number()?);
        let mut tallies = Vec::with_capacity(charges.len());
        for _ in charges {
            let level = Level { debt: number()?, at: Timestamp::from_millis(number()?) };
            let taken = u32::try_from(number()?).unwrap_or(u32::MAX);
            tallies.push(ChargeOutcome { taken, in_hand: 0, level, now, pause: None });
        }
        Ok(Charged { admitted, tallies, began_at: None })
    }

    /// Gives back the permits that were taken in one slot. If that fails, they drain with time.
    async fn refund(&self, slot: u16, charges: &SlotCharges, tallies: &[ChargeOutcome]) {
        let Some(first) = tallies.first() else { return };
        let mut args = Vec::from(refund::Args { taken_at: first.now.as_millis().into() });
        for ((_, charge), tally) in charges.iter().zip(tallies) {
            args.extend(Vec::<Arg>::from(RefundArgs {
                units: (charge.meter.permit() * u64::from(tally.taken)).into(),
                permit: charge.meter.permit().into(),
                drain: charge.meter.drain().into(),
            }));
        }
        let keys: Vec<_> = charges.iter().map(|(_, charge)| self.keys.limit(charge.key)).collect();
        let mut call = Call::new(&self.scripts.refund, keys, args);
        call.repeatable = false;
        if let Err(error) = self.connections.read(slot, &call).await {
            tracing::debug!(%error, "held permits could not be given back: they drain with time");
        }
    }
}
