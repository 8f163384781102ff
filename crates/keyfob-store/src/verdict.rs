//! Stamps, epochs, and what they say about a record.

use super::Stamp;
use keyfob_core::namespace::EpochField;
use keyfob_core::time::{Timestamp, Ttl};

/// The fields whose epochs can revoke a record. The epoch of everything always can.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Epochs {
    /// The field of the subject.
    pub subject: Option<EpochField>,
    /// The field of the client.
    pub client: Option<EpochField>,
    /// The fields of the ancestors, in the order of the token's ancestors; at most
    /// [`Epochs::MAX_ANCESTORS`].
    pub ancestors: Vec<EpochField>,
}

impl Epochs {
    /// The maximum number of ancestors.
    pub const MAX_ANCESTORS: usize = 8;

    /// Returns every field with what it stands for, in the order in which a verdict checks them.
    pub fn fields(&self) -> impl Iterator<Item = (MarkScope, Option<EpochField>)> + '_ {
        let ancestors = self.ancestors.iter().enumerate();
        std::iter::once((MarkScope::All, None))
            .chain(self.client.map(|field| (MarkScope::Client, Some(field))))
            .chain(self.subject.map(|field| (MarkScope::Subject, Some(field))))
            .chain(ancestors.map(|(n, field)| (MarkScope::Ancestor(n as u8), Some(*field))))
    }
}

/// An epoch: the value of the sequence below which everything is revoked, with the time and the
/// reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Epoch {
    /// A record with a stamp below this is revoked.
    pub stamp: Stamp,
    /// When it was advanced.
    pub at: Timestamp,
    /// The encoded reason and actor.
    pub note: Vec<u8>,
}

/// What a record's revocation came from, as a store sees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MarkScope {
    /// Its own tombstone.
    Token,
    /// The ancestor at this index of [`Epochs::ancestors`].
    Ancestor(u8),
    /// The epoch of its subject.
    Subject,
    /// The epoch of its client.
    Client,
    /// The epoch of everything.
    All,
}

/// The data of a revocation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevocationMark {
    /// What it came from.
    pub through: MarkScope,
    /// When.
    pub at: Timestamp,
    /// The encoded reason and actor.
    pub note: Vec<u8>,
}

/// What a record's tombstone and epochs say about the record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is not revoked.
    Clear,
    /// It is revoked.
    Revoked(RevocationMark),
    /// The store lost epochs that may have revoked it, so it must be refused.
    Damaged,
}

impl Epoch {
    /// The minimum time to keep an epoch, even if it revokes nothing that is stored. A login that
    /// read a stamp before the epoch must still find it when it inserts its token.
    pub const KEPT_AT_LEAST: Ttl = Ttl::from_hours(1);
}

impl Verdict {
    /// Returns the verdict on a record.
    ///
    /// `sequence` is the birth and the current value of the lane's sequence. It is `None` if the lane has
    /// no sequence, which means that it was lost, because a lane with records has one. `epoch` looks up
    /// one field; `None` asks for the epoch of everything.
    pub fn of(
        stamp: Stamp,
        tombstone: Option<RevocationMark>,
        epochs: &Epochs,
        sequence: Option<(Stamp, Stamp)>,
        epoch: impl FnMut(Option<EpochField>) -> Option<Epoch>,
    ) -> Self {
        Self::with_last_advance(stamp, tombstone, epochs, sequence, epoch).0
    }

    /// Returns the verdict on a record, as [`Verdict::of`] does, and the value of
    /// [`Loaded::last_advance`](crate::Loaded::last_advance) for a record that is not revoked.
    pub fn with_last_advance(
        stamp: Stamp,
        tombstone: Option<RevocationMark>,
        epochs: &Epochs,
        sequence: Option<(Stamp, Stamp)>,
        mut epoch: impl FnMut(Option<EpochField>) -> Option<Epoch>,
    ) -> (Self, Option<Timestamp>) {
        if let Some(mark) = tombstone {
            return (Self::Revoked(mark), None);
        }
        let mut last_advance = None;
        let above = epochs.fields().filter_map(|(through, field)| {
            let epoch = epoch(field)?;
            last_advance = last_advance.max(Some(epoch.at));
            (epoch.stamp > stamp).then_some((through, epoch))
        });
        // The first revocation is reported, whatever revoked the record again later.
        if let Some((through, epoch)) = above.min_by_key(|(_, epoch)| epoch.stamp) {
            let mark = RevocationMark { through, at: epoch.at, note: epoch.note };
            return (Self::Revoked(mark), last_advance);
        }
        let verdict = match sequence {
            Some((birth, value)) if birth <= stamp && stamp <= value => Self::Clear,
            _ => Self::Damaged,
        };
        (verdict, last_advance)
    }

    /// Returns whether the record is neither revoked nor damaged.
    pub fn is_clear(&self) -> bool {
        matches!(self, Self::Clear)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(stamp: u64) -> Option<Epoch> {
        Some(Epoch { stamp: Stamp::new(stamp), at: Timestamp::from_millis(1), note: vec![] })
    }

    fn verdict(stamp: u64, subject_epoch: Option<Epoch>, sequence: Option<(u64, u64)>) -> Verdict {
        let epochs = Epochs { subject: Some(EpochField::from_bytes([1; 8])), ..Epochs::default() };
        let sequence = sequence.map(|(birth, value)| (Stamp::new(birth), Stamp::new(value)));
        Verdict::of(Stamp::new(stamp), None, &epochs, sequence, |field| {
            field.and(subject_epoch.clone())
        })
    }

    #[test]
    fn an_epoch_covers_what_was_stamped_before_it_and_nothing_after() {
        assert!(matches!(verdict(10, epoch(11), Some((10, 11))), Verdict::Revoked(_)));
        assert_eq!(verdict(11, epoch(11), Some((10, 11))), Verdict::Clear);
    }

    #[test]
    fn the_first_of_several_epochs_is_reported() {
        let epochs = Epochs { subject: Some(EpochField::from_bytes([1; 8])), ..Epochs::default() };
        let sequence = Some((Stamp::new(10), Stamp::new(13)));
        let through =
            |all, subject| match Verdict::of(Stamp::new(10), None, &epochs, sequence, |field| {
                epoch(if field.is_some() { subject } else { all })
            }) {
                Verdict::Revoked(mark) => mark.through,
                other => panic!("{other:?}"),
            };
        assert_eq!(through(12, 11), MarkScope::Subject);
        assert_eq!(through(11, 12), MarkScope::All);
    }

    #[test]
    fn lost_epochs_damage_and_never_revive() {
        assert_eq!(verdict(10, None, None), Verdict::Damaged, "the lane's sequence is gone");
        assert_eq!(
            verdict(10, None, Some((20, 20))),
            Verdict::Damaged,
            "the sequence restarted since"
        );
        assert_eq!(verdict(10, None, Some((5, 9))), Verdict::Damaged, "it was rolled back");
    }
}
