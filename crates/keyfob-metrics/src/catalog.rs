//! The one list of all metrics. A test compares `docs/metrics.md` with it.

use metrics::{Counter, Gauge, Histogram, Recorder};

use super::labels::*;
use super::measure::{By, MetricInfo, info, register};
use crate::StoreMethod;
use keyfob_core::limit_by::LimitBy;
use keyfob_core::token::Kind;

macro_rules! catalog {
    ($(#[$doc:meta])* $handles:ident: $($field:ident: $measure:ty = $name:literal, $help:literal;)+) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $handles {
            $(#[doc = $help] pub $field: $measure,)+
        }

        impl $handles {
            /// Describes and registers all of them.
            pub(super) fn register(recorder: &dyn Recorder) -> Self {
                Self { $($field: register(recorder, $name, $help),)+ }
            }

            /// Returns the facts about each metric.
            pub(super) fn catalog() -> Vec<MetricInfo> {
                vec![$(info::<$measure>($name, $help)),+]
            }
        }
    };
}

catalog! {
    /// A handle for each metric of a manager.
    Handles:

    tokens_issued: By<Counter, Kind> = "keyfob_tokens_issued_total", "Tokens that were issued.";
    tokens: By<By<Gauge, CountedState>, Kind> = "keyfob_tokens",
        "Stored tokens that have not reached their end, at the last count.";
    revocations: By<Counter, RevocationTarget> = "keyfob_revocations_total",
        "Revocations of one token, or of everything of a subject, a client or a family.";
    sweeps: By<Counter, SweepOutcome> = "keyfob_sweeps_total",
        "Sweeps, which revoke all tokens that match a filter.";
    derivations: By<Counter, Derivation> = "keyfob_derivations_total",
        "Attempts to derive a token from another.";
    api_key_rotations: Counter = "keyfob_api_key_rotations_total",
        "New secrets of API keys.";

    validations: By<By<Counter, MaybeKind>, ValidationOutcome> = "keyfob_validations_total",
        "Validations of bearer tokens, by outcome.";
    proofs: By<Counter, ProofOutcome> = "keyfob_proofs_total",
        "Proofs of possession, by outcome.";
    refreshes: By<Counter, RefreshOutcome> = "keyfob_refreshes_total",
        "Presented refresh tokens, by outcome.";
    sessions: By<Counter, SessionOutcome> = "keyfob_sessions_total",
        "Sessions under a policy: admitted, denied, or ended to make room.";

    cache_lookups: By<Counter, CacheLookup> = "keyfob_cache_lookups_total",
        "Lookups in the cache, by result.";
    cache_fills: Counter = "keyfob_cache_fills_total", "Tokens that were stored in the cache.";
    cache_evictions: Counter = "keyfob_cache_evictions_total",
        "Valid entries that were evicted from the cache.";
    cache_shared_loads: Counter = "keyfob_cache_shared_loads_total",
        "Validations that waited for another load of the same token.";
    cache_foreign_ids: Counter = "keyfob_cache_foreign_ids_total",
        "Bearer tokens that were refused without asking the store, because their id is not of this namespace.";
    cache_flood_holds: Counter = "keyfob_cache_flood_holds_total",
        "Loads that were delayed because of a flood of unknown ids.";
    cache_entries: Gauge = "keyfob_cache_entries", "Tokens in the cache.";
    cache_most_entries: Gauge = "keyfob_cache_most_entries", "Maximum number of tokens in the cache.";
    cache_bytes: Gauge = "keyfob_cache_bytes", "Memory of the cache, in bytes.";

    feed_lanes: By<Gauge, LaneTrust> = "keyfob_feed_lanes",
        "Lanes, by whether the cache may answer for them.";
    feed_confirmed_age: Gauge = "keyfob_feed_confirmed_age_seconds",
        "Age of the last confirmation of the invalidation feed, in the lane where it is oldest.";
    feed_trust_lost: Counter = "keyfob_feed_trust_lost_total",
        "How often a lane lost its trust.";
    feed_invalidations: By<Counter, InvalidationOf> = "keyfob_feed_invalidations_total",
        "Invalidations that the cache received.";

    store_calls: By<By<Counter, StoreOutcome>, StoreMethod> = "keyfob_store_calls_total",
        "Calls of the store, by outcome.";
    store_call_seconds: By<Histogram, StoreMethod> = "keyfob_store_call_seconds",
        "Duration of calls of the store, including retries.";
    store_links_opened: By<Counter, LinkPurpose> = "keyfob_store_links_opened_total",
        "Connections to store servers that were opened.";
    store_links_lost: By<Counter, LinkPurpose> = "keyfob_store_links_lost_total",
        "Connections to store servers that broke or led to the wrong server.";
    store_links_failed: By<Counter, LinkPurpose> = "keyfob_store_links_failed_total",
        "Connections to store servers that could not be opened.";
    store_calls_resent: Counter = "keyfob_store_calls_resent_total",
        "Calls of the store that were retried.";
    store_timeouts: Counter = "keyfob_store_timeouts_total",
        "Commands that a store server did not answer in time.";
    store_feed_interruptions: Counter = "keyfob_store_feed_interruptions_total",
        "Interruptions of a server's invalidation feed.";
    store_route_changes: Counter = "keyfob_store_route_changes_total",
        "Changes of the primaries.";
    store_namespace_lost: Gauge = "keyfob_store_namespace_lost",
        "1 while the store does not hold the namespace that this node opened, else 0.";
    store_namespace_losses: Counter = "keyfob_store_namespace_losses_total",
        "How often this node found that the store no longer holds its namespace.";
    store_address_moves: Counter = "keyfob_store_address_moves_total",
        "How often a new connection by the configured address reached another server.";
    store_address_checks_failed: Counter = "keyfob_store_address_checks_failed_total",
        "New connections by the configured address that did not show which server is there.";
    store_shards_away: Gauge = "keyfob_store_shards_away",
        "Store servers that have not answered for the whole budget, so that calls fail without being sent.";
    store_lanes_rolled_back: Gauge = "keyfob_store_lanes_rolled_back",
        "Lanes whose older tokens are refused, because the store lost its last writes.";
    store_outages: Counter = "keyfob_store_outages_total",
        "How often a store server had not answered for the whole budget.";
    store_calls_not_sent: Counter = "keyfob_store_calls_not_sent_total",
        "Calls that failed without being sent, because the store server was known to be away.";

    seal_operations: By<Counter, SealOperation> = "keyfob_seal_operations_total",
        "Records, notes and entries that were sealed or opened.";
    seal_refused: By<Counter, Unverifiable> = "keyfob_seal_refused_total",
        "Records, notes and entries that could not be opened and were refused.";
    seal_resealed: Counter = "keyfob_seal_resealed_total",
        "Records that were resealed under the active key.";
    seal_records: By<Gauge, Under> = "keyfob_seal_records",
        "Records by the key that they are sealed under, at the last count.";
    seal_active_key: Gauge = "keyfob_seal_active_key",
        "The version of the key that this node seals under.";

    limit_decisions: By<By<Counter, LimitOutcome>, LimitBy> = "keyfob_limit_decisions_total",
        "Decisions of rate limits, by policy type and outcome.";
    limit_leases: Counter = "keyfob_limit_leases_total", "Batches of permits that were leased.";
    limit_leased_permits: Counter = "keyfob_limit_leased_permits_total",
        "Permits that were leased.";
    limit_lapsed_permits: Counter = "keyfob_limit_lapsed_permits_total",
        "Leased permits that expired unused.";
    addresses_throttled: Counter = "keyfob_addresses_throttled_total",
        "Client addresses that were throttled after too many failed attempts.";

    events_delivered: Counter = "keyfob_events_delivered_total",
        "Events that a handler has processed.";
    event_handler_failures: Counter = "keyfob_event_handler_failures_total",
        "Failures of handlers. The same event is delivered again.";
    event_gaps: Counter = "keyfob_event_gaps_total",
        "How often events may have been dropped before a handler received them.";
    event_delay: Histogram = "keyfob_event_delay_seconds",
        "Delay from an event to its delivery to a handler.";
    observations: By<Counter, ObservationOutcome> = "keyfob_observations_total",
        "Observations, by outcome.";
    last_uses: By<Counter, LastUseOutcome> = "keyfob_last_uses_total",
        "Last uses of tokens, by how they were written.";
    clock_jumps: By<Counter, ClockJump> = "keyfob_clock_jumps_total",
        "Jumps of this node's clock by more than a second.";
}

catalog! {
    /// A handle for each metric of a server.
    HttpHandles:

    requests: By<By<Counter, HttpStatus>, HttpRoute> = "keyfob_http_requests_total",
        "Requests of the HTTP server that ended, by route and status.";
    request_seconds: By<Histogram, HttpRoute> = "keyfob_http_request_seconds",
        "Duration of requests, from their head to the head of their answer.";
    requests_in_flight: Gauge = "keyfob_http_requests_in_flight",
        "Requests whose answer has not begun.";
    requests_shed: Counter = "keyfob_http_requests_shed_total",
        "Requests that were answered with 503, because there were too many at the same time.";
    connections: Gauge = "keyfob_http_connections", "Open connections.";
    connections_cut: By<Counter, ConnectionCut> = "keyfob_http_connections_cut_total",
        "Connections that the server closed, by reason.";
    client_assertions: By<Counter, AssertionOutcome> = "keyfob_client_assertions_total",
        "Assertions by which clients authenticated, by outcome.";
    webhook_deliveries: By<Counter, WebhookDelivery> = "keyfob_webhook_deliveries_total",
        "Attempts to send an event to the receiver of a webhook, by outcome.";
    webhook_dead_letters: Gauge = "keyfob_webhook_dead_letters",
        "Deliveries that were given up and are kept, of the webhooks that this process delivers.";
    webhook_oldest_age: Gauge = "keyfob_webhook_oldest_event_age_seconds",
        "Age of the oldest event that is not delivered, of the webhooks that this process delivers.";
    tls_handshakes_failed: Counter = "keyfob_http_tls_handshakes_failed_total",
        "Handshakes of TLS that failed or took too long.";
    reloads: By<Counter, ReloadOutcome> = "keyfob_http_reloads_total",
        "Replacements of certificates, by outcome.";
}
