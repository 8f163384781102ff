//! Bounded collections of names: sets of audiences, scopes, tags and authentication methods, and
//! the labels.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::field::Field;
use super::invalid::{InvalidReason, InvalidValue};
use super::text::{Audience, AuthenticationMethod, LabelKey, LabelValue, Scope, Tag};

/// An ordered set of at most [`NameSet::MAX_LEN`] names.
///
/// ```
/// use keyfob::Tag;
/// use keyfob::values::NameSet;
///
/// let mut tags = NameSet::<Tag>::new();
/// tags.insert("mobile".parse()?)?;
/// assert!(tags.contains("mobile"));
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameSet<T>(Vec<T>);

/// A type of name that can be a member of a [`NameSet`].
pub trait Name: Ord {
    /// The field that errors about a set of these names report.
    const FIELD: Field;
}

impl Name for Audience {
    const FIELD: Field = Field::Audience;
}
impl Name for Scope {
    const FIELD: Field = Field::Scope;
}
impl Name for Tag {
    const FIELD: Field = Field::Tag;
}
impl Name for AuthenticationMethod {
    const FIELD: Field = Field::AuthenticationMethod;
}

impl<T: Name> NameSet<T> {
    /// The maximum number of members.
    pub const MAX_LEN: usize = 64;

    /// Creates an empty set.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a name. Adding an existing member changes nothing.
    ///
    /// # Errors
    /// If the set is full.
    pub fn insert(&mut self, name: T) -> Result<(), InvalidValue> {
        if let Err(position) = self.0.binary_search(&name) {
            if self.0.len() == Self::MAX_LEN {
                let reason = InvalidReason::TooMany { max: Self::MAX_LEN };
                return Err(InvalidValue::new(T::FIELD, reason));
            }
            self.0.insert(position, name);
        }
        Ok(())
    }

    /// Removes a name, and returns whether it was a member.
    pub fn remove<Q: Ord + ?Sized>(&mut self, name: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.position(name).map(|position| self.0.remove(position)).is_some()
    }

    /// Collects names into a set.
    ///
    /// # Errors
    /// If there are more than [`NameSet::MAX_LEN`] different names.
    pub fn from_names(names: impl IntoIterator<Item = T>) -> Result<Self, InvalidValue> {
        let mut set = Self::new();
        names.into_iter().try_for_each(|name| set.insert(name))?;
        Ok(set)
    }

    /// Returns whether `name` is a member. `name` is a text or a value of the type.
    pub fn contains<Q: Ord + ?Sized>(&self, name: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.position(name).is_some()
    }

    fn position<Q: Ord + ?Sized>(&self, name: &Q) -> Option<usize>
    where
        T: Borrow<Q>,
    {
        self.0.binary_search_by(|member| member.borrow().cmp(name)).ok()
    }

    /// Returns whether every member of `wanted` is a member.
    pub fn contains_all(&self, wanted: &Self) -> bool {
        wanted.iter().all(|name| self.contains(name))
    }

    /// Returns whether any member of `wanted` is a member.
    pub fn contains_any(&self, wanted: &Self) -> bool {
        wanted.iter().any(|name| self.contains(name))
    }
}

impl<T> NameSet<T> {
    /// Returns the members, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// Returns the number of members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the set has no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for NameSet<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, T> IntoIterator for &'a NameSet<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: std::fmt::Display> std::fmt::Display for NameSet<T> {
    /// Writes the members, separated by spaces: the form of a scope in RFC 6749 section 3.3.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, name) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { " " };
            write!(f, "{separator}{name}")?;
        }
        Ok(())
    }
}

impl<T: serde::Serialize> serde::Serialize for NameSet<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl<'de, T: Name + serde::Deserialize<'de>> serde::Deserialize<'de> for NameSet<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_names(Vec::<T>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl<C, T: minicbor::Encode<C>> minicbor::Encode<C> for NameSet<T> {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.encode_with(&self.0, context)?.ok()
    }
}

impl<'b, C, T: Name + minicbor::Decode<'b, C>> minicbor::Decode<'b, C> for NameSet<T> {
    fn decode(
        decoder: &mut minicbor::Decoder<'b>,
        context: &mut C,
    ) -> Result<Self, minicbor::decode::Error> {
        let names: Vec<T> = decoder.decode_with(context)?;
        Self::from_names(names).map_err(minicbor::decode::Error::custom)
    }
}

/// The labels of a token: at most [`Labels::MAX_LEN`] keys, each with one value.
///
/// ```
/// use keyfob::values::Labels;
///
/// let mut labels = Labels::new();
/// labels.insert("environment".parse()?, "production".parse()?)?;
/// assert!(labels.get("environment").is_some_and(|value| value == "production"));
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Labels(BTreeMap<LabelKey, LabelValue>);

impl Labels {
    /// The maximum number of labels.
    pub const MAX_LEN: usize = 64;

    /// Creates an empty collection.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a label.
    ///
    /// # Errors
    /// If the key exists, or the collection already has [`Labels::MAX_LEN`] labels.
    pub fn insert(&mut self, key: LabelKey, value: LabelValue) -> Result<(), InvalidValue> {
        if self.0.contains_key(&key) {
            return Err(InvalidValue::new(Field::Label, InvalidReason::Duplicate));
        }
        self.set(key, value)
    }

    /// Adds a label, or replaces the value of an existing key.
    ///
    /// # Errors
    /// If the key is new and there are [`Labels::MAX_LEN`] labels.
    pub fn set(&mut self, key: LabelKey, value: LabelValue) -> Result<(), InvalidValue> {
        if self.0.len() == Self::MAX_LEN && !self.0.contains_key(&key) {
            let reason = InvalidReason::TooMany { max: Self::MAX_LEN };
            return Err(InvalidValue::new(Field::Label, reason));
        }
        self.0.insert(key, value);
        Ok(())
    }

    /// Removes a label, and returns its value if there was one.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<LabelValue>
    where
        LabelKey: Borrow<Q>,
    {
        self.0.remove(key)
    }

    /// Returns the value of a label; the key is a text or a [`LabelKey`].
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&LabelValue>
    where
        LabelKey: Borrow<Q>,
    {
        self.0.get(key)
    }

    /// Returns keys and values, in the order of the keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&LabelKey, &LabelValue)> {
        self.0.iter()
    }

    /// Returns whether there are no labels.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of labels.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl serde::Serialize for Labels {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Labels {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Reads one pair at a time, so that a repeated key is an error.
        struct Pairs;

        impl<'de> serde::de::Visitor<'de> for Pairs {
            type Value = Labels;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of labels")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Labels, A::Error> {
                let mut labels = Labels::new();
                while let Some((key, value)) = map.next_entry()? {
                    labels.insert(key, value).map_err(serde::de::Error::custom)?;
                }
                Ok(labels)
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

impl<C> minicbor::Encode<C> for Labels {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.encode_with(&self.0, context)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Labels {
    fn decode(
        decoder: &mut minicbor::Decoder<'b>,
        context: &mut C,
    ) -> Result<Self, minicbor::decode::Error> {
        let map: BTreeMap<LabelKey, LabelValue> = decoder.decode_with(context)?;
        if map.len() > Self::MAX_LEN {
            return Err(minicbor::decode::Error::message("too many labels"));
        }
        Ok(Self(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_label_is_refused() {
        let mut labels = Labels::new();
        let key = || LabelKey::new("environment").unwrap();
        labels.insert(key(), LabelValue::new("production").unwrap()).unwrap();
        let refused = labels.insert(key(), LabelValue::new("staging").unwrap()).unwrap_err();
        assert_eq!(refused.reason(), &InvalidReason::Duplicate);
        assert!(serde_json::from_str::<Labels>(r#"{"a":"1","a":"2"}"#).is_err());
    }

    #[test]
    fn a_set_is_bounded_and_in_order() {
        let tags = |n: usize| (0..n).map(|n| Tag::new(format!("t{n:03}")).unwrap());
        assert!(NameSet::from_names(tags(64)).is_ok());
        assert!(NameSet::from_names(tags(65)).is_err());
        let set = NameSet::from_names(tags(3).collect::<Vec<_>>().into_iter().rev()).unwrap();
        assert_eq!(set.to_string(), "t000 t001 t002");
    }
}
