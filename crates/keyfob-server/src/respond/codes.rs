//! The codes of problem documents, by status. The OpenAPI document lists them.
//!
//! Most are those of `keyfob`'s errors, with the status of their class. To a client of a gateway the code
//! gives no reason: it is that of the class, by [`ErrorResponse`](keyfob_tower::ErrorResponse). A build with debug assertions
//! checks each problem document that it writes against this list.

/// The codes of each status. A code may have several.
const BY_STATUS: &[(u16, &[&str])] = &[
    (
        400,
        &[
            "chain_widened",
            "cost_above_burst",
            "empty_filter",
            "invalid_demands",
            "invalid_filter",
            "invalid_json",
            "invalid_parameter",
            "invalid_query",
            "invalid_request",
            "invalid_value",
            "jwt_lives_too_long",
            "no_issuer",
            "no_jwt_keys",
            "no_nats",
            "no_proofs",
            "not_a_jwt",
            "not_at_edge",
            "nothing_to_change",
            "proof_and_key",
            "superseded",
            "token_or_id",
            "too_large",
            "too_many_items",
            "unknown_chain",
            "unknown_parameter",
        ],
    ),
    (
        401,
        &[
            "ahead_of_store",
            "assertion_audience",
            "assertion_client",
            "assertion_critical",
            "assertion_expired",
            "assertion_id",
            "assertion_in_future",
            "assertion_key",
            "assertion_lives_too_long",
            "assertion_malformed",
            "assertion_type",
            "assertion_used",
            "confirmation_mismatch",
            "device_mismatch",
            "family_ended",
            "invalid_audience",
            "invalid_client",
            "invalid_dpop_proof",
            "invalid_issuer",
            "invalid_kind",
            "invalid_signature",
            "invalid_token",
            "missing_claim",
            "refused_in_window",
            "reuse_detected",
            "superseded",
            "token_damaged",
            "token_exhausted",
            "token_expired",
            "token_malformed",
            "token_not_yet_valid",
            "token_revoked",
            "token_too_old",
            "token_unknown",
            "unauthenticated",
            "use_dpop_nonce",
            "wrong_presenter",
        ],
    ),
    (
        403,
        &[
            "access_denied",
            "beyond_bounds",
            "confined_to_audiences",
            "disabled_by_administrator",
            "insufficient_scope",
            "too_many_streams",
        ],
    ),
    (
        404,
        &[
            "no_github_keys",
            "no_issuer",
            "no_jwt_keys",
            "no_keys",
            "no_limits",
            "no_metrics",
            "not_found",
            "stream_not_found",
            "token_not_found",
            "unknown_resource",
            "unknown_status_list",
            "webhook_not_found",
        ],
    ),
    (405, &["method_not_allowed"]),
    (408, &["timed_out"]),
    (
        409,
        &[
            "idempotency_key_reused",
            "key_in_use",
            "key_retired",
            "key_unknown",
            "not_rotatable",
            "token_ended",
            "too_many_sessions",
        ],
    ),
    (413, &["too_large"]),
    (415, &["unsupported_media_type"]),
    (429, &["limited", "temporarily_unavailable", "throttled", "verified_too_soon"]),
    (
        500,
        &[
            "answer_not_signed",
            "clock_skew",
            "issuer_is_no_url",
            "jwt_not_signed",
            "jwt_without_end",
            "key_retired",
            "list_not_signed",
            "newer_format",
            "no_active_key",
            "not_a_store",
            "not_opened",
            "not_sealed",
            "nothing_issued",
            "parameter_is_no_number",
            "parameter_is_no_word",
            "random_unavailable",
            "record_damaged",
            "route_without_demand",
            "server_error",
            "signing_key_retired",
            "store_in_use",
            "store_misconfigured",
            "store_read_only",
            "store_sealed",
            "token_is_opaque",
            "unserializable_answer",
            "unsupported",
        ],
    ),
    (
        503,
        &[
            "address_unconfirmed",
            "contended",
            "deadline_passed",
            "key_missing",
            "lanes_unreachable",
            "limits_unavailable",
            "namespace_lost",
            "outcome_unknown",
            "overloaded",
            "partly_applied",
            "store_full",
            "store_unavailable",
            "temporarily_unavailable",
        ],
    ),
    (508, &["forwarding_loop"]),
];

/// Returns the codes of a status, in order.
pub(crate) fn of_status(status: u16) -> &'static [&'static str] {
    let found = BY_STATUS.iter().find(|(of, _)| *of == status);
    found.map(|(_, codes)| *codes).unwrap_or_default()
}

/// Returns all codes, in order.
pub(crate) fn all() -> Vec<&'static str> {
    let mut all: Vec<_> = BY_STATUS.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use keyfob::limit::LimitError;
    use keyfob::store::StoreError;
    use keyfob::{Error, ErrorClass, Refusal, Ttl};
    use keyfob_jwt::client_assertion::BadAssertion;
    use keyfob_tower::ErrorResponse;

    use super::*;
    use crate::access::caller::Unauthenticated;
    use crate::respond::failure::Failure;

    #[test]
    fn the_codes_are_in_order_and_none_is_there_twice() {
        for (status, codes) in BY_STATUS {
            assert!(codes.is_sorted_by(|a, b| a < b), "{status}");
        }
        assert!(BY_STATUS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn errors_of_the_library_are_listed_under_the_status_of_their_class() {
        let name = || "calls".parse().unwrap();
        for error in [
            Error::Superseded,
            Error::IdempotencyKeyReused,
            Error::Refused(Refusal::Unknown),
            Error::Refused(Refusal::Audience),
            Error::Store(StoreError::unavailable("away")),
            Error::Store(StoreError::Misconfigured("x".into())),
            Error::Limit(LimitError::CostAboveBurst { policy: name(), cost: 2, burst: 1 }),
        ] {
            let failure = Failure::from(error);
            let codes = of_status(failure.status.as_u16());
            assert!(codes.contains(&&*failure.code), "{failure:?}");
        }
    }

    #[test]
    fn codes_of_client_assertions_are_listed() {
        for bad in BadAssertion::ALL {
            let failure = Failure::from(Unauthenticated::BadAssertion(bad));
            assert_eq!((failure.status.as_u16(), failure.oauth), (401, "invalid_client"));
            assert!(of_status(401).contains(&&*failure.code), "{failure:?}");
        }
    }

    #[test]
    fn codes_for_clients_of_gateways_are_listed() {
        let classes = [
            ErrorClass::InvalidToken,
            ErrorClass::InsufficientScope,
            ErrorClass::AccessDenied,
            ErrorClass::Limited { retry_after: Ttl::from_secs(1) },
            ErrorClass::Contended,
            ErrorClass::Unavailable,
            ErrorClass::Internal,
        ];
        let responses = classes.map(ErrorResponse::new);
        for response in responses.into_iter().chain([ErrorResponse::unauthenticated()]) {
            let codes = of_status(response.status().as_u16());
            assert!(codes.contains(&response.code()), "{response:?}");
        }
    }
}
