//! Filters that ask no more of a token than the index and the head of its record tell.

use std::collections::BTreeSet;

use super::Filter;
use crate::names::{Labels, NameSet};
use crate::token::{Kind, TokenState};

/// What a filter asks of a token beside the one condition that the index answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeadConditions<'a> {
    kinds: &'a BTreeSet<Kind>,
    states: &'a BTreeSet<TokenState>,
    may_have_changed: bool,
}

impl HeadConditions<'_> {
    /// Returns whether the indexed value of a token may change. The index may then list tokens that had
    /// the value once.
    pub fn may_have_changed(&self) -> bool {
        self.may_have_changed
    }

    /// Returns the kinds that a token may have; empty if it may have any.
    pub fn kinds(&self) -> &BTreeSet<Kind> {
        self.kinds
    }

    /// Returns the states that a token may have; empty if it may have any.
    pub fn states(&self) -> &BTreeSet<TokenState> {
        self.states
    }
}

impl Filter {
    /// Returns the conditions on kind and state, if there is at most one other condition, and the index
    /// answers that one. Returns `None` if a search has to read the tokens.
    pub fn head_conditions(&self) -> Option<HeadConditions<'_>> {
        let others = Self {
            kinds: BTreeSet::new(),
            states: BTreeSet::new(),
            family: None,
            subject: None,
            client: None,
            device: None,
            app: None,
            labels: Labels::default(),
            tags: NameSet::default(),
            any_tags: NameSet::default(),
            ..self.clone()
        };
        let count = |are_set: &[bool]| are_set.iter().filter(|is_set| **is_set).count();
        let fixed = count(&[self.family.is_some(), self.subject.is_some(), self.client.is_some()]);
        let changing = count(&[self.device.is_some(), self.app.is_some()])
            + self.labels.len()
            + self.tags.len()
            + self.any_tags.len();
        (others.is_empty() && fixed + changing <= 1).then_some(HeadConditions {
            kinds: &self.kinds,
            states: &self.states,
            may_have_changed: changing > 0,
        })
    }

    /// Returns the filter that also asks for one of these states; `None` if no state meets both.
    #[must_use]
    pub fn and_states(mut self, states: &[TokenState]) -> Option<Self> {
        let mut both: BTreeSet<_> = states.iter().copied().collect();
        if !self.states.is_empty() {
            both.retain(|state| self.states.contains(state));
        }
        self.states = both;
        (!self.states.is_empty()).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn parse(text: &str) -> Filter {
        Filter::parse(text, Timestamp::default()).unwrap()
    }

    #[test]
    fn one_indexed_condition_beside_kind_and_state_needs_no_token() {
        let family = "family:tok_00d1h88n000000000000000001";
        for fixed in ["", "subject:s", "client:c", family] {
            let filter = parse(&format!("{fixed} kind:session state:active"));
            let conditions = filter.head_conditions().unwrap();
            assert!(!conditions.may_have_changed(), "{fixed}");
            assert_eq!(conditions.kinds().len() + conditions.states().len(), 2);
        }
        for changing in ["device:d", "app:a", "label:k=v", "tag:t", "any-tag:t"] {
            let filter = parse(changing);
            assert!(filter.head_conditions().unwrap().may_have_changed(), "{changing}");
        }
    }

    #[test]
    fn any_other_condition_needs_the_token() {
        let others = [
            "scope:s",
            "any-scope:s",
            "issuer:i",
            "audience:a",
            "id:tok_00d1",
            "issued-after:now",
            "issued-before:now",
            "expires-after:now",
            "expires-before:now",
            "subject:s client:c",
            "subject:s tag:t",
            "tag:a tag:b",
            "any-tag:a any-tag:b",
            "label:a=b label:c=d",
        ];
        for text in others {
            assert_eq!(parse(text).head_conditions(), None, "{text}");
        }
        let invalid = Filter::new().subject("");
        assert_eq!(invalid.head_conditions(), None, "a filter that is not valid");
    }

    #[test]
    fn states_are_met_together() {
        let wanted = [TokenState::Active, TokenState::Pending];
        assert_eq!(Filter::new().and_states(&wanted), Some(parse("state:active,pending")));
        assert_eq!(parse("state:active,revoked").and_states(&wanted), Some(parse("state:active")));
        assert_eq!(parse("state:revoked").and_states(&wanted), None);
    }
}
