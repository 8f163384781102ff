//! What to tell the user whose tokens were revoked: one plain sentence.

use std::collections::BTreeSet;

use keyfob_api::{RevocationBody, TokenBody};
use keyfob_core::{Kind, Timestamp};

use super::target::Target;
use crate::widget::device;
use crate::widget::text::visible;

/// How many devices are named.
const MAX_DEVICES: usize = 3;

/// Returns the sentence. Nothing in it is invisible.
pub(super) fn sentence(
    target: &Target,
    revoked: &[TokenBody],
    last: Option<&RevocationBody>,
) -> String {
    let when = last.map_or_else(String::new, |last| format!(" on {}", moment(last.at, false)));
    let reason = last.and_then(|last| last.reason.as_ref());
    let reason = reason.map_or_else(String::new, |reason| format!(" Reason: {reason}."));
    let text = match target {
        Target::Client(client) => format!(
            "All keys and tokens of {client} were revoked{when}.{reason} They are no longer accepted anywhere. \
             Please ask for a new key."
        ),
        Target::Subject(_) => format!(
            "All your sessions were ended{when}.{reason} They are no longer accepted anywhere. Please sign in \
             again."
        ),
        Target::Filter(_) | Target::Tokens(_) => {
            let what = what(revoked);
            format!(
                "{what} ended{when}.{reason} It is no longer accepted anywhere. Please sign in again."
            )
        }
    };
    visible(&text).into_owned()
}

fn what(revoked: &[TokenBody]) -> String {
    if revoked.iter().any(|token| token.kind == Kind::ApiKey) {
        return "Your access was".to_owned();
    }
    let names: BTreeSet<_> =
        revoked.iter().filter_map(|token| device::name(&token.metadata.device)).collect();
    match names.len() {
        1..=MAX_DEVICES if one_subject(revoked).is_some() => {
            let names: Vec<_> = names.iter().map(|name| format!("on {name}")).collect();
            format!("Your session {} was", names.join(" and "))
        }
        _ => "Your session was".to_owned(),
    }
}

/// Returns the subject, if all tokens have the same.
pub(super) fn one_subject(tokens: &[TokenBody]) -> Option<&str> {
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
    use keyfob_core::token::{Revocation, RevocationScope, sample};

    fn revocation() -> RevocationBody {
        RevocationBody::from(&Revocation {
            at: Timestamp::from_millis(1_795_000_000_000),
            reason: "laptop stolen".parse().ok(),
            by: None,
            through: RevocationScope::Subject,
        })
    }

    #[test]
    fn a_user_reads_what_was_ended_when_and_why() {
        let subject = Target::Subject("4711".parse().unwrap());
        assert_eq!(
            sentence(&subject, &[], Some(&revocation())),
            "All your sessions were ended on 2026-11-18 at 11:06 UTC. Reason: laptop stolen. They are no longer \
             accepted anywhere. Please sign in again."
        );
    }

    #[test]
    fn a_device_is_named_as_the_user_knows_it() {
        let mut token = sample::token();
        token.metadata.device.user_agent =
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".parse().ok();
        let token = TokenBody::of(&token, token.issued_at);
        let target = Target::Filter("device:a".to_owned());
        let told = sentence(&target, &[token.clone(), token], None);
        assert!(told.starts_with("Your session on Firefox on Linux was ended."), "{told}");
    }

    #[test]
    fn nothing_in_the_sentence_is_invisible() {
        let target = Target::Client("a\u{202e}b".parse().unwrap());
        assert!(sentence(&target, &[], None).contains(r"a\u{202e}b"));
    }
}
