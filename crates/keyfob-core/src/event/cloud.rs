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
    source: Source<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Event(&'a Event),
    Observation(&'a Observation),
}

impl<'a> CloudEvent<'a> {
    /// Creates the envelope of an event.
    pub fn new(event: &'a Event) -> Self {
        Self { id: event.id.to_string(), source: Source::Event(event) }
    }

    /// Creates the envelope of an observation. `id` is its position in the feed.
    pub fn for_observation(observation: &'a Observation, id: impl Into<String>) -> Self {
        Self { id: id.into(), source: Source::Observation(observation) }
    }
}

impl Serialize for CloudEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, at, token) = match self.source {
            Source::Event(event) => (event.what.as_str(), event.at, event.token()),
            Source::Observation(seen) => (seen.what.as_str(), seen.at, seen.token()),
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
        match self.source {
            Source::Event(event) => map.serialize_entry("data", &EventData(event))?,
            Source::Observation(seen) => map.serialize_entry("data", &ObservationData(seen))?,
        }
        map.end()
    }
}

impl Serialize for Event {
    /// Writes the [`CloudEvent`] of the event.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        CloudEvent::new(self).serialize(serializer)
    }
}

impl Serialize for Observation {
    /// Writes `type`, `time`, `subject` and `data` as the [`CloudEvent`] of the observation has them.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.what.as_str())?;
        map.serialize_entry("time", &self.at)?;
        if let Some(token) = self.token() {
            map.serialize_entry("subject", &token)?;
        }
        map.serialize_entry("data", &ObservationData(self))?;
        map.end()
    }
}

/// The `data` member of an event.
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
            EventKind::RollbackAccepted { since, noticed, lanes } => {
                map.serialize_entry("since", since)?;
                map.serialize_entry("noticed", noticed)?;
                map.serialize_entry("lanes", lanes)?;
            }
            EventKind::MetadataUpdated { .. } | EventKind::Revoked { .. } => {}
        }
        map.end()
    }
}

/// The `data` member of an observation.
struct ObservationData<'a>(&'a Observation);

impl Serialize for ObservationData<'_> {
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
    /// Returns the token that was seen, if it is known.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TokenId;
    use crate::operation::OperationId;
    use crate::time::Timestamp;

    #[test]
    fn an_event_and_its_envelope_are_the_same_json() {
        let token = TokenId::from_bytes([0; 16]);
        let operation = OperationId::from_bytes([0; 16]);
        let event = Event::new(operation, 0, Timestamp::default(), EventKind::Revoked { token });
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json, serde_json::to_value(CloudEvent::new(&event)).unwrap());
        assert_eq!(json["id"], serde_json::to_value(event.id).unwrap());
    }

    #[test]
    fn an_observation_is_its_envelope_without_what_the_feed_adds() {
        let token = TokenId::from_bytes([0; 16]);
        let seen = Observation::new(Timestamp::default(), ObservationKind::Expired { token }, 3);
        let mut envelope = serde_json::to_value(CloudEvent::for_observation(&seen, "1")).unwrap();
        let members = envelope.as_object_mut().unwrap();
        for added in ["specversion", "id", "source", "datacontenttype"] {
            assert!(members.remove(added).is_some());
        }
        assert_eq!(serde_json::to_value(&seen).unwrap(), envelope);
    }
}
