//! One body or many.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::Object;

/// The maximum number of bodies in one array.
pub const MAX_ITEMS: usize = 1_000;

/// The maximum number of values in a [`OneOf`].
const MAX_VALUES: usize = 64;

/// One object, or an array of at most [`MAX_ITEMS`]. The answer has the same form, in the same order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OneOrMany<T> {
    /// One object.
    One(T),
    /// An array.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// Returns the bodies, and whether they came as an array.
    pub fn into_vec(self) -> (Vec<T>, bool) {
        match self {
            Self::One(one) => (vec![one], false),
            Self::Many(many) => (many, true),
        }
    }
}

impl<T: Serialize> Serialize for OneOrMany<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(one) => one.serialize(serializer),
            Self::Many(many) => many.serialize(serializer),
        }
    }
}

/// Reads a sequence of at most `MAX` items, and does not read on after the maximum.
fn bounded<'de, A: SeqAccess<'de>, T: Deserialize<'de>>(
    mut items: A,
    max: usize,
) -> Result<Vec<T>, A::Error> {
    let mut read = Vec::new();
    while let Some(item) = items.next_element()? {
        if read.len() == max {
            return Err(A::Error::custom(format_args!("too many items: at most {max}")));
        }
        read.push(item);
    }
    Ok(read)
}

/// Reads an array of at most `MAX` items.
pub(crate) fn at_most<'de, const MAX: usize, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct Items<const MAX: usize, T>(PhantomData<T>);

    impl<'de, const MAX: usize, T: Deserialize<'de>> Visitor<'de> for Items<MAX, T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "an array of at most {MAX} items")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
            bounded(items, MAX)
        }
    }

    deserializer.deserialize_seq(Items::<MAX, T>(PhantomData))
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    /// An untagged enum would buffer the body, and lose its raw claims.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object, or an array of at most {MAX_ITEMS} objects")
            }

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(object)).map(OneOrMany::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
                let objects = bounded(items, MAX_ITEMS)?;
                Ok(OneOrMany::Many(objects.into_iter().map(|Object(body)| body).collect()))
            }
        }

        deserializer.deserialize_any(Items(PhantomData))
    }
}

/// Values of which any one suffices: one text, or an array of at most 64.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OneOf<T>(Vec<T>);

impl<T> Default for OneOf<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> From<Vec<T>> for OneOf<T> {
    fn from(values: Vec<T>) -> Self {
        Self(values)
    }
}

impl<T> OneOf<T> {
    /// Returns the values.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// Returns whether there are none: nothing is demanded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Serialize> Serialize for OneOf<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.0 {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Values<T> {
            type Value = OneOf<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a text, or an array of at most {MAX_VALUES} texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                let value = serde::de::value::StrDeserializer::<E>::new(text);
                T::deserialize(value).map(|value| OneOf(vec![value]))
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(OneOf::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
                bounded(items, MAX_VALUES).map(OneOf)
            }
        }

        deserializer.deserialize_any(Values(PhantomData))
    }
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{MAX_ITEMS, MAX_VALUES, OneOf, OneOrMany};

    impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            format!("OneOrMany_{}", T::schema_name()).into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let item = generator.subschema_for::<T>();
            json_schema!({
                "oneOf": [item, { "type": "array", "items": item, "maxItems": MAX_ITEMS }],
            })
        }
    }

    impl<T: JsonSchema> JsonSchema for OneOf<T> {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            format!("OneOf_{}", T::schema_name()).into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let item = generator.subschema_for::<T>();
            json_schema!({
                "oneOf": [item, { "type": "array", "items": item, "maxItems": MAX_VALUES }],
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GrantSpec;
    use crate::json::parse;

    #[test]
    fn one_object_or_an_array_is_read_with_its_raw_claims() {
        let one: OneOrMany<GrantSpec> = parse(br#"{"claims":{"b":1,"a":1e2}}"#).unwrap();
        let (one, is_array) = one.into_vec();
        assert_eq!(one[0].claims.as_ref().unwrap().get(), r#"{"b":1,"a":1e2}"#);
        assert!(!is_array);
        let many: OneOrMany<GrantSpec> = parse(br#"[{"subject":"a"},{}]"#).unwrap();
        assert_eq!(many.into_vec().0.len(), 2);
        assert!(parse::<OneOrMany<GrantSpec>>(b"7").is_err());
    }

    #[test]
    fn an_array_is_bounded() {
        let body = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
        let read = |count| parse::<OneOrMany<GrantSpec>>(body(count).as_bytes());
        assert!(read(MAX_ITEMS).is_ok());
        assert!(read(MAX_ITEMS + 1).unwrap_err().to_string().contains("at most 1000"));
    }

    #[test]
    fn limits_and_claims_are_bounded() {
        use crate::ValidateBody;
        let read = |name: &str, item: &str, count: usize| {
            let items = vec![item; count].join(",");
            parse::<ValidateBody>(format!(r#"{{"token":"t","{name}":[{items}]}}"#).as_bytes())
        };
        for (name, item, max) in [("limits", r#"{"name":"n"}"#, 8), ("claims", r#""c""#, 64)] {
            assert!(read(name, item, max).is_ok(), "{name}");
            let refused = read(name, item, max + 1).unwrap_err().to_string();
            assert!(refused.contains(&format!("at most {max}")), "{refused}");
        }
    }

    #[test]
    fn a_limit_costs_at_least_one() {
        let body = br#"{"token":"t","limits":[{"name":"n","cost":0}]}"#;
        assert!(parse::<crate::ValidateBody>(body).unwrap_err().to_string().contains("at least 1"));
    }

    #[test]
    fn one_text_or_an_array_of_them_is_read() {
        type Values = OneOf<keyfob_core::text::Audience>;
        assert_eq!(parse::<Values>(br#""a""#).unwrap(), parse::<Values>(br#"["a"]"#).unwrap());
        assert!(parse::<Values>(br#""""#).unwrap_err().to_string().contains("audience is empty"));
    }
}
