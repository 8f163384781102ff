//! The form of a token that was issued as a JWT: its place in a status list, and the key that signs it.

use minicbor::{Decode, Encode};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::status_list::StatusListId;

/// The form of a token that was issued as a JWT. A token without it is opaque.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct JwtForm {
    /// The status list that says whether the token is revoked.
    #[n(0)]
    pub list: StatusListId,
    /// Its index in the list.
    #[n(1)]
    pub index: u32,
    /// The version of the key that signs it.
    #[n(2)]
    pub key: u16,
}

impl Serialize for JwtForm {
    /// Writes the list and the index. Which key signs is of no interest to a reader.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("list", &self.list.to_string())?;
        map.serialize_entry("index", &self.index)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_survives_encoding() {
        let form = JwtForm { list: StatusListId::from_bytes([7; 16]), index: 131_071, key: 3 };
        let bytes = minicbor::to_vec(form).unwrap();
        assert_eq!(minicbor::decode::<JwtForm>(&bytes).unwrap(), form);
    }
}
