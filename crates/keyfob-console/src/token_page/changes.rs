//! From the texts of a form to a change of metadata: only what a person has changed, on top of what
//! others have changed meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

use keyfob_api::UpdateBody;
use keyfob_core::NameSet;
use keyfob_core::text::{LabelKey, LabelValue, Tag};
use keyfob_core::token::Metadata;

use crate::fields::Fields;
use crate::widget::field::Wrong;

/// The fields of one line: name, label, and the maximum length of the value.
pub(super) const LINES: [(&str, &str, usize); 7] = [
    ("device_id", "Device", 128),
    ("platform", "Platform", 64),
    ("device_version", "Version of the platform", 64),
    ("user_agent", "User agent", 512),
    ("ip", "Address", 45),
    ("app", "App", 128),
    ("app_version", "Version of the app", 64),
];
/// The fields of several lines.
pub(super) const LABELS: &str = "labels";
pub(super) const TAGS: &str = "tags";

/// What the names of the fields begin with that say what a person saw before the change.
pub(super) const SEEN: &str = "seen.";

/// The texts of all fields, by name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Texts(BTreeMap<&'static str, String>);

/// A change that a person makes: what was seen, and what was typed over it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Draft {
    pub(super) seen: Texts,
    pub(super) typed: Texts,
}

impl Texts {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let device = &metadata.device;
        let text =
            |value: Option<&dyn ToString>| value.map(ToString::to_string).unwrap_or_default();
        let labels = metadata.labels.iter().map(|(key, value)| format!("{key}={value}"));
        let tags = metadata.tags.iter().map(ToString::to_string);
        Self(BTreeMap::from([
            ("device_id", text(device.id.as_ref().map(|it| it as _))),
            ("platform", text(device.platform.as_ref().map(|it| it as _))),
            ("device_version", text(device.version.as_ref().map(|it| it as _))),
            ("user_agent", text(device.user_agent.as_ref().map(|it| it as _))),
            ("ip", text(device.ip.as_ref().map(|it| it as _))),
            ("app", text(metadata.app.as_ref().map(|it| it as _))),
            ("app_version", text(metadata.app_version.as_ref().map(|it| it as _))),
            (LABELS, labels.collect::<Vec<_>>().join("\n")),
            (TAGS, tags.collect::<Vec<_>>().join("\n")),
        ]))
    }

    fn read(form: &Fields, before: &str) -> Self {
        let names = LINES.iter().map(|(name, ..)| *name).chain([LABELS, TAGS]);
        Self(
            names
                .map(|name| {
                    let text = form
                        .all(&format!("{before}{name}"))
                        .next()
                        .unwrap_or_default()
                        .replace('\r', "");
                    (name, text)
                })
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    fn labels(&self) -> Result<BTreeMap<LabelKey, LabelValue>, String> {
        let mut labels = BTreeMap::new();
        for (n, line) in self.lines(LABELS) {
            let at = |error: &dyn Display| format!("Line {n}: {error}");
            let Some((key, value)) = line.split_once('=') else {
                return Err(at(&"write a label as key=value"));
            };
            let key: LabelKey = key.trim().parse().map_err(|error| at(&error))?;
            let value: LabelValue = value.parse().map_err(|error| at(&error))?;
            if labels.insert(key, value).is_some() {
                return Err(at(&"this key is there twice"));
            }
        }
        Ok(labels)
    }

    fn tags(&self) -> Result<BTreeSet<Tag>, String> {
        let parsed = self
            .lines(TAGS)
            .map(|(n, line)| line.parse::<Tag>().map_err(|error| format!("Line {n}: {error}")));
        parsed.collect()
    }

    /// Returns the lines of a field with their numbers. A line of spaces is a slip of the finger.
    fn lines(&self, name: &str) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.get(name).split('\n').enumerate();
        lines.map(|(n, line)| (n + 1, line)).filter(|(_, line)| !line.trim().is_empty())
    }
}

impl Draft {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let seen = Texts::of(metadata);
        Self { typed: seen.clone(), seen }
    }

    pub(super) fn read(form: &Fields) -> Self {
        Self { seen: Texts::read(form, SEEN), typed: Texts::read(form, "") }
    }

    /// Returns what the person has changed.
    ///
    /// # Errors
    /// What is wrong, field by field.
    pub(super) fn changes(&self) -> Result<UpdateBody, Vec<Wrong>> {
        let mut wrongs = Vec::new();
        let mut body = UpdateBody {
            device_id: self.value("device_id", &mut wrongs),
            platform: self.value("platform", &mut wrongs),
            device_version: self.value("device_version", &mut wrongs),
            user_agent: self.value("user_agent", &mut wrongs),
            ip: self.value("ip", &mut wrongs),
            app: self.value("app", &mut wrongs),
            app_version: self.value("app_version", &mut wrongs),
            ..UpdateBody::default()
        };
        if let Err(error) = self.add_labels(&mut body) {
            wrongs.push(Wrong::new(LABELS, error));
        }
        if let Err(error) = self.add_tags(&mut body) {
            wrongs.push(Wrong::new(TAGS, error));
        }
        if wrongs.is_empty() { Ok(body) } else { Err(wrongs) }
    }

    fn value<T: FromStr<Err: Display>>(
        &self,
        name: &'static str,
        wrongs: &mut Vec<Wrong>,
    ) -> Option<T> {
        let (seen, typed) = (self.seen.get(name), self.typed.get(name));
        if seen == typed {
            return None;
        }
        if typed.trim().is_empty() {
            let text =
                "A value can be replaced, but not removed. Write another one, or the old one.";
            wrongs.push(Wrong::new(name, text));
            return None;
        }
        match typed.trim().parse() {
            Ok(value) => Some(value),
            Err(error) => {
                wrongs.push(Wrong::new(name, error));
                None
            }
        }
    }

    fn add_labels(&self, body: &mut UpdateBody) -> Result<(), String> {
        if self.seen.get(LABELS) == self.typed.get(LABELS) {
            return Ok(());
        }
        // What was seen was valid when it was stored.
        let (seen, typed) = (self.seen.labels().unwrap_or_default(), self.typed.labels()?);
        body.remove_labels = seen.keys().filter(|key| !typed.contains_key(*key)).cloned().collect();
        body.labels =
            typed.into_iter().filter(|(key, value)| seen.get(key) != Some(value)).collect();
        Ok(())
    }

    fn add_tags(&self, body: &mut UpdateBody) -> Result<(), String> {
        if self.seen.get(TAGS) == self.typed.get(TAGS) {
            return Ok(());
        }
        let (seen, typed) = (self.seen.tags().unwrap_or_default(), self.typed.tags()?);
        let set = |tags: Vec<Tag>| NameSet::from_names(tags).map_err(|error| error.to_string());
        body.tags = set(typed.difference(&seen).cloned().collect())?;
        body.remove_tags = set(seen.difference(&typed).cloned().collect())?;
        Ok(())
    }

    /// Returns the fields that somebody else has changed too, since the person looked.
    pub(super) fn conflicts(&self, changes: &UpdateBody, current: &Metadata) -> Vec<&'static str> {
        let now = Texts::of(current);
        let lines = LINES.iter().map(|(name, ..)| *name).filter(|name| {
            let (seen, typed) = (self.seen.get(name), self.typed.get(name));
            typed != seen && now.get(name) != seen && now.get(name) != typed
        });
        let mut conflicts: Vec<_> = lines.collect();
        let seen = self.seen.labels().unwrap_or_default();
        let differs = |key: &LabelKey| current.labels.get(key) != seen.get(key);
        let is_same =
            |(key, value): (&LabelKey, &LabelValue)| current.labels.get(key) == Some(value);
        let is_set = changes.labels.iter().any(|it| differs(it.0) && !is_same(it));
        let is_removed = changes
            .remove_labels
            .iter()
            .any(|key| differs(key) && current.labels.get(key).is_some());
        if is_set || is_removed {
            conflicts.push(LABELS);
        }
        conflicts
    }

    /// Returns the draft on top of what is stored now: as if the person had seen it and made the same
    /// changes.
    pub(super) fn rebased(&self, changes: &UpdateBody, current: &Metadata) -> Self {
        let mut wanted = current.clone();
        // A change that does not fit any more is left as it was typed.
        match changes.apply(&mut wanted) {
            Ok(()) => Self { seen: Texts::of(current), typed: Texts::of(&wanted) },
            Err(_) => self.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(labels: &[(&str, &str)], app: &str) -> Metadata {
        let mut metadata = Metadata::default();
        for (key, value) in labels {
            metadata.labels.set(key.parse().unwrap(), value.parse().unwrap()).unwrap();
        }
        metadata.app = app.parse().ok();
        metadata
    }

    fn typed(seen: &Metadata, changes: &[(&'static str, &str)]) -> Draft {
        let mut draft = Draft::of(seen);
        for (name, text) in changes {
            draft.typed.0.insert(name, (*text).to_owned());
        }
        draft
    }

    fn json(draft: &Draft) -> String {
        serde_json::to_string(&draft.changes().unwrap()).unwrap()
    }

    #[test]
    fn only_what_was_changed_is_sent() {
        let seen = metadata(&[("a", "1"), ("b", "x=y z ")], "shop");
        assert!(typed(&seen, &[]).changes().unwrap().is_empty());
        let draft =
            typed(&seen, &[("labels", "b=x=y z \nc=2\n\n"), ("app", "shop"), ("ip", "192.0.2.1")]);
        assert_eq!(json(&draft), r#"{"labels":{"c":"2"},"remove_labels":["a"],"ip":"192.0.2.1"}"#);
        let draft = typed(&seen, &[("tags", "two words\nbeta")]);
        assert_eq!(json(&draft), r#"{"tags":["beta","two words"]}"#);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let seen = metadata(&[("a", "1")], "shop");
        let draft = typed(&seen, &[("labels", "a=1\nno label"), ("ip", "here"), ("app", " ")]);
        let wrongs = draft.changes().unwrap_err();
        assert!(Wrong::of(&wrongs, "labels").unwrap().starts_with("Line 2"));
        assert!(Wrong::of(&wrongs, "ip").is_some());
        assert!(Wrong::of(&wrongs, "app").unwrap().contains("not removed"));
        let twice = typed(&seen, &[("labels", "a=1\na=2")]).changes().unwrap_err();
        assert!(Wrong::of(&twice, "labels").unwrap().contains("twice"));
    }

    #[test]
    fn a_form_gives_back_what_it_was_made_of() {
        let seen = metadata(&[("a", "1"), ("b", "ü = \u{202e}")], "shop");
        let texts = Texts::of(&seen);
        let pairs = texts.0.iter().flat_map(|(name, text)| {
            let text = text.replace('\n', "\r\n");
            [((*name).to_owned(), text.clone()), (format!("{SEEN}{name}"), text)]
        });
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        assert_eq!(Draft::read(&Fields::parse(form.as_bytes())), Draft::of(&seen));
    }

    #[test]
    fn changes_of_others_are_kept_or_asked_about() {
        let seen = metadata(&[("a", "1"), ("b", "1")], "shop");
        let draft = typed(&seen, &[("labels", "a=2\nb=1"), ("app", "till")]);
        let changes = draft.changes().unwrap();
        let others = metadata(&[("a", "1"), ("b", "9"), ("c", "9")], "shop");
        assert!(draft.conflicts(&changes, &others).is_empty());
        let same = metadata(&[("a", "3"), ("b", "1")], "bank");
        assert_eq!(draft.conflicts(&changes, &same), ["app", "labels"]);
        let rebased = draft.rebased(&changes, &metadata(&[("a", "3"), ("c", "9")], "bank"));
        assert_eq!(rebased.typed.get("labels"), "a=2\nc=9");
        assert_eq!(json(&rebased), r#"{"labels":{"a":"2"},"app":"till"}"#);
    }
}
