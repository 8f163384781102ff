//! Namespaces: the identity of a store's data, and the keyed digests of its lanes and indexes.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::ZeroizeOnDrop;

use crate::digest::keyed;
use crate::id::{Lane, LaneCount, TokenId};
use crate::id_mac::IdMac;
use crate::random::{self, Random, RandomUnavailable};
use crate::status_list::StatusListId;
use crate::text::{AppId, ClientId, DeviceId, LabelKey, LabelValue, Subject, Tag};
use crate::time::Timestamp;

/// The identity of a store's data: the number of its lanes and the key of its digests.
///
/// Both are fixed while the data exists. A store keeps them beside the data.
#[derive(Clone)]
pub struct Namespace {
    lanes: LaneCount,
    key: NamespaceKey,
    keyed: Hmac<Sha256>,
    id_mac: IdMac,
    every_id_has_mac: bool,
}

/// What an id says about the namespace that it was drawn in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdOrigin {
    /// It was drawn in this namespace.
    Proven,
    /// It may have been drawn in this namespace, before its ids had a code. The store has to be
    /// asked.
    Unproven,
    /// It was not drawn in this namespace, so the store has no such token.
    Foreign,
}

/// The key of a namespace's digests. It grants no access. A reader of an index who does not have
/// the key cannot tell which subject an entry belongs to.
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct NamespaceKey([u8; 32]);

/// One indexed pair of a field and a value. A token is listed under each of its terms.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Term {
    field: TermField,
    digest: [u8; 16],
}

/// The fields that are indexed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum TermField {
    /// The field of the term that every token has, which lists all tokens.
    All = 0,
    /// The subject.
    Subject = 1,
    /// The client.
    Client = 2,
    /// The device id.
    Device = 3,
    /// A tag.
    Tag = 4,
    /// A label, key and value together.
    Label = 5,
    /// The family.
    Family = 6,
    /// The application id.
    App = 7,
    /// The field of the term that every session index has. A session index is a record that is not
    /// a token; it has no other term.
    SessionIndex = 8,
    /// The status list of a token that was issued as a JWT.
    StatusList = 9,
}

/// The name of an epoch within a lane: a digest of the subject, the client or the ancestor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochField([u8; 8]);

impl NamespaceKey {
    /// Draws the key of a new namespace.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn draw(random: &dyn Random) -> Result<Self, RandomUnavailable> {
        random::array(random).map(Self)
    }

    /// Creates a key from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, for the store that keeps them.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for NamespaceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NamespaceKey([redacted])")
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace").field("lanes", &self.lanes).finish_non_exhaustive()
    }
}

impl Namespace {
    /// Creates a namespace with this number of lanes and this key. It may have ids that were drawn
    /// without a code; see [`Namespace::require_id_macs`].
    pub fn new(lanes: LaneCount, key: NamespaceKey) -> Self {
        let keyed = keyed(&key.0);
        let mut mac_key = [0; 16];
        mac_key.copy_from_slice(&digest(&keyed, b"id mac", &[])[..16]);
        let id_mac = IdMac::new(mac_key);
        Self { lanes, key, keyed, id_mac, every_id_has_mac: false }
    }

    /// States that every id of the namespace was drawn by [`Namespace::draw_id`]. Then any other id
    /// is refused without asking the store.
    ///
    /// A store states it of a namespace that it creates, and keeps it beside the data in a format
    /// that an older version does not open: older versions draw ids without a code.
    #[must_use]
    pub fn require_id_macs(self) -> Self {
        Self { every_id_has_mac: true, ..self }
    }

    /// Returns whether every id of the namespace was drawn by [`Namespace::draw_id`].
    pub fn requires_id_macs(&self) -> bool {
        self.every_id_has_mac
    }

    /// Draws an id for a token created at `at` in `lane`. Its last bytes prove that it was drawn in
    /// this namespace.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn draw_id(
        &self,
        at: Timestamp,
        lane: Lane,
        random: &dyn Random,
    ) -> Result<TokenId, RandomUnavailable> {
        TokenId::draw(at, lane, random).map(|id| self.id_mac.sign(id))
    }

    /// Draws an id that every node must draw alike from the same `random`. Where nodes of an older
    /// version may use the namespace too, the id has no code.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn draw_shared_id(
        &self,
        at: Timestamp,
        lane: Lane,
        random: &dyn Random,
    ) -> Result<TokenId, RandomUnavailable> {
        match self.every_id_has_mac {
            true => self.draw_id(at, lane, random),
            false => TokenId::draw(at, lane, random),
        }
    }

    /// Returns whether an id was drawn in this namespace, as far as the id shows it. It is no proof
    /// that the token exists.
    pub fn origin_of(&self, id: TokenId) -> IdOrigin {
        match (self.id_mac.verify(id), self.every_id_has_mac) {
            (true, _) => IdOrigin::Proven,
            (false, true) => IdOrigin::Foreign,
            (false, false) => IdOrigin::Unproven,
        }
    }

    /// Returns the number of lanes.
    pub fn lanes(&self) -> LaneCount {
        self.lanes
    }

    /// Returns the key, for the store that keeps it.
    pub fn key(&self) -> &NamespaceKey {
        &self.key
    }

    /// Returns the lane of everything that `subject` owns.
    pub fn lane_of(&self, subject: &Subject) -> Lane {
        let digest = self.digest(b"lane", &[subject.as_str().as_bytes()]);
        let mut number = [0; 8];
        number.copy_from_slice(&digest[..8]);
        self.lanes.pick(u64::from_be_bytes(number))
    }

    /// Returns a random lane, for a token without a subject.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn any_lane(&self, random: &dyn Random) -> Result<Lane, RandomUnavailable> {
        Ok(self.lanes.pick(u64::from_be_bytes(random::array(random)?)))
    }

    /// Returns the term that every token has.
    pub fn all(&self) -> Term {
        Term { field: TermField::All, digest: [0; 16] }
    }

    /// Returns the term of every record that is not a token: session indexes, and claims of idempotency
    /// keys.
    pub fn other_records(&self) -> Term {
        Term { field: TermField::SessionIndex, digest: [0; 16] }
    }

    /// Returns the term of a subject.
    pub fn subject(&self, subject: &Subject) -> Term {
        self.term(TermField::Subject, &[subject.as_str().as_bytes()])
    }

    /// Returns the term of a client.
    pub fn client(&self, client: &ClientId) -> Term {
        self.term(TermField::Client, &[client.as_str().as_bytes()])
    }

    /// Returns the term of a device.
    pub fn device(&self, device: &DeviceId) -> Term {
        self.term(TermField::Device, &[device.as_str().as_bytes()])
    }

    /// Returns the term of a tag.
    pub fn tag(&self, tag: &Tag) -> Term {
        self.term(TermField::Tag, &[tag.as_str().as_bytes()])
    }

    /// Returns the term of a label.
    pub fn label(&self, key: &LabelKey, value: &LabelValue) -> Term {
        self.term(TermField::Label, &[key.as_str().as_bytes(), value.as_str().as_bytes()])
    }

    /// Returns the term of an application.
    pub fn app(&self, app: &AppId) -> Term {
        self.term(TermField::App, &[app.as_str().as_bytes()])
    }

    /// Returns the term of a status list.
    pub fn status_list(&self, list: StatusListId) -> Term {
        self.term(TermField::StatusList, &[list.as_bytes()])
    }

    /// Returns the term of the family whose root is `root`.
    pub fn family(&self, root: TokenId) -> Term {
        self.term(TermField::Family, &[root.as_bytes()])
    }

    /// Returns the epoch of a subject, in the subject's lane.
    pub fn subject_epoch(&self, subject: &Subject) -> EpochField {
        self.epoch(b"subject", subject.as_str().as_bytes())
    }

    /// Returns the epoch of a client, in every lane.
    pub fn client_epoch(&self, client: &ClientId) -> EpochField {
        self.epoch(b"client", client.as_str().as_bytes())
    }

    /// Returns the epoch of a token as an ancestor, in the token's lane.
    pub fn ancestor_epoch(&self, ancestor: TokenId) -> EpochField {
        self.epoch(b"ancestor", ancestor.as_bytes())
    }

    /// Returns the digest that a rate limit is counted under, from the values that it counts by.
    pub fn limit_digest(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut digest = [0; 16];
        digest.copy_from_slice(&self.digest(b"limit", parts)[..16]);
        digest
    }

    /// Returns a digest that identifies the namespace without showing its key.
    pub fn fingerprint(&self) -> [u8; 16] {
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&self.digest(b"fingerprint", &[])[..16]);
        fingerprint
    }

    /// Returns the id of a subject's session index, in the subject's lane: of the first index, or
    /// of the one that replaces `revoked_before` indexes, the last of which was revoked at `at`.
    pub fn session_index_of(
        &self,
        subject: &Subject,
        revoked_before: u32,
        at: Timestamp,
    ) -> TokenId {
        let (revoked_before, at) = (revoked_before.to_be_bytes(), at.as_millis().to_be_bytes());
        let parts = [subject.as_str().as_bytes(), &revoked_before, &at];
        let mut digest = [0; 16];
        digest.copy_from_slice(&self.digest(b"roster", &parts)[..16]);
        TokenId::from_digest(digest, self.lane_of(subject))
    }

    /// Returns the id of the claim of an idempotency key, from a digest that only its requester can
    /// compute.
    pub fn claim_of(&self, key: &[u8; 32]) -> TokenId {
        let (mut digest, mut lane) = ([0; 16], [0; 8]);
        let bytes = self.digest(b"claim", &[key]);
        digest.copy_from_slice(&bytes[..16]);
        lane.copy_from_slice(&bytes[16..24]);
        TokenId::from_digest(digest, self.lanes.pick(u64::from_be_bytes(lane)))
    }

    fn term(&self, field: TermField, parts: &[&[u8]]) -> Term {
        let mut digest = [0; 16];
        digest.copy_from_slice(&self.digest(&[b't', field as u8], parts)[..16]);
        Term { field, digest }
    }

    fn epoch(&self, field: &[u8], value: &[u8]) -> EpochField {
        let mut digest = [0; 8];
        digest.copy_from_slice(&self.digest(field, &[value])[..8]);
        EpochField(digest)
    }

    /// Returns a secret key for one purpose. It is the same wherever this namespace is open, and tells nothing
    /// about the keys of other purposes.
    pub fn key_for(&self, purpose: &str) -> [u8; 32] {
        self.digest(b"key", &[purpose.as_bytes()])
    }

    fn digest(&self, purpose: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        digest(&self.keyed, purpose, parts)
    }
}

fn digest(keyed: &Hmac<Sha256>, purpose: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed.clone();
    // Each part is preceded by its length, so that no two lists run together.
    for part in std::iter::once(&purpose).chain(parts) {
        mac.update(&(part.len() as u32).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl Term {
    /// Creates a term from its parts, as a store read them.
    pub const fn from_parts(field: TermField, digest: [u8; 16]) -> Self {
        Self { field, digest }
    }

    /// Returns the field.
    pub const fn field(self) -> TermField {
        self.field
    }

    /// Returns the start of the digest as a number.
    pub fn number(self) -> u64 {
        let mut start = [0; 8];
        start.copy_from_slice(&self.digest[..8]);
        u64::from_be_bytes(start)
    }

    /// Returns the keyed digest of the value.
    pub const fn digest(&self) -> &[u8; 16] {
        &self.digest
    }

    /// Returns a term of the same field with another digest.
    pub const fn with_digest(self, digest: [u8; 16]) -> Self {
        Self { digest, ..self }
    }
}

impl TermField {
    /// Returns the field with this number, if there is one.
    pub fn from_number(number: u8) -> Option<Self> {
        let all = [
            Self::All,
            Self::Subject,
            Self::Client,
            Self::Device,
            Self::Tag,
            Self::Label,
            Self::Family,
            Self::App,
            Self::SessionIndex,
            Self::StatusList,
        ];
        all.into_iter().find(|field| *field as u8 == number)
    }

    /// Returns whether a large part of all tokens may share a value of this field.
    pub const fn is_broad(self) -> bool {
        matches!(self, Self::All | Self::Client | Self::Tag | Self::Label | Self::App)
    }

    /// Returns whether all tokens under one value are in one lane.
    pub const fn is_within_a_lane(self) -> bool {
        matches!(self, Self::Subject | Self::Family)
    }
}

impl EpochField {
    /// Creates a field from its bytes, as a store read them.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Debug for EpochField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EpochField({:016x})", u64::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    fn namespace(key: u8) -> Namespace {
        Namespace::new(LaneCount::DEFAULT, NamespaceKey::from_bytes([key; 32]))
    }

    #[test]
    fn digests_differ_by_field_value_and_key() {
        let one = namespace(1);
        let subject = Subject::new("a").unwrap();
        let tag = Tag::new("a").unwrap();
        assert_ne!(one.subject(&subject).digest(), one.tag(&tag).digest());
        assert_ne!(one.subject(&subject), namespace(2).subject(&subject));
        let label =
            |k: &str, v: &str| one.label(&LabelKey::new(k).unwrap(), &LabelValue::new(v).unwrap());
        assert_ne!(label("ab", "c"), label("a", "bc"));
    }

    #[test]
    fn an_id_proves_its_namespace_and_ids_without_a_code_stay_valid_where_they_may_exist() {
        let (at, random) = (Timestamp::from_millis(1_795_000_000_000), SeededRandom::new(4));
        let draw = |namespace: &Namespace| namespace.draw_id(at, Lane::new(3), &random).unwrap();
        let old = namespace(1);
        let new = namespace(1).require_id_macs();
        let without_code = TokenId::draw(at, Lane::new(3), &random).unwrap();
        for namespace in [&old, &new] {
            assert_eq!(namespace.origin_of(draw(&old)), IdOrigin::Proven);
            assert_eq!(namespace.origin_of(draw(&new)), IdOrigin::Proven);
        }
        assert_eq!(old.origin_of(without_code), IdOrigin::Unproven);
        assert_eq!(new.origin_of(without_code), IdOrigin::Foreign);
        let other = draw(&namespace(2));
        assert_eq!(
            new.origin_of(other),
            IdOrigin::Foreign,
            "an id of another namespace is foreign"
        );
        assert_eq!(old.origin_of(other), IdOrigin::Unproven);
    }

    #[test]
    fn ids_have_no_code_while_older_nodes_may_be_there() {
        let at = Timestamp::from_millis(1_795_000_000_000);
        let drawn = |namespace: Namespace| {
            namespace.draw_shared_id(at, Lane::new(3), &SeededRandom::new(4)).unwrap()
        };
        let by_older = TokenId::draw(at, Lane::new(3), &SeededRandom::new(4)).unwrap();
        assert_eq!(drawn(namespace(1)), by_older);
        assert_ne!(drawn(namespace(1).require_id_macs()), by_older);
    }

    #[test]
    fn subjects_spread_over_all_lanes() {
        let namespace = namespace(3);
        let mut counts = vec![0; usize::from(LaneCount::DEFAULT.get())];
        for n in 0..6400 {
            let subject = Subject::new(format!("user{n}")).unwrap();
            counts[usize::from(namespace.lane_of(&subject).number())] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }
}
