//! Writes the bytes that an [`ActiveToken`](super::ActiveToken) reads.

use super::layout::{BY_OLDER, KIND, LONG, ROOT, TWO_SECRETS};
use super::rest::{Older, Rest};
use keyfob_core::id::FamilyId;
use keyfob_core::time::Timestamp;
use keyfob_core::token::{Kind, SecretUsed, Token};
use keyfob_store::InvalidationSlot;

/// What is known of a secret other than the cached one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Other {
    None,
    /// The older secret, by half of its digest.
    Older {
        half: [u32; 4],
        until: Timestamp,
    },
    /// The newest secret, about which only the store may answer.
    NewestUnused,
}

/// Encodes a token, with the slots that invalidate it and what is known of its other secret.
pub(crate) fn write(token: &Token, cells: &[InvalidationSlot], other: Other) -> Vec<u8> {
    let is_root =
        token.family == Some(FamilyId::from_root(token.id)) && token.ancestors == [token.id];
    let kind = Kind::ALL.iter().position(|kind| *kind == token.kind).unwrap_or_default() as u8;
    let mut bytes = Vec::with_capacity(128);
    let flag = |is: bool, flag| if is { flag } else { 0 };
    bytes.push(
        kind & KIND
            | flag(is_root, ROOT)
            | flag(other != Other::None, TWO_SECRETS)
            | flag(token.secret != SecretUsed::Newest, BY_OLDER),
    );
    bytes.extend_from_slice(&token.id.lane().number().to_le_bytes());
    bytes.push(cells.len() as u8);
    bytes.extend(cells.iter().flat_map(|cell| cell.number().to_le_bytes()));
    for time in [Some(token.issued_at), token.expires_at, token.last_used] {
        let millis = time.map_or(0, Timestamp::as_millis);
        bytes.extend_from_slice(&millis.to_le_bytes()[..6]);
    }
    let device = token.metadata.device.id.as_ref().map(|id| id.as_str());
    put(&mut bytes, token.subject.as_ref().map(|subject| subject.as_str()));
    put(&mut bytes, token.client.as_ref().map(|client| client.as_str()));
    put(&mut bytes, token.issuer.as_ref().map(|issuer| issuer.as_str()));
    put(&mut bytes, device);
    put_length(&mut bytes, token.audiences.len());
    token.audiences.iter().for_each(|audience| put(&mut bytes, Some(audience.as_str())));
    put_length(&mut bytes, token.scopes.len());
    token.scopes.iter().for_each(|scope| put(&mut bytes, Some(scope.as_str())));
    put(&mut bytes, Some(token.claims.private.as_json()).filter(|json| *json != "{}"));
    let mut rest = Rest::of(token, is_root);
    if let Other::Older { half, until } = other {
        rest.older = Some(Older { half: Some(half), until });
    }
    if rest != Rest::default() {
        // Writing to memory cannot fail, and no value of ours has an encoding that can.
        let encoded = minicbor::encode(&rest, &mut bytes);
        debug_assert!(encoded.is_ok());
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, text: Option<&str>) {
    let text = text.unwrap_or_default();
    put_length(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

fn put_length(bytes: &mut Vec<u8>, length: usize) {
    // The longest field is an application's claims, of 8 KiB.
    match u8::try_from(length) {
        Ok(short) if short < LONG => bytes.push(short),
        _ => {
            bytes.push(LONG);
            bytes.extend_from_slice(&(length as u16).to_le_bytes());
        }
    }
}
