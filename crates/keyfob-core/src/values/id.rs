//! Token ids: public names of tokens that sort by time and contain their lane.
//!
//! ```text
//!  0      5         10     12         16 bytes
//!  ├──────┼─────────┼──────┼──────────┤
//!  │ tick │ random  │ lane │  random  │
//!  └──────┴─────────┴──────┴──────────┘
//!    40       40      10+6      32      bits
//! ```
//!
//! The tick counts 16 ms since 1970. The first ten bytes are unique within a lane: a store refuses a
//! second record with the same ten. An index needs no more than these. In the ids of a namespace, the
//! last three bytes are not random but a code over the others; see [`id_mac`](crate::id_mac).

use std::fmt;
use std::str::FromStr;

use super::field::Field;
use super::invalid::{InvalidReason, InvalidValue};
use super::random::{self, Random, RandomUnavailable};
use super::time::Timestamp;

/// The public id of a token, safe in logs and URLs: `tok_` and 26 characters of lower-case
/// Crockford base32.
///
/// Ids sort by the time of their creation, as bytes and as text, to a precision of 16 ms.
///
/// ```
/// use keyfob::TokenId;
///
/// let id: TokenId = "tok_00d1h88n000000000000000001".parse()?;
/// assert_eq!(id.to_string(), "tok_00d1h88n000000000000000001");
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId([u8; 16]);

/// The unit of routing and of atomicity: everything that one subject owns is in one lane.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lane(u16);

/// The number of lanes of a namespace: 1 to 1024, fixed when the namespace is created.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LaneCount(u16);

/// The id of a family: the id of the refresh token or the session at its root.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FamilyId(TokenId);

const PREFIX: &str = "tok_";
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 26;
const TICK_MILLIS: u64 = 16;

impl TokenId {
    /// The number of leading bytes that are unique within a lane.
    pub const LOCAL_BYTES: usize = 10;

    /// Draws an id for a token created at `at` in `lane`, without the code of a namespace; see
    /// [`Namespace::draw_id`](crate::Namespace::draw_id).
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn draw(at: Timestamp, lane: Lane, random: &dyn Random) -> Result<Self, RandomUnavailable> {
        let mut bytes = random::array::<16>(random)?;
        bytes[..5].copy_from_slice(&(at.as_millis() / TICK_MILLIS).to_be_bytes()[3..]);
        let below = u16::from_be_bytes([bytes[10], bytes[11]]) & 0x3f;
        bytes[10..12].copy_from_slice(&(lane.0 << 6 | below).to_be_bytes());
        Ok(Self(bytes))
    }

    /// Returns the id that a digest determines. Its time is before 2005.
    pub fn from_digest(digest: [u8; 16], lane: Lane) -> Self {
        let mut bytes = digest;
        // The times of 36 bits of ticks are before 2005.
        bytes[0] &= 0x0f;
        bytes[10..12].copy_from_slice(&(lane.0 << 6 | u16::from(digest[11] & 0x3f)).to_be_bytes());
        Self(bytes)
    }

    /// Creates an id from its bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Returns the lane that the token is in.
    pub const fn lane(self) -> Lane {
        Lane::from_id(u128::from_be_bytes(self.0))
    }

    /// Returns the leading bytes, which are unique within the lane.
    pub fn local(self) -> [u8; Self::LOCAL_BYTES] {
        let mut local = [0; Self::LOCAL_BYTES];
        local.copy_from_slice(&self.0[..Self::LOCAL_BYTES]);
        local
    }

    /// Returns when the id was drawn, to 16 ms, by the clock of the node that drew it.
    pub fn drawn_at(self) -> Timestamp {
        let mut tick = [0; 8];
        tick[3..].copy_from_slice(&self.0[..5]);
        Timestamp::from_millis(u64::from_be_bytes(tick) * TICK_MILLIS)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        let mut text = [0u8; PREFIX.len() + DIGITS];
        text[..PREFIX.len()].copy_from_slice(PREFIX.as_bytes());
        for (place, digit) in text[PREFIX.len()..].iter_mut().rev().enumerate() {
            *digit = ALPHABET[(value >> (5 * place) & 31) as usize];
        }
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TokenId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let expected = "tok_ and 26 characters of base32, such as tok_00d1h88n000000000000000001";
        let malformed = || InvalidValue::new(Field::TokenId, InvalidReason::Malformed { expected });
        let digits = text.strip_prefix(PREFIX).ok_or_else(malformed)?;
        let value = base32_bits(digits).ok_or_else(malformed)?;
        match value {
            (value, DIGITS) => Ok(Self(value.to_be_bytes())),
            _ => Err(malformed()),
        }
    }
}

/// The value and the number of base32 digits; `None` for a character outside the alphabet or an
/// overflow.
fn base32_bits(digits: &str) -> Option<(u128, usize)> {
    let mut value = 0u128;
    for digit in digits.bytes() {
        let bits = ALPHABET.iter().position(|known| *known == digit)? as u128;
        if value >> 123 != 0 {
            return None;
        }
        value = value << 5 | bits;
    }
    Some((value, digits.len()))
}

/// The start of a token id, to find a token by the part of its id that a person remembers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdPrefix(Box<str>);

impl IdPrefix {
    /// Returns whether `id` starts with this prefix.
    pub fn matches(&self, id: TokenId) -> bool {
        id.to_string().starts_with(&*self.0)
    }

    /// Returns the text, with its `tok_`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdPrefix {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let expected = "the start of a token id, such as tok_00d1h8";
        let malformed =
            || InvalidValue::new(Field::TokenIdPrefix, InvalidReason::Malformed { expected });
        let digits = text.strip_prefix(PREFIX).unwrap_or(text);
        let (_, count) = base32_bits(digits).ok_or_else(malformed)?;
        if count == 0 || count > DIGITS {
            return Err(malformed());
        }
        Ok(Self(format!("{PREFIX}{digits}").into()))
    }
}

impl serde::Serialize for IdPrefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for IdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FamilyId {
    /// Returns the family whose root is `root`.
    pub const fn from_root(root: TokenId) -> Self {
        Self(root)
    }

    /// Returns the family of what descends from `parent`: that of the parent, or the one that it is the root of.
    pub fn under(parent: TokenId, its_family: Option<Self>) -> Self {
        its_family.unwrap_or(Self::from_root(parent))
    }

    /// Returns the token at the root of the family.
    pub const fn root(self) -> TokenId {
        self.0
    }
}

impl fmt::Display for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for FamilyId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        text.parse().map(Self)
    }
}

impl Lane {
    /// Returns the lane of an id that is given as a big-endian number.
    pub const fn from_id(id: u128) -> Self {
        Self((id >> 38) as u16 & 0x3ff)
    }

    /// Creates a lane from its number.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// Returns the number of the lane.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Writes lanes in ascending order, as ranges: `0-3, 7`.
    pub fn ranges(lanes: &[Self]) -> String {
        let mut numbers: Vec<u16> = lanes.iter().map(|lane| lane.0).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let runs = numbers.chunk_by(|one, next| one + 1 == *next);
        let runs = runs.filter_map(|run| Some((run.first()?, run.last()?)));
        let texts = runs.map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        });
        texts.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lane({})", self.0)
    }
}

impl LaneCount {
    /// One lane: a store without routing.
    pub const ONE: Self = Self(1);
    /// The default for a new namespace.
    pub const DEFAULT: Self = Self(64);

    /// Creates a number of lanes.
    ///
    /// # Errors
    /// If it is 0 or more than 1024.
    pub fn new(count: u16) -> Result<Self, InvalidValue> {
        match count {
            1..=1024 => Ok(Self(count)),
            _ => Err(InvalidValue::new(
                Field::LaneCount,
                InvalidReason::OutOfRange { allowed: "1 to 1024" },
            )),
        }
    }

    /// Returns the number of lanes.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Returns every lane, in order.
    pub fn lanes(self) -> impl DoubleEndedIterator<Item = Lane> + ExactSizeIterator + Clone {
        (0..self.0).map(Lane)
    }

    /// Returns the lane for a number whose bits are well mixed, such as part of a digest.
    pub fn pick(self, number: u64) -> Lane {
        Lane((number % u64::from(self.0)) as u16)
    }
}

macro_rules! as_text_and_bytes {
    ($($name:ident, $to:expr, $from:expr;)+) => {$(
        $crate::serde_as_text!($name);

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                let to: fn(&$name) -> &[u8; 16] = $to;
                encoder.bytes(to(self))?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(
                decoder: &mut minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                let bytes: [u8; 16] = decoder
                    .bytes()?
                    .try_into()
                    .map_err(|_| minicbor::decode::Error::message("a token id has 16 bytes"))?;
                let from: fn(TokenId) -> $name = $from;
                Ok(from(TokenId(bytes)))
            }
        }
    )+};
}

as_text_and_bytes! {
    TokenId, |id| &id.0, |id| id;
    FamilyId, |family| &family.0.0, FamilyId;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn lanes_are_written_as_ranges() {
        let ranges = |numbers: &[u16]| {
            Lane::ranges(&numbers.iter().map(|number| Lane(*number)).collect::<Vec<_>>())
        };
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[7, 0, 1, 3, 2]), "0-3, 7");
        assert_eq!(ranges(&[1023, 5, 5, 1022]), "5, 1022-1023");
    }

    #[test]
    fn an_id_carries_its_lane_and_its_time() {
        let random = SeededRandom::new(1);
        let at = Timestamp::from_millis(1_795_000_000_123);
        for lane in [0, 1, 63, 1023] {
            let id = TokenId::draw(at, Lane(lane), &random).unwrap();
            assert_eq!(id.lane(), Lane(lane));
            assert_eq!(id.drawn_at().as_millis(), at.as_millis() / 16 * 16);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn ids_sort_by_time_in_bytes_and_in_text() {
        let random = SeededRandom::new(2);
        let early = TokenId::draw(Timestamp::from_millis(1_000_000), Lane(9), &random).unwrap();
        let late = TokenId::draw(Timestamp::from_millis(1_000_016), Lane(0), &random).unwrap();
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
    }

    #[test]
    fn text_that_is_not_an_id_is_refused() {
        let overflow = format!("tok_{}", "z".repeat(26));
        for text in ["", "tok_", "tok_0", "tik_00d1h88n000000000000000001", &overflow] {
            assert!(text.parse::<TokenId>().is_err(), "{text}");
        }
        assert!("TOK_00d1h88n000000000000000001".parse::<TokenId>().is_err());
        assert!("tok_00d1h88n00000000000000000u".parse::<TokenId>().is_err());
    }

    #[test]
    fn a_prefix_matches_what_starts_with_it() {
        let id: TokenId = "tok_00d1h88n000000000000000001".parse().unwrap();
        assert!("tok_00d1".parse::<IdPrefix>().unwrap().matches(id));
        assert!("00d1".parse::<IdPrefix>().unwrap().matches(id));
        assert!(!"tok_0d".parse::<IdPrefix>().unwrap().matches(id));
        assert!("tok_".parse::<IdPrefix>().is_err());
    }
}
