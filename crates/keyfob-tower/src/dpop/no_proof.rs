//! Why a request has no proof that counts.

use keyfob::metrics::ProofOutcome;
use keyfob_jwt::dpop::BadProof;

/// Why a request has no proof that counts.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoProof {
    /// There is more than one header, or it is not text.
    #[error("the request needs exactly one DPoP header")]
    Header,
    /// The proof is not valid for the request.
    #[error(transparent)]
    Bad(#[from] BadProof),
    /// The proof lacks a nonce of this service, or has an old one.
    #[error("the proof needs the nonce of the header DPoP-Nonce")]
    Nonce,
    /// The proof was used before.
    #[error("the proof was used before")]
    Used,
    /// The store of used proofs cannot tell.
    #[error("it cannot be decided now whether the proof was used before")]
    Undecided,
}

impl NoProof {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Header => "proof_header",
            Self::Bad(bad) => bad.code(),
            Self::Nonce => "use_dpop_nonce",
            Self::Used => "proof_used",
            Self::Undecided => "proof_undecided",
        }
    }

    /// Returns the label under which it is counted.
    pub(super) fn outcome(&self) -> ProofOutcome {
        // A test compares every code with the labels.
        ProofOutcome::of_code(self.code()).unwrap_or(ProofOutcome::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use keyfob::Metrics;
    use keyfob_jwt::dpop::BadProof;
    use keyfob_jwt::jws::Malformed;
    use keyfob_jwt::key::{BadKey, BadSignature};

    use super::*;

    #[test]
    fn every_code_is_a_label_and_every_label_is_a_code() {
        let bad = [
            BadProof::Malformed(Malformed::Header),
            BadProof::Type,
            BadProof::Critical,
            BadProof::Key(BadKey::Private),
            BadProof::Signature(BadSignature),
            BadProof::Id,
            BadProof::Method,
            BadProof::Uri,
            BadProof::TooOld,
            BadProof::InFuture,
            BadProof::AccessToken,
        ];
        let others = [NoProof::Header, NoProof::Nonce, NoProof::Used, NoProof::Undecided];
        let all: Vec<_> = bad.into_iter().map(NoProof::Bad).chain(others).collect();
        let mut codes: Vec<_> = all.iter().map(NoProof::code).collect();
        for code in &codes {
            assert!(ProofOutcome::of_code(code).is_some(), "{code}");
        }
        codes.push("accepted");
        let catalog = Metrics::catalog();
        let proofs = catalog.iter().find(|metric| metric.name == "keyfob_proofs_total").unwrap();
        let mut labels = proofs.labels[0].values.clone();
        codes.sort_unstable();
        labels.sort_unstable();
        assert_eq!(codes, labels);
    }
}
