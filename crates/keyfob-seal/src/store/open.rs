//! Opens what comes out of the store, and counts what does not open.

use std::sync::atomic::{AtomicU64, Ordering};

use super::SealedStore;
use crate::associated_data::AssociatedData;
use crate::cipher::form_of;
use crate::record_binding::RecordBinding;
use crate::sealer::{Opened, Sealer};
use keyfob_core::envelope::{self, is_sealed, key_of as number_of};
use keyfob_core::id::{Lane, TokenId};
use keyfob_core::{KeyVersion, SealFault};
use keyfob_metrics::SealOperation;
use keyfob_store::{
    ClearFields, Entry, Epochs, Feed, Loaded, NewRecord, RevocationMark, Severity, Stamp,
    StoreError, StoreReport, Timestamp, Verdict,
};

/// Returns the clear fields of a record that is not there.
fn no_fields() -> ClearFields {
    let (stamp, keep_until) = (Stamp::new(0), Timestamp::default());
    ClearFields { stamp, keep_until, uses_left: None, epochs: Epochs::default() }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl SealedStore {
    /// Opens a record in place. A record that does not open stays as it is.
    pub(super) fn open_record(
        &self,
        sealer: &Sealer,
        loaded: &mut Loaded,
    ) -> Result<(), StoreError> {
        let lane = loaded.id.lane();
        if let Verdict::Revoked(mark) = &mut loaded.verdict {
            self.open_note(sealer, mark, lane);
        }
        let untrue =
            |integrity| StoreError::Unverifiable { what: loaded.id.to_string(), integrity };
        let opened = self.counted(&loaded.body, sealer.open_record(loaded)).map_err(untrue)?;
        // The version beside the body is for the store; the authentic one is bound into the body.
        loaded.key = opened.under;
        loaded.body = opened.plain;
        Ok(())
    }

    /// Returns the oldest key that a stored record needs: for its body, or for its terms.
    pub fn key_of(loaded: &Loaded) -> KeyVersion {
        number_of(&loaded.body).unwrap_or_default().min(Self::form(loaded))
    }

    /// Returns the key of a stored record's terms.
    pub fn form(loaded: &Loaded) -> KeyVersion {
        form_of(&loaded.body).unwrap_or_default()
    }

    /// Returns whether the clear fields of a stored record are bound to its body.
    pub fn binds_clear_fields(loaded: &Loaded) -> bool {
        envelope::binds_clear_fields(&loaded.body)
    }

    /// Returns the key of a record's terms, and its clear fields. The store is asked only while there are
    /// several term keys, or if the caller did not pass the fields. Resealing counts the version up, so a
    /// write that rests on the answer fails if the key has changed.
    pub(super) async fn stored(
        &self,
        sealer: &Sealer,
        id: TokenId,
        clear: Option<ClearFields>,
    ) -> Result<(KeyVersion, ClearFields), StoreError> {
        if let Some(clear) = clear.clone().filter(|_| !sealer.is_moving()) {
            return Ok((sealer.active(), clear));
        }
        let Some(mut there) = self.inner.load(id).await? else {
            // The store refuses the write, or answers as it did before.
            let clear = clear.unwrap_or_else(no_fields);
            return Ok((sealer.active(), clear));
        };
        let form = sealer.newest_form(Self::form(&there));
        let clear = match clear {
            Some(clear) => clear,
            None => {
                // Clear fields that were changed must not be bound again.
                self.open_record(sealer, &mut there)?;
                there.clear_fields()
            }
        };
        Ok((form, clear))
    }

    /// Returns the content of a stored record.
    pub fn open_body(&self, loaded: &Loaded) -> Result<Vec<u8>, StoreError> {
        let untrue =
            |integrity| StoreError::Unverifiable { what: loaded.id.to_string(), integrity };
        let opened = self.counted(&loaded.body, self.sealer().open_record(loaded));
        opened.map(|opened| opened.plain).map_err(untrue)
    }

    /// Returns the body of the next version of a stored record, with the content that was opened.
    pub fn seal_body(
        &self,
        sealer: &Sealer,
        stored: &Loaded,
        content: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        NewRecord::check_body(content)?;
        let clear = stored.clear_fields();
        let binding = RecordBinding::replaced(stored.version, &clear);
        let form = sealer.active();
        sealer.seal_record(content, stored.id, form, &binding, &mut self.salts(1)?)
    }

    /// Opens a note in place. A revocation is valid even if its note cannot be read.
    pub(super) fn open_note(&self, sealer: &Sealer, mark: &mut RevocationMark, lane: Lane) {
        if mark.note.is_empty() {
            return;
        }
        match self.open(sealer, &mark.note, AssociatedData::note_through(mark.through, lane)) {
            Ok(opened) => mark.note = opened.plain,
            Err(integrity) => {
                if integrity != SealFault::Plaintext {
                    tracing::error!(%integrity, ?lane, "the note of a revocation is left out");
                }
                mark.note.clear();
            }
        }
    }

    /// Opens an entry of a log in place. An entry that does not open stays sealed, and its reader skips
    /// it.
    pub(super) fn open_entry(&self, sealer: &Sealer, feed: Feed, entry: &mut Entry) {
        let about = match feed {
            Feed::Events => AssociatedData::Event(entry.lane),
            Feed::Observations => AssociatedData::Observation(entry.lane),
        };
        match self.open(sealer, &entry.body, about) {
            Ok(opened) => entry.body = opened.plain,
            Err(integrity) => {
                if integrity == SealFault::Plaintext {
                    entry.body.clear();
                    return;
                }
                let (lane, position) = (entry.lane, entry.position);
                tracing::error!(%integrity, ?feed, ?lane, ?position, "an entry does not open");
            }
        }
    }

    /// Returns the finding about the seal for a report.
    pub(super) fn find(&self, report: &mut StoreReport) {
        let sealer = self.sealer();
        let (bare, refused) = (self.plaintext_reads(), self.refused());
        let good = format!("what is written is sealed under key {}", sealer.active());
        report.find(Severity::Good, "sealing", good);
        if refused > 0 {
            let advice = format!(
                "{refused} records or entries did not open and were refused: the log says which; \
                 restore their keys, or look for who writes to the store"
            );
            report.find(Severity::Fault, "sealed records", advice);
        }
        if sealer.allows_plaintext() {
            let advice = format!(
                "plaintext records are accepted ({bare} were read so far), so anyone who can write to \
                 the store can forge tokens: reseal, then retire key {}",
                KeyVersion::PLAINTEXT
            );
            report.find(Severity::Warning, "bare records", advice);
        }
    }

    /// Opens a note or an entry. Plaintext from before is skipped without an alarm, because only records
    /// are resealed.
    fn open(
        &self,
        sealer: &Sealer,
        stored: &[u8],
        about: AssociatedData,
    ) -> Result<Opened, SealFault> {
        match sealer.open(stored, about) {
            Err(SealFault::Plaintext) => Err(SealFault::Plaintext),
            opened => self.counted(stored, opened),
        }
    }

    /// Counts what was opened, and what did not open.
    pub(super) fn counted(
        &self,
        stored: &[u8],
        opened: Result<Opened, SealFault>,
    ) -> Result<Opened, SealFault> {
        let metrics = &self.metrics.handles;
        match &opened {
            Err(integrity) => {
                count(&self.met.untrue);
                metrics.seal_refused.of((*integrity).into()).increment(1);
            }
            Ok(_) if !is_sealed(stored) => {
                count(&self.met.bare);
                metrics.seal_operations.of(SealOperation::ReadBare).increment(1);
            }
            Ok(_) => metrics.seal_operations.of(SealOperation::Opened).increment(1),
        }
        opened
    }
}
