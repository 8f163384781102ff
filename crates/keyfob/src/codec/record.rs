//! The body of a record: a token as it is stored, with what proves its bearer.

use minicbor::{Decode, Encode};

use super::fields::{digest, generation, private_claims, ratchet};
use super::note::decode_note;
use super::secrets::Secrets;
use keyfob_core::bearer::ratchet::{Proof, Ratchet};
use keyfob_core::bearer::{BearerDigest, BearerToken, Generation};
use keyfob_core::id::{FamilyId, TokenId};
use keyfob_core::names::NameSet;
use keyfob_core::rotation::Rotation;
use keyfob_core::text::{Actor, Audience, ClientId, Issuer, Scope, Subject};
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::{
    ChangeKind, Claims, JwtForm, Kind, Metadata, PrivateClaims, RecordIntegrity, RegisteredClaims,
    Revocation, RevocationScope, SecretUsed, Token, earliest_end,
};
use keyfob_store::{CountedAs, Loaded, MarkScope, Verdict};

/// The body of a record. The numbers are the format: never change one, never use one twice.
#[derive(Clone, Debug, Encode, Decode)]
pub(crate) struct Record {
    #[cbor(n(0), with = "digest")]
    pub(crate) digest: BearerDigest,
    #[n(1)]
    pub(crate) kind: Kind,
    #[n(2)]
    pub(crate) subject: Option<Subject>,
    #[n(3)]
    pub(crate) issuer: Option<Issuer>,
    #[n(4)]
    pub(crate) audiences: NameSet<Audience>,
    #[n(5)]
    pub(crate) scopes: NameSet<Scope>,
    #[n(6)]
    pub(crate) client: Option<ClientId>,
    #[n(7)]
    pub(crate) issued_at: Timestamp,
    #[n(8)]
    pub(crate) not_before: Option<Timestamp>,
    #[n(9)]
    pub(crate) expires_at: Option<Timestamp>,
    #[n(10)]
    pub(crate) idle_timeout: Option<Ttl>,
    #[n(11)]
    pub(crate) absolute_expiry: Option<Timestamp>,
    #[cbor(n(12), with = "generation")]
    pub(crate) generation: Generation,
    #[n(13)]
    pub(crate) family: Option<FamilyId>,
    #[n(14)]
    pub(crate) ancestors: Vec<TokenId>,
    #[n(15)]
    pub(crate) metadata: Metadata,
    #[n(16)]
    pub(crate) registered: RegisteredClaims,
    #[cbor(n(17), with = "private_claims")]
    pub(crate) private: PrivateClaims,
    #[cbor(n(18), with = "ratchet")]
    pub(crate) ratchet: Option<Ratchet>,
    #[n(19)]
    pub(crate) changes: Vec<Change>,
    #[n(20)]
    pub(crate) rotation: Option<Rotation>,
    #[n(21)]
    pub(crate) secrets: Option<Secrets>,
    #[n(22)]
    pub(crate) jwt: Option<JwtForm>,
}

/// One change in the life of a token, as its record keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) struct Change {
    #[n(0)]
    pub(crate) at: Timestamp,
    #[n(1)]
    pub(crate) by: Option<Actor>,
    #[n(2)]
    pub(crate) what: ChangeKind,
}

impl Record {
    /// The maximum number of changes in a record. The oldest change makes room.
    pub(crate) const MAX_CHANGES: usize = 8;

    pub(crate) fn remember(&mut self, change: Change) {
        self.changes.push(change);
        if self.changes.len() > Self::MAX_CHANGES {
            self.changes.remove(0);
        }
    }

    /// Returns which of the record's secrets `bearer` holds at `now`; `None` if it holds none of them.
    /// A refresh token is proven by its present generation only.
    pub(crate) fn secret_of(&self, bearer: &BearerToken, now: Timestamp) -> Option<SecretUsed> {
        if self.kind != bearer.kind() {
            return None;
        }
        if let Some(ratchet) = &self.ratchet {
            let is_present = ratchet.prove(bearer) == Proof::Proven(self.generation);
            return is_present.then_some(SecretUsed::Newest);
        }
        let digest = bearer.digest();
        if self.digest == digest {
            return Some(SecretUsed::Newest);
        }
        let older = self.secrets.as_ref()?.live_older(now)?;
        (older.digest == digest).then_some(SecretUsed::Older { until: older.until })
    }

    /// Returns whether `bearer` holds a secret that the token has or had, as far as the record knows: each generation of a
    /// refresh token; the newest secret of another token, and the one before.
    pub(crate) fn was_given(&self, bearer: &BearerToken) -> bool {
        if self.kind != bearer.kind() {
            return false;
        }
        if let Some(ratchet) = &self.ratchet {
            return matches!(ratchet.prove(bearer), Proof::Proven(_));
        }
        let digest = bearer.digest();
        let older = self.secrets.as_ref().and_then(|secrets| secrets.older.as_ref());
        self.digest == digest || older.is_some_and(|older| older.digest == digest)
    }

    /// Returns what a new record is counted under.
    pub(crate) fn counted(&self) -> CountedAs {
        let start = self.not_before.map_or(self.issued_at, |start| start.max(self.issued_at));
        CountedAs { kind: self.kind, starts_at: self.not_before, ends_at: self.ends_after(start) }
    }

    /// Returns when the token ends if it is not used after `used`; [`Timestamp::MAX`] means never.
    pub(crate) fn ends_after(&self, used: Timestamp) -> Timestamp {
        let ends = [self.expires_at, self.absolute_expiry];
        earliest_end(ends, self.idle_timeout, used).unwrap_or(Timestamp::MAX)
    }

    /// Returns the token of a record as a store gave it.
    pub(crate) fn into_token(self, loaded: &Loaded) -> Token {
        let revocation = match &loaded.verdict {
            Verdict::Revoked(mark) => {
                let note = decode_note(&mark.note);
                Some(Revocation {
                    at: mark.at,
                    reason: note.reason,
                    by: note.by,
                    through: scope_of(mark.through, &self.ancestors),
                })
            }
            Verdict::Clear | Verdict::Damaged => None,
        };
        let integrity = match loaded.verdict {
            Verdict::Damaged => RecordIntegrity::EpochsLost,
            Verdict::Clear | Verdict::Revoked(_) => RecordIntegrity::Sound,
        };
        let mut token = self.into_fresh_token(loaded.id, loaded.uses_left);
        token.last_used = loaded.last_used;
        token.revocation = revocation;
        token.integrity = integrity;
        token
    }

    /// Returns the token of a record that was neither used nor revoked since it was stored.
    pub(crate) fn into_fresh_token(self, id: TokenId, uses_left: Option<u32>) -> Token {
        let mut token = Token::new(id, self.kind, self.issued_at);
        token.subject = self.subject;
        token.issuer = self.issuer;
        token.audiences = self.audiences;
        token.scopes = self.scopes;
        token.client = self.client;
        token.not_before = self.not_before;
        token.expires_at = self.expires_at;
        token.idle_timeout = self.idle_timeout;
        token.absolute_expiry = self.absolute_expiry;
        token.uses_left = uses_left;
        token.family = self.family;
        token.ancestors = self.ancestors;
        token.generation = self.generation;
        token.rotated_at = self.rotation.and_then(|rotation| rotation.at);
        let older = self.secrets.and_then(|secrets| secrets.older);
        token.older_secret_until = older.map(|older| older.until);
        token.metadata = self.metadata;
        token.jwt = self.jwt;
        token.claims = Claims { registered: self.registered, private: self.private };
        token
    }
}

/// Returns what a revocation came through, for a reader who knows the token's ancestors.
fn scope_of(through: MarkScope, ancestors: &[TokenId]) -> RevocationScope {
    match through {
        MarkScope::Token => RevocationScope::Token,
        // A record whose ancestors do not reach that far is still revoked.
        MarkScope::Ancestor(index) => ancestors
            .get(usize::from(index))
            .map_or(RevocationScope::Token, |ancestor| RevocationScope::Ancestor(*ancestor)),
        MarkScope::Subject => RevocationScope::Subject,
        MarkScope::Client => RevocationScope::Client,
        MarkScope::All => RevocationScope::All,
    }
}
