//! Proofs that were used. Each counts once (RFC 9449 section 11.1).

use std::sync::Arc;

use keyfob::InvalidValue;
use keyfob::limit::LimitStore;
use keyfob_jwt::dpop::{Proof, ProofPolicy};

use super::no_proof::NoProof;
use crate::used_once::{NotOnce, UsedOnce};

/// Remembers which proofs were used.
#[derive(Clone, Debug)]
pub(super) struct UsedProofs {
    used: UsedOnce,
    policy: ProofPolicy,
}

impl UsedProofs {
    pub(super) fn new(
        store: Arc<dyn LimitStore>,
        policy: ProofPolicy,
    ) -> Result<Self, InvalidValue> {
        Ok(Self { used: UsedOnce::new(store, policy.window())?, policy })
    }

    /// Returns the same with another policy.
    pub(super) fn with(&self, policy: ProofPolicy) -> Result<Self, InvalidValue> {
        Ok(Self { used: self.used.with_window(policy.window())?, policy })
    }

    /// Returns how old a proof may be.
    pub(super) fn policy(&self) -> &ProofPolicy {
        &self.policy
    }

    /// Adds a proof.
    ///
    /// # Errors
    /// If it was added before, or may have been; if it is too old by the clock of the store.
    pub(super) async fn add(&self, proof: &Proof) -> Result<(), NoProof> {
        let now = self.used.add(proof.id, proof.made_at).await.map_err(|error| match error {
            NotOnce::Used => NoProof::Used,
            NotOnce::Undecided => NoProof::Undecided,
        })?;
        Ok(proof.check_age(&self.policy, now)?)
    }
}
