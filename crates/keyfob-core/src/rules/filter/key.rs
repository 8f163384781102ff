//! The keys of the text form, and which of them a mistyped one was meant to be.

/// What a part of a filter is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Key {
    Kind,
    State,
    Id,
    Family,
    Subject,
    Issuer,
    Audience,
    Client,
    Device,
    App,
    Tag,
    AnyTag,
    Label,
    Scope,
    AnyScope,
    IssuedAfter,
    IssuedBefore,
    ExpiresAfter,
    ExpiresBefore,
}

impl Key {
    /// Every key, in the order in which a filter is written.
    pub(super) const ALL: [Self; 19] = [
        Self::Kind,
        Self::State,
        Self::Id,
        Self::Family,
        Self::Subject,
        Self::Issuer,
        Self::Audience,
        Self::Client,
        Self::Device,
        Self::App,
        Self::Tag,
        Self::AnyTag,
        Self::Label,
        Self::Scope,
        Self::AnyScope,
        Self::IssuedAfter,
        Self::IssuedBefore,
        Self::ExpiresAfter,
        Self::ExpiresBefore,
    ];

    /// No key and no plausible misspelling of one is longer, in bytes.
    pub(super) const LONGEST_TYPO: usize = 32;

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::State => "state",
            Self::Id => "id",
            Self::Family => "family",
            Self::Subject => "subject",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Client => "client",
            Self::Device => "device",
            Self::App => "app",
            Self::Tag => "tag",
            Self::AnyTag => "any-tag",
            Self::Label => "label",
            Self::Scope => "scope",
            Self::AnyScope => "any-scope",
            Self::IssuedAfter => "issued-after",
            Self::IssuedBefore => "issued-before",
            Self::ExpiresAfter => "expires-after",
            Self::ExpiresBefore => "expires-before",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == name)
    }

    pub(super) const fn takes_several(self) -> bool {
        matches!(
            self,
            Self::Kind
                | Self::State
                | Self::Tag
                | Self::AnyTag
                | Self::Label
                | Self::Scope
                | Self::AnyScope
        )
    }

    pub(super) const fn takes_time(self) -> bool {
        matches!(
            self,
            Self::IssuedAfter | Self::IssuedBefore | Self::ExpiresAfter | Self::ExpiresBefore
        )
    }

    /// The key that `name` was most likely meant to be: the one with the fewest letters to change,
    /// if they are few, or the shortest that it is the start of, as `aud` is of `audience`.
    pub(super) fn nearest(name: &str) -> Option<Self> {
        if name.len() > Self::LONGEST_TYPO {
            return None;
        }
        let name = name.to_ascii_lowercase().replace('_', "-");
        let letters = name.chars().count();
        let near = |key: &Self| {
            let distance = edit_distance(&name, key.as_str());
            (distance <= 2 && distance * 2 < letters).then_some((distance, *key))
        };
        let by_letters = Self::ALL.iter().filter_map(near).min_by_key(|(distance, _)| *distance);
        by_letters.map(|(_, key)| key).or_else(|| {
            let abbreviated = |key: &Self| letters >= 3 && key.as_str().starts_with(&name);
            Self::ALL.into_iter().filter(abbreviated).min_by_key(|key| key.as_str().len())
        })
    }
}

/// How many letters have to be added, dropped, replaced or swapped with their neighbour to make
/// one word of the other, where no letter is touched twice.
fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    // The rows for the word so far, for one letter less and for two.
    let mut row: Vec<usize> = (0..=to.len()).collect();
    let mut above = row.clone();
    let mut previous = None;
    for (taken, letter) in from.chars().enumerate() {
        let two_above = std::mem::replace(&mut above, row);
        row = Vec::with_capacity(above.len());
        row.push(taken + 1);
        for (place, wanted) in to.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let replaced = cell(&above, place) + usize::from(letter != *wanted);
            let changed = replaced.min(cell(&above, place + 1) + 1).min(cell(&row, place) + 1);
            let swaps =
                place > 0 && previous == Some(*wanted) && to.get(place - 1) == Some(&letter);
            row.push(if swaps { changed.min(cell(&two_above, place - 1) + 1) } else { changed });
        }
        previous = Some(letter);
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_hand_counting() {
        for (from, to, distance) in [
            ("", "", 0),
            ("", "tag", 3),
            ("tag", "", 3),
            ("tag", "tag", 0),
            ("tga", "tag", 1),
            ("tags", "tag", 1),
            ("subjcet", "subject", 1),
            ("kitten", "sitting", 3),
            ("ümlaut", "umlaut", 1),
        ] {
            assert_eq!(edit_distance(from, to), distance, "{from} {to}");
        }
    }

    #[test]
    fn a_typo_finds_its_key_and_a_foreign_word_none() {
        for (typo, key) in [
            ("subjct", "subject"),
            ("Subject", "subject"),
            ("sub", "subject"),
            ("aud", "audience"),
            ("iss", "issuer"),
            ("tags", "tag"),
            ("any_tag", "any-tag"),
            ("anytag", "any-tag"),
            ("status", "state"),
            ("issued_befor", "issued-before"),
            ("expires", "expires-after"),
            ("kidn", "kind"),
        ] {
            assert_eq!(Key::nearest(typo).map(Key::as_str), Some(key), "{typo}");
        }
        for foreign in ["", "x", "ip", "colour", "metadata", &"subject".repeat(10)] {
            assert_eq!(Key::nearest(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn every_key_is_found_by_its_name() {
        for key in Key::ALL {
            assert_eq!(Key::named(key.as_str()), Some(key));
            assert!(key.as_str().len() <= Key::LONGEST_TYPO);
        }
        assert_eq!(Key::named("SUBJECT"), None);
    }
}
