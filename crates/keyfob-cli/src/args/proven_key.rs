//! The key of which the presenter of a bearer has a proof.

use clap::Args;
use keyfob::values::ClaimText;
use keyfob_api::ProvenKey;

/// The key that the presenter of a bearer has proved. It is for tokens that are bound to a key.
#[derive(Debug, Args)]
pub(crate) struct ProvenKeyArgs {
    /// The thumbprint of the DPoP key that the presenter has proved
    #[arg(long, value_name = "THUMBPRINT", conflicts_with = "certificate")]
    jkt: Option<ClaimText>,

    /// The thumbprint of the certificate that the presenter has shown
    #[arg(long = "x5t-s256", value_name = "THUMBPRINT")]
    certificate: Option<ClaimText>,
}

impl ProvenKeyArgs {
    /// Returns the key, as a body of the API names it.
    pub(crate) fn key(&self) -> Option<ProvenKey> {
        let jkt = self.jkt.clone().map(ProvenKey::Jkt);
        jkt.or_else(|| self.certificate.clone().map(ProvenKey::CertificateThumbprint))
    }
}
