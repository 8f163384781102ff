//! `keys`: manages the key ring in its file. `reseal` has a file of its own.

use keyfob::clock::{Clock, SystemClock};
use keyfob::random::OsRandom;
use keyfob::seal::{KeyRing, KeyVersion, NewKey};
use keyfob_api::{KeyBody, KeyUse, KeysBody};
use keyfob_keys::FileKeys;
use keyfob_server::bodies;
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
    state: KeyUse,
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
        _ => list(bodies::keys(source.ring().await?.keys(), None), output)?,
    }
    output.flush()
}

/// Runs a command that reads the store, or changes which keys it accepts.
pub(super) async fn with_store(
    command: &KeysCommand,
    settings: &Settings,
    context: &mut Context,
) -> Result<(), Failure> {
    let interrupt = context.interrupt.clone();
    match command {
        KeysCommand::Reseal { resume } => {
            // A server has the ring, and a store is opened with it.
            if !context.backend.is_server() {
                source(settings)?;
            }
            reseal::run(resume.clone(), context).await
        }
        KeysCommand::Retire { key } => {
            let file = ring_file(source(settings)?)?;
            let mut change = file.change()?;
            interrupt.or(context.backend.retire(&mut change.ring, *key)).await?;
            change.commit()?;
            let line = format!("key {key} is retired. Distribute the ring to every node");
            report(line, *key, "retired", &mut context.output)?;
            if key.is_plaintext() {
                context.output.note("remnants", PLAINTEXT_REMNANTS);
            }
            Ok(())
        }
        KeysCommand::List { count } => {
            let mut keys = interrupt.or(context.backend.keys(*count)).await?;
            if let Some(source) = &settings.keys {
                // The ring that is named, with what the store has.
                let counts = keys
                    .keys
                    .iter()
                    .map(|key| (KeyVersion::new(key.version), key.records.unwrap_or_default()));
                let counts = counts.filter(|(_, records)| *records > 0).collect();
                keys = bodies::keys(source.ring().await?.keys(), count.then_some(&counts));
            }
            list(keys, &mut context.output)
        }
        KeysCommand::Generate { .. } | KeysCommand::Activate { .. } => Ok(()),
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

fn list(KeysBody { keys }: KeysBody, output: &mut Output) -> Result<(), Failure> {
    let (missing, keys): (Vec<_>, Vec<_>) =
        keys.into_iter().partition(|key| key.state == KeyUse::Missing);
    if output.is_json() {
        return keys.into_iter().try_for_each(|key| output.object(&KeyView::from(key)));
    }
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let rows: Vec<Vec<String>> = keys
        .into_iter()
        .map(|key| {
            vec![
                key.version.to_string(),
                key.state.as_str().to_owned(),
                or_dash(key.created.map(|at| at.to_string())),
                or_dash(key.terms.map(|terms| terms.to_string())),
                or_dash(key.records.map(|records| records.to_string())),
            ]
        })
        .collect();
    output.rows(&COLUMNS, &rows)?;
    for KeyBody { version, records, .. } in missing {
        let count = records.unwrap_or_default();
        let message =
            format!("{count} records are sealed with key {version}, which is not in the ring");
        output.note("key_missing", message);
    }
    Ok(())
}

impl From<KeyBody> for KeyView {
    fn from(KeyBody { version, state, created, terms, records }: KeyBody) -> Self {
        let created = created.map(|at| at.to_string());
        Self { key: version, state, created, terms, records }
    }
}
