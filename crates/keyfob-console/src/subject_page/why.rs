//! "Why was I logged out?": revocations, ends and refusals in plain sentences, the newest first.

use std::collections::BTreeMap;

use keyfob_api::{EventBody, RevocationBody, TokenBody};
use keyfob_core::{Timestamp, TokenId, TokenState};
use maud::{Markup, html};

use super::groups::by_id;
use super::naming::{Known, Named};
use crate::observations::code_of;
use crate::widget::{text, time, words};

/// How many sentences are shown.
const MAX_SENTENCES: usize = 20;
/// How far apart revocations of one run may be, in milliseconds.
const MAX_RUN_GAP_MS: u64 = 10_000;
/// The reason of a revocation that nobody notices: a refresh replaced the token.
const SUPERSEDED: &str = "superseded by a rotation";

/// Something that ended a session, or would not let it in.
#[derive(Debug)]
pub(super) struct Cause {
    pub(super) at: Timestamp,
    pub(super) sentence: Markup,
}

/// Returns the causes, the newest first.
pub(super) fn causes(tokens: &[TokenBody], seen: &[EventBody], now: Timestamp) -> Vec<Cause> {
    let known = by_id(tokens);
    let mut causes = revocations(tokens, &known, now);
    causes.extend(tokens.iter().filter_map(|token| end(token, &known, now)));
    causes.extend(refusals(&known, seen, now));
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.at));
    causes.truncate(MAX_SENTENCES);
    causes
}

/// Tokens that one revocation has ended, or one run of revocations.
struct Ended<'a> {
    /// When the last of them ended.
    at: Timestamp,
    revocation: &'a RevocationBody,
    tokens: Vec<&'a TokenBody>,
}

impl Ended<'_> {
    /// Returns whether a revocation is the same one, or of the same run.
    fn is_same(&self, other: &RevocationBody) -> bool {
        let scope = |revocation: &RevocationBody| match revocation.through.as_str() {
            // What was minted from a token ends with it.
            "ancestor" => "token".to_owned(),
            through => through.to_owned(),
        };
        let distance = self.at.as_millis().abs_diff(other.at.as_millis());
        scope(self.revocation) == scope(other)
            && (&self.revocation.by, &self.revocation.reason) == (&other.by, &other.reason)
            && distance <= MAX_RUN_GAP_MS
    }
}

/// Returns what ended together, the first first.
fn ended(tokens: &[TokenBody]) -> Vec<Ended<'_>> {
    let revoked = tokens.iter().filter_map(|token| Some((token.revocation.as_ref()?, token)));
    let mut revoked: Vec<_> = revoked.collect();
    revoked.sort_by_key(|(revocation, _)| revocation.at);
    let mut ended: Vec<Ended<'_>> = Vec::new();
    for (revocation, token) in revoked {
        let reason = revocation.reason.as_ref().map(|reason| reason.as_str());
        if reason == Some(SUPERSEDED) && revocation.by.is_none() {
            continue;
        }
        match ended.iter_mut().rev().find(|ended| ended.is_same(revocation)) {
            Some(ended) => {
                ended.at = revocation.at;
                ended.tokens.push(token);
            }
            None => ended.push(Ended { at: revocation.at, revocation, tokens: vec![token] }),
        }
    }
    ended
}

fn revocations(tokens: &[TokenBody], known: &Known<'_>, now: Timestamp) -> Vec<Cause> {
    let causes = ended(tokens).into_iter().map(|ended| {
        let RevocationBody { through, by, reason, .. } = ended.revocation;
        let named = Named::of(&ended.tokens, known);
        let what = match through.as_str() {
            "subject" => html! { "Everything of this subject was" },
            "client" => html! { "Everything of the client " (client_of(&ended.tokens)) " was" },
            "all" => html! { "Every token of the store was" },
            _ => html! { (named.show("The")) " " (named.was()) },
        };
        let sentence = html! {
            (what) " revoked " (time::ago(ended.at, now))
            @if let Some(by) = by { " by " (text::bdi(by.as_str())) }
            @if let Some(reason) = reason { ": " (words::reason(reason.as_str())) } @else { ", without a reason" }
            "."
            @if matches!(through.as_str(), "subject" | "client" | "all") {
                " This ended " (named.show("the")) "."
            }
        };
        Cause { at: ended.at, sentence }
    });
    causes.collect()
}

fn client_of(tokens: &[&TokenBody]) -> Markup {
    let client = tokens.iter().find_map(|token| token.client.as_ref());
    html! { @if let Some(client) = client { (text::short(client.as_str(), 40)) } }
}

/// Returns why a token ended by itself.
fn end(token: &TokenBody, known: &Known<'_>, now: Timestamp) -> Option<Cause> {
    let unused = token.idle_timeout.map(|idle| {
        let since = token.last_used.unwrap_or(token.issued_at);
        (since + idle, idle)
    });
    let fixed = [token.expires_at, token.absolute_expiry].into_iter().flatten().min();
    let (at, why) = match token.state {
        TokenState::Expired => match (unused, fixed) {
            (Some((end, idle)), fixed) if fixed.is_none_or(|fixed| end < fixed) => {
                (end, html! { " because it was not used for " (time::length(idle.as_secs())) })
            }
            (_, Some(fixed)) => (fixed, html! { " because its time was over" }),
            (_, None) => return None,
        },
        TokenState::Exhausted => (
            token.last_used.unwrap_or(token.issued_at),
            html! { " because all its uses were taken" },
        ),
        TokenState::Pending | TokenState::Active | TokenState::Revoked => return None,
    };
    let sentence =
        html! { (Named::of(&[token], known).show("The")) " ended " (time::ago(at, now)) (why) "." };
    Some(Cause { at, sentence })
}

fn refusals(known: &Known<'_>, seen: &[EventBody], now: Timestamp) -> Vec<Cause> {
    let mut refused: BTreeMap<(TokenId, &str), (u64, Timestamp)> = BTreeMap::new();
    for event in seen {
        let Some(code) = code_of(event) else { continue };
        let about = event.subject.as_deref().unwrap_or_default();
        let (Ok(about), Ok(at)) = (about.parse(), event.time.parse()) else { continue };
        let entry = refused.entry((about, code)).or_insert((0, at));
        entry.0 += 1;
        entry.1 = entry.1.max(at);
    }
    let causes = refused.into_iter().filter_map(|((about, code), (count, at))| {
        let token = *known.get(&about)?;
        let sentence = html! {
            (Named::of(&[token], known).show("The")) " was refused "
            @if count > 1 { (count) " times, last " }
            (time::ago(at, now)) ", because " (because(code)) "."
        };
        Some(Cause { at, sentence })
    });
    causes.collect()
}

fn because(code: &str) -> Markup {
    html! {
        @match words::because(code) {
            Some(words) => (words),
            None => { "of " code { (text::visible(code)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::Kind;
    use keyfob_core::token::{Revocation, RevocationScope, Token, sample};
    use serde_json::json;

    const MINUTE: u64 = 60_000;

    fn session() -> Token {
        let mut token = sample::token();
        token.kind = Kind::Session;
        token.metadata.device.user_agent =
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
                .parse()
                .ok();
        token
    }

    fn revoked(through: RevocationScope, reason: Option<&str>, by: Option<&str>) -> Token {
        let mut token = session();
        token.revocation = Some(Revocation {
            at: sample::START,
            reason: reason.and_then(|reason| reason.parse().ok()),
            by: by.and_then(|by| by.parse().ok()),
            through,
        });
        token
    }

    fn said(tokens: &[Token], seen: &[EventBody]) -> Vec<String> {
        let now = Timestamp::from_millis(sample::START.as_millis() + 5 * MINUTE);
        let tokens: Vec<_> = tokens.iter().map(|token| TokenBody::of(token, now)).collect();
        causes(&tokens, seen, now).into_iter().map(|it| plain(&it.sentence.into_string())).collect()
    }

    /// Returns the text of some HTML.
    fn plain(html: &str) -> String {
        let mut text = String::new();
        let mut is_tag = false;
        for c in html.chars() {
            match c {
                '<' => is_tag = true,
                '>' => is_tag = false,
                c if !is_tag => text.push(c),
                _ => {}
            }
        }
        text
    }

    #[test]
    fn a_revocation_is_one_plain_sentence() {
        let token = revoked(RevocationScope::Token, Some("laptop stolen"), Some("shop-admin"));
        assert_eq!(
            said(&[token], &[]),
            [
                "The session on Firefox on Windows was revoked 5 min ago by shop-admin: laptop stolen."
            ]
        );
    }

    #[test]
    fn a_revocation_of_everything_is_said_once() {
        let token = revoked(RevocationScope::Subject, Some("password changed"), None);
        assert_eq!(
            said(&[token.clone(), token], &[]),
            [
                "Everything of this subject was revoked 5 min ago: password changed. This ended 2 sessions on \
              Firefox on Windows."
            ]
        );
    }

    #[test]
    fn a_run_over_many_tokens_is_one_sentence() {
        let token = |ms: u64| {
            let mut token = revoked(RevocationScope::Token, Some("end of beta"), Some("ops"));
            if let Some(revocation) = &mut token.revocation {
                revocation.at = Timestamp::from_millis(sample::START.as_millis() + ms);
            }
            token
        };
        let said = said(&[token(0), token(700), token(9_000), token(2 * MINUTE)], &[]);
        assert_eq!(said.len(), 2);
        assert!(said[1].starts_with("3 sessions on Firefox on Windows were revoked"), "{said:?}");
    }

    #[test]
    fn a_refresh_that_replaced_a_token_logged_nobody_out() {
        let token = revoked(RevocationScope::Token, Some(SUPERSEDED), None);
        assert!(said(&[token], &[]).is_empty());
    }

    #[test]
    fn an_end_says_whether_it_was_not_used() {
        let mut idle = session();
        idle.idle_timeout = Some(keyfob_core::Ttl::from_mins(2));
        let mut over = session();
        over.expires_at = Some(sample::START + keyfob_core::Ttl::from_mins(1));
        assert_eq!(
            said(&[idle, over], &[]),
            [
                "The session on Firefox on Windows ended 3 min ago because it was not used for 2 min.",
                "The session on Firefox on Windows ended 4 min ago because its time was over.",
            ]
        );
    }

    #[test]
    fn refusals_of_one_token_are_counted() {
        let token = session();
        let seen = |millis: u64| -> EventBody {
            let at = Timestamp::from_millis(sample::START.as_millis() + millis);
            serde_json::from_value(json!({
                "specversion": "1.0", "id": "obs_0", "source": "/keyfob", "type": "keyfob.token.refused",
                "time": at, "subject": token.id, "datacontenttype": "application/json",
                "data": {"code": "insufficient_scope", "left_out": 0},
            }))
            .unwrap()
        };
        assert_eq!(
            said(std::slice::from_ref(&token), &[seen(0), seen(2 * MINUTE)]),
            [
                "The session on Firefox on Windows was refused 2 times, last 3 min ago, because it has not the scope \
              that was needed."
            ]
        );
    }

    #[test]
    fn hostile_reasons_are_only_text() {
        let token = revoked(RevocationScope::Token, Some("<b>\u{202e}"), None);
        let now = sample::START;
        let shown =
            causes(&[TokenBody::of(&token, now)], &[], now).remove(0).sentence.into_string();
        assert!(shown.contains(r"&lt;b&gt;\u{202e}"), "{shown}");
    }
}
