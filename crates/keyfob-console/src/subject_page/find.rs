//! The way from what a person knows of somebody to the page of the subject.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use keyfob_client::ListQuery;
use keyfob_core::Filter;
use keyfob_core::text::Subject;
use maud::html;

use super::about::heading;
use crate::reply::{Answer, Page, Reply};
use crate::shell::Section;
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::copyable;
use crate::widget::{call::quoted, owner};

/// How many tokens are read to see what subjects look like.
const READ: usize = 100;
/// How many other subjects are offered.
const MAX_OFFERED: usize = 5;

/// Leads to the page of a subject.
pub(crate) async fn find(visit: Visit) -> Answer {
    match visit.wanted_subject()? {
        Some(subject) => Ok(Reply::SeeOther(owner::subject_address(subject.as_str()))),
        None => {
            let body = html! {
                h1 { "Find a person" }
                form.card method="get" action="/console/find" {
                    div.field {
                        label for="subject" { "Subject" }
                        input #subject type="text" name="subject" required autofocus autocomplete="off"
                            autocapitalize="off" spellcheck="false" aria-describedby="subject-help";
                        span #subject-help .quiet { "The id that tokens are issued to: the whole of it." }
                    }
                    button.primary type="submit" { "Find" }
                }
            };
            Ok(Page::new(Section::Tokens, "Find a person", body).into())
        }
    }
}

/// Returns whether there is a token of a subject, in any state.
pub(super) async fn is_known(visit: &Visit, subject: &Subject) -> Result<bool, Trouble> {
    let filter = Filter::new().subject(subject.clone()).to_string();
    let page = visit.api.list(&ListQuery::new(filter).limit(1)).await?;
    Ok(!page.tokens.is_empty() || page.next.is_some() || !page.missing_lanes.is_empty())
}

/// Shows that there is no such subject, and which others may be meant.
pub(super) async fn unknown(visit: &Visit, subject: &Subject) -> Answer {
    let newest = visit.api.list(&ListQuery::new("").limit(READ)).await?;
    let known: BTreeSet<String> = newest
        .tokens
        .iter()
        .filter_map(|token| Some(token.subject.as_ref()?.to_string()))
        .collect();
    let candidates = candidates(subject.as_str(), &known);
    let checks = candidates.iter().map(|candidate| async {
        let filter = Filter::new().subject(candidate.as_str());
        let page = visit.api.list(&ListQuery::new(filter.to_string()).limit(1)).await;
        page.is_ok_and(|page| !page.tokens.is_empty())
    });
    let exists = join_all(checks).await;
    let meant: Vec<_> =
        candidates.iter().zip(exists).filter(|(_, exists)| *exists).map(|(it, _)| it).collect();
    let command =
        format!("keyfob list {}", quoted(&Filter::new().subject(subject.clone()).to_string()));
    let body = html! {
        (heading(subject))
        p { strong { "There is no token of this subject." } " A subject is found by the whole of it, as it was issued." }
        @if !meant.is_empty() {
            p { "Did you mean:" }
            ul.choices { @for subject in &meant { li { (owner::subject(subject, 80)) } } }
        } @else if !known.is_empty() {
            p { "Subjects look like this here:" }
            ul.choices {
                @for subject in known.iter().take(MAX_OFFERED) {
                    li { (owner::subject(subject, 80)) }
                }
            }
        }
        p { "From a shell:" }
        (copyable(&command))
    };
    Ok(Page::new(Section::Tokens, "No such subject", body).into())
}

/// Returns the subjects that may be meant: known ones that contain what was typed, and those that have it
/// where a known one has a number, such as `user-4711` for `4711`.
fn candidates(typed: &str, known: &BTreeSet<String>) -> Vec<String> {
    let lower = typed.to_lowercase();
    let mut found = Vec::new();
    for subject in known {
        let is_near = subject.to_lowercase().contains(&lower);
        let prefix = subject.trim_end_matches(|c: char| c.is_ascii_digit());
        let by_number =
            typed.bytes().all(|byte| byte.is_ascii_digit()) && prefix.len() < subject.len();
        let candidate = match (is_near, by_number) {
            (true, _) => subject.clone(),
            (false, true) => format!("{prefix}{typed}"),
            (false, false) => continue,
        };
        if candidate != typed && !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    found.truncate(MAX_OFFERED);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_tried_where_others_have_one() {
        let known = ["user-17", "user-18", "svc-billing", "alice"].map(str::to_owned).into();
        assert_eq!(candidates("4711", &known), ["user-4711"]);
        assert_eq!(candidates("ALI", &known), ["alice"]);
        assert!(candidates("bob", &known).is_empty());
    }
}
