//! Records, notes and events survive encoding; damaged bytes are refused.

use minicbor::{Decode, Encode};

use super::note::decode_note;
use super::*;
use keyfob_core::KeyVersion;
use keyfob_core::bearer::BearerDigest;
use keyfob_core::bearer::Generation;
use keyfob_core::rotation::{GracePeriod, Presenter, Rotation, SecretOverlap};
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::sample::{START, token};
use keyfob_core::token::{ChangeKind, Token};
use keyfob_store::{Epochs, Loaded, MonotonicInstant, RecordVersion, Stamp, Verdict};

fn record() -> Record {
    let token = token();
    Record {
        digest: BearerDigest::from_bytes([7; 32]),
        kind: token.kind,
        subject: token.subject,
        issuer: token.issuer,
        audiences: token.audiences,
        scopes: token.scopes,
        client: token.client,
        issued_at: token.issued_at,
        not_before: None,
        expires_at: token.expires_at,
        idle_timeout: None,
        absolute_expiry: None,
        generation: Generation::FIRST,
        family: None,
        ancestors: Vec::new(),
        metadata: token.metadata,
        registered: token.claims.registered,
        private: token.claims.private,
        ratchet: None,
        changes: vec![Change { at: START, by: None, what: ChangeKind::Issued }],
        rotation: None,
        secrets: None,
        jwt: None,
    }
}

fn read(bytes: &[u8]) -> Token {
    let loaded = Loaded {
        id: token().id,
        body: Vec::new(),
        key: KeyVersion::PLAINTEXT,
        version: RecordVersion(1),
        stamp: Stamp::new(1),
        keep_until: Timestamp::MAX,
        uses_left: None,
        last_used: None,
        epochs: Epochs::default(),
        sent: MonotonicInstant::now(),
        verdict: Verdict::Clear,
        last_advance: None,
    };
    decode::<Record>(bytes).unwrap().into_token(&loaded)
}

/// The bytes of format 1. Stores contain them: a change here is a change of the format.
const GOLDEN: &str = "0194582007070707070707070707070707070707070707070707070707070707070707070067757365723132336f6578616d706c652d73657276696365816b6578616d706c652d61707081647265616463776562";

#[test]
fn the_bytes_of_the_format_stay() {
    let bytes = encode(&record());
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(hex.starts_with(GOLDEN), "{hex}");
    assert_eq!(read(&bytes), token());
    assert!(bytes.len() < 220, "a usual record is small: {} bytes", bytes.len());
}

#[test]
fn an_old_reader_reads_what_a_newer_writer_added() {
    let mut bytes = encode(&record());
    // One more field at the end: an array of 24 elements. The writer knew 23 and omitted the last
    // three because they are empty.
    assert_eq!(bytes[1], 0x94);
    bytes.splice(1..2, [0x98, 24]);
    bytes.extend_from_slice(&[0xf6, 0xf6, 0xf6, 0x63, b'n', b'e', b'w']);
    assert_eq!(read(&bytes), token());
}

#[test]
fn rotation_and_secrets_decode_as_written() {
    let mut record = record();
    let (window, at) = (GracePeriod::new(Ttl::from_secs(3)), START + Ttl::from_mins(1));
    let (retired, by) = (Generation::FIRST, Presenter([3; 16]));
    let rotation = Rotation::default().rotated(retired, by, token().id, at, window);
    record.rotation = Some(rotation.clone());
    record.secrets = Some(Secrets::after(None, record.digest, at, SecretOverlap::default()));
    let back: Record = decode(&encode(&record)).unwrap();
    assert_eq!(back.rotation, Some(rotation));
    let older = back.secrets.unwrap().older.unwrap();
    assert_eq!((older.digest, older.until), (record.digest, at + Ttl::from_days(1)));
}

#[test]
fn a_newer_format_is_distinguished_from_damage() {
    let mut bytes = encode(&record());
    bytes[0] = 3;
    assert_eq!(decode::<Record>(&bytes).unwrap_err().code(), "newer_format");
    bytes[0] = 0;
    assert_eq!(decode::<Record>(&bytes).unwrap_err().code(), "record_damaged");
    assert_eq!(decode::<Record>(&[]).unwrap_err().code(), "record_damaged");
    let whole = encode(&record());
    for length in 1..whole.len() {
        assert!(decode::<Record>(&whole[..length]).is_err(), "truncated to {length} bytes");
    }
}

#[test]
fn a_key_that_needs_an_assertion_is_not_read_by_who_does_not_know_that() {
    let mut record = record();
    assert_eq!(encode(&record)[0], 1);
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","alg":"EdDSA"}"#;
    record.registered.client_key = Some(keyfob_core::token::ClientKey::from_json(jwk).unwrap());
    let bytes = encode(&record);
    assert_eq!(bytes[0], 2);
    assert_eq!(
        decode::<Record>(&bytes).unwrap().registered.client_key,
        record.registered.client_key
    );
}

#[test]
fn an_error_holds_nothing_of_the_record() {
    let mut bytes = encode(&record());
    let at = bytes.windows(7).position(|window| window == b"user123").unwrap();
    bytes[at] = 7;
    let error = decode::<Record>(&bytes).unwrap_err().to_string();
    assert!(!error.contains("ser123"), "{error}");
}

#[test]
fn a_note_that_cannot_be_read_is_an_empty_one() {
    let note = Note { reason: Some("logout".try_into().unwrap()), by: None };
    assert_eq!(decode_note(&encode_note(&note)).reason, note.reason);
    assert!(encode_note(&Note::default()).is_empty());
    assert!(decode_note(b"\x01junk").reason.is_none());
    assert!(decode_note(b"").reason.is_none());
}

#[derive(Encode, Decode)]
struct Nothing {}

impl Stored for Nothing {
    const WHAT: &'static str = "nothing";
}

#[test]
fn a_stored_type_names_itself_in_errors() {
    let error = decode::<Nothing>(&[9]).map(drop).unwrap_err();
    assert!(error.to_string().starts_with("nothing has format version 9"), "{error}");
}
