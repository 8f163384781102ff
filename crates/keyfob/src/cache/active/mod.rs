//! An active token as compact bytes that are read in place.
//!
//! A cache holds a million of these, and an answer must not allocate. So the fields that every request
//! reads are at the front, and rarely used fields are decoded on demand.
//!
//! ```text
//! head │ cells │ [issued] [expires] [used] │ subject client [issuer] [device]
//!   4    2n B      6        6         6      length and text each
//!
//! │ audiences scopes │ [claims] │ rest
//!   count, then each    JSON      CBOR
//! ```
//!
//! Flags in the head say whether a token has what is in brackets. The shorter the bytes, the more
//! tokens fit into the entry that a look-up reads anyway.

mod layout;
mod rest;
mod write;

use std::borrow::Cow;

use serde::de::DeserializeOwned;

use keyfob_core::bearer::{Generation, IdDigits};
use keyfob_core::id::{FamilyId, Lane, TokenId};
use keyfob_core::invalid::InvalidValue;
use keyfob_core::names::{Name, NameSet};
use keyfob_core::text::{Audience, ClaimName, Issuer, Scope};
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::{
    Claims, ClaimsMismatch, Confirmation, Kind, PrivateClaims, RegisteredClaims, SecretUsed, Token,
};
use keyfob_core::validation::TokenAttributes;
use keyfob_store::{InvalidationSlot, StoreError};
use layout::{
    BOUND, BY_OLDER, CELLS, CLAIMS, DEVICE, HEAD, ISSUER, KIND, LANE, LONG, MAX_CELLS, MAX_LANE,
    MAX_MILLIS, MILLIS, OWN_EXPIRY, OWN_ISSUE, ROOT, TIME, TWO_SECRETS, USED,
};
use rest::{Older, Rest};
pub(crate) use write::{Other, write};

/// A token that was just found active, borrowed from the cache or from a load. Reading it does not allocate,
/// except where a method says so.
///
/// See [`TokenManager::validate_with`](crate::TokenManager::validate_with).
#[derive(Clone, Copy)]
pub struct ActiveToken<'a> {
    digits: IdDigits<'a>,
    head: u32,
    /// When the entry ends.
    end: Timestamp,
    cells: &'a [u8],
    /// The bytes from the times on.
    fields: &'a [u8],
}

/// What a secret proves that is not the cached one.
pub enum ByOther<'a> {
    Unproven,
    Proven(ActiveToken<'a>),
    AskStore,
}

/// Reads one field after another. A missing field is empty: bytes that [`write`] did not write name no
/// subject and allow nothing.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at_checked(length).unwrap_or((&[], &[]));
        self.0 = rest;
        taken
    }

    fn length(&mut self) -> usize {
        match self.take(1) {
            [LONG] => self.take(2).try_into().map_or(0, |two| usize::from(u16::from_le_bytes(two))),
            [short] => usize::from(*short),
            _ => 0,
        }
    }

    fn bytes(&mut self) -> &'a [u8] {
        let length = self.length();
        self.take(length)
    }

    fn text(&mut self) -> &'a str {
        as_text(self.bytes())
    }

    fn time(&mut self) -> Option<Timestamp> {
        let mut millis = [0; 8];
        millis[..6].copy_from_slice(self.take(6).get(..6)?);
        Some(u64::from_le_bytes(millis)).filter(|millis| *millis != 0).map(Timestamp::from_millis)
    }

    fn skip(mut self, fields: usize) -> Self {
        for _ in 0..fields {
            self.bytes();
        }
        self
    }

    fn skip_list(mut self) -> Self {
        let count = self.length();
        self.skip(count)
    }
}

impl<'a> ActiveToken<'a> {
    /// Reads a token with these digits of its id from bytes that [`write`] wrote for an entry with
    /// this end.
    #[inline]
    pub fn over(digits: IdDigits<'a>, end: Timestamp, bytes: &'a [u8]) -> Self {
        let (head, fields) = bytes.split_first_chunk::<HEAD>().unwrap_or((&[0; HEAD], &[]));
        let head = u32::from_le_bytes(*head);
        let cells = 2 * ((head >> CELLS) as usize & MAX_CELLS);
        let (cells, fields) = fields.split_at_checked(cells).unwrap_or((fields, &[]));
        Self { digits, head, end, cells, fields }
    }

    /// Returns the slots of the fields whose epochs can revoke the token.
    #[inline]
    pub fn cells(&self) -> impl Iterator<Item = InvalidationSlot> + use<'a> {
        let numbers = self.cells.chunks_exact(2).filter_map(|pair| pair.try_into().ok());
        numbers.map(|pair| InvalidationSlot::from_number(u16::from_le_bytes(pair)))
    }

    /// Returns the public id.
    pub fn id(&self) -> TokenId {
        // The digits are valid, because the entry was found by them.
        self.digits.read().unwrap_or(TokenId::from_bytes([0; 16]))
    }

    #[inline]
    pub(crate) fn lane(&self) -> Lane {
        Lane::new((self.head >> LANE & MAX_LANE) as u16)
    }

    /// Returns the kind of the token.
    pub fn kind(&self) -> Kind {
        Kind::ALL[(self.head & KIND) as usize]
    }

    /// Returns when it was issued.
    pub fn issued_at(&self) -> Timestamp {
        if self.has(OWN_ISSUE) {
            return self.times(0).time().unwrap_or_default();
        }
        let millis = u64::from(self.head >> MILLIS & MAX_MILLIS);
        Timestamp::from_millis(self.id().drawn_at().as_millis() + millis)
    }

    /// Returns when it ends; `None` is never.
    pub fn expires_at(&self) -> Option<Timestamp> {
        if self.has(OWN_EXPIRY) { self.times(OWN_ISSUE).time() } else { Some(self.end) }
    }

    /// Returns when it was last used, as far as this node knows.
    pub fn last_used(&self) -> Option<Timestamp> {
        if self.has(USED) { self.times(OWN_ISSUE | OWN_EXPIRY).time() } else { None }
    }

    /// Returns whether it was found by the older of two secrets; see [`SecretUsed`].
    pub fn is_by_older_secret(&self) -> bool {
        self.has(BY_OLDER)
    }

    /// Returns what a secret other than the cached one proves, by the first half of its digest: nothing; the
    /// token, as found by that secret; or that only the store can tell.
    pub fn by_other_secret(&self, half: [u32; 4], now: Timestamp) -> ByOther<'a> {
        if !self.has(TWO_SECRETS) {
            return ByOther::Unproven;
        }
        match self.rest().ok().and_then(|rest| rest.older) {
            Some(Older { half: Some(older), until }) => {
                let differs = older.iter().zip(half).fold(0, |any, (a, b)| any | (a ^ b));
                if differs == 0 && now < until {
                    ByOther::Proven(Self { head: self.head | BY_OLDER, ..*self })
                } else {
                    ByOther::Unproven
                }
            }
            // The older secret is cached, because the newest was never used.
            _ => ByOther::AskStore,
        }
    }

    fn has(&self, flag: u32) -> bool {
        self.head & flag != 0
    }

    /// Returns the fields after the times of these flags.
    fn times(&self, before: u32) -> Fields<'a> {
        let length = TIME * (self.head & before).count_ones() as usize;
        Fields(self.fields.get(length..).unwrap_or_default())
    }

    fn texts(&self) -> Fields<'a> {
        self.times(OWN_ISSUE | OWN_EXPIRY | USED)
    }

    fn text(&self, place: usize) -> Option<&'a str> {
        Some(self.texts().skip(place).text()).filter(|text| !text.is_empty())
    }

    /// Returns the fields from the audiences on.
    fn lists(&self) -> Fields<'a> {
        self.texts().skip(2 + usize::from(self.has(ISSUER)) + usize::from(self.has(DEVICE)))
    }

    /// Returns the fields after the scopes.
    fn after_lists(&self) -> Fields<'a> {
        self.lists().skip_list().skip_list()
    }

    /// Returns the subject.
    pub fn subject(&self) -> Option<&'a str> {
        self.text(0)
    }

    /// Returns the client that it was issued to.
    pub fn client(&self) -> Option<&'a str> {
        self.text(1)
    }

    /// Returns the issuer.
    pub fn issuer(&self) -> Option<&'a str> {
        self.has(ISSUER).then(|| self.text(2)).flatten()
    }

    /// Returns the device that it was issued to.
    pub fn device(&self) -> Option<&'a str> {
        self.has(DEVICE).then(|| self.text(2 + usize::from(self.has(ISSUER)))).flatten()
    }

    /// Returns the audiences, in order.
    pub fn audiences(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        each(self.lists()).map(as_text)
    }

    /// Returns the scopes, in order.
    pub fn scopes(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        each(self.lists().skip_list()).map(as_text)
    }

    /// Returns the application's own claims as one JSON object.
    pub fn claims_json(&self) -> &'a str {
        if self.has(CLAIMS) { self.after_lists().text() } else { "{}" }
    }

    /// Returns the application's own claims as a `T`, which may borrow from them. Allocates what `T` does.
    ///
    /// # Errors
    /// When they cannot be read as a `T`.
    pub fn claims_as<T: DeserializeOwned>(&self) -> Result<T, ClaimsMismatch> {
        PrivateClaims::read_json(self.claims_json())
    }

    /// Decodes the rarely used fields.
    fn rest(&self) -> Result<Rest<'static>, StoreError> {
        match self.after_lists().skip(usize::from(self.has(CLAIMS))).0 {
            [] => Ok(Rest::default()),
            bytes => minicbor::decode(bytes).map_err(|error| self.damaged(error)),
        }
    }

    /// Returns how long it may go unused. Decodes the rarely used fields.
    pub fn idle_timeout(&self) -> Option<Ttl> {
        self.rest().ok()?.idle_timeout
    }

    /// Returns when it begins, if it did not begin when it was issued. Decodes the rarely used fields.
    pub fn not_before(&self) -> Option<Timestamp> {
        self.rest().ok()?.not_before
    }

    /// Returns the registered claims that have no method of their own. Decodes the rarely used fields.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn registered_claims(&self) -> Result<RegisteredClaims, StoreError> {
        Ok(owned(self.rest()?.registered))
    }

    /// Returns the whole token, as [`TokenManager::validate`](crate::TokenManager::validate) does.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn to_token(&self) -> Result<Token, StoreError> {
        let rest = self.rest()?;
        let invalid = |invalid: InvalidValue| self.damaged(invalid);
        let is_root = self.has(ROOT);
        let root = is_root.then(|| FamilyId::from_root(self.id()));
        let mut device = owned(rest.device);
        device.id = optional(self.device()).map_err(invalid)?;
        let generation = Generation::new(rest.generation.unwrap_or_default()).unwrap_or_default();
        let mut token = Token::new(self.id(), self.kind(), self.issued_at());
        token.subject = optional(self.subject()).map_err(invalid)?;
        token.issuer = optional(self.issuer()).map_err(invalid)?;
        token.audiences = names(self.audiences()).map_err(invalid)?;
        token.scopes = names(self.scopes()).map_err(invalid)?;
        token.client = optional(self.client()).map_err(invalid)?;
        token.not_before = rest.not_before;
        token.expires_at = self.expires_at();
        token.idle_timeout = rest.idle_timeout;
        token.absolute_expiry = rest.absolute_expiry;
        token.uses_left = rest.uses_left;
        token.last_used = self.last_used();
        token.family = rest.family.or(root);
        token.ancestors = if is_root { vec![self.id()] } else { owned(rest.ancestors) };
        token.generation = generation;
        token.rotated_at = rest.rotated_at;
        token.secret = match rest.older {
            Some(older) if self.is_by_older_secret() => SecretUsed::Older { until: older.until },
            _ => SecretUsed::Newest,
        };
        token.older_secret_until = rest.older.map(|older| older.until);
        token.metadata.device = device;
        token.metadata.app = rest.app.map(Cow::into_owned);
        token.metadata.app_version = rest.app_version.map(Cow::into_owned);
        token.metadata.labels = owned(rest.labels);
        token.metadata.tags = owned(rest.tags);
        token.jwt = rest.jwt;
        token.claims = Claims {
            registered: owned(rest.registered),
            private: PrivateClaims::from_stored_json(self.claims_json()).map_err(invalid)?,
        };
        Ok(token)
    }

    fn damaged(&self, detail: impl std::fmt::Display) -> StoreError {
        StoreError::Corrupt { what: self.id().to_string(), detail: detail.to_string() }
    }
}

impl TokenAttributes for ActiveToken<'_> {
    fn kind(&self) -> Kind {
        self.kind()
    }

    fn issued_at(&self) -> Timestamp {
        self.issued_at()
    }

    fn has_issuer(&self, accepted: &[Issuer]) -> bool {
        let issuer = self.has(ISSUER).then(|| self.texts().skip(2).bytes());
        accepted.iter().any(|known| Some(known.as_str().as_bytes()) == issuer)
    }

    fn has_audience(&self, wanted: &NameSet<Audience>) -> bool {
        let is_wanted = |audience| wanted.iter().any(|known| known.as_str().as_bytes() == audience);
        each(self.lists()).any(is_wanted)
    }

    fn has_scope(&self, scope: &Scope) -> bool {
        each(self.lists().skip_list()).any(|known| known == scope.as_str().as_bytes())
    }

    fn has_claim(&self, name: &ClaimName) -> bool {
        // Claims that cannot be read meet no demand.
        self.rest().is_ok_and(|rest| rest.registered.is_some_and(|claims| claims.has(name)))
            || PrivateClaims::from_stored_json(self.claims_json())
                .is_ok_and(|claims| claims.has(name))
    }

    fn device_id(&self) -> Option<&str> {
        self.device()
    }

    #[inline]
    fn is_bound_to_key(&self) -> bool {
        self.has(BOUND)
    }

    fn is_bound_to(&self, key: &Confirmation) -> bool {
        // Claims that cannot be read name no key.
        let claims = self.rest().ok().and_then(|rest| rest.registered);
        self.has(BOUND) && claims.is_some_and(|claims| claims.is_bound_to(key))
    }
}

/// Iterates over the fields of a list. They are compared as bytes, so they do not have to be read as text.
#[inline]
fn each<'a>(mut fields: Fields<'a>) -> impl Iterator<Item = &'a [u8]> {
    let count = fields.length();
    (0..count).map(move |_| fields.bytes())
}

/// Returns a field of [`Rest`], or its default.
fn owned<T>(value: Option<Cow<'_, T>>) -> T::Owned
where
    T: ToOwned<Owned: Default> + ?Sized,
{
    value.map(Cow::into_owned).unwrap_or_default()
}

fn as_text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn optional<T>(text: Option<&str>) -> Result<Option<T>, InvalidValue>
where
    T: for<'t> TryFrom<&'t str, Error = InvalidValue>,
{
    text.map(T::try_from).transpose()
}

fn names<'a, T>(texts: impl Iterator<Item = &'a str>) -> Result<NameSet<T>, InvalidValue>
where
    T: Name + for<'t> TryFrom<&'t str, Error = InvalidValue>,
{
    let names: Result<Vec<T>, InvalidValue> = texts.map(T::try_from).collect();
    NameSet::from_names(names?)
}

impl std::fmt::Debug for ActiveToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActiveToken").field("id", &self.id()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
