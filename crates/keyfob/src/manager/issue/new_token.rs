//! A token that has been drawn: its record as a store takes it, and what the caller is given.

use crate::codec::{self, Record};
use keyfob_core::KeyVersion;
use keyfob_core::bearer::BearerToken;
use keyfob_core::event::EventKind;
use keyfob_core::id::TokenId;
use keyfob_core::namespace::{Namespace, Term};
use keyfob_core::time::Timestamp;
use keyfob_core::token::{Kind, Token};
use keyfob_store::{Epochs, Insert, NewRecord, StampRule};

/// A token that was issued, with its bearer token: the only time that the secret is shown.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Issued {
    /// The token.
    pub token: Token,
    /// Its secret. Hand it to its owner and forget it.
    pub bearer: BearerToken,
}

/// A refresh token that was issued together with its first access token.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuedPair {
    /// The access token.
    pub access: Issued,
    /// The refresh token.
    pub refresh: Issued,
}

/// A token that is ready to be stored.
pub(in crate::manager) struct NewToken {
    pub(in crate::manager) id: TokenId,
    pub(in crate::manager) bearer: BearerToken,
    pub(in crate::manager) record: Record,
    pub(in crate::manager) keep_until: Timestamp,
    pub(in crate::manager) uses_left: Option<u32>,
    pub(in crate::manager) stamp: StampRule,
}

impl NewToken {
    pub(in crate::manager) fn to_record(&self, namespace: &Namespace) -> NewRecord {
        NewRecord {
            id: self.id,
            body: codec::encode(&self.record),
            key: KeyVersion::PLAINTEXT,
            keep_until: self.keep_until,
            uses_left: self.uses_left,
            epochs: epochs_of(namespace, &self.record),
            terms: terms_of(namespace, &self.record),
            stamp: self.stamp,
            counted: Some(self.record.counted()),
        }
    }

    /// Returns the epoch fields of a refresh token that is inserted first, for its next rotation. `None`
    /// for any other kind.
    pub(super) fn epochs_to_remember(&self, insert: &Insert) -> Option<Epochs> {
        let first = insert.records.first().filter(|_| self.record.kind == Kind::Refresh);
        first.map(|record| record.epochs.clone())
    }

    pub(in crate::manager) fn issued_event(&self) -> EventKind {
        let device = &self.record.metadata.device;
        EventKind::Issued {
            token: self.id,
            kind: self.record.kind,
            subject: self.record.subject.clone(),
            client: self.record.client.clone(),
            family: self.record.family,
            device: device.id.clone(),
            ip: device.ip,
        }
    }

    pub(in crate::manager) fn into_issued(self) -> Issued {
        let token = self.record.into_fresh_token(self.id, self.uses_left);
        Issued { token, bearer: self.bearer }
    }
}

/// Returns the fields whose epochs a record answers to.
fn epochs_of(namespace: &Namespace, record: &Record) -> Epochs {
    Epochs {
        subject: record.subject.as_ref().map(|subject| namespace.subject_epoch(subject)),
        client: record.client.as_ref().map(|client| namespace.client_epoch(client)),
        ancestors: record.ancestors.iter().map(|id| namespace.ancestor_epoch(*id)).collect(),
    }
}

/// Returns the terms that a record is listed under.
pub(in crate::manager) fn terms_of(namespace: &Namespace, record: &Record) -> Vec<Term> {
    let metadata = &record.metadata;
    let mut terms = vec![namespace.all()];
    terms.extend(record.subject.as_ref().map(|subject| namespace.subject(subject)));
    terms.extend(record.client.as_ref().map(|client| namespace.client(client)));
    terms.extend(record.family.map(|family| namespace.family(family.root())));
    terms.extend(record.jwt.map(|jwt| namespace.status_list(jwt.list)));
    terms.extend(metadata.device.id.as_ref().map(|device| namespace.device(device)));
    terms.extend(metadata.app.as_ref().map(|app| namespace.app(app)));
    terms.extend(metadata.tags.iter().map(|tag| namespace.tag(tag)));
    terms.extend(metadata.labels.iter().map(|(key, value)| namespace.label(key, value)));
    terms
}
