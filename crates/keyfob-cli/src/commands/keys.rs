//! `keys`: manages the key ring in its file. `reseal` has a file of its own.

use std::collections::BTreeMap;

use keyfob::clock::{Clock, SystemClock};
use keyfob::random::OsRandom;
use keyfob::seal::{KeyInfo, KeyRing, KeyVersion, NewKey};
use keyfob_keys::FileKeys;
use serde::Serialize;

use super::reseal;
use crate::args::{KeysCommand, Settings};
use crate::context::Context;
use crate::failure::Failure;
use crate::key_source::KeySource;
use crate::output::Output;
use crate::table::Column;

const COLUMNS: [Column; 5] = [
    Column::whole("KEY"),
    Column::whole("STATE"),
    Column::whole("CREATED"),
    Column::whole("TERMS"),
    Column::whole("RECORDS"),
];

const PLAINTEXT_REMNANTS: &str = "data that was written before sealing may remain in free pages of the store's \
    file, in append-only files, on replicas and in backups. See docs/sealing.md";

/// A change of a key, as JSON.
#[derive(Serialize)]
struct KeyChange {
    key: u16,
    outcome: &'static str,
}

/// A key in a list, as JSON.
#[derive(Serialize)]
struct KeyView {
    key: u16,
    state: &'static str,
    created: Option<String>,
    terms: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
}

/// Runs a command that needs no store.
pub(super) async fn without_store(
    command: &KeysCommand,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let source = source(settings)?;
    match command {
        KeysCommand::Generate { terms, bare } => generate(*terms, *bare, source, output)?,
        KeysCommand::Activate { key } => {
            let file = ring_file(source)?;
            let mut change = file.change()?;
            change.ring.activate(*key)?;
            change.commit()?;
            let line = format!("key {key} is active. Distribute the ring to every node");
            report(line, *key, "activated", output)?;
        }
        _ => list(&source.ring().await?, None, output)?,
    }
    output.flush()
}

/// Runs a command that reads the store, or changes which keys it accepts.
pub(super) async fn with_store(
    command: &KeysCommand,
    settings: &Settings,
    context: &mut Context,
) -> Result<(), Failure> {
    let source = source(settings)?;
    let (interrupt, manager) = (context.interrupt.clone(), context.manager()?);
    match command {
        KeysCommand::Reseal { resume } => reseal::run(resume.clone(), context).await,
        KeysCommand::Retire { key } => {
            let file = ring_file(source)?;
            let mut change = file.change()?;
            let retire = async { Ok(manager.retire_key(&mut change.ring, *key).await?) };
            interrupt.or(retire).await?;
            change.commit()?;
            let line = format!("key {key} is retired. Distribute the ring to every node");
            report(line, *key, "retired", &mut context.output)?;
            if key.is_plaintext() {
                context.output.note("remnants", PLAINTEXT_REMNANTS);
            }
            Ok(())
        }
        _ => {
            let ring = source.ring().await?;
            let count = async { Ok(manager.count_by_key().await?) };
            let counts = interrupt.or(count).await?;
            list(&ring, Some(&counts), &mut context.output)
        }
    }
}

fn source(settings: &Settings) -> Result<&KeySource, Failure> {
    settings.keys.as_ref().ok_or_else(|| Failure::Usage {
        code: "usage",
        message: "no key ring is given. Name its file with --keys or KEYFOB_KEYS".into(),
        details: String::new(),
    })
}

/// The file of the ring, which the command changes.
fn ring_file(source: &KeySource) -> Result<&FileKeys, Failure> {
    source.file().ok_or_else(|| Failure::Usage {
        code: "usage",
        message: "only a key ring in a file can be changed. Name one with --keys FILE".into(),
        details: String::new(),
    })
}

fn generate(
    terms: bool,
    bare: bool,
    source: &KeySource,
    output: &mut Output,
) -> Result<(), Failure> {
    let (file, now) = (ring_file(source)?, SystemClock.now());
    if !file.path().exists() {
        let ring = KeyRing::generate(now, &OsRandom)?;
        let ring = if bare { ring.allowing_plaintext() } else { ring };
        file.create(&ring)?;
        let line = format!("created a new ring. Key {} is active", ring.active());
        return report(line, ring.active(), "generated", output);
    }
    if bare {
        return Err(Failure::Usage {
            code: "usage",
            message: "the key ring already exists. --bare is only for a new ring".into(),
            details: String::new(),
        });
    }
    let mut change = file.change()?;
    let what = if terms { NewKey::SealingAndTerms } else { NewKey::Sealing };
    let key = change.ring.add(what, now, &OsRandom)?;
    change.commit()?;
    let line = format!(
        "added key {key}, which only reads. Distribute the ring to every node, then activate it"
    );
    report(line, key, "generated", output)
}

fn report(
    line: String,
    key: KeyVersion,
    outcome: &'static str,
    output: &mut Output,
) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(&KeyChange { key: key.value(), outcome });
    }
    output.line(line)
}

fn list(
    ring: &KeyRing,
    counts: Option<&BTreeMap<KeyVersion, u64>>,
    output: &mut Output,
) -> Result<(), Failure> {
    let records = |key: KeyVersion| counts.map(|counts| counts.get(&key).copied().unwrap_or(0));
    if output.is_json() {
        return ring.keys().try_for_each(|key| output.object(&listed(key, records(key.number))));
    }
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let rows: Vec<Vec<String>> = ring
        .keys()
        .map(|key| {
            let KeyView { key, state, created, terms, records } = listed(key, records(key.number));
            let terms = terms.map(|terms| terms.to_string());
            let records = records.map(|records| records.to_string());
            vec![
                key.to_string(),
                state.to_owned(),
                or_dash(created),
                or_dash(terms),
                or_dash(records),
            ]
        })
        .collect();
    output.rows(&COLUMNS, &rows)?;
    let unknown = |(key, _): &(&KeyVersion, &u64)| !ring.keys().any(|info| info.number == **key);
    for (key, count) in counts.into_iter().flatten().filter(unknown) {
        let message =
            format!("{count} records are sealed with key {key}, which is not in the ring");
        output.note("key_missing", message);
    }
    Ok(())
}

fn listed(key: KeyInfo, records: Option<u64>) -> KeyView {
    KeyView {
        key: key.number.value(),
        state: key.state.as_str(),
        created: key.created.map(|at| at.to_string()),
        terms: key.terms,
        records,
    }
}
