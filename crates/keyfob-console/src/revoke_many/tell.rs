//! What to tell the user whose tokens were revoked: one plain sentence.

use std::collections::BTreeSet;

use keyfob_api::{RevocationBody, TokenBody};
use keyfob_core::{Kind, Timestamp};

use crate::widget::device;
use crate::widget::text::visible;

/// How many devices are named.
const MAX_DEVICES: usize = 3;

/// The last revocation among some tokens, and those that it ended.
#[derive(Debug)]
pub(super) struct LastRevocation<'a> {
    pub(super) revocation: &'a RevocationBody,
    tokens: Vec<&'a TokenBody>,
}

impl<'a> LastRevocation<'a> {
    pub(super) fn of(tokens: &'a [TokenBody]) -> Option<Self> {
        let revocations = tokens.iter().filter_map(|token| token.revocation.as_ref());
        let revocation = revocations.max_by_key(|it| it.at)?;
        // A run revokes one after the other, for one reason.
        let is_same = |other: &RevocationBody| {
            (other.by.as_ref(), other.reason.as_ref())
                == (revocation.by.as_ref(), revocation.reason.as_ref())
        };
        let ended = tokens.iter().filter(|token| token.revocation.as_ref().is_some_and(is_same));
        Some(Self { revocation, tokens: ended.collect() })
    }

    /// Returns the sentence. Nothing in it is invisible.
    pub(super) fn sentence(&self) -> String {
        let what = match self.revocation.through.as_str() {
            "subject" => "All your sessions were".to_owned(),
            "client" => match self.tokens.iter().find_map(|token| token.client.as_ref()) {
                Some(client) => format!("All keys and tokens of {client} were"),
                None => "All your keys and tokens were".to_owned(),
            },
            "all" => "The sessions of all users were".to_owned(),
            _ => self.what(),
        };
        let verb = if self.is_about_keys() { "revoked" } else { "ended" };
        let next = match self.is_about_keys() {
            true => "Please ask for a new key.",
            false => "Please sign in again.",
        };
        let when = moment(self.revocation.at, false);
        let reason = self.revocation.reason.as_ref();
        let reason = reason.map_or_else(String::new, |reason| format!(" Reason: {reason}."));
        let text =
            format!("{what} {verb} on {when}.{reason} Nothing accepts this any more. {next}");
        visible(&text).into_owned()
    }

    fn is_about_keys(&self) -> bool {
        self.revocation.through == "client"
            || self.tokens.iter().any(|token| token.kind == Kind::ApiKey)
    }

    fn what(&self) -> String {
        if self.is_about_keys() {
            return "Your key was".to_owned();
        }
        let devices = self.tokens.iter().filter_map(|token| device::name(&token.metadata.device));
        let devices: BTreeSet<_> = devices.collect();
        match devices.len() {
            1..=MAX_DEVICES if one_subject(&self.tokens).is_some() => {
                let devices: Vec<_> = devices.iter().map(|name| format!("on {name}")).collect();
                format!("Your session {} was", devices.join(" and "))
            }
            _ => "Your session was".to_owned(),
        }
    }
}

/// Returns the subject, if all tokens have the same.
pub(super) fn one_subject<'a>(tokens: &[&'a TokenBody]) -> Option<&'a str> {
    let mut subjects = tokens.iter().map(|token| token.subject.as_ref().map(|it| it.as_str()));
    let first = subjects.next()??;
    subjects.all(|subject| subject == Some(first)).then_some(first)
}

/// Returns a moment as people read it, such as `2026-11-24 at 08:30 UTC`.
pub(super) fn moment(at: Timestamp, with_seconds: bool) -> String {
    let text = at.to_string();
    let (date, rest) = text.split_once('T').unwrap_or((&text, ""));
    let time = rest.get(..if with_seconds { 8 } else { 5 }).unwrap_or(rest);
    format!("{date} at {time} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::token::{Revocation, RevocationScope, Token, sample};

    fn told(through: RevocationScope, change: impl FnOnce(&mut Token)) -> String {
        let mut token = sample::token();
        token.kind = Kind::Session;
        token.revocation = Some(Revocation {
            at: Timestamp::from_millis(1_795_000_000_000),
            reason: "laptop stolen".parse().ok(),
            by: None,
            through,
        });
        change(&mut token);
        let tokens = [TokenBody::of(&token, token.issued_at)];
        LastRevocation::of(&tokens).unwrap().sentence()
    }

    #[test]
    fn a_user_reads_what_was_ended_when_and_why() {
        assert_eq!(
            told(RevocationScope::Subject, |_| {}),
            "All your sessions were ended on 2026-11-18 at 11:06 UTC. Reason: laptop stolen. Nothing accepts this \
             any more. Please sign in again."
        );
    }

    #[test]
    fn a_device_is_named_as_the_user_knows_it() {
        let told = told(RevocationScope::Token, |token| {
            token.metadata.device.user_agent =
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
                    .parse()
                    .ok();
        });
        assert!(told.starts_with("Your session on Firefox on Linux was ended on"), "{told}");
    }

    #[test]
    fn a_client_reads_that_it_needs_a_new_key() {
        let told = told(RevocationScope::Client, |token| {
            token.client = "a\u{202e}b".parse().ok();
        });
        assert!(told.starts_with(r"All keys and tokens of a\u{202e}b were revoked"), "{told}");
        assert!(told.ends_with("Please ask for a new key."), "{told}");
    }

    #[test]
    fn a_living_token_has_no_sentence() {
        let token = TokenBody::of(&sample::token(), Timestamp::default());
        assert!(LastRevocation::of(&[token]).is_none());
    }
}
