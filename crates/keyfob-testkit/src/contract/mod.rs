//! The contract of [`Store`](keyfob::Store) as a test suite: one scenario for each rule.
//!
//! A scenario calls only public methods of the store and has the store for itself. So the same
//! suite runs on every store and on every stack of wrappers around one.
//!
//! ```
//! use std::sync::Arc;
//!
//! use keyfob::clock::ManualClock;
//! use keyfob::random::OsRandom;
//! use keyfob::store::LaneCount;
//! use keyfob::MemoryStore;
//! use keyfob_testkit::contract::{Setup, Time};
//!
//! async fn memory() -> Setup {
//!     let clock = ManualClock::new("2026-11-24T08:30:00Z".parse().unwrap());
//!     let lanes = LaneCount::new(8).unwrap();
//!     let store = MemoryStore::with(lanes, Arc::new(clock.clone()), &OsRandom).unwrap();
//!     Setup::new(Arc::new(store), Time::Manual(clock))
//! }
//!
//! keyfob_testkit::store_contract!(memory);
//! # fn main() {}
//! ```
//!
//! # Adding a scenario
//!
//! Write a `pub(super) async fn name(fixture: Fixture)` in the file of its group, and add its name
//! to the list in this file. The compiler reports a function that is not in the list as unused.

mod advance;
mod consume;
mod count_revocations;
mod counting;
mod documents;
mod event_log;
mod fixture;
mod heads;
mod insert;
mod keys;
mod lifecycle;
mod load;
mod mint;
mod operation;
mod query;
mod replace;
mod reseal;
mod revoke;
mod setup;
mod stamp;
mod touch;
mod watch;

use std::future::Future;
use std::time::Duration;

pub use fixture::Fixture;
pub(crate) use fixture::same_local_bytes;
pub use setup::{Setup, Time};

/// The maximum duration of a scenario. After that the store counts as stuck.
const SCENARIO_TIMEOUT: Duration = Duration::from_secs(180);

/// Runs one scenario of a group on a store that `setup` creates for it. It is skipped if the store
/// lacks the feature that the group tests.
///
/// # Panics
/// If the store breaks the contract, or the scenario takes longer than three minutes.
pub fn run<Creating, Scenario>(
    group: &str,
    setup: impl FnOnce() -> Creating,
    scenario: impl FnOnce(Fixture) -> Scenario,
) where
    Creating: Future<Output = Setup>,
    Scenario: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the runtime can be created");
    runtime.block_on(async {
        let setup = setup().await;
        if !setup.supports(group) {
            return;
        }
        let fixture = Fixture::new(setup);
        let outcome = tokio::time::timeout(SCENARIO_TIMEOUT, scenario(fixture.clone())).await;
        assert!(outcome.is_ok(), "the scenario did not end within {SCENARIO_TIMEOUT:?}");
        fixture.store().close().await;
    });
}

/// Defines, from one list of scenarios, a function for each in the module `scenarios` and a public
/// macro that creates a `#[test]` for each. The first argument is `$`, which the inner macro needs.
macro_rules! scenario_list {
    ($d:tt $(
        $(#[$attribute:meta])*
        $suite:ident { $($group:ident { $($name:ident)+ })+ }
    )+) => {
        #[doc(hidden)]
        pub mod scenarios {
            $($(
                pub mod $group {
                    use std::future::Future;

                    use crate::contract::{Setup, run};

                    $(
                        pub fn $name<F: Future<Output = Setup>>(setup: impl FnOnce() -> F) {
                            run(stringify!($group), setup, crate::contract::$group::$name);
                        }
                    )+
                }
            )+)+
        }

        $(
            $(#[$attribute])*
            #[macro_export]
            macro_rules! $suite {
                ($d setup:path) => {
                    async fn set_up_for_the_contract() -> $crate::contract::Setup {
                        $d setup().await
                    }

                    $(
                        mod $group {
                            $(
                                #[test]
                                fn $name() {
                                    $crate::contract::scenarios::$group::$name(
                                        super::set_up_for_the_contract,
                                    );
                                }
                            )+
                        }
                    )+
                };
            }
        )+
    };
}

scenario_list! { $
    /// Creates one `#[test]` for each scenario of the contract.
    ///
    /// The argument is the path of an `async fn() -> Setup` that returns a new, empty store for
    /// each call. See the documentation of the module `contract` for an example. Each scenario has
    /// its own runtime with two threads. The tests are in modules that are named after store
    /// methods, so use the macro in a module of its own.
    store_contract {
        insert {
            a_new_record_gets_the_current_stamp
            a_taken_id_stores_nothing
            an_id_is_taken_by_its_local_bytes
            local_bytes_may_repeat_in_another_lane
            several_records_are_stored_together
            an_insert_stores_all_records_or_none
            the_same_operation_gets_the_same_answer
            a_late_repetition_changes_nothing
            an_expired_record_is_not_stored
            a_body_that_is_too_large_is_refused
            an_id_is_free_after_its_record_expired
            one_of_many_concurrent_inserts_gets_the_id
            an_operation_sent_concurrently_takes_effect_once
        }
        load {
            an_unknown_id_is_none
            only_the_exact_id_is_found
            bodies_come_back_byte_for_byte
            everything_stored_comes_back
            a_record_is_found_until_it_expires
            a_verdict_reports_the_first_revocation
            an_id_of_an_unknown_lane_is_not_found
            a_sequence_starts_at_the_current_time
        }
        replace {
            the_current_version_is_replaced
            a_different_version_is_stale
            a_revoked_record_is_not_replaced
            a_missing_record_is_never_created
            a_replacement_prolongs_nothing
            added_terms_list_the_record
            the_same_operation_gets_the_same_answer
            a_body_that_is_too_large_is_refused
            one_of_many_concurrent_replacements_wins
        }
        reseal {
            only_the_encoding_changes
            a_different_version_is_stale
            a_missing_record_is_never_created
            a_revoked_record_stays_revoked
            a_repetition_is_stale
            a_late_reseal_does_nothing
            a_body_that_is_too_large_is_refused
            a_former_term_lists_no_record
            no_replacement_is_undone
        }
        mint {
            the_minted_are_stored_in_the_same_step
            a_taken_id_changes_nothing
            a_covered_mint_is_never_stored
            no_mint_escapes_a_cascade
        }
        consume {
            uses_count_down
            a_use_does_not_change_the_version
            concurrent_callers_get_exactly_the_available_uses
            one_of_many_concurrent_callers_gets_the_last_use
            the_same_operation_takes_one_use
            a_record_without_uses_is_refused
        }
        counting {
            a_stored_record_is_counted_in_its_bucket
            the_count_of_a_client_names_a_sample_token
            the_same_operation_counts_once
            a_refused_record_is_not_counted
            one_of_many_concurrent_revocations_is_counted
            a_moved_end_moves_the_count
            an_exhausted_record_keeps_its_bucket
            the_start_of_a_token_is_counted_too
            an_ended_token_is_not_counted
        }
        count_revocations {
            revoking_a_client_is_counted_in_every_lane
            revoking_everything_is_counted
            revoking_a_subject_counts_its_listed_tokens
            an_unlisted_token_is_counted_as_active_until_it_ends
            of_many_tokens_the_newest_are_counted_as_revoked
            a_cascade_counts_descendants_as_revoked
        }
        touch {
            the_later_time_wins
            an_unknown_token_is_skipped
            nothing_else_changes
            a_last_use_does_not_outlive_the_record
        }
        revoke {
            a_tombstone_has_the_time_and_the_note
            the_first_tombstone_is_kept
            a_record_revoked_by_an_epoch_was_revoked_before
            the_same_operation_gets_the_same_answer
            a_missing_record_is_not_revoked
            a_note_that_is_too_long_is_refused
            a_cascade_covers_the_descendants
            without_a_cascade_descendants_stay_active
            a_cascade_works_on_a_revoked_record
            nothing_is_minted_after_a_cascade
            one_of_many_concurrent_revocations_is_first
        }
        advance {
            of_a_subject
            of_an_ancestor
            of_a_client
            of_everything
            the_same_operation_covers_once
            an_operation_sent_concurrently_takes_effect_once
            a_note_that_is_too_long_is_refused
            the_longest_note_comes_back
            all_acknowledged_records_are_revoked
            an_empty_lane_can_be_advanced
        }
        stamp {
            a_login_that_an_advance_overtook_stores_nothing
            a_given_stamp_is_kept
            a_stamp_of_a_new_lane_is_valid
            a_stamp_from_the_future_is_refused
            each_lane_has_its_own_sequence
            a_concurrent_login_is_revoked_or_has_a_later_stamp
        }
        operation {
            a_late_insert_does_nothing
            a_late_replacement_does_nothing
            a_late_consume_does_nothing
            a_late_revocation_does_nothing
            a_late_advance_does_nothing
            a_repetition_after_the_deadline_does_nothing
            a_repeated_cascade_covers_once
            operations_are_independent
        }
        query {
            every_limit_gives_the_same_list
            a_broad_term_lists_hundreds
            a_broad_term_lists_hundreds_in_a_lane
            a_narrow_term_lists_hundreds
            records_of_one_second_are_ordered_by_id
            a_query_for_a_lane_lists_only_that_lane
            each_term_lists_its_own_records
            a_listed_record_equals_the_loaded_one
            a_listing_resumes_from_any_position
            a_count_is_an_upper_limit
            a_listing_under_writes_misses_no_stable_record
        }
        heads {
            every_limit_gives_the_same_heads
            a_head_says_what_decides_the_state
            a_head_says_where_its_record_is_counted
            an_expired_record_has_no_head
            a_term_that_is_added_again_gives_one_head
            heads_under_writes_miss_no_stable_record
        }
        event_log {
            an_unwritten_log_is_empty
            changes_are_events_in_order
            bodies_come_back_byte_for_byte
            events_and_observations_are_separate
            a_reader_resumes_where_it_stopped
            every_limit_gives_the_same_entries
            a_foreign_cursor_does_no_harm
            the_latest_cursor_returns_only_new_entries
            a_following_reader_misses_no_entry
        }
        documents {
            a_document_comes_back
            only_what_was_read_is_changed
            a_deleted_document_is_gone
            a_version_never_comes_back
            the_same_operation_takes_effect_once
            a_late_write_does_nothing
            a_body_that_is_too_large_is_refused
            every_limit_lists_the_same_documents
            one_of_many_concurrent_writers_wins
            no_increment_is_lost
            documents_are_no_tokens
        }
        watch {
            a_new_listener_is_trusted_soon
            a_revocation_notifies_before_it_returns
            a_replacement_notifies_before_it_returns
            an_advance_notifies_before_it_returns
            other_writes_do_not_notify
            each_listener_is_notified
            a_dropped_listener_is_released
        }
        lifecycle {
            a_report_names_the_store
            a_namespace_does_not_change
            closing_is_harmless
            no_revoked_record_becomes_active_again
        }
    }

    /// Creates one `#[test]` for each scenario about key versions. Use it for a store, not for a
    /// wrapper that sets the key versions itself, such as `SealedStore`.
    ///
    /// Its argument is that of `store_contract!`.
    key_contract {
        keys {
            the_key_comes_back_with_the_body
            a_new_namespace_accepts_any_key
            writes_below_the_minimum_are_refused
            the_minimum_is_never_lowered
            records_below_the_minimum_stay_usable
            epochs_work_with_a_minimum_key_version
            documents_below_the_minimum_are_refused
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keyfob::MemoryStore;

    use super::{Setup, Time, scenarios};
    use crate::instrumented_store::InstrumentedStore;

    /// A store without invalidations also passes the contract.
    async fn without_invalidations() -> Setup {
        let store = InstrumentedStore::new(Arc::new(MemoryStore::new().unwrap()));
        Setup::new(Arc::new(store.without_invalidations()), Time::Real).without_invalidations()
    }

    #[test]
    fn without_invalidations_no_cached_entry_is_trusted() {
        scenarios::watch::a_new_listener_is_trusted_soon(without_invalidations);
        scenarios::watch::a_dropped_listener_is_released(without_invalidations);
    }
}
