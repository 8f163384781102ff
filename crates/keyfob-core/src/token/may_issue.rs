//! What the holder of a token may hand out to others.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::names::{Name, NameSet};
use crate::text::{Audience, Scope};

/// The scopes and audiences that the holder of an API key may hand out to others, in addition to
/// those of the key itself (`may_issue`).
///
/// A service that issues tokens on request checks it. It says nothing about the scopes of the
/// service's own interface, which nobody hands out without having them.
///
/// ```
/// use keyfob::token::{Allowed, MayIssue};
/// use keyfob::values::NameSet;
///
/// let scopes = NameSet::from_names(["read".parse()?, "write".parse()?])?;
/// let may_issue = MayIssue::new(Allowed::Only(scopes), Allowed::All);
/// assert!(may_issue.scopes.permits("read") && !may_issue.scopes.permits("admin"));
/// assert!(may_issue.audiences.permits("shop"));
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MayIssue {
    /// The scopes.
    #[n(0)]
    #[serde(default)]
    pub scopes: Allowed<Scope>,
    /// The audiences.
    #[n(1)]
    #[serde(default)]
    pub audiences: Allowed<Audience>,
}

/// Which names of a kind are allowed: all, or those of a set.
///
/// JSON writes the text `"all"` or an array.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Allowed<T> {
    /// Every name.
    All,
    /// The members of the set.
    Only(NameSet<T>),
}

impl MayIssue {
    /// Creates the claim.
    pub fn new(scopes: Allowed<Scope>, audiences: Allowed<Audience>) -> Self {
        Self { scopes, audiences }
    }

    /// Returns the claim that allows every scope and every audience.
    pub fn all() -> Self {
        Self::new(Allowed::All, Allowed::All)
    }

    /// Returns whether everything that `other` allows is allowed here.
    pub fn contains(&self, other: &Self) -> bool {
        self.scopes.contains(&other.scopes) && self.audiences.contains(&other.audiences)
    }
}

impl<T: Name> Allowed<T> {
    /// Returns whether a name is allowed.
    pub fn permits<Q: Ord + ?Sized>(&self, name: &Q) -> bool
    where
        T: std::borrow::Borrow<Q>,
    {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }

    /// Returns whether every name that `other` allows is allowed here.
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Only(_), Self::All) => false,
            (Self::Only(names), Self::Only(wanted)) => names.contains_all(wanted),
        }
    }
}

impl<T> Default for Allowed<T> {
    /// No name is allowed.
    fn default() -> Self {
        Self::Only(NameSet::default())
    }
}

/// The text that stands for every name.
const ALL: &str = "all";

impl<T: Serialize> Serialize for Allowed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str(ALL),
            Self::Only(names) => names.serialize(serializer),
        }
    }
}

impl<'de, T: Name + Deserialize<'de>> Deserialize<'de> for Allowed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        enum Text {
            #[serde(rename = "all")]
            All,
        }
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "\"all\" or an array of names")]
        enum Form<N> {
            Text(Text),
            Names(N),
        }
        Ok(match Form::<NameSet<T>>::deserialize(deserializer)? {
            Form::Text(Text::All) => Self::All,
            Form::Names(names) => Self::Only(names),
        })
    }
}

impl<C, T: Encode<C>> Encode<C> for Allowed<T> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match self {
            Self::All => encoder.bool(true)?.ok(),
            Self::Only(names) => encoder.encode_with(names, context)?.ok(),
        }
    }
}

impl<'b, C, T: Name + Decode<'b, C>> Decode<'b, C> for Allowed<T> {
    fn decode(
        decoder: &mut minicbor::Decoder<'b>,
        context: &mut C,
    ) -> Result<Self, minicbor::decode::Error> {
        if decoder.datatype()? != minicbor::data::Type::Bool {
            return Ok(Self::Only(decoder.decode_with(context)?));
        }
        match decoder.bool()? {
            true => Ok(Self::All),
            false => Err(minicbor::decode::Error::message("false allows nothing")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(names: &[&str]) -> Allowed<Scope> {
        let names = names.iter().map(|name| name.parse().unwrap());
        Allowed::Only(NameSet::from_names(names).unwrap())
    }

    #[test]
    fn nothing_is_allowed_unless_it_is_said() {
        assert_eq!(serde_json::from_str::<MayIssue>("{}").unwrap(), MayIssue::default());
        assert!(!MayIssue::default().scopes.permits("read"));
        assert!(MayIssue::all().contains(&MayIssue::default()));
        assert!(!MayIssue::default().contains(&MayIssue::all()));
    }

    #[test]
    fn a_wider_set_contains_a_narrower_one() {
        assert!(only(&["a", "b"]).contains(&only(&["b"])));
        assert!(!only(&["a", "b"]).contains(&only(&["c"])));
        assert!(!only(&["a"]).contains(&Allowed::All));
    }

    #[test]
    fn json_and_stored_bytes_read_as_what_was_written() {
        for claim in
            [MayIssue::all(), MayIssue::default(), MayIssue::new(only(&["a", "b"]), Allowed::All)]
        {
            let json = serde_json::to_string(&claim).unwrap();
            assert_eq!(serde_json::from_str::<MayIssue>(&json).unwrap(), claim, "{json}");
            let bytes = minicbor::to_vec(&claim).unwrap();
            assert_eq!(minicbor::decode::<MayIssue>(&bytes).unwrap(), claim);
        }
        for json in [r#"{"scopes":"none"}"#, r#"{"scopes":true}"#, r#"{"scope":["a"]}"#] {
            assert!(serde_json::from_str::<MayIssue>(json).is_err(), "{json}");
        }
    }
}
