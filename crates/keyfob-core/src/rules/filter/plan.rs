//! The plan of a search: the terms of the index, the lane and the range of ids that a filter
//! implies.
//!
//! A plan covers every token that the filter matches, and may cover others. So each token that a
//! search finds must still be matched.

use std::ops::RangeInclusive;

use super::Filter;
use crate::id::{IdPrefix, Lane, TokenId};
use crate::namespace::{Namespace, Term};

/// The terms, the lane and the range of ids where a store finds the matches of a filter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The terms that every match is listed under. Terms of fields that usually list fewer tokens
    /// come first: family, subject, device, then the broad fields client, app, label and tag. A
    /// store that can count may find a better order among the broad ones.
    ///
    /// If it is empty, the search uses the namespace's term for all tokens. Without `ids`, it then
    /// reads every token.
    pub terms: Vec<Term>,
    /// The lane that every match is in, if there is only one.
    pub lane: Option<Lane>,
    /// The range of the ids of all matches. A search with the newest first may begin at the end of
    /// the range and stop at its start.
    pub ids: Option<RangeInclusive<TokenId>>,
}

impl Filter {
    /// Returns whether the search can use the index. If not, it reads every token of the namespace.
    /// A filter with an id alone also reads every token if those that expire soonest come first.
    pub fn uses_index(&self) -> bool {
        self.family.is_some()
            || self.subject.is_some()
            || self.device.is_some()
            || self.client.is_some()
            || self.app.is_some()
            || self.id.is_some()
            || !self.labels.is_empty()
            || !self.tags.is_empty()
            || self.any_tags.len() == 1
    }

    /// Returns the plan of a search for the matches.
    pub fn plan(&self, namespace: &Namespace) -> Plan {
        let ids = self.id.as_ref().map(range);
        let lanes = [
            self.family.map(|family| family.root().lane()),
            self.subject.as_ref().map(|subject| namespace.lane_of(subject)),
            ids.as_ref().and_then(one_lane),
        ];
        // A lane that the namespace does not have comes from an id of another namespace. A search
        // in every lane then finds nothing, without asking a store for a lane that it does not
        // have.
        let exists = |lane: &Lane| lane.number() < namespace.lanes().get();
        let lane = lanes.into_iter().flatten().next().filter(exists);
        Plan { terms: self.terms(namespace), lane, ids }
    }

    /// Returns a number that distinguishes this filter's cursors from those of other filters.
    ///
    /// Times are left out: text such as `issued-after:-7d` means another time whenever it is
    /// parsed, and a position is valid for all of them.
    pub fn fingerprint(&self) -> u32 {
        let unbounded = Self {
            issued_after: None,
            issued_before: None,
            expires_after: None,
            expires_before: None,
            ..self.clone()
        };
        crc32fast::hash(unbounded.to_string().as_bytes())
    }

    fn terms(&self, namespace: &Namespace) -> Vec<Term> {
        let mut terms = Vec::new();
        terms.extend(self.family.map(|family| namespace.family(family.root())));
        terms.extend(self.subject.as_ref().map(|subject| namespace.subject(subject)));
        terms.extend(self.device.as_ref().map(|device| namespace.device(device)));
        terms.extend(self.client.as_ref().map(|client| namespace.client(client)));
        terms.extend(self.app.as_ref().map(|app| namespace.app(app)));
        terms.extend(self.labels.iter().map(|(key, value)| namespace.label(key, value)));
        terms.extend(self.tags.iter().map(|tag| namespace.tag(tag)));
        // Any of one tag is that tag.
        if self.any_tags.len() == 1 && !self.tags.contains_any(&self.any_tags) {
            terms.extend(self.any_tags.iter().map(|tag| namespace.tag(tag)));
        }
        terms
    }
}

/// The first and the last id that start with `prefix`; an empty range when none can.
fn range(prefix: &IdPrefix) -> RangeInclusive<TokenId> {
    /// `tok_` and the digits.
    const WIDTH: usize = 30;

    let filled = |digit: &str| {
        let missing = WIDTH.saturating_sub(prefix.as_str().len());
        format!("{}{}", prefix.as_str(), digit.repeat(missing)).parse::<TokenId>()
    };
    match (filled("0"), filled("z")) {
        (Ok(first), Ok(last)) => first..=last,
        // The first digit has only three bits: no id starts with a digit above 7.
        _ => TokenId::from_bytes([u8::MAX; 16])..=TokenId::from_bytes([0; 16]),
    }
}

/// The lane of all ids in a range, if they have the same bits up to and including the lane.
fn one_lane(ids: &RangeInclusive<TokenId>) -> Option<Lane> {
    let (first, last) = (ids.start(), ids.end());
    let local = |id: &TokenId| u128::from_be_bytes(*id.as_bytes()) >> (128 - 80);
    (local(first) == local(last) && first.lane() == last.lane()).then(|| first.lane())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::{FamilyId, LaneCount};
    use crate::namespace::{NamespaceKey, TermField};
    use crate::text::Subject;
    use crate::time::Timestamp;

    fn namespace() -> Namespace {
        Namespace::new(LaneCount::DEFAULT, NamespaceKey::from_bytes([7; 32]))
    }

    fn parse(text: &str) -> Filter {
        Filter::parse(text, Timestamp::default()).unwrap()
    }

    #[test]
    fn the_most_selective_terms_come_first() {
        let filter = parse(
            "tag:a tag:b any-tag:c label:k=v label:l=v app:x client:c device:d subject:s \
             family:tok_00d1h88n000000000000000001",
        );
        let fields: Vec<TermField> =
            filter.plan(&namespace()).terms.into_iter().map(Term::field).collect();
        use TermField::*;
        assert_eq!(fields, [Family, Subject, Device, Client, App, Label, Label, Tag, Tag, Tag]);
    }

    #[test]
    fn terms_are_those_that_a_token_is_listed_under() {
        let namespace = namespace();
        let plan = parse("subject:s any-tag:a any-tag:b scope:x").plan(&namespace);
        let subject = Subject::new("s").unwrap();
        assert_eq!(plan.terms, [namespace.subject(&subject)]);
        assert_eq!(plan.lane, Some(namespace.lane_of(&subject)));
        // The same tag in both forms is one term.
        assert_eq!(parse("tag:a any-tag:a").plan(&namespace).terms.len(), 1);
    }

    #[test]
    fn uses_index_agrees_with_the_plan() {
        for text in [
            "",
            "kind:access",
            "state:active",
            "issuer:a",
            "audience:a",
            "scope:a",
            "any-scope:a",
            "any-tag:a any-tag:b",
            "issued-after:now",
            "expires-before:now",
            "any-tag:a",
            "tag:a",
            "label:a=b",
            "app:a",
            "client:a",
            "device:a",
            "subject:a",
            "id:00d1",
            "family:tok_00d1h88n000000000000000001",
        ] {
            let filter = parse(text);
            let plan = filter.plan(&namespace());
            let narrow = !plan.terms.is_empty() || plan.ids.is_some();
            assert_eq!(filter.uses_index(), narrow, "{text}");
        }
    }

    #[test]
    fn a_cursor_is_valid_for_another_reading_of_a_relative_time() {
        let at = |millis, text| {
            Filter::parse(text, Timestamp::from_millis(millis)).unwrap().fingerprint()
        };
        let text = "subject:a issued-after:-7d";
        assert_eq!(at(1_795_000_000_000, text), at(1_795_000_099_000, text));
        assert_ne!(at(1_795_000_000_000, text), at(1_795_000_000_000, "subject:b"));
    }

    #[test]
    fn a_lane_that_does_not_exist_is_not_in_the_plan() {
        let family = |lane: u16| {
            let mut bytes = [0; 16];
            bytes[10..12].copy_from_slice(&(lane << 6).to_be_bytes());
            FamilyId::from_root(TokenId::from_bytes(bytes))
        };
        let lane_of = |lane| Filter::new().family(family(lane)).plan(&namespace()).lane;
        assert_eq!(lane_of(63), Some(Lane::new(63)));
        assert_eq!(lane_of(64), None);
    }

    proptest! {
        #[test]
        fn a_prefix_and_its_range_agree(bytes: [u8; 16], length in 5usize..=30, other: [u8; 16]) {
            let id = TokenId::from_bytes(bytes);
            let prefix: IdPrefix = id.to_string()[..length].parse().unwrap();
            let range = range(&prefix);
            prop_assert!(range.contains(&id));
            // The ends match, and their neighbours outside do not.
            let number = |id: &TokenId| u128::from_be_bytes(*id.as_bytes());
            let at = |number: u128| TokenId::from_bytes(number.to_be_bytes());
            let (first, last) = (number(range.start()), number(range.end()));
            prop_assert!(prefix.matches(at(first)) && prefix.matches(at(last)));
            prop_assert!(first.checked_sub(1).is_none_or(|below| !prefix.matches(at(below))));
            prop_assert!(last.checked_add(1).is_none_or(|above| !prefix.matches(at(above))));
            let other = TokenId::from_bytes(other);
            prop_assert_eq!(range.contains(&other), prefix.matches(other));
            // All ids with a long prefix are in one lane.
            prop_assert_eq!(one_lane(&range), (length >= 4 + 19).then(|| id.lane()));
        }

        #[test]
        fn a_prefix_of_no_id_has_an_empty_range(digits in "[89a-hjkmnp-tv-z][0-9a-hjkmnp-tv-z]{0,24}") {
            let prefix: IdPrefix = digits.parse().unwrap();
            prop_assert!(range(&prefix).is_empty());
        }
    }
}
