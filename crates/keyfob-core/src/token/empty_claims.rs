//! The deserializer of a token that has no claims of the application.

use serde::de::value::{Error, MapDeserializer};
use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// An object without members that reads as `None` where an `Option` is asked for. The object `{}` in
/// JSON would read as `Some` or fail.
pub(super) struct EmptyClaims;

impl<'de> Deserializer<'de> for EmptyClaims {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let no_members = std::iter::empty::<(&str, &str)>();
        visitor.visit_map(MapDeserializer::new(no_members))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
