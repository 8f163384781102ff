//! The size of a run: whole, or a smoke test.

/// The size of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Size {
    /// The size that the targets are stated for.
    Whole,
    /// A minute to see that everything works. Its figures mean little.
    Quick,
}

impl Size {
    /// Returns the number of tokens for one of a whole run.
    pub(crate) fn tokens(self, whole: u64) -> u64 {
        match self {
            Self::Whole => whole,
            Self::Quick => (whole / 50).clamp(2_000, 20_000),
        }
    }

    /// How many operations in a round.
    pub(crate) fn operations(self, whole: usize) -> usize {
        match self {
            Self::Whole => whole,
            Self::Quick => (whole / 10).max(50),
        }
    }

    /// How many rounds.
    pub(crate) fn rounds(self, whole: usize) -> usize {
        match self {
            Self::Whole => whole,
            Self::Quick => 3,
        }
    }
}
