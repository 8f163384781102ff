//! Every label, and every value that it can have.

use crate::StoreMethod;
use keyfob_core::event::EpochOf;
use keyfob_core::limit_by::LimitBy;
use keyfob_core::rotation::RefreshCase;
use keyfob_core::seal_fault::SealFault;
use keyfob_core::store_error::StoreError;
use keyfob_core::token::Kind;
use keyfob_core::validation::Refusal;

/// A label: a name, and so many values.
pub trait Label: Copy + 'static {
    const NAME: &'static str;
    const ALL: &'static [Self];

    fn as_str(self) -> &'static str;

    /// Where it stands among all.
    fn place(self) -> usize;

    fn info() -> LabelInfo {
        let values = Self::ALL.iter().map(|value| value.as_str()).collect();
        LabelInfo { name: Self::NAME, values }
    }
}

/// A label, and every value that it can have.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LabelInfo {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: Vec<&'static str>,
}

macro_rules! labels {
    ($($(#[$doc:meta])* $vis:vis $label:ident $name:literal {
        $($(#[$value_doc:meta])* $value:ident $text:literal,)+
    })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        $vis enum $label {
            $($(#[$value_doc])* $value,)+
        }

        impl Label for $label {
            const NAME: &'static str = $name;
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }

            fn place(self) -> usize {
                self as usize
            }
        }
    )+};
}

labels! {
    /// What came of a bearer that was presented: `active`, or the code of the refusal.
    pub ValidationOutcome "outcome" {
        Active "active",
        Malformed "token_malformed",
        Unknown "token_unknown",
        Throttled "throttled",
        Damaged "token_damaged",
        Revoked "token_revoked",
        Exhausted "token_exhausted",
        Expired "token_expired",
        NotYetValid "token_not_yet_valid",
        Kind "invalid_kind",
        Issuer "invalid_issuer",
        Audience "invalid_audience",
        Scope "insufficient_scope",
        TooOld "token_too_old",
        MissingClaim "missing_claim",
        Device "device_mismatch",
        Confirmation "confirmation_mismatch",
        /// A rule of the application. Its code is the application's own, and so no value of a label.
        Rule "denied_by_rule",
        /// That could not be told, and nobody was let in.
        Undecided "undecided",
    }

    /// The kind of a token, where the text of its bearer says so much.
    pub MaybeKind "kind" {
        Access "access",
        Refresh "refresh",
        ApiKey "api-key",
        Session "session",
        Unknown "unknown",
    }

    /// Through what tokens were revoked.
    pub RevocationTarget "through" {
        Token "token",
        Family "family",
        Subject "subject",
        Client "client",
        All "all",
        Sweep "sweep",
        /// A session that had to make room for another.
        SessionLimit "session_limit",
        /// An access token whose refresh token went on.
        Rotation "rotation",
        /// A family whose refresh token had two holders.
        Reuse "reuse",
    }

    /// The state of a token whose end has not come.
    pub CountedState "state" {
        Pending "pending",
        Active "active",
        Revoked "revoked",
        Exhausted "exhausted",
    }

    pub SweepOutcome "outcome" {
        Finished "finished",
        Failed "failed",
    }

    /// What the cache said.
    pub CacheLookup "result" {
        /// It has the token.
        Hit "hit",
        /// It knows that there is no such token.
        UnknownHit "unknown_hit",
        /// It has nothing that may be believed.
        Miss "miss",
    }

    pub LaneTrust "state" {
        Trusted "trusted",
        Distrusted "distrusted",
    }

    /// What was invalidated.
    pub InvalidationOf "what" {
        Record "record",
        Field "field",
        Lane "lane",
    }

    pub StoreOutcome "outcome" {
        Ok "ok",
        Unavailable "unavailable",
        OutcomeUnknown "outcome_unknown",
        DeadlinePassed "deadline_passed",
        Damaged "damaged",
        Failed "failed",
    }

    /// What came of presenting a refresh token.
    pub RefreshOutcome "case" {
        Rotated "rotated",
        Replayed "replayed",
        RefusedInWindow "refused_in_window",
        ReuseDetected "reuse_detected",
        AheadOfStore "ahead_of_store",
        FamilyEnded "family_ended",
        WrongPresenter "wrong_presenter",
        /// It was not a good refresh token.
        Refused "refused",
        /// That could not be told, or more was asked for than it allows.
        Failed "failed",
    }

    pub Derivation "outcome" {
        Derived "derived",
        /// The line of descent would have been too long.
        TooDeep "too_deep",
        Refused "refused",
        Failed "failed",
    }

    pub SessionOutcome "outcome" {
        Admitted "admitted",
        Denied "denied",
        Retired "retired",
    }

    pub LimitOutcome "outcome" {
        Admitted "admitted",
        Refused "refused",
        FailedOpen "failed_open",
        FailedClosed "failed_closed",
    }

    pub ObservationOutcome "outcome" {
        Written "written",
        /// There were more than are taken in a second.
        LeftOut "left_out",
        /// The store did not take them.
        Lost "lost",
    }

    pub LastUseOutcome "outcome" {
        Written "written",
        /// Another use of the same token was waiting to be written.
        Coalesced "coalesced",
        /// Written before the request was answered.
        WrittenAtOnce "written_at_once",
        /// The store did not take it: it is tried again.
        Deferred "deferred",
    }

    /// What was sealed, or opened again.
    pub SealOperation "operation" {
        Sealed "sealed",
        Opened "opened",
        /// It was read as it was: it is not sealed.
        ReadBare "read_bare",
    }

    /// Why stored bytes are not believed.
    pub Unverifiable "code" {
        KeyMissing "key_missing",
        NotOpened "not_opened",
        NotSealed "not_sealed",
    }

    /// Under which key a record lies.
    pub Under "under" {
        Active "active",
        /// Under a key that is only read with.
        Older "older",
        /// Under none.
        Bare "bare",
    }

    pub ClockJump "direction" {
        Forward "forward",
        Back "back",
    }

    /// What a connection to a server is for.
    pub LinkPurpose "purpose" {
        /// Calls.
        Calls "calls",
        /// Calls that wait for replicas.
        Waits "waits",
        /// The invalidation feed.
        Feed "feed",
        /// Finding out which server is the primary.
        Topology "topology",
    }
}

impl Label for Kind {
    const NAME: &'static str = "kind";
    const ALL: &'static [Self] = &Kind::ALL;

    fn as_str(self) -> &'static str {
        Kind::as_str(self)
    }

    fn place(self) -> usize {
        self as usize
    }
}

impl Label for StoreMethod {
    const NAME: &'static str = "verb";
    const ALL: &'static [Self] = &StoreMethod::ALL;

    fn as_str(self) -> &'static str {
        StoreMethod::as_str(self)
    }

    fn place(self) -> usize {
        self as usize
    }
}

impl Label for LimitBy {
    const NAME: &'static str = "by";
    const ALL: &'static [Self] = &LimitBy::ALL;

    fn as_str(self) -> &'static str {
        LimitBy::as_str(self)
    }

    fn place(self) -> usize {
        self as usize
    }
}

impl From<Option<Kind>> for MaybeKind {
    fn from(kind: Option<Kind>) -> Self {
        match kind {
            Some(Kind::Access) => Self::Access,
            Some(Kind::Refresh) => Self::Refresh,
            Some(Kind::ApiKey) => Self::ApiKey,
            Some(Kind::Session) => Self::Session,
            None => Self::Unknown,
        }
    }
}

impl From<&Refusal> for ValidationOutcome {
    /// The code of a refusal is its label, but for a rule's code, which the application chooses.
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Rule(_) => Self::Rule,
            other => labelled(other.code()).unwrap_or(Self::Undecided),
        }
    }
}

impl From<RefreshCase> for RefreshOutcome {
    fn from(case: RefreshCase) -> Self {
        match case {
            RefreshCase::Rotated => Self::Rotated,
            RefreshCase::Replayed => Self::Replayed,
            RefreshCase::RefusedInWindow => Self::RefusedInWindow,
            RefreshCase::ReuseDetected => Self::ReuseDetected,
            RefreshCase::AheadOfStore => Self::AheadOfStore,
            RefreshCase::FamilyEnded => Self::FamilyEnded,
        }
    }
}

impl From<&EpochOf> for RevocationTarget {
    fn from(of: &EpochOf) -> Self {
        match of {
            EpochOf::Subject(_) => Self::Subject,
            EpochOf::Client(_) => Self::Client,
            EpochOf::Family(_) => Self::Family,
            EpochOf::All => Self::All,
        }
    }
}

impl From<SealFault> for Unverifiable {
    fn from(fault: SealFault) -> Self {
        labelled(fault.code()).unwrap_or(Self::NotOpened)
    }
}

/// Returns the value of a label that has this text.
fn labelled<L: Label>(text: &str) -> Option<L> {
    L::ALL.iter().copied().find(|value| value.as_str() == text)
}

impl From<&StoreError> for StoreOutcome {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } => Self::Unavailable,
            StoreError::OutcomeUnknown { .. } => Self::OutcomeUnknown,
            StoreError::DeadlinePassed { .. } => Self::DeadlinePassed,
            StoreError::Corrupt { .. } | StoreError::Unverifiable { .. } => Self::Damaged,
            _ => Self::Failed,
        }
    }
}
