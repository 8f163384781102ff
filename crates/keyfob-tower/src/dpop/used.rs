//! Proofs that were used. Each counts once (RFC 9449 section 11.1).
//!
//! That is a limit of one in the time for which a proof is accepted, counted by the proof. So a store of limits
//! remembers them, of a process or of all.

use std::sync::Arc;

use keyfob::limit::{Charge, LimitKey, LimitStore, Meter, Rate};
use keyfob::{InvalidValue, Timestamp};
use keyfob_jwt::dpop::{Proof, ProofPolicy};

use super::no_proof::NoProof;

/// Remembers which proofs were used.
#[derive(Clone, Debug)]
pub(super) struct UsedProofs {
    store: Arc<dyn LimitStore>,
    /// One in the time for which a proof is accepted.
    once: Meter,
    policy: ProofPolicy,
}

impl UsedProofs {
    pub(super) fn new(
        store: Arc<dyn LimitStore>,
        policy: ProofPolicy,
    ) -> Result<Self, InvalidValue> {
        let once = Meter::new(Rate::new(1, policy.window())?, 1)?;
        Ok(Self { store, once, policy })
    }

    /// Returns the same with another policy.
    pub(super) fn with(&self, policy: ProofPolicy) -> Result<Self, InvalidValue> {
        Self::new(Arc::clone(&self.store), policy)
    }

    /// Returns how old a proof may be.
    pub(super) fn policy(&self) -> &ProofPolicy {
        &self.policy
    }

    /// Adds a proof.
    ///
    /// # Errors
    /// If it was added before, or may have been.
    pub(super) async fn add(&self, proof: &Proof) -> Result<(), NoProof> {
        // A proof tells its time in whole seconds.
        let is_before = |began_at: Timestamp| proof.made_at.as_secs() < began_at.as_secs();
        if self.store.began_at().is_some_and(is_before) {
            return Err(NoProof::Used);
        }
        let key = LimitKey::from_bytes(proof.id);
        let charge = Charge { key, meter: self.once, min_permits: 1, max_permits: 1 };
        let charged = self.store.charge(&[charge]).await.map_err(|error| {
            tracing::warn!(%error, "the store of used proofs is not available");
            NoProof::Undecided
        })?;
        if !charged.admitted {
            return Err(NoProof::Used);
        }
        // What this node's clock accepted may be too old by that of the store, which may have forgotten its use.
        match charged.tallies.first() {
            Some(outcome) => Ok(proof.check_age(&self.policy, outcome.now)?),
            None => Err(NoProof::Undecided),
        }
    }
}
