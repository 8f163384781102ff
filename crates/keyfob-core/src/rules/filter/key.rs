//! The keys of the text form, and the most likely key for a mistyped one.

/// The attribute that a condition is about.
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

    /// The maximum length in bytes of a key or of a plausible misspelling of one.
    pub(super) const MAX_TYPO_BYTES: usize = 32;

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

    /// The key that `name` was most likely meant to be: the key with the smallest edit distance, if
    /// that is small, or the shortest key that starts with `name`, as `audience` does with `aud`.
    pub(super) fn nearest(name: &str) -> Option<Self> {
        if name.len() > Self::MAX_TYPO_BYTES {
            return None;
        }
        let name = name.to_ascii_lowercase().replace('_', "-");
        let letters = name.chars().count();
        let close = |key: &Self| {
            let distance = edit_distance(&name, key.as_str());
            (distance <= 2 && distance * 2 < letters).then_some((distance, *key))
        };
        let by_letters = Self::ALL.iter().filter_map(close).min_by_key(|(distance, _)| *distance);
        by_letters.map(|(_, key)| key).or_else(|| {
            let abbreviated = |key: &Self| letters >= 3 && key.as_str().starts_with(&name);
            Self::ALL.into_iter().filter(abbreviated).min_by_key(|key| key.as_str().len())
        })
    }
}

/// The number of letters to add, drop, replace or swap with a neighbour to turn one word into the
/// other, where no letter is changed twice (the optimal string alignment distance).
fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    // The rows for the letters so far, for one letter fewer and for two fewer.
    let mut row: Vec<usize> = (0..=to.len()).collect();
    let mut above = row.clone();
    let mut previous = None;
    for (taken, letter) in from.chars().enumerate() {
        let two_above = std::mem::replace(&mut above, row);
        row = Vec::with_capacity(above.len());
        row.push(taken + 1);
        for (position, wanted) in to.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let replaced = cell(&above, position) + usize::from(letter != *wanted);
            let changed =
                replaced.min(cell(&above, position + 1) + 1).min(cell(&row, position) + 1);
            let swaps =
                position > 0 && previous == Some(*wanted) && to.get(position - 1) == Some(&letter);
            row.push(if swaps { changed.min(cell(&two_above, position - 1) + 1) } else { changed });
        }
        previous = Some(letter);
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_match_a_count_by_hand() {
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
    fn a_typo_finds_its_key_and_another_word_finds_none() {
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
            assert!(key.as_str().len() <= Key::MAX_TYPO_BYTES);
        }
        assert_eq!(Key::named("SUBJECT"), None);
    }
}
