//! Events as CloudEvents 1.0 in JSON.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{EpochOf, Event, EventKind, Observation, ObservationKind};

/// An event or an observation in the JSON form of CloudEvents 1.0.
///
/// ```json
/// {"specversion":"1.0","id":"op_….0","source":"/keyfob","type":"keyfob.token.revoked",
///  "time":"2026-11-24T08:30:00Z","subject":"tok_…","datacontenttype":"application/json",
///  "data":{"by":"ops","reason":"user logout"}}
/// ```
#[derive(Clone, Debug)]
pub struct CloudEvent<'a> {
    id: String,
    kind: Told<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Told<'a> {
    Event(&'a Event),
    Observation(&'a Observation),
}

impl<'a> CloudEvent<'a> {
    /// The envelope of an event.
    pub fn new(event: &'a Event) -> Self {
        Self { id: event.id.to_string(), kind: Told::Event(event) }
    }

    /// The envelope of an observation; `id` is the place at which the feed holds it.
    pub fn for_observation(observation: &'a Observation, id: impl Into<String>) -> Self {
        Self { id: id.into(), kind: Told::Observation(observation) }
    }
}

impl Serialize for CloudEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, at, token) = match self.kind {
            Told::Event(event) => (event.what.as_str(), event.at, event.token()),
            Told::Observation(seen) => (seen.what.as_str(), seen.at, seen.token()),
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("specversion", "1.0")?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("source", "/keyfob")?;
        map.serialize_entry("type", name)?;
        map.serialize_entry("time", &at)?;
        if let Some(token) = token {
            map.serialize_entry("subject", &token)?;
        }
        map.serialize_entry("datacontenttype", "application/json")?;
        match self.kind {
            Told::Event(event) => map.serialize_entry("data", &EventData(event))?,
            Told::Observation(seen) => map.serialize_entry("data", &SightData(seen))?,
        }
        map.end()
    }
}

struct EventData<'a>(&'a Event);

impl Serialize for EventData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("by", &self.0.by)?;
        map.serialize_entry("reason", &self.0.reason)?;
        match &self.0.what {
            EventKind::Issued { kind, subject, client, family, device, ip, .. } => {
                map.serialize_entry("kind", kind)?;
                map.serialize_entry("token_subject", subject)?;
                map.serialize_entry("client", client)?;
                map.serialize_entry("family", family)?;
                if let Some(device) = device {
                    map.serialize_entry("device", device)?;
                }
                if let Some(ip) = ip {
                    map.serialize_entry("ip", ip)?;
                }
            }
            EventKind::EpochAdvanced { of } => match of {
                EpochOf::Subject(subject) => map.serialize_entry("token_subject", subject)?,
                EpochOf::Client(client) => map.serialize_entry("client", client)?,
                EpochOf::Family(family) => map.serialize_entry("family", family)?,
                EpochOf::All => map.serialize_entry("all", &true)?,
            },
            EventKind::Rotated { generation, access, .. } => {
                map.serialize_entry("generation", generation)?;
                map.serialize_entry("access", access)?;
            }
            EventKind::ReuseDetected { presented, generation, is_forged, .. } => {
                map.serialize_entry("presented", presented)?;
                map.serialize_entry("generation", generation)?;
                map.serialize_entry("forged", is_forged)?;
            }
            EventKind::SecretReplaced { generation, older_until, .. } => {
                map.serialize_entry("generation", generation)?;
                map.serialize_entry("older_until", older_until)?;
            }
            EventKind::AheadOfStore { presented, generation, .. } => {
                map.serialize_entry("presented", presented)?;
                map.serialize_entry("generation", generation)?;
            }
            EventKind::MetadataUpdated { .. } | EventKind::Revoked { .. } => {}
        }
        map.end()
    }
}

struct SightData<'a>(&'a Observation);

impl Serialize for SightData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let ObservationKind::Refused { code, .. } | ObservationKind::Unverifiable { code, .. } =
            &self.0.what
        {
            map.serialize_entry("code", code)?;
        }
        map.serialize_entry("left_out", &self.0.left_out)?;
        map.end()
    }
}

impl Observation {
    /// The token that was seen, if it is known.
    pub fn token(&self) -> Option<crate::id::TokenId> {
        match &self.what {
            ObservationKind::Refused { token, .. } => *token,
            ObservationKind::Expired { token }
            | ObservationKind::Used { token }
            | ObservationKind::Unverifiable { token, .. }
            | ObservationKind::Replayed { token }
            | ObservationKind::OlderSecretUsed { token } => Some(*token),
        }
    }
}
