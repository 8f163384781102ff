//! Filters and groups of tokens: whether one of a group may match, by what all of the group have in common.

use super::Filter;
use crate::event::EpochOf;
use crate::id::FamilyId;
use crate::token::Token;

impl Filter {
    /// Returns whether a token that an epoch covers may match. `false` is certain.
    pub fn may_match_in(&self, of: &EpochOf) -> bool {
        fn may_be<T: PartialEq>(wanted: &Option<T>, actual: &T) -> bool {
            wanted.as_ref().is_none_or(|wanted| wanted == actual)
        }
        self.invalid.is_none()
            && match of {
                EpochOf::Subject(subject) => may_be(&self.subject, subject),
                EpochOf::Client(client) => may_be(&self.client, client),
                EpochOf::Family(family) => may_be(&self.family, family),
                EpochOf::All => true,
            }
    }

    /// Returns whether a token that descends from `token` may match. `false` is certain: a descendant has the subject,
    /// the client, the issuer and the family of its parent.
    pub fn may_match_below(&self, token: &Token) -> bool {
        let common = Self {
            subject: self.subject.clone(),
            issuer: self.issuer.clone(),
            client: self.client.clone(),
            ..Self::default()
        };
        let family = FamilyId::under(token.id, token.family);
        self.invalid.is_none()
            && common.matches_names(token)
            && self.family.is_none_or(|wanted| wanted == family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use crate::token::sample;

    fn parse(text: &str) -> Filter {
        Filter::parse(text, Timestamp::default()).unwrap()
    }

    #[test]
    fn an_epoch_is_excluded_only_by_what_all_of_its_tokens_have() {
        let family = "tok_00d1h88n000000000000000001".parse().unwrap();
        let epochs = [
            EpochOf::Subject("alice".parse().unwrap()),
            EpochOf::Client("web".parse().unwrap()),
            EpochOf::Family(family),
            EpochOf::All,
        ];
        for (text, may_match) in [
            ("", [true, true, true, true]),
            ("subject:alice", [true, true, true, true]),
            ("subject:bob", [false, true, true, true]),
            ("client:phone", [true, false, true, true]),
            ("client:web tag:a kind:session", [true, true, true, true]),
            ("family:tok_00d1h88n000000000000000001", [true, true, true, true]),
            ("family:tok_00d1h88n000000000000000002", [true, true, false, true]),
        ] {
            let filter = parse(text);
            assert_eq!(epochs.each_ref().map(|of| filter.may_match_in(of)), may_match, "{text}");
        }
        assert!(!Filter::new().subject("").may_match_in(&EpochOf::All), "it is not valid");
    }

    #[test]
    fn descendants_are_excluded_only_by_what_they_inherit() {
        let token = sample::token();
        let own = format!("family:{}", token.id);
        for (text, may_match) in [
            ("subject:user123 client:web issuer:example-service", true),
            ("kind:session tag:other device:other scope:other", true),
            (own.as_str(), true),
            ("subject:bob", false),
            ("client:phone", false),
            ("issuer:other", false),
            ("family:tok_00d1h88n000000000000000002", false),
        ] {
            assert_eq!(parse(text).may_match_below(&token), may_match, "{text}");
        }
    }
}
