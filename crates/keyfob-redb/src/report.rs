//! What a store says of itself.

use std::fs;
use std::sync::atomic::Ordering;

use keyfob_store::{Severity, StoreError, StoreReport};
use redb::ReadableTableMetadata;

use crate::shared::Shared;
use crate::{foundation, tables};

pub(crate) fn of(shared: &Shared) -> Result<StoreReport, StoreError> {
    let now = shared.clock.now();
    let description = format!("redb file {}", shared.path.display());
    let mut report = StoreReport::new(description, now);
    let records =
        shared.read(|transaction| Ok(transaction.open_table(tables::RECORDS)?.len()?))?;
    let advice = "every write is on disk, by two syncs, before it is acknowledged";
    report.find(Severity::Good, "durability", advice);
    report.find(Severity::Good, "format", format!("version {}", foundation::FORMAT));
    report.find(Severity::Good, "records", records.to_string());
    let lanes = shared.lanes().get().to_string();
    report.find(Severity::Good, "lanes", lanes);
    let tally = &shared.tally;
    let commits = tally.commits.load(Ordering::Relaxed);
    let commands = tally.commands.load(Ordering::Relaxed);
    report.find(Severity::Good, "commits", format!("{commits} for {commands} commands"));
    match fs::metadata(&shared.path) {
        Ok(found) => {
            report.find(Severity::Good, "size", format!("{} bytes", found.len()));
            permissions(&found, &mut report);
        }
        Err(error) => {
            let advice = format!("the file is gone ({error}): stop, and restore it from a backup");
            report.find(Severity::Fault, "file", advice);
        }
    }
    Ok(report)
}

#[cfg(unix)]
fn permissions(found: &fs::Metadata, report: &mut StoreReport) {
    let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777;
    if mode & 0o077 == 0 {
        report.find(Severity::Good, "permissions", "only its owner may read the file");
    } else {
        let advice = format!("others than its owner may open the file ({mode:o}): chmod 600 it");
        report.find(Severity::Warning, "permissions", advice);
    }
}

#[cfg(not(unix))]
fn permissions(_: &fs::Metadata, _: &mut StoreReport) {}
