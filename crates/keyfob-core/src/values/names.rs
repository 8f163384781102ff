//! Bounded collections of names: sets of audiences, scopes and tags, and the labels.

use std::collections::BTreeMap;

use crate::invalid::{InvalidReason, InvalidValue};
use crate::text::{Audience, AuthenticationMethod, LabelKey, LabelValue, Scope, Tag};

/// A set of at most [`NameSet::MOST`] names, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameSet<T>(Vec<T>);

/// A name that comes in sets.
pub trait Name: Ord {
    /// What a set of these is called in an error.
    const SET: &'static str;
}

impl Name for Audience {
    const SET: &'static str = "audience set";
}
impl Name for Scope {
    const SET: &'static str = "scope set";
}
impl Name for Tag {
    const SET: &'static str = "tag set";
}
impl Name for AuthenticationMethod {
    const SET: &'static str = "set of authentication methods";
}

impl<T: Name> NameSet<T> {
    /// The most members that a set may have.
    pub const MOST: usize = 64;

    /// An empty set.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a name; one that is there already changes nothing.
    ///
    /// # Errors
    /// When the set is full.
    pub fn insert(&mut self, name: T) -> Result<(), InvalidValue> {
        if let Err(place) = self.0.binary_search(&name) {
            if self.0.len() == Self::MOST {
                return Err(InvalidValue::new(T::SET, InvalidReason::TooMany { most: Self::MOST }));
            }
            self.0.insert(place, name);
        }
        Ok(())
    }

    /// Takes a name out; says whether it was there.
    pub fn remove(&mut self, name: &T) -> bool {
        let place = self.0.binary_search(name);
        place.map(|place| self.0.remove(place)).is_ok()
    }

    /// Collects names into a set.
    ///
    /// # Errors
    /// When there are more than [`NameSet::MOST`] different ones.
    pub fn from_names(names: impl IntoIterator<Item = T>) -> Result<Self, InvalidValue> {
        let mut set = Self::new();
        names.into_iter().try_for_each(|name| set.insert(name))?;
        Ok(set)
    }

    /// Whether `name` is a member.
    pub fn contains(&self, name: &T) -> bool {
        self.0.binary_search(name).is_ok()
    }

    /// Whether every member of `wanted` is a member.
    pub fn contains_all(&self, wanted: &Self) -> bool {
        wanted.iter().all(|name| self.contains(name))
    }

    /// Whether any member of `wanted` is a member.
    pub fn contains_any(&self, wanted: &Self) -> bool {
        wanted.iter().any(|name| self.contains(name))
    }
}

impl<T> NameSet<T> {
    /// The members, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
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
    /// The members, separated by spaces: the form of a scope in RFC 6749 section 3.3.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, name) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { " " };
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

/// Labels: at most [`Labels::MOST`] keys, each with one value.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Labels(BTreeMap<LabelKey, LabelValue>);

impl Labels {
    /// The most labels that a token may have.
    pub const MOST: usize = 64;

    /// No labels.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a label.
    ///
    /// # Errors
    /// When the key is there already, or there are [`Labels::MOST`] labels.
    pub fn insert(&mut self, key: LabelKey, value: LabelValue) -> Result<(), InvalidValue> {
        if self.0.contains_key(&key) {
            return Err(InvalidValue::new("label", InvalidReason::Duplicate));
        }
        self.set(key, value)
    }

    /// Adds a label or changes its value.
    ///
    /// # Errors
    /// When it is new and there are [`Labels::MOST`] labels.
    pub fn set(&mut self, key: LabelKey, value: LabelValue) -> Result<(), InvalidValue> {
        if self.0.len() == Self::MOST && !self.0.contains_key(&key) {
            return Err(InvalidValue::new("labels", InvalidReason::TooMany { most: Self::MOST }));
        }
        self.0.insert(key, value);
        Ok(())
    }

    /// Takes a label out; says whether it was there.
    pub fn remove(&mut self, key: &LabelKey) -> bool {
        self.0.remove(key).is_some()
    }

    /// The value of a label.
    pub fn value(&self, key: &LabelKey) -> Option<&LabelValue> {
        self.0.get(key)
    }

    /// Keys and values, by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&LabelKey, &LabelValue)> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many labels there are.
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
        /// Sees each pair as it comes, so that a key given twice is an error.
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
        if map.len() > Self::MOST {
            return Err(minicbor::decode::Error::message("too many labels"));
        }
        Ok(Self(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_given_twice_is_refused() {
        let mut labels = Labels::new();
        let key = || LabelKey::new("environment").unwrap();
        labels.insert(key(), LabelValue::new("production").unwrap()).unwrap();
        let refused = labels.insert(key(), LabelValue::new("staging").unwrap()).unwrap_err();
        assert_eq!(refused.problem(), &InvalidReason::Duplicate);
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
