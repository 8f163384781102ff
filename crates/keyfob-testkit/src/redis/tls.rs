//! Certificates for one server: its own authority, the server's certificate and one for clients.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::LaunchError;

/// The paths of the certificates of a server with TLS, all in PEM.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority that signed the others.
    pub authority: PathBuf,
    /// A client's certificate.
    pub client: PathBuf,
    /// The key of the client's certificate.
    pub client_key: PathBuf,
}

fn refused(error: rcgen::Error) -> LaunchError {
    LaunchError::System(std::io::Error::other(error))
}

impl Certificates {
    pub(super) fn make(folder: &Path) -> Result<Self, LaunchError> {
        let mut params = CertificateParams::new(Vec::new()).map_err(refused)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "keyfob tests");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(refused)?;
        let authority = folder.join("authority.pem");
        std::fs::write(&authority, params.self_signed(&key).map_err(refused)?.pem())?;
        let issuer = Issuer::new(params, key);
        for (name, usage) in [
            ("server", ExtendedKeyUsagePurpose::ServerAuth),
            ("client", ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            let mut params = CertificateParams::new(names).map_err(refused)?;
            params.distinguished_name.push(DnType::CommonName, name);
            params.use_authority_key_identifier_extension = true;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![usage];
            let key = KeyPair::generate().map_err(refused)?;
            let signed = params.signed_by(&key, &issuer).map_err(refused)?;
            std::fs::write(folder.join(format!("{name}.pem")), signed.pem())?;
            std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem())?;
        }
        let (client, client_key) = (folder.join("client.pem"), folder.join("client.key"));
        Ok(Self { authority, client, client_key })
    }
}
