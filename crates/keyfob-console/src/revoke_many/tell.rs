//! What to tell the user whose tokens were revoked: one plain sentence.

use std::collections::BTreeSet;

use keyfob_api::{RevocationBody, TokenBody};
use keyfob_core::{Kind, Timestamp};

use crate::widget::device;
use crate::widget::text::visible;

/// How many devices are named.
const MAX_DEVICES: usize = 3;

/// Whether the person has other sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Others {
    /// Nothing of the person is alive.
    Ended,
    Alive,
    Unknown,
}

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

    /// Returns the subject, if all the tokens have the same.
    pub(super) fn one_subject(&self) -> Option<&'a str> {
        one_subject(&self.tokens)
    }

    /// Returns the sentence. Nothing in it is invisible.
    pub(super) fn sentence(&self, others: Others) -> String {
        let when = moment(self.revocation.at, false);
        let what = match self.revocation.through.as_str() {
            "subject" => format!("All your sessions were ended on {when}."),
            "client" => match self.tokens.iter().find_map(|token| token.client.as_ref()) {
                Some(client) => format!("All keys and tokens of {client} were revoked on {when}."),
                None => format!("All your keys and tokens were revoked on {when}."),
            },
            "all" => format!("The sessions of all users were ended on {when}."),
            _ => self.what(&when),
        };
        let reason = self.revocation.reason.as_ref();
        let reason = reason.map_or_else(String::new, |reason| format!(" Reason: {reason}."));
        let text = format!("{what}{reason}{}", self.next(others));
        visible(&text).into_owned()
    }

    /// Returns what the person does next, as far as it is known.
    fn next(&self, others: Others) -> &'static str {
        match (self.revocation.through.as_str(), others) {
            _ if self.is_about_keys() => " Please ask for a new key.",
            ("subject" | "all", _) | (_, Others::Ended) => " Please sign in again.",
            (_, Others::Alive) if self.devices().is_some() => " Your other devices stay signed in.",
            (_, Others::Alive) => " Your other sessions stay signed in.",
            (_, Others::Unknown) => "",
        }
    }

    fn is_about_keys(&self) -> bool {
        self.revocation.through == "client"
            || self.tokens.iter().any(|token| token.kind == Kind::ApiKey)
    }

    fn what(&self, when: &str) -> String {
        let count = self.tokens.len();
        match (self.is_about_keys(), self.devices()) {
            (true, _) if count == 1 => format!("Your key was revoked on {when}."),
            (true, _) => format!("Your {count} keys were revoked on {when}."),
            (false, Some(devices)) if count == 1 => {
                format!("Your session {devices} was ended on {when}.")
            }
            (false, None) if count == 1 => format!("Your session was ended on {when}."),
            (false, Some(devices)) => format!("You were signed out on {when}, {devices}."),
            (false, None) => format!("You were signed out on {when}."),
        }
    }

    /// Names the devices, if they are few, and those of one person.
    fn devices(&self) -> Option<String> {
        self.one_subject()?;
        let devices = self.tokens.iter().filter_map(|token| device::name(&token.metadata.device));
        let devices: BTreeSet<_> = devices.collect();
        let devices: Vec<_> = devices.iter().map(|name| format!("on {name}")).collect();
        (1..=MAX_DEVICES).contains(&devices.len()).then(|| devices.join(" and "))
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

    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

    fn revoked(through: RevocationScope, change: impl FnOnce(&mut Token)) -> TokenBody {
        let mut token = sample::token();
        token.kind = Kind::Session;
        token.revocation = Some(Revocation {
            at: Timestamp::from_millis(1_795_000_000_000),
            reason: "laptop stolen".parse().ok(),
            by: None,
            through,
        });
        change(&mut token);
        TokenBody::of(&token, token.issued_at)
    }

    fn told(through: RevocationScope, change: impl FnOnce(&mut Token)) -> String {
        LastRevocation::of(&[revoked(through, change)]).unwrap().sentence(Others::Alive)
    }

    #[test]
    fn a_user_reads_what_was_ended_when_and_why() {
        assert_eq!(
            told(RevocationScope::Subject, |_| {}),
            "All your sessions were ended on 2026-11-18 at 11:06 UTC. Reason: laptop stolen. Please sign in again."
        );
    }

    #[test]
    fn a_device_is_named_as_the_user_knows_it() {
        let told = told(RevocationScope::Token, |token| {
            token.metadata.device.user_agent = FIREFOX.parse().ok();
        });
        assert!(told.starts_with("Your session on Firefox on Linux was ended on"), "{told}");
        assert!(told.ends_with("stolen. Your other devices stay signed in."), "{told}");
    }

    #[test]
    fn several_sessions_are_not_called_one() {
        let one = || {
            revoked(RevocationScope::Token, |token| {
                token.metadata.device.user_agent = FIREFOX.parse().ok();
            })
        };
        let tokens = [one(), one()];
        let told = |others| LastRevocation::of(&tokens).unwrap().sentence(others);
        assert_eq!(
            told(Others::Ended),
            "You were signed out on 2026-11-18 at 11:06 UTC, on Firefox on Linux. Reason: laptop stolen. Please sign \
             in again."
        );
        // What is not known is not said.
        assert!(told(Others::Unknown).ends_with("Reason: laptop stolen."));
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
