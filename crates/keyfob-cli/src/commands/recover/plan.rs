//! The revocations in a log of events.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

use keyfob::values::{Actor, FamilyId, Reason};
use keyfob::{ClientId, Subject, Timestamp, TokenId};
use keyfob_api::revoke::Everything;
use keyfob_api::{LoggedRevocation, LoggedTarget};
use serde::Deserialize;

/// The maximum length of a line in bytes. An event is far shorter.
const MAX_LINE_BYTES: u64 = 1024 * 1024;

const REVOKED: &str = "keyfob.token.revoked";
const EPOCH_ADVANCED: &str = "keyfob.epoch.advanced";
const TRIMMED: &str = "keyfob.events.trimmed";

/// The revocations to apply again, one for each target.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) tokens: BTreeMap<TokenId, Revoked>,
    pub(super) families: BTreeMap<FamilyId, Revoked>,
    pub(super) subjects: BTreeMap<Subject, Revoked>,
    pub(super) clients: BTreeMap<ClientId, Revoked>,
    pub(super) all: Option<Revoked>,
    /// The number of lines that were read.
    pub(super) lines: u64,
    /// The number of lines that are not events.
    pub(super) malformed: u64,
    /// Whether events were trimmed before the log had them.
    pub(super) has_gap: bool,
}

/// When a target was revoked, with the reason and the actor.
#[derive(Clone)]
pub(super) struct Revoked {
    pub(super) at: Timestamp,
    reason: Option<Reason>,
    by: Option<Actor>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    time: Option<Timestamp>,
    subject: Option<TokenId>,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
struct Data {
    by: Option<Actor>,
    reason: Option<Reason>,
    token_subject: Option<Subject>,
    client: Option<ClientId>,
    family: Option<FamilyId>,
    #[serde(default)]
    all: bool,
}

/// The part of a line that is read before the rest: other events have other members.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

impl Revoked {
    fn of(self, target: LoggedTarget) -> LoggedRevocation {
        let Self { at, reason, by } = self;
        LoggedRevocation { target, at, reason, by }
    }
}

impl Plan {
    /// Returns the revocations, those of single tokens first.
    pub(super) fn revocations(self) -> Vec<LoggedRevocation> {
        let tokens = self.tokens.into_iter().map(|(id, it)| it.of(LoggedTarget::Token(id)));
        let families = self.families.into_iter().map(|(id, it)| it.of(LoggedTarget::Family(id)));
        let subjects =
            self.subjects.into_iter().map(|(name, it)| it.of(LoggedTarget::Subject(name)));
        let clients = self.clients.into_iter().map(|(name, it)| it.of(LoggedTarget::Client(name)));
        let all = self.all.into_iter().map(|it| it.of(LoggedTarget::All(Everything)));
        tokens.chain(families).chain(subjects).chain(clients).chain(all).collect()
    }

    /// Adds the revocations of a log. `on_progress` gets the number of bytes that were read.
    pub(super) fn read(
        &mut self,
        mut log: impl BufRead,
        since: Option<Timestamp>,
        mut on_progress: impl FnMut(u64),
    ) -> io::Result<()> {
        let mut line = Vec::new();
        let mut position = 0;
        loop {
            line.clear();
            let read = (&mut log).take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(());
            }
            position += read as u64;
            on_progress(position);
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            self.lines += 1;
            if self.add(&line, since).is_none() {
                self.malformed += 1;
            }
        }
    }

    /// Adds the revocation in a line, if it has one. Returns `None` if the line cannot be read.
    fn add(&mut self, line: &[u8], since: Option<Timestamp>) -> Option<()> {
        let Kind { kind } = serde_json::from_slice(line).ok()?;
        match kind.as_str() {
            TRIMMED => self.has_gap = true,
            REVOKED | EPOCH_ADVANCED => {
                let Line { kind, time, subject, data } = serde_json::from_slice(line).ok()?;
                let at = time?;
                if since.is_some_and(|since| at < since) {
                    return Some(());
                }
                let revoked = Revoked { at, reason: data.reason, by: data.by };
                if kind == REVOKED {
                    // A token keeps its first revocation.
                    self.tokens.entry(subject?).or_insert(revoked);
                } else if let Some(subject) = data.token_subject {
                    keep_latest(self.subjects.entry(subject).or_insert(revoked.clone()), revoked);
                } else if let Some(client) = data.client {
                    keep_latest(self.clients.entry(client).or_insert(revoked.clone()), revoked);
                } else if let Some(family) = data.family {
                    keep_latest(self.families.entry(family).or_insert(revoked.clone()), revoked);
                } else if data.all {
                    keep_latest(self.all.get_or_insert(revoked.clone()), revoked);
                } else {
                    return None;
                }
            }
            // Every event and every observation of keyfob has such a name.
            kind if kind.starts_with("keyfob.") => {}
            _ => return None,
        }
        Some(())
    }
}

/// Keeps the later of two revocations: it covers what the earlier one covers.
fn keep_latest(kept: &mut Revoked, other: Revoked) {
    if kept.at < other.at {
        *kept = other;
    }
}
