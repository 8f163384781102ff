//! The arguments of `recover`.

use std::path::PathBuf;

use clap::Args;
use keyfob::values::{Actor, Reason};
use keyfob::{RevokeRequest, Timestamp};

const AFTER_HELP: &str = "\
Use it after a store was restored from a backup or a snapshot, or lost its last writes: what was revoked
since then is active again. The input has events as lines of JSON, as an audit log or 'keyfob events'
writes them. Lines that are no revocation are skipped.

A token is revoked as before, with the tokens that were minted from it. For a subject, a client or the
whole store, the tokens are revoked that were issued before that revocation. Each keeps its reason
and its actor. Running it again changes nothing more.

While 'keyfob doctor' has a fault 'rollback', all tokens that are older than the rollback are refused.
'--accept' ends that, and writes the event keyfob.store.rollback_accepted.

Exits with 1 if the input had lines that cannot be read, or has a gap where events were trimmed.

Examples:
  keyfob recover audit.jsonl --dry-run
  keyfob recover audit.jsonl audit.jsonl.2026-11-27T000000Z --since 2026-11-27T22:00:00Z
  keyfob recover audit.jsonl --accept
  keyfob revoke --issued-before 2026-11-28T09:00:00Z      where there is no log";

/// Revoke again what a restored store has forgotten, from an audit log
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RecoverArgs {
    /// Files with events as lines of JSON; - is stdin
    #[arg(required_unless_present = "accept", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Skip events before this time (RFC 3339). Name a time well before the backup was taken
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Timestamp>,

    /// Only count the tokens that would be revoked
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Accept the tokens again that the store refuses since it lost its last writes. After all FILEs were
    /// applied without a gap
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) accept: bool,

    /// The reason to record with --accept
    #[arg(long, value_name = "TEXT", requires = "accept")]
    reason: Option<Reason>,

    /// The actor to record in the event of --accept
    #[arg(long, value_name = "ACTOR", requires = "accept")]
    by: Option<Actor>,
}

impl RecoverArgs {
    /// Who accepts, and why.
    pub(crate) fn acceptance(&self) -> RevokeRequest {
        let request = self.reason.clone().map_or_else(RevokeRequest::default, RevokeRequest::from);
        match self.by.clone() {
            Some(by) => request.by(by),
            None => request,
        }
    }
}
