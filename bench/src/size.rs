//! How large a run is: whole, or a smoke of it.

/// The size of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Size {
    /// What the targets are stated for.
    Whole,
    /// A minute that shows that everything works. Its figures mean little.
    Quick,
}

impl Size {
    /// How many tokens, where a whole run has so many.
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
