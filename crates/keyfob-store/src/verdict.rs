//! Stamps, epochs, and what they say about a record.

use super::Stamp;
use keyfob_core::namespace::EpochField;
use keyfob_core::time::{Timestamp, Ttl};

/// The fields whose epochs a record answers to. The epoch of everything is always one of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Epochs {
    /// The subject's.
    pub subject: Option<EpochField>,
    /// The client's.
    pub client: Option<EpochField>,
    /// Those of the tokens that it descends from, in the order of the token's ancestors; at most
    /// [`Epochs::MAX_ANCESTORS`].
    pub ancestors: Vec<EpochField>,
}

impl Epochs {
    /// The most ancestors that a token may have.
    pub const MAX_ANCESTORS: usize = 8;

    /// Every field with what it stands for, in the order in which a verdict looks at them.
    pub fn fields(&self) -> impl Iterator<Item = (MarkScope, Option<EpochField>)> + '_ {
        let ancestors = self.ancestors.iter().enumerate();
        std::iter::once((MarkScope::All, None))
            .chain(self.client.map(|field| (MarkScope::Client, Some(field))))
            .chain(self.subject.map(|field| (MarkScope::Subject, Some(field))))
            .chain(ancestors.map(|(n, field)| (MarkScope::Ancestor(n as u8), Some(*field))))
    }
}

/// An epoch: the value of the sequence at which everything before was revoked, with the when and
/// the why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Epoch {
    /// A record with a stamp below this is revoked.
    pub stamp: Stamp,
    /// When.
    pub at: Timestamp,
    /// Reason and actor, unread.
    pub note: Vec<u8>,
}

/// Through what a record was revoked, as a store sees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MarkScope {
    /// Its own tombstone.
    Token,
    /// The ancestor at this place in [`Epochs::ancestors`].
    Ancestor(u8),
    /// The epoch of its subject.
    Subject,
    /// The epoch of its client.
    Client,
    /// The epoch of everything.
    All,
}

/// The mark of a revocation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevocationMark {
    /// Through what.
    pub through: MarkScope,
    /// When.
    pub at: Timestamp,
    /// Reason and actor, unread.
    pub note: Vec<u8>,
}

/// What a record's tombstone and epochs say about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing.
    Clear,
    /// It is revoked.
    Revoked(RevocationMark),
    /// The store lost epochs that may have covered it; it must be refused.
    Damaged,
}

impl Epoch {
    /// How long an epoch is kept at least, even if nothing that it covers is stored: a login that
    /// saw a stamp before it must still find it when it comes to insert.
    pub const KEPT_AT_LEAST: Ttl = Ttl::from_hours(1);
}

impl Verdict {
    /// The verdict on a record.
    ///
    /// `sequence` is the birth and the present value of its lane's sequence, `None` if the lane has
    /// none, which while it holds a record means that it was lost. `epoch` looks one field up;
    /// `None` asks for the epoch of everything.
    pub fn of(
        stamp: Stamp,
        tombstone: Option<RevocationMark>,
        epochs: &Epochs,
        sequence: Option<(Stamp, Stamp)>,
        mut epoch: impl FnMut(Option<EpochField>) -> Option<Epoch>,
    ) -> Self {
        if let Some(mark) = tombstone {
            return Self::Revoked(mark);
        }
        let above = epochs.fields().filter_map(|(through, field)| {
            Some((through, epoch(field).filter(|epoch| epoch.stamp > stamp)?))
        });
        // The first revocation is the one that is told, whatever came over it later.
        if let Some((through, epoch)) = above.min_by_key(|(_, epoch)| epoch.stamp) {
            return Self::Revoked(RevocationMark { through, at: epoch.at, note: epoch.note });
        }
        match sequence {
            Some((birth, value)) if birth <= stamp && stamp <= value => Self::Clear,
            _ => Self::Damaged,
        }
    }

    /// Whether there is nothing against the record.
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
    fn of_several_epochs_the_first_is_told() {
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
        assert_eq!(verdict(10, None, Some((20, 20))), Verdict::Damaged, "it began anew since");
        assert_eq!(verdict(10, None, Some((5, 9))), Verdict::Damaged, "it was rolled back");
    }
}
