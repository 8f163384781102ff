//! Each rule that a token was checked by: whether it is met, and if not, why, in words.
//!
//! The API answers with what is not met, in the order of the checks. A demand that was made and is not
//! among the refusals is met. A refusal that belongs to no demand of the request comes from a chain of
//! the server, or from a rule of the service.

use keyfob_api::{ExplainAnswer, ExplainBody, RefusalBody, TokenBody};
use keyfob_core::Timestamp;
use maud::{Markup, html};

use crate::widget::words::revoked_through;
use crate::widget::{key, text, time};

/// A rule, and what came of it.
#[derive(Debug)]
struct Rule {
    /// What is demanded, as a sentence about the token.
    demanded: String,
    /// The refusal, if it is not met: in words, and its stable code.
    refusal: Option<(String, String)>,
}

/// Shows whether a token meets demands, rule by rule.
pub(crate) fn verdict(asked: &ExplainBody, answer: &ExplainAnswer, now: Timestamp) -> Markup {
    let rules = rules(asked, answer, now);
    let refusals = rules.iter().filter(|rule| rule.refusal.is_some()).count();
    html! {
        p.verdict data-ok[answer.ok] role="status" {
            @match (answer.ok, refusals) {
                (true, _) => { span aria-hidden="true" { "✓ " } "It is accepted: every rule is met." }
                (false, 1) => { span aria-hidden="true" { "✕ " } "It is refused, for one reason." }
                (false, _) => { span aria-hidden="true" { "✕ " } "It is refused, for " (refusals) " reasons." }
            }
        }
        ol.rules {
            @for rule in &rules { (shown(rule)) }
        }
    }
}

fn shown(rule: &Rule) -> Markup {
    html! {
        @match &rule.refusal {
            None => li data-met="true" { strong { "✓ met" } " " span { (text::visible(&rule.demanded)) } },
            Some((why, code)) => li data-met="false" {
                strong { "✕ not met" } " " span { (text::visible(&rule.demanded)) }
                div.why { (text::visible(why)) " " code.quiet { (text::visible(code)) } }
            },
        }
    }
}

/// Returns the rules in the order in which a server checks them.
fn rules(asked: &ExplainBody, answer: &ExplainAnswer, now: Timestamp) -> Vec<Rule> {
    let mut left: Vec<_> = answer.refusals.iter().collect();
    let mut rules = Vec::new();
    let Some(token) = &answer.token else {
        rules.push(not_found(&mut left));
        return rules;
    };
    rules.push(state(token, &mut left, now));
    for demand in demands(asked, token, now) {
        let place = left.iter().position(|refusal| demand.is_of(refusal));
        let refusal = place.map(|place| left.remove(place));
        let why = |refusal: &RefusalBody| {
            demand.why.clone().unwrap_or_else(|| sentence(&refusal.message))
        };
        let refusal = refusal.map(|refusal| (why(refusal), refusal.code.clone()));
        rules.push(Rule { demanded: demand.demanded, refusal });
    }
    if let Some(chain) = asked.chain.as_ref().filter(|_| left.is_empty()) {
        rules.push(Rule {
            demanded: format!("It has to meet the chain {chain} of the server."),
            refusal: None,
        });
    }
    rules.extend(left.into_iter().map(|refusal| {
        let demanded = match &asked.chain {
            Some(chain) => format!("It has to meet the chain {chain} of the server."),
            None => "It has to meet the rules of the service.".to_owned(),
        };
        Rule { demanded, refusal: Some((sentence(&refusal.message), refusal.code.clone())) }
    }));
    rules
}

/// The rule that a bearer has to belong to a token.
fn not_found(left: &mut Vec<&RefusalBody>) -> Rule {
    let refusal = left.drain(..).next().map(|refusal| {
        let why = match refusal.code.as_str() {
            "token_unknown" => "There is no token with this secret. It was never issued here, its record was \
                                deleted after its end, or it is the wrong secret: for an API key, one that was \
                                rotated away."
                .to_owned(),
            _ => sentence(&refusal.message),
        };
        (why, refusal.code.clone())
    });
    Rule { demanded: "It has to be the bearer of a token.".to_owned(), refusal }
}

/// Returns the rule about the state, which every service has.
fn state(token: &TokenBody, left: &mut Vec<&RefusalBody>, now: Timestamp) -> Rule {
    const CODES: [&str; 5] = [
        "token_damaged",
        "token_revoked",
        "token_exhausted",
        "token_expired",
        "token_not_yet_valid",
    ];
    let place = left.iter().position(|refusal| CODES.contains(&refusal.code.as_str()));
    let refusal = place.map(|place| left.remove(place));
    let refusal = refusal.map(|refusal| {
        let why = match refusal.code.as_str() {
            "token_revoked" => revoked(token, now),
            "token_exhausted" => "All of its uses are taken.".to_owned(),
            "token_damaged" => {
                "The store lost data that may have revoked it, so it is refused for good. Issue \
                                another token."
                    .to_owned()
            }
            "token_not_yet_valid" => match token.not_before {
                Some(start) => {
                    format!("It becomes valid {}: at {start}.", time::distance(start, now))
                }
                None => sentence(&refusal.message),
            },
            _ => sentence(&refusal.message),
        };
        (why, refusal.code.clone())
    });
    Rule { demanded: "It has to be active.".to_owned(), refusal }
}

fn revoked(token: &TokenBody, now: Timestamp) -> String {
    let Some(revocation) = &token.revocation else { return "It was revoked.".to_owned() };
    let by = revocation.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let reason = match &revocation.reason {
        Some(reason) => format!("Reason: {reason}."),
        None => "No reason was given.".to_owned(),
    };
    let when = time::distance(revocation.at, now);
    format!("It was revoked {when}{by}. {} {reason}", revoked_through(&revocation.through))
}

/// A demand of the request.
struct Demand {
    /// The code of its refusal; `None` if the token meets it.
    code: Option<&'static str>,
    demanded: String,
    /// Why it is not met, if the token tells. Otherwise the words of the server say it.
    why: Option<String>,
    /// A text that its refusal has to have, where several demands have one code.
    mentions: Vec<String>,
}

impl Demand {
    fn is_of(&self, refusal: &RefusalBody) -> bool {
        let is_meant = || self.mentions.iter().any(|text| refusal.message.contains(text.as_str()));
        self.code == Some(refusal.code.as_str()) && (self.mentions.is_empty() || is_meant())
    }
}

/// Stands for the code of a demand that the token meets: two demands about scopes share one code.
const MET: &str = "";

/// Returns the demands of a request, in the order in which a server checks them.
fn demands(asked: &ExplainBody, token: &TokenBody, now: Timestamp) -> Vec<Demand> {
    let mut demands = Vec::new();
    let mut add = |code: &'static str, demanded: String, why: Option<String>| {
        let code = Some(code).filter(|code| *code != MET);
        demands.push(Demand { code, demanded, why, mentions: Vec::new() });
    };
    if !asked.kind.is_empty() {
        let demanded = format!("Its kind has to be {}.", listed(asked.kind.iter(), "or"));
        add("invalid_kind", demanded, Some(format!("It is {}.", token.kind)));
    }
    if !asked.issuer.is_empty() {
        let why = match &token.issuer {
            Some(issuer) => format!("Its issuer is {issuer}."),
            None => "It has no issuer.".to_owned(),
        };
        add(
            "invalid_issuer",
            format!("Its issuer has to be {}.", listed(asked.issuer.iter(), "or")),
            Some(why),
        );
    }
    if !asked.audience.is_empty() {
        let why = match token.audience.is_empty() {
            true => "It has no audience.".to_owned(),
            false => format!("It is for {}.", listed(token.audience.iter(), "and")),
        };
        add(
            "invalid_audience",
            format!("It has to be for {}.", listed(asked.audience.iter(), "or")),
            Some(why),
        );
    }
    let has = match token.scopes.is_empty() {
        true => "It has no scopes.".to_owned(),
        false => format!("It has {}.", listed(token.scopes.iter(), "and")),
    };
    let missing: Vec<_> =
        asked.scopes.iter().filter(|scope| !token.scopes.contains(*scope)).collect();
    if !asked.scopes.is_empty() {
        let demanded = format!("It has to have the scopes {}.", listed(asked.scopes.iter(), "and"));
        let code = if missing.is_empty() { MET } else { "insufficient_scope" };
        add(code, demanded, Some(format!("It lacks {}. {has}", listed(missing.iter(), "and"))));
    }
    if !asked.any_scopes.is_empty() {
        let demanded =
            format!("It has to have one of the scopes {}.", listed(asked.any_scopes.iter(), "or"));
        let is_met = token.scopes.contains_any(&asked.any_scopes);
        let code = if is_met { MET } else { "insufficient_scope" };
        add(code, demanded, Some(format!("It has none of them. {has}")));
    }
    if let Some(max_age) = asked.max_age {
        let why = format!("It was issued {}.", time::distance(token.issued_at, now));
        add("token_too_old", format!("It has to be issued within {max_age}."), Some(why));
    }
    if !asked.claims.is_empty() {
        let demanded = format!("It has to have the claims {}.", listed(asked.claims.iter(), "and"));
        add("missing_claim", demanded, None);
    }
    if let Some(device) = &asked.device_id {
        let why = match &token.metadata.device.id {
            Some(bound_to) => format!("It is bound to the device {bound_to}."),
            None => "It is bound to no device.".to_owned(),
        };
        add("device_mismatch", format!("It has to be bound to the device {device}."), Some(why));
    }
    // Nobody presents an id, so without a key nothing is asked about keys.
    let is_asked = asked.cnf.is_some() || asked.token.is_some();
    if let Some(key) = key::of(token).filter(|_| is_asked) {
        let demanded = format!("Its presenter has to prove {}.", key::named(&key));
        let why = match &asked.cnf {
            Some(other) => sentence(&format!("{} was proven", key::named(other))),
            None => "It was presented without a proof. Anyone who has the bearer alone is refused, the owner too: \
                     name the proven key to check it as the owner presents it."
                .to_owned(),
        };
        add("confirmation_mismatch", demanded, Some(why));
    }
    let claims = asked.claims.iter().map(ToString::to_string).collect::<Vec<_>>();
    for demand in &mut demands {
        if demand.code == Some("missing_claim") {
            demand.mentions.clone_from(&claims);
        }
    }
    demands
}

/// How many names a sentence has.
const LISTED: usize = 12;

/// Lists names in a sentence.
fn listed<T: ToString>(names: impl Iterator<Item = T>, last: &str) -> String {
    let mut names: Vec<_> = names.map(|name| name.to_string()).collect();
    let more = names.len().saturating_sub(LISTED);
    if more > 0 {
        names.truncate(LISTED);
        names.push(format!("{more} more"));
    }
    match names.split_last() {
        Some((end, rest)) if !rest.is_empty() => format!("{} {last} {end}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// Returns a message of the API as a sentence.
fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if message.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::token::{Kind, Token};
    use keyfob_core::{NameSet, TokenId};

    fn answer(refusals: &[(&str, &str)]) -> ExplainAnswer {
        let now = Timestamp::from_millis(1_795_000_000_000);
        let mut token = Token::new(TokenId::from_bytes([1; 16]), Kind::Access, now);
        token.scopes = NameSet::from_names(["read".parse().unwrap()]).unwrap();
        let refusals = refusals.iter().map(|(code, message)| RefusalBody {
            code: (*code).to_owned(),
            message: (*message).to_owned(),
        });
        let token = Some(TokenBody::of(&token, now));
        ExplainAnswer { ok: false, token, secret: None, refusals: refusals.collect() }
    }

    fn asked(json: &str) -> ExplainBody {
        serde_json::from_str(json).unwrap()
    }

    /// Returns what is demanded, with a `-` before it if it is not met.
    fn found(asked: &ExplainBody, answer: &ExplainAnswer) -> Vec<String> {
        let rules = rules(asked, answer, Timestamp::from_millis(1_795_000_060_000));
        let sign = |rule: &Rule| if rule.refusal.is_some() { "-" } else { "" };
        rules.iter().map(|rule| format!("{}{}", sign(rule), rule.demanded)).collect()
    }

    const LACKS: (&str, &str) = ("insufficient_scope", "token lacks scope: write");

    #[test]
    fn of_two_demands_about_scopes_the_one_that_is_not_met_is_named() {
        let body = asked(r#"{"scopes":["read"],"any_scopes":["write","admin"]}"#);
        assert_eq!(
            found(&body, &answer(&[LACKS])),
            [
                "It has to be active.",
                "It has to have the scopes read.",
                "-It has to have one of the scopes admin or write.",
            ]
        );
        let body = asked(r#"{"scopes":["write"],"any_scopes":["read"]}"#);
        assert!(found(&body, &answer(&[LACKS]))[1].starts_with('-'));
    }

    #[test]
    fn other_refusals_come_from_the_chain_or_a_rule() {
        let body = asked(r#"{"scopes":["read"],"chain":"edge"}"#);
        let met = found(&body, &answer(&[]));
        assert_eq!(met[2], "It has to meet the chain edge of the server.");
        let refused =
            found(&body, &answer(&[LACKS, ("missing_claim", "token lacks the claim plan")]));
        assert_eq!(refused[1], "It has to have the scopes read.");
        assert_eq!(refused[2..], ["-It has to meet the chain edge of the server."; 2]);
        let ruled = found(&asked("{}"), &answer(&[("account_closed", "account 4711 is closed")]));
        assert_eq!(ruled[1], "-It has to meet the rules of the service.");
    }

    #[test]
    fn a_claim_of_the_chain_is_not_taken_for_one_of_the_request() {
        let body = asked(r#"{"claims":["seats"],"chain":"edge"}"#);
        let refused = found(&body, &answer(&[("missing_claim", "token lacks the claim plan")]));
        assert_eq!(refused[1], "It has to have the claims seats.");
        assert!(refused[2].starts_with("-It has to meet the chain"));
    }

    #[test]
    fn names_in_a_sentence_are_bounded() {
        assert_eq!(listed(["a", "b", "c"].iter(), "or"), "a, b or c");
        assert_eq!(listed(std::iter::once("a"), "or"), "a");
        assert!(listed((0..64).map(|n| n.to_string()), "and").ends_with(" and 52 more"));
        assert_eq!(sentence("token is unknown"), "Token is unknown.");
    }
}
