//! Every label, and every value of it.

use crate::StoreMethod;
use keyfob_core::event::EpochOf;
use keyfob_core::limit_by::LimitBy;
use keyfob_core::rotation::RefreshCase;
use keyfob_core::seal_fault::SealFault;
use keyfob_core::store_error::StoreError;
use keyfob_core::token::Kind;
use keyfob_core::validation::Refusal;

/// A label: a name and a fixed set of values.
pub trait Label: Copy + 'static {
    const NAME: &'static str;
    const ALL: &'static [Self];

    fn as_str(self) -> &'static str;

    /// The index of the value among all.
    fn place(self) -> usize;

    fn info() -> LabelInfo {
        let values = Self::ALL.iter().map(|value| value.as_str()).collect();
        LabelInfo { name: Self::NAME, values }
    }
}

/// A label, and every value of it.
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
            $(#[doc = concat!("`", $text, "`")] $(#[$value_doc])* $value,)+
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
    /// The outcome of a validation: `active`, or the code of the refusal.
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
        /// An application's rule refused it. The rule's own code is not a label value.
        Rule "denied_by_rule",
        /// The store could not answer, and the token was refused.
        Undecided "undecided",
    }

    /// What became of a proof of possession: `accepted`, or the code of what is wrong with it.
    pub ProofOutcome "outcome" {
        Accepted "accepted",
        /// The request needs exactly one proof.
        Header "proof_header",
        Malformed "proof_malformed",
        Type "proof_type",
        Critical "proof_critical",
        Key "proof_key",
        Signature "proof_signature",
        Id "proof_id",
        Method "proof_method",
        Uri "proof_uri",
        TooOld "proof_too_old",
        InFuture "proof_in_future",
        AccessToken "proof_access_token",
        /// It lacks a nonce of this service, or has an old one.
        Nonce "use_dpop_nonce",
        /// It was used before.
        Used "proof_used",
        /// The store of used proofs could not tell.
        Undecided "proof_undecided",
    }

    /// What became of an assertion of a client: `accepted`, or the code of what is wrong with it.
    pub AssertionOutcome "outcome" {
        Accepted "accepted",
        Malformed "assertion_malformed",
        Type "assertion_type",
        Critical "assertion_critical",
        Client "assertion_client",
        Audience "assertion_audience",
        Expired "assertion_expired",
        LivesTooLong "assertion_lives_too_long",
        InFuture "assertion_in_future",
        Id "assertion_id",
        /// It was used before.
        Used "assertion_used",
        /// Its key is not known, is another client's, or has not signed it.
        Key "assertion_key",
        /// Its address had too many failed attempts.
        Throttled "throttled",
        /// The store, or the store of used assertions, could not tell.
        Undecided "assertion_undecided",
    }

    /// What came of an attempt to send an event to a receiver.
    pub WebhookDelivery "outcome" {
        Delivered "delivered",
        /// It is tried again.
        Failed "failed",
        /// It failed, and was the last attempt: the delivery is a dead letter now.
        GivenUp "given_up",
        /// The receiver answered 410: the webhook is disabled.
        Gone "gone",
        /// It was handed to a receiver that polls. It is delivered when the receiver acknowledges it.
        Fetched "fetched",
        /// A receiver that polls reports that it does not accept it: the delivery is a dead letter now.
        Rejected "rejected",
    }

    /// The kind of a token, as far as the bearer token shows it.
    pub MaybeKind "kind" {
        Access "access",
        Refresh "refresh",
        ApiKey "api-key",
        Session "session",
        Unknown "unknown",
    }

    /// What a revocation was aimed at.
    pub RevocationTarget "through" {
        Token "token",
        Family "family",
        Subject "subject",
        Client "client",
        All "all",
        Sweep "sweep",
        /// A session that ended to make room for another.
        SessionLimit "session_limit",
        /// An access token that ended because its refresh token was rotated.
        Rotation "rotation",
        /// A family that ended because its refresh token was reused.
        Reuse "reuse",
    }

    /// The state of a token that has not reached its end.
    pub CountedState "state" {
        Pending "pending",
        Active "active",
        Revoked "revoked",
        Exhausted "exhausted",
    }

    /// How a sweep ended.
    pub SweepOutcome "outcome" {
        Finished "finished",
        Failed "failed",
    }

    /// The result of a lookup in the cache.
    pub CacheLookup "result" {
        /// It has the token.
        Hit "hit",
        /// It knows that there is no such token.
        UnknownHit "unknown_hit",
        /// It has nothing that is current.
        Miss "miss",
    }

    /// Whether a lane is trusted.
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

    /// The outcome of a call of the store.
    pub StoreOutcome "outcome" {
        Ok "ok",
        Unavailable "unavailable",
        OutcomeUnknown "outcome_unknown",
        DeadlinePassed "deadline_passed",
        Damaged "damaged",
        Failed "failed",
    }

    /// The outcome of presenting a refresh token.
    pub RefreshOutcome "case" {
        Rotated "rotated",
        Replayed "replayed",
        RefusedInWindow "refused_in_window",
        ReuseDetected "reuse_detected",
        AheadOfStore "ahead_of_store",
        FamilyEnded "family_ended",
        WrongPresenter "wrong_presenter",
        /// It was not a valid refresh token.
        Refused "refused",
        /// The store could not answer, or the request asked for more than the token allows.
        Failed "failed",
    }

    /// The outcome of deriving a token.
    pub Derivation "outcome" {
        Derived "derived",
        /// It would have had too many ancestors.
        TooDeep "too_deep",
        Refused "refused",
        Failed "failed",
    }

    /// What a session policy decided.
    pub SessionOutcome "outcome" {
        Admitted "admitted",
        Denied "denied",
        Retired "retired",
    }

    /// The outcome of a rate limit.
    pub LimitOutcome "outcome" {
        Admitted "admitted",
        Refused "refused",
        FailedOpen "failed_open",
        FailedClosed "failed_closed",
    }

    /// What became of an observation.
    pub ObservationOutcome "outcome" {
        Written "written",
        /// There were more than the limit for a second.
        LeftOut "left_out",
        /// The store did not accept them.
        Lost "lost",
    }

    /// How a last use was written.
    pub LastUseOutcome "outcome" {
        Written "written",
        /// Another use of the same token was already waiting to be written.
        Coalesced "coalesced",
        /// Written before the request was answered.
        WrittenAtOnce "written_at_once",
        /// The store did not accept it. It is retried.
        Deferred "deferred",
    }

    /// The operation of a route of the HTTP server.
    pub HttpRoute "route" {
        Introspect "introspect",
        Revoke "revoke",
        Token "token",
        Metadata "metadata",
        Jwks "jwks",
        ProtectedResource "protectedResource",
        StatusList "statusList",
        IssueTokens "issueTokens",
        ListTokens "listTokens",
        CountTokens "countTokens",
        GetToken "getToken",
        UpdateToken "updateToken",
        RevokeToken "revokeToken",
        GetTokenHistory "getTokenHistory",
        RotateToken "rotateToken",
        DeriveToken "deriveToken",
        RefreshToken "refreshToken",
        ValidateTokens "validateTokens",
        ExplainToken "explainToken",
        IntrospectTokens "introspectTokens",
        RevokeLeaks "revokeLeaks",
        RevokeGithubLeaks "revokeGithubLeaks",
        RevokeTokens "revokeTokens",
        ReadEvents "readEvents",
        GetStats "getStats",
        GetLimits "getLimits",
        TestLimit "testLimit",
        GetLimitStatus "getLimitStatus",
        GetKeys "getKeys",
        ResealStore "resealStore",
        RetireKey "retireKey",
        CreateWebhook "createWebhook",
        ListWebhooks "listWebhooks",
        GetWebhook "getWebhook",
        UpdateWebhook "updateWebhook",
        DeleteWebhook "deleteWebhook",
        RotateWebhookSecret "rotateWebhookSecret",
        TestWebhook "testWebhook",
        ListDeadLetters "listDeadLetters",
        SendDeadLetter "sendDeadLetter",
        DropDeadLetter "dropDeadLetter",
        TransmitterConfiguration "transmitterConfiguration",
        CreateStream "createStream",
        ReadStreams "readStreams",
        UpdateStream "updateStream",
        ReplaceStream "replaceStream",
        DeleteStream "deleteStream",
        GetStreamStatus "getStreamStatus",
        SetStreamStatus "setStreamStatus",
        AddStreamSubject "addStreamSubject",
        RemoveStreamSubject "removeStreamSubject",
        VerifyStream "verifyStream",
        PollStream "pollStream",
        RecoverRevocations "recoverRevocations",
        AcceptRollback "acceptRollback",
        GetReport "getReport",
        GetCaller "getCaller",
        OpenSession "openSession",
        DescribeEdge "describeEdge",
        EdgeBeat "edgeBeat",
        GetEdgeRecord "getEdgeRecord",
        ConsumeEdgeUse "consumeEdgeUse",
        WriteEdgeFirstUse "writeEdgeFirstUse",
        WriteEdgeUses "writeEdgeUses",
        WriteEdgeObservations "writeEdgeObservations",
        ChargeEdgeLimits "chargeEdgeLimits",
        AuthorizeRequest "authorizeRequest",
        /// What Envoy asks, over gRPC.
        ExtAuthz "extAuthz",
        Health "health",
        Readiness "readiness",
        /// What Envoy asks about the server itself, over gRPC.
        GrpcHealth "grpcHealth",
        Metrics "metrics",
        Openapi "openapi",
        Docs "docs",
        DocsScript "docsScript",
        DocsStyle "docsStyle",
        /// A page of the console.
        Console "console",
        /// No route takes the path or the method.
        Unrouted "unrouted",
    }

    /// How a request of the HTTP server ended.
    pub HttpStatus "status" {
        Success "2xx",
        Redirection "3xx",
        ClientError "4xx",
        ServerError "5xx",
        /// The client went away before there was an answer.
        Cancelled "cancelled",
    }

    /// Why the HTTP server closed a connection.
    pub ConnectionCut "reason" {
        /// The head of a request did not come in time.
        SlowHead "slow_head",
        Idle "idle",
        /// The client did not read an answer.
        SlowReader "slow_reader",
        /// The client cancelled most of its requests.
        Resets "resets",
        /// The server stopped, and a request took too long.
        Drain "drain",
    }

    /// What became of new certificates.
    pub ReloadOutcome "outcome" {
        Replaced "replaced",
        /// They were not right, and those before stay in use.
        Refused "refused",
    }

    /// What was done with sealed bytes.
    pub SealOperation "operation" {
        Sealed "sealed",
        Opened "opened",
        /// It was read as plaintext, because it is not sealed.
        ReadBare "read_bare",
    }

    /// Why stored bytes are refused.
    pub Unverifiable "code" {
        KeyMissing "key_missing",
        NotOpened "not_opened",
        NotSealed "not_sealed",
    }

    /// The key that a record is sealed under.
    pub Under "under" {
        Active "active",
        /// An older key, which is only used for reading.
        Older "older",
        /// None: the record is plaintext.
        Bare "bare",
    }

    /// The direction of a clock jump.
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
    const NAME: &'static str = "method";
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

impl ProofOutcome {
    /// Returns the outcome of a proof that does not count, by the code of what is wrong with it.
    pub fn of_code(code: &str) -> Option<Self> {
        labelled(code)
    }
}

impl AssertionOutcome {
    /// Returns the outcome of an assertion that is not accepted, by the code of what is wrong with it.
    pub fn of_code(code: &str) -> Option<Self> {
        labelled(code)
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
            StoreError::Unavailable { .. }
            | StoreError::Full { .. }
            | StoreError::PartlyApplied { .. }
            | StoreError::LanesUnreachable { .. } => Self::Unavailable,
            StoreError::OutcomeUnknown { .. } => Self::OutcomeUnknown,
            StoreError::DeadlinePassed { .. } => Self::DeadlinePassed,
            StoreError::Corrupt { .. } | StoreError::Unverifiable { .. } => Self::Damaged,
            _ => Self::Failed,
        }
    }
}
