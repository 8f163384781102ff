//! The report of a store for operators: size, durability, file permissions.

use std::fs;
use std::sync::atomic::Ordering;

use keyfob_store::{Severity, StoreError, StoreReport};
use redb::ReadableTableMetadata;

use crate::reserve::{Reserve, State};
use crate::shared::Shared;
use crate::{format, tables};

pub(crate) fn of(shared: &Shared) -> Result<StoreReport, StoreError> {
    let now = shared.clock.now();
    let description = format!("redb file {}", shared.path.display());
    let mut report = StoreReport::new(description, now);
    let records =
        shared.read(|transaction| Ok(transaction.open_table(tables::RECORDS)?.len()?))?;
    let advice = "each write is synced to disk, in two phases, before it is acknowledged";
    report.find(Severity::Good, "durability", advice);
    let advice = "an older copy that is put in the place of this file is not noticed: revoke again what was \
                  revoked since the copy was made ('keyfob recover audit.jsonl'). See docs/recovery.md";
    report.find(Severity::Good, "rollback", advice);
    let version = format::version_of(&shared.namespace);
    report.find(Severity::Good, "format", format!("version {version}"));
    report.find(Severity::Good, "records", records.to_string());
    let lanes = shared.lanes().get().to_string();
    report.find(Severity::Good, "lanes", lanes);
    let counters = &shared.commit_counters;
    let commits = counters.commits.load(Ordering::Relaxed);
    let commands = counters.commands.load(Ordering::Relaxed);
    report.find(Severity::Good, "commits", format!("{commits} for {commands} commands"));
    shared.with_file(|file| {
        if let Some((_, disk)) = file.writable() {
            disk.prepare();
            room(disk.reserve(), &mut report);
        }
        Ok(())
    })?;
    match fs::metadata(&shared.path) {
        Ok(found) => {
            report.find(Severity::Good, "size", format!("{} bytes", found.len()));
            permissions(&found, &mut report);
        }
        Err(error) => {
            let advice =
                format!("the file is missing ({error}): stop, and restore it from a backup");
            report.find(Severity::Fault, "file", advice);
        }
    }
    Ok(report)
}

fn room(reserve: &Reserve, report: &mut StoreReport) {
    let size = reserve.size();
    match reserve.state() {
        State::Whole => {
            let text = format!("{size} bytes are set aside for revocations on a full disk");
            report.find(Severity::Good, "room", text);
        }
        State::Partial(there) => {
            let advice = format!(
                "the disk is full. Only revocations are taken, and {there} of {size} bytes are left for \
                 them: free some space"
            );
            report.find(Severity::Fault, "room", advice);
        }
        State::Impossible(error) => {
            let advice = format!(
                "no room can be set aside for revocations on a full disk ({error}): allow this user to \
                 write to the folder of the store"
            );
            report.find(Severity::Warning, "room", advice);
        }
    }
}

#[cfg(unix)]
fn permissions(found: &fs::Metadata, report: &mut StoreReport) {
    let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777;
    if mode & 0o077 == 0 {
        report.find(Severity::Good, "permissions", "only its owner may read the file");
    } else {
        let advice = format!(
            "other users than the owner can open the file (mode {mode:o}): run chmod 600 on it"
        );
        report.find(Severity::Warning, "permissions", advice);
    }
}

#[cfg(not(unix))]
fn permissions(_: &fs::Metadata, _: &mut StoreReport) {}
