//! The one list of all metrics. `docs/metrics.md` is held to it by a test.

use metrics::{Counter, Gauge, Histogram, Recorder};

use super::labels::*;
use super::measure::{By, MetricInfo, info, register};
use crate::StoreMethod;
use keyfob_core::limit_by::LimitBy;
use keyfob_core::token::Kind;

macro_rules! catalog {
    ($($field:ident: $measure:ty = $name:literal, $help:literal;)+) => {
        /// A handle for each metric.
        #[derive(Debug)]
        pub struct Handles {
            $(pub $field: $measure,)+
        }

        impl Handles {
            /// Describes and registers all of them.
            pub(super) fn register(recorder: &dyn Recorder) -> Self {
                Self { $($field: register(recorder, $name, $help),)+ }
            }

            /// What there is to know of each.
            pub(super) fn catalog() -> Vec<MetricInfo> {
                vec![$(info::<$measure>($name, $help)),+]
            }
        }
    };
}

catalog! {
    tokens_issued: By<Counter, Kind> = "keyfob_tokens_issued_total", "Tokens that were issued.";
    tokens: By<By<Gauge, CountedState>, Kind> = "keyfob_tokens",
        "Tokens whose end has not come, when they were counted last.";
    revocations: By<Counter, RevocationTarget> = "keyfob_revocations_total",
        "Revocations: of one token, or of everything that a subject, a client or a family has.";
    sweeps: By<Counter, SweepOutcome> = "keyfob_sweeps_total",
        "Runs of sweeps, which revoke whatever a filter matches.";
    derivations: By<Counter, Derivation> = "keyfob_derivations_total",
        "Tokens that were to be derived from others.";
    api_key_rotations: Counter = "keyfob_api_key_rotations_total",
        "New secrets for API keys.";

    validations: By<By<Counter, MaybeKind>, ValidationOutcome> = "keyfob_validations_total",
        "Bearers that were validated, by what came of it.";
    refreshes: By<Counter, RefreshOutcome> = "keyfob_refreshes_total",
        "Refresh tokens that were presented, by what came of it.";
    sessions: By<Counter, SessionOutcome> = "keyfob_sessions_total",
        "Sessions under a policy: admitted, denied, or retired to make room.";

    cache_lookups: By<Counter, CacheLookup> = "keyfob_cache_lookups_total",
        "Bearers that were looked up in the cache.";
    cache_fills: Counter = "keyfob_cache_fills_total", "Tokens that were put into the cache.";
    cache_evictions: Counter = "keyfob_cache_evictions_total",
        "Good tokens that had to leave the cache for others.";
    cache_shared_loads: Counter = "keyfob_cache_shared_loads_total",
        "Validations that waited for a load of the same token by somebody else.";
    cache_flood_holds: Counter = "keyfob_cache_flood_holds_total",
        "Loads that were held back because a flood of unknown ids came in.";
    cache_entries: Gauge = "keyfob_cache_entries", "Tokens in the cache.";
    cache_most_entries: Gauge = "keyfob_cache_most_entries", "Tokens that the cache has room for.";
    cache_bytes: Gauge = "keyfob_cache_bytes", "Memory that the cache takes.";

    feed_lanes: By<Gauge, LaneTrust> = "keyfob_feed_lanes",
        "Lanes by whether the cache may answer for them.";
    feed_confirmed_age: Gauge = "keyfob_feed_confirmed_age_seconds",
        "How long ago the feed was confirmed last, in the lane where that is longest ago.";
    feed_trust_lost: Counter = "keyfob_feed_trust_lost_total",
        "How often a lane that was trusted was so no longer.";
    feed_invalidations: By<Counter, InvalidationOf> = "keyfob_feed_invalidations_total",
        "Invalidations that the cache was told of.";

    store_calls: By<By<Counter, StoreOutcome>, StoreMethod> = "keyfob_store_calls_total",
        "Calls of the store, by what came of them.";
    store_call_seconds: By<Histogram, StoreMethod> = "keyfob_store_call_seconds",
        "How long calls of the store took, with all repetitions.";
    store_links_opened: By<Counter, LinkPurpose> = "keyfob_store_links_opened_total",
        "Connections to servers of the store that were opened.";
    store_links_lost: By<Counter, LinkPurpose> = "keyfob_store_links_lost_total",
        "Connections to servers of the store that broke or led to the wrong server.";
    store_links_failed: By<Counter, LinkPurpose> = "keyfob_store_links_failed_total",
        "Connections to servers of the store that could not be opened.";
    store_calls_resent: Counter = "keyfob_store_calls_resent_total",
        "Calls of the store that were tried again.";
    store_timeouts: Counter = "keyfob_store_timeouts_total",
        "Commands that a server of the store did not answer in time.";
    store_feed_interruptions: Counter = "keyfob_store_feed_interruptions_total",
        "How often listening to a server's feed ended and was begun again.";
    store_route_changes: Counter = "keyfob_store_route_changes_total",
        "How often the primaries were found to be others than before.";

    seal_operations: By<Counter, SealOperation> = "keyfob_seal_operations_total",
        "Records, notes and entries that were sealed or opened.";
    seal_refused: By<Counter, Unverifiable> = "keyfob_seal_refused_total",
        "Records, notes and entries that did not open and were not believed.";
    seal_resealed: Counter = "keyfob_seal_resealed_total",
        "Records that were sealed again under the active key.";
    seal_records: By<Gauge, Under> = "keyfob_seal_records",
        "Records by the key that they lie under, when they were counted last.";
    seal_active_key: Gauge = "keyfob_seal_active_key",
        "The number of the key that this node seals under.";

    limit_decisions: By<By<Counter, LimitOutcome>, LimitBy> = "keyfob_limit_decisions_total",
        "Decisions of limits: each that admitted a request, and each that refused one.";
    limit_leases: Counter = "keyfob_limit_leases_total", "Batches of permits that were leased.";
    limit_leased_permits: Counter = "keyfob_limit_leased_permits_total",
        "Permits that were leased.";
    limit_lapsed_permits: Counter = "keyfob_limit_lapsed_permits_total",
        "Leased permits that lapsed before they were of use.";
    addresses_throttled: Counter = "keyfob_addresses_throttled_total",
        "Client addresses that have to wait after too many failed attempts.";

    events_delivered: Counter = "keyfob_events_delivered_total",
        "Events that a handler has taken.";
    event_handler_failures: Counter = "keyfob_event_handler_failures_total",
        "How often a handler failed; it is given the same event again.";
    event_gaps: Counter = "keyfob_event_gaps_total",
        "How often events may have been trimmed before a handler had them.";
    event_delay: Histogram = "keyfob_event_delay_seconds",
        "How long after it happened an event was given to a handler.";
    observations: By<Counter, ObservationOutcome> = "keyfob_observations_total",
        "Observations, by what became of them.";
    last_uses: By<Counter, LastUseOutcome> = "keyfob_last_uses_total",
        "Uses of tokens that were to be written.";
    clock_jumps: By<Counter, ClockJump> = "keyfob_clock_jumps_total",
        "How often the clock of this node was set, or its machine slept, by more than a second.";
}
