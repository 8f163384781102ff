//! Both forms of a filter are equivalent, for any filter.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::{NOW, parse};
use crate::filter::Filter;
use crate::id::{FamilyId, TokenId};
use crate::invalid::InvalidReason;
use crate::time::Timestamp;
use crate::token::{Kind, TokenState};

#[test]
fn a_filter_with_a_too_long_text_is_invalid() {
    let labels = |count: usize| {
        (0..count).fold(Filter::new(), |filter, n| filter.label(format!("k{n}"), "\"".repeat(256)))
    };
    assert!(labels(15).check().is_ok());
    let refused = labels(16).check().unwrap_err();
    assert_eq!(refused.reason(), &InvalidReason::TooLong { max: Filter::MAX_BYTES });
}

#[test]
fn a_text_that_would_be_too_long_if_written_again_is_refused() {
    // Outside quotes a backslash is one byte; the wide space below has it quoted, where it
    // is two.
    let label = |n: usize| format!("label:{n}=\u{2003}{} ", "\\".repeat(250));
    let text = |labels: usize| (0..labels).map(label).collect::<String>();
    assert!(text(15).len() < Filter::MAX_BYTES / 2);
    assert!(parse(&text(15)).to_string().len() < Filter::MAX_BYTES);
    assert!(text(30).len() < Filter::MAX_BYTES);
    let refused = Filter::parse(&text(30), NOW).unwrap_err();
    assert!(refused.to_string().contains("too long"), "{refused}");
}

/// Values that are difficult to write: any text that the types accept.
fn value() -> impl Strategy<Value = String> {
    let awkward = vec![' ', '"', '\\', ':', ',', '=', '$', '\u{a0}', '\u{3000}', 'ü', '名'];
    let character = prop_oneof![
        5 => prop::char::range('!', '~'),
        1 => prop::sample::select(awkward),
        1 => any::<char>().prop_filter("the text types refuse it", |c| !c.is_control()),
    ];
    vec(character, 1..12).prop_map(String::from_iter)
}

const SCOPE: &str = "[!#-\\[\\]-~]{1,12}";
const LABEL_KEY: &str = "[a-zA-Z0-9._/-]{1,8}";
const ID_DIGITS: &str = "[0-9a-hjkmnp-tv-z]{1,25}";

fn moment() -> impl Strategy<Value = Option<Timestamp>> {
    option::of((0..=Timestamp::MAX.as_millis()).prop_map(Timestamp::from_millis))
}

prop_compose! {
    /// Filters with parts that take one value.
    fn of_single_parts()(
        [subject, issuer, audience, client, device, app] in
            [0; 6].map(|_| option::of(value())),
        id in option::of(ID_DIGITS),
        family in option::of(any::<[u8; 16]>()),
        bounds in [0; 4].map(|_| moment()),
    ) -> Filter {
        Filter {
            subject: subject.map(|text| text.parse().unwrap()),
            issuer: issuer.map(|text| text.parse().unwrap()),
            audience: audience.map(|text| text.parse().unwrap()),
            client: client.map(|text| text.parse().unwrap()),
            device: device.map(|text| text.parse().unwrap()),
            app: app.map(|text| text.parse().unwrap()),
            id: id.map(|text| text.parse().unwrap()),
            family: family.map(|bytes| FamilyId::from_root(TokenId::from_bytes(bytes))),
            issued_after: bounds[0],
            issued_before: bounds[1],
            expires_after: bounds[2],
            expires_before: bounds[3],
            ..Filter::new()
        }
    }
}

prop_compose! {
    /// Filters with anything in them.
    fn filters()(
        filter in of_single_parts(),
        kinds in vec(prop::sample::select(&Kind::ALL[..]), 0..4),
        states in vec(prop::sample::select(&TokenState::ALL[..]), 0..4),
        [tags, any_tags] in [0; 2].map(|_| vec(value(), 0..3)),
        [scopes, any_scopes] in [0; 2].map(|_| vec(SCOPE, 0..3)),
        labels in btree_map(LABEL_KEY, value(), 0..3),
    ) -> Filter {
        let filter = kinds.into_iter().fold(filter, Filter::kind);
        let filter = states.into_iter().fold(filter, Filter::state);
        let filter = tags.into_iter().fold(filter, Filter::tag);
        let filter = any_tags.into_iter().fold(filter, Filter::any_tag);
        let filter = scopes.into_iter().fold(filter, Filter::scope);
        let filter = any_scopes.into_iter().fold(filter, Filter::any_scope);
        labels.into_iter().fold(filter, |filter, (key, value)| filter.label(key, value))
    }
}

proptest! {
    #[test]
    fn a_written_filter_parses_to_the_same_filter(filter in filters()) {
        prop_assert_eq!(filter.check(), Ok(()));
        prop_assert_eq!(Filter::parse(&filter.to_string(), NOW), Ok(filter));
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_in_it(
        text in vec(prop_oneof![
            prop::sample::select(vec![
                "subject:", "kind:", "label:", "tag:", "issued-after:", "id:", "\"", "\\", " ",
                "=", ",", "access", "tok_", "-7d", "2026-11-24", "\u{1b}", "名",
            ]).prop_map(String::from),
            any::<String>(),
        ], 0..8).prop_map(|pieces| pieces.concat()),
    ) {
        match Filter::parse(&text, NOW) {
            Ok(filter) => prop_assert_eq!(Filter::parse(&filter.to_string(), NOW), Ok(filter)),
            Err(refused) => {
                prop_assert!((1..=text.chars().count() + 1).contains(&refused.column()));
                prop_assert_eq!(refused.pointer(&text).lines().count(), 2);
            }
        }
    }
}
