//! The keys that seal the store: which there are, what lies under each, and sealing all again.

mod reseal;

pub(crate) use reseal::submit as reseal;

use keyfob_api::{KeyBody, KeyUse, KeysBody, ResealBody};
use maud::{Markup, html};

use reseal::PATH;

use crate::progress;
use crate::reply::{Answer, Page};
use crate::shell::Section;
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::{ApiCall, copyable};
use crate::widget::{text, time};

/// The kind of the run, for `assets/run.js`.
const RUN: &str = "reseal";

/// Shows the ring. With `count`, the server reads every record.
pub(crate) async fn show(visit: Visit) -> Answer {
    let is_counted = visit.query.has("count");
    let keys = match visit.api.keys(is_counted).await {
        Ok(keys) => keys,
        // The server has no keys, or was built without sealing.
        Err(error) if error.code() == "no_keys" => {
            return Ok(Page::new(Section::Keys, "Sealing keys", unsealed()).into());
        }
        Err(error) => return Err(Trouble::from(error)),
    };
    let body = html! {
        h1 { "Sealing keys" }
        p { "Records are encrypted under the active key before they reach the store. Older keys only open what lies under them." }
        // How many the run has resealed is not said: an address can have any number. The table is the proof.
        @if visit.query.has("done") {
            p role="status" { "The run is over. The table shows what now lies under each key." }
        }
        section.card aria-labelledby="ring" {
            h2 #ring { "The ring" }
            (table(&keys, &visit))
            @if !is_counted {
                form method="get" action=(PATH) {
                    input type="hidden" name="count" value="true";
                    div.actions {
                        button type="submit" { "Count the records under each key" }
                        span.quiet { "Reads every record of the store." }
                    }
                }
            }
        }
        (advice(&keys))
        (reseal_form(&keys))
    };
    let path = if is_counted { "/v1/keys?count=true" } else { "/v1/keys" };
    let words = ["keys", "list"].into_iter().chain(is_counted.then_some("--count"));
    let reseal = ApiCall::send("POST", "/v1/keys/reseal", &ResealBody::default());
    let page = Page::new(Section::Keys, "Sealing keys", body)
        .call(ApiCall::get(path).command(words))
        .call(reseal.command(["keys", "reseal"]));
    Ok(page.into())
}

fn table(keys: &KeysBody, visit: &Visit) -> Markup {
    let is_counted = keys.keys.iter().any(|key| key.records.is_some());
    html! {
        div.scroll tabindex="0" role="region" aria-label="Keys" {
            table {
                thead {
                    tr {
                        th scope="col" { "Key" }
                        th scope="col" { "State" }
                        th scope="col" { "Created" }
                        th scope="col" { "Index key" }
                        @if is_counted { th.number scope="col" { "Records" } }
                    }
                }
                tbody {
                    @for key in &keys.keys {
                        tr {
                            th scope="row" { (name(key.version)) }
                            td { (state(key.state)) }
                            td { (time::ago_or(key.created, visit.now, "–")) }
                            td { @match key.terms { Some(terms) => (terms), None => "–" } }
                            @if is_counted { td.number { (key.records.unwrap_or_default()) } }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the name of a key. Version 0 stands for records that are not sealed.
fn name(version: u16) -> String {
    match version {
        0 => "0 (not sealed)".to_owned(),
        version => version.to_string(),
    }
}

fn state(state: KeyUse) -> Markup {
    let (sign, means) = match state {
        KeyUse::Active => ("●", "seals and opens"),
        KeyUse::Reading => ("○", "only opens"),
        KeyUse::Retired => ("◇", "the store takes no new records under it"),
        KeyUse::Missing => ("✕", "not in the ring of this server"),
        _ => ("", ""),
    };
    html! {
        span.state data-key=(state.as_str()) { span aria-hidden="true" { (sign) } " " (state.as_str()) }
        @if !means.is_empty() { " " span.quiet { (means) } }
    }
}

/// Says what the ring calls for.
fn advice(keys: &KeysBody) -> Markup {
    let records = |key: &&KeyBody| key.records.is_some_and(|records| records > 0);
    let missing = keys.keys.iter().filter(|key| key.state == KeyUse::Missing).find(records);
    let empty = keys.keys.iter().filter(|key| key.state == KeyUse::Reading);
    let mut empty = empty.filter(|key| key.records == Some(0) && Some(key.version) < active(keys));
    html! {
        @if let Some(key) = missing {
            p.wrong role="alert" {
                "Records lie under key " (key.version) ", which this server does not have: it cannot read them. Give it \
                 the whole ring."
            }
        }
        @if let Some(key) = empty.next() {
            section.card aria-labelledby="retire" {
                h2 #retire { "Key " (name(key.version)) " can be retired" }
                p { "No record lies under it any more. Retire it, and give the ring to every server:" }
                (copyable(&format!("keyfob keys retire {}", key.version)))
            }
        }
    }
}

/// Returns the version of the key that seals.
fn active(keys: &KeysBody) -> Option<u16> {
    keys.keys.iter().find(|key| key.state == KeyUse::Active).map(|key| key.version)
}

fn reseal_form(keys: &KeysBody) -> Markup {
    let Some(active) = active(keys) else { return html! {} };
    let counted: Option<Vec<u64>> = keys.keys.iter().map(|key| key.records).collect();
    let others = keys.keys.iter().filter(|key| key.version != active).filter_map(|key| key.records);
    let left = others.sum::<u64>();
    html! {
        section aria-labelledby="reseal" {
            h2 #reseal { "Reseal" }
            form.card method="post" action={ (PATH) "/reseal" } data-run=(RUN) data-run-title={ "key " (active) }
                data-run-counter="resealed" data-run-total=[counted.is_some().then_some(left)]
                data-run-then={ (PATH) "?count=true&done=true" } {
                @match counted {
                    Some(_) if left == 0 => p { "Every record is under key " (active) " already." },
                    Some(_) => p {
                        (text::counted(left, "record")) @if left == 1 { " is" } @else { " are" } " to be sealed under key " (active) "."
                    },
                    None => p { "Seals every record under key " (active) "." },
                }
                p.quiet {
                    "The store stays in use meanwhile. It can be paused, and continued later. Do it after every server has the \
                     ring in which key " (active) " is active."
                }
                div.actions {
                    button.primary[left > 0 || counted.is_none()] type="submit" { "Reseal" }
                }
            }
            (progress::view(RUN, "500 more records"))
        }
    }
}

/// What sealing is, and how to begin, where there are no keys.
fn unsealed() -> Markup {
    html! {
        h1 { "Sealing keys" }
        section.card aria-labelledby="none" {
            h2 #none { "This store is not sealed" }
            p {
                "A sealed store has every record encrypted: who reads the store, its replicas or its backups learns \
                 nothing about subjects, clients and devices. Secrets of tokens are never in the store, sealed or not."
            }
            p { "To begin with a store that is in use, make a ring that also reads what is not sealed:" }
            (copyable("keyfob keys generate --keys /etc/keyfob/keys --bare"))
            p { "Give the ring to every server, and start each with it:" }
            (copyable("keyfob serve --keys /etc/keyfob/keys"))
            p {
                "Then reseal on this page. Keep the ring apart from the store, and keep a backup: without it, a sealed store \
                 cannot be read."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(version: u16, state: KeyUse, records: Option<u64>) -> KeyBody {
        KeyBody { version, state, created: None, terms: None, records }
    }

    #[test]
    fn the_page_says_what_the_ring_calls_for() {
        let done = KeysBody {
            keys: vec![key(1, KeyUse::Reading, Some(0)), key(2, KeyUse::Active, Some(7))],
        };
        assert!(advice(&done).into_string().contains("keyfob keys retire 1"));
        let later = KeysBody {
            keys: vec![key(1, KeyUse::Active, Some(7)), key(2, KeyUse::Reading, Some(0))],
        };
        assert_eq!(advice(&later).into_string(), "", "a key for later");
        let lost = KeysBody {
            keys: vec![key(1, KeyUse::Missing, Some(3)), key(2, KeyUse::Active, Some(7))],
        };
        assert!(advice(&lost).into_string().contains("Records lie under key 1"));
    }

    #[test]
    fn the_run_knows_how_much_there_is_to_do_if_it_was_counted() {
        let keys = |records: fn(u64) -> Option<u64>| KeysBody {
            keys: vec![key(0, KeyUse::Reading, records(5)), key(1, KeyUse::Active, records(7))],
        };
        assert!(reseal_form(&keys(Some)).into_string().contains("data-run-total=\"5\""));
        assert!(!reseal_form(&keys(|_| None)).into_string().contains("data-run-total"));
    }
}
