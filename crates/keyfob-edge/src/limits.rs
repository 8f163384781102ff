//! Rate limits, counted in the store of the central server.

use async_trait::async_trait;
use keyfob_api::edge::{EdgeCharge, EdgeChargesBody, EdgeLevel};
use keyfob_client::Client;
use keyfob_limit::{Charge, ChargeOutcome, Charged, Level, LimitStore};
use keyfob_store::{StoreError, Timestamp};

use crate::failure::{malformed, store_error};

/// Counts rate limits, and the proofs that were used, where the central server counts its own. Each
/// charge is a request. To count most of it here, give limits a lease.
#[derive(Debug)]
pub struct EdgeLimits {
    client: Client,
}

impl EdgeLimits {
    /// Creates a store of limits over the server of this client.
    pub const fn new(client: Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl LimitStore for EdgeLimits {
    async fn charge(&self, charges: &[Charge]) -> Result<Charged, StoreError> {
        let body = EdgeChargesBody { charges: charges.iter().map(charge).collect() };
        let charged = self.client.edge_charges(&body).await.map_err(|error| store_error(&error))?;
        if charged.levels.len() != charges.len() {
            return Err(malformed("levels"));
        }
        let tallies = charged.levels.iter().map(outcome).collect();
        let began_at = charged.began_at_ms.map(Timestamp::from_millis);
        Ok(Charged { admitted: charged.admitted, tallies, began_at })
    }
}

fn charge(charge: &Charge) -> EdgeCharge {
    EdgeCharge {
        key: (*charge.key.as_bytes()).into(),
        // The meter has the rate in its lowest terms: one permit each so many milliseconds.
        permits: u32::try_from(charge.meter.drain()).unwrap_or(u32::MAX),
        period_ms: charge.meter.permit(),
        burst: charge.meter.burst(),
        min_permits: charge.min_permits,
        max_permits: charge.max_permits,
    }
}

fn outcome(level: &EdgeLevel) -> ChargeOutcome {
    ChargeOutcome {
        taken: level.taken,
        in_hand: 0,
        level: Level { debt: level.debt, at: Timestamp::from_millis(level.at_ms) },
        now: Timestamp::from_millis(level.now_ms),
        pause: None,
    }
}
