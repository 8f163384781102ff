//! Metadata from a request, made so that no odd header can fail a login.

use std::fmt;
use std::net::IpAddr;

use super::Metadata;
use crate::field::Field;
use crate::invalid::InvalidValue;
use crate::text::{AppId, DeviceId, LabelKey, LabelValue, Platform, Tag, UserAgent, Version};

/// Builds [`Metadata`] from what a request sent, and never fails.
///
/// Use it at a login, where a header of 600 bytes must not keep a user out. It keeps what it can and
/// reports the rest:
///
/// - Descriptive texts (user agent, platform, versions) lose control characters and bytes that are
///   not UTF-8, and are cut to the maximum length of their type.
/// - Identifiers (device id, application, labels, tags) are dropped if they are not valid: a cut
///   identifier would name another thing.
/// - An empty value counts as not sent.
///
/// Every change is reported as a [`MetadataLoss`]. Where a caller should learn of a bad value,
/// use the strict constructors of the types instead.
///
/// ```
/// use keyfob::values::Field;
/// use keyfob::{Grant, Kind, LenientMetadata};
///
/// let header = "Mozilla/5.0 ".repeat(50);
/// let (metadata, losses) = LenientMetadata::new()
///     .user_agent(&header)
///     .ip("192.0.2.7".parse()?)
///     .device_id("phone-1")
///     .tag("")
///     .build();
/// assert_eq!(losses.len(), 1);
/// assert_eq!(losses[0].field(), Field::UserAgent);
/// assert!(metadata.device.user_agent.is_some_and(|agent| agent.as_str().len() <= 512));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "the metadata is made by `build`"]
pub struct LenientMetadata {
    metadata: Metadata,
    losses: Vec<MetadataLoss>,
}

/// A value of a request that [`LenientMetadata`] could not keep as it was sent.
///
/// It names the field and what was done, never the value. Its text is for a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetadataLoss {
    field: Field,
    kind: MetadataLossKind,
}

/// What [`LenientMetadata`] did to a value that is not valid.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum MetadataLossKind {
    /// Control characters or bytes that are not UTF-8 were removed.
    Cleaned,
    /// The end of the text was cut off, to fit the maximum length. Control characters and bytes
    /// that are not UTF-8 were removed, if there were any.
    Truncated {
        /// The bytes that were kept.
        kept: usize,
    },
    /// The value was dropped, for this reason.
    Dropped(InvalidValue),
}

impl MetadataLoss {
    /// Returns the field that the value was sent for.
    pub const fn field(&self) -> Field {
        self.field
    }

    /// Returns what was done to the value.
    pub const fn kind(&self) -> &MetadataLossKind {
        &self.kind
    }
}

impl fmt::Display for MetadataLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field;
        match &self.kind {
            MetadataLossKind::Cleaned => {
                write!(f, "{field}: control characters or bytes that are not UTF-8 were removed")
            }
            MetadataLossKind::Truncated { kept } => {
                write!(f, "{field}: cut to the first {kept} bytes")
            }
            MetadataLossKind::Dropped(reason) => write!(f, "{field}: dropped, as the {reason}"),
        }
    }
}

impl LenientMetadata {
    /// Creates a builder without values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the `User-Agent`. Give it the header's bytes as they came.
    pub fn user_agent(mut self, agent: impl AsRef<[u8]>) -> Self {
        let agent = self.description(agent.as_ref(), UserAgent::FIELD, UserAgent::MAX_BYTES);
        self.metadata.device.user_agent = agent;
        self
    }

    /// Sets the platform of the device.
    pub fn platform(mut self, platform: impl AsRef<[u8]>) -> Self {
        let platform = self.description(platform.as_ref(), Platform::FIELD, Platform::MAX_BYTES);
        self.metadata.device.platform = platform;
        self
    }

    /// Sets the version of the platform.
    pub fn device_version(mut self, version: impl AsRef<[u8]>) -> Self {
        let version = self.description(version.as_ref(), Version::FIELD, Version::MAX_BYTES);
        self.metadata.device.version = version;
        self
    }

    /// Sets the version of the application.
    pub fn app_version(mut self, version: impl AsRef<[u8]>) -> Self {
        let version = self.description(version.as_ref(), Version::FIELD, Version::MAX_BYTES);
        self.metadata.app_version = version;
        self
    }

    /// Sets the client address.
    pub fn ip(mut self, ip: IpAddr) -> Self {
        self.metadata.device.ip = Some(ip);
        self
    }

    /// Sets the identifier of the device.
    pub fn device_id(mut self, id: impl AsRef<[u8]>) -> Self {
        self.metadata.device.id = self.identifier(id.as_ref(), DeviceId::FIELD);
        self
    }

    /// Sets the application.
    pub fn app(mut self, app: impl AsRef<[u8]>) -> Self {
        self.metadata.app = self.identifier(app.as_ref(), AppId::FIELD);
        self
    }

    /// Adds a label.
    pub fn label(mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        let key: Option<LabelKey> = self.identifier(key.as_ref(), LabelKey::FIELD);
        let value: Option<LabelValue> = self.identifier(value.as_ref(), LabelValue::FIELD);
        if let Some((key, value)) = key.zip(value)
            && let Err(full) = self.metadata.labels.insert(key, value)
        {
            self.lose(Field::Label, MetadataLossKind::Dropped(full));
        }
        self
    }

    /// Adds a tag.
    pub fn tag(mut self, tag: impl AsRef<[u8]>) -> Self {
        if let Some(tag) = self.identifier(tag.as_ref(), Tag::FIELD)
            && let Err(full) = self.metadata.tags.insert(tag)
        {
            self.lose(Field::Tag, MetadataLossKind::Dropped(full));
        }
        self
    }

    /// Returns the metadata, and what could not be kept as it was sent.
    pub fn build(self) -> (Metadata, Vec<MetadataLoss>) {
        (self.metadata, self.losses)
    }

    fn lose(&mut self, field: Field, kind: MetadataLossKind) {
        self.losses.push(MetadataLoss { field, kind });
    }

    /// Cleans and cuts a text until it is a valid `T`.
    fn description<T>(&mut self, sent: &[u8], field: Field, max: usize) -> Option<T>
    where
        T: TryFrom<String, Error = InvalidValue>,
    {
        let text = String::from_utf8_lossy(sent);
        let is_kept = |c: &char| !c.is_control() && *c != char::REPLACEMENT_CHARACTER;
        let mut cleaned: String = text.chars().filter(is_kept).collect();
        let is_clean = cleaned.len() == sent.len();
        let cut = cleaned.floor_char_boundary(max);
        let is_cut = cut < cleaned.len();
        cleaned.truncate(cut);
        if cleaned.is_empty() {
            if !sent.is_empty() {
                self.lose(field, MetadataLossKind::Cleaned);
            }
            return None;
        }
        if is_cut {
            self.lose(field, MetadataLossKind::Truncated { kept: cut });
        } else if !is_clean {
            self.lose(field, MetadataLossKind::Cleaned);
        }
        self.keep(cleaned, field)
    }

    /// Takes a text as it is, or drops it.
    fn identifier<T>(&mut self, sent: &[u8], field: Field) -> Option<T>
    where
        T: TryFrom<String, Error = InvalidValue>,
    {
        if sent.is_empty() {
            return None;
        }
        // A replacement for bytes that are not UTF-8 would let two identifiers become one.
        match String::from_utf8(sent.to_vec()) {
            Ok(text) => self.keep(text, field),
            Err(_) => {
                let reason = crate::invalid::InvalidReason::Character { allowed: "UTF-8" };
                self.lose(field, MetadataLossKind::Dropped(InvalidValue::new(field, reason)));
                None
            }
        }
    }

    fn keep<T>(&mut self, text: String, field: Field) -> Option<T>
    where
        T: TryFrom<String, Error = InvalidValue>,
    {
        let kept = T::try_from(text);
        kept.map_err(|reason| self.lose(field, MetadataLossKind::Dropped(reason))).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::invalid::InvalidReason;

    fn losses(lenient: LenientMetadata) -> Vec<String> {
        lenient.build().1.iter().map(MetadataLoss::to_string).collect()
    }

    #[test]
    fn a_long_header_is_cut_between_characters() {
        let (metadata, losses) = LenientMetadata::new().user_agent("é".repeat(300)).build();
        let agent = metadata.device.user_agent.unwrap();
        assert_eq!(agent, "é".repeat(256));
        assert_eq!(losses[0].kind(), &MetadataLossKind::Truncated { kept: 512 });

        let odd = format!("x{}", "é".repeat(300));
        let agent = LenientMetadata::new().user_agent(odd).build().0.device.user_agent;
        assert_eq!(agent.unwrap().as_str().len(), 511);
    }

    #[test]
    fn odd_bytes_leave_a_description_and_drop_an_identifier() {
        let lenient = LenientMetadata::new()
            .user_agent(b"curl\x00/8\xff.0\r\n")
            .device_id(b"phone\xff")
            .app("two\nlines");
        let (metadata, losses) = lenient.build();
        assert!(metadata.device.user_agent.is_some_and(|agent| agent == "curl/8.0"));
        assert_eq!((metadata.device.id, metadata.app), (None, None));
        let fields: Vec<_> = losses.iter().map(MetadataLoss::field).collect();
        assert_eq!(fields, [Field::UserAgent, Field::DeviceId, Field::App]);
        let control = InvalidValue::new(Field::App, InvalidReason::ControlCharacter);
        assert_eq!(losses[2].kind(), &MetadataLossKind::Dropped(control));
    }

    #[test]
    fn valid_and_missing_values_are_not_losses() {
        let lenient = LenientMetadata::new()
            .user_agent("curl/8.0")
            .platform("")
            .device_id("")
            .tag("mobile")
            .label("environment", "production");
        let metadata = lenient.clone().build().0;
        assert!(metadata.tags.contains("mobile"));
        assert!(metadata.labels.get("environment").is_some());
        assert_eq!(losses(lenient), Vec::<String>::new());
    }

    #[test]
    fn a_loss_says_what_was_done_and_not_the_value() {
        let lenient = LenientMetadata::new()
            .platform("hunter2\u{7}")
            .label("not a key", "hunter2")
            .tag("hunter2".repeat(100));
        let expected = [
            "platform: control characters or bytes that are not UTF-8 were removed",
            "label key: dropped, as the label key contains a character that is not allowed: use \
             letters, digits, '.', '_', '-' and '/'",
            "tag: dropped, as the tag is too long: at most 64 bytes are accepted",
        ];
        assert_eq!(losses(lenient), expected);
    }

    #[test]
    fn more_tags_than_fit_are_dropped() {
        let lenient = (0..70).fold(LenientMetadata::new(), |to, n| to.tag(format!("t{n}")));
        let (metadata, losses) = lenient.build();
        assert_eq!((metadata.tags.len(), losses.len()), (64, 6));
    }

    proptest! {
        #[test]
        fn no_bytes_fail(sent in proptest::collection::vec(any::<u8>(), 0..700)) {
            let (metadata, losses) = LenientMetadata::new()
                .user_agent(&sent)
                .platform(&sent)
                .device_version(&sent)
                .app_version(&sent)
                .device_id(&sent)
                .app(&sent)
                .label(&sent, &sent)
                .tag(&sent)
                .build();
            let is_kept = metadata.device.user_agent.is_some_and(|agent| agent.as_str().as_bytes() == sent);
            let is_reported = losses.iter().any(|loss| loss.field() == Field::UserAgent);
            prop_assert!(is_kept || is_reported || sent.is_empty());
        }
    }
}
