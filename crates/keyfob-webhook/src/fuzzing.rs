//! The properties of the parsers for any input. The fuzz target runs them without end, a test on some inputs.

use std::net::IpAddr;

use keyfob_core::time::Timestamp;

use crate::address::{AddressPolicy, Network, is_public};
use crate::answer::{MAX_RETRY_AFTER, Verdict};
use crate::destination::Destination;
use crate::endpoint::Endpoint;
use crate::nats::{MAX_REASON, acknowledged};
use crate::secret::{Secret, sign, verify};
use crate::set::{self, MAX_ERROR_CHARS};
use crate::subject::{self, MAX_REMOVED, Subject};

/// Reads any text as each setting of a webhook. Returns whether one took it.
pub fn settings(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut is_taken = false;
    if let Ok(endpoint) = text.parse::<Endpoint>() {
        is_taken = true;
        assert_eq!(endpoint.as_str(), text, "the URL is as it was written");
        assert!(!endpoint.host().is_empty() && endpoint.port() > 0);
        assert!(!endpoint.as_str().contains('#') && !endpoint.authority().contains('@'));
        if let Some(address) = endpoint.address() {
            let allows = AddressPolicy::default().allows(address, endpoint.is_tls());
            assert_eq!(allows, endpoint.is_tls() && is_public(address));
        }
    }
    if let Ok(destination) = text.parse::<Destination>() {
        is_taken = true;
        assert_eq!(destination.to_string(), text, "a destination has one text");
        if let Destination::Nats(prefix) = destination {
            let subject = prefix.subject("keyfob.token.revoked");
            assert!(subject.ends_with(".token.revoked"), "{subject}");
            let is_safe = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'*' | b'>' | b'$');
            assert!(subject.bytes().all(is_safe) && !subject.contains(".."), "{subject}");
        }
    }
    if let Err(reason) = acknowledged(bytes) {
        assert!(reason.len() <= MAX_REASON && !reason.contains(char::is_control), "{reason}");
    }
    if let Some(error) = set::rejection(bytes) {
        is_taken = true;
        assert!(error.chars().count() <= MAX_ERROR_CHARS && !error.contains(char::is_control));
    }
    if let Ok(network) = text.parse::<Network>() {
        is_taken = true;
        let address = text.split('/').next().and_then(|address| address.parse::<IpAddr>().ok());
        assert!(address.is_none_or(|address| {
            // An address of IPv4 in IPv6 is that of IPv4, which no network of IPv6 contains.
            network.contains(address) || address != address.to_canonical()
        }));
    }
    if let Ok(secret) = text.parse::<Secret>() {
        is_taken = true;
        assert_eq!(secret.expose().as_str(), text, "a secret has one text");
        let header = sign([&secret], "id", Timestamp::default(), bytes);
        assert!(verify(&secret, "id", Timestamp::default(), bytes, &header));
    }
    if let Verdict::Retry { after: Some(after) } = Verdict::of(503, Some(&text)) {
        is_taken = true;
        assert!(after <= MAX_RETRY_AFTER);
    }
    is_taken
}

/// Reads an array of subjects, removes all but the last, and adds them again: who removed a subject hears nothing of it, until
/// it is added; and a subject stands for nothing that only names a part of it. Returns whether all were taken.
pub fn subjects(bytes: &[u8]) -> bool {
    let Ok(mut subjects) = serde_json::from_slice::<Vec<Subject>>(bytes) else { return false };
    let Some(last) = subjects.pop() else { return false };
    let mut removed = Vec::new();
    for subject in &subjects {
        if subject::remove(&mut removed, subject).is_err() {
            return false;
        }
        assert!(subject::is_removed(&removed, subject), "a subject stands for itself");
        assert!(removed.len() <= MAX_REMOVED);
    }
    let is_complex = |subject: &Subject| subject.get("format").is_some_and(|it| it == "complex");
    if !is_complex(&last) && removed.iter().all(|removed| !is_complex(removed)) {
        assert_eq!(subject::is_removed(&removed, &last), removed.contains(&last));
    }
    for subject in &subjects {
        subject::add(&mut removed, subject).expect("a subject that was removed is one");
        assert!(!subject::is_removed(&removed, subject), "it was added again");
    }
    assert!(removed.is_empty(), "all were added again");
    subject::check(&last).is_ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn any_subjects_have_the_properties() {
        let user = r#"{"format":"iss_sub","iss":"a","sub":"b"}"#;
        let session = format!(
            r#"{{"format":"complex","session":{{"format":"opaque","id":"c"}},"user":{user}}}"#
        );
        let seed = format!("[{user},{session},{{\"format\":\"opaque\",\"id\":\"c\"}}]");
        assert!(super::subjects(seed.as_bytes()));
        for at in 0..seed.len() {
            for byte in [b'0', b'"', b':', b',', b'{', b'}', 0xff, b'c'] {
                let mut changed = seed.clone().into_bytes();
                changed[at] = byte;
                super::subjects(&changed);
                changed.truncate(at);
                super::subjects(&changed);
            }
        }
    }

    #[test]
    fn any_text_has_the_properties() {
        let seeds = [
            "https://shop.example:8443/hooks?a=b",
            "http://[::ffff:10.0.0.1]:80/",
            "nats:prod.keyfob",
            "10.0.0.0/8",
            "::/0",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "120",
            r#"{"err":"invalid_key","description":"a\u0007b"}"#,
        ];
        for seed in seeds {
            assert!(super::settings(seed.as_bytes()), "{seed}");
            for at in 0..seed.len() {
                for byte in [b'0', b'/', b':', b'#', b'@', b'[', 0xff, b' '] {
                    let mut changed = seed.as_bytes().to_vec();
                    changed[at] = byte;
                    super::settings(&changed);
                    changed.truncate(at);
                    super::settings(&changed);
                }
            }
        }
    }
}
