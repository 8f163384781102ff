//! The contract of [`Store`](keyfob::Store) as a test suite: one scenario for each rule.
//!
//! A scenario calls only public methods of the store and has the store for itself. So the same suite
//! runs on every store and on every stack of wrappers around one.
//!
//! ```
//! use std::sync::Arc;
//!
//! use keyfob::{LaneCount, ManualClock, MemoryStore, OsRandom};
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
//! Write a `pub(super) async fn name(fixture: Fixture)` in the file of its group, and add its name to
//! the list in this file. The compiler reports a function that is not in the list as unused.

mod advance;
mod consume;
mod count_revocations;
mod counting;
mod event_log;
mod fixture;
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

/// Runs one scenario on a store that `setup` creates for it.
///
/// # Panics
/// If the store breaks the contract, or the scenario takes longer than three minutes.
pub fn run<Creating, Scenario>(
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
        .expect("a runtime");
    runtime.block_on(async {
        let fixture = Fixture::new(setup().await);
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
                            run(setup, crate::contract::$group::$name);
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
    /// The argument is the path of an `async fn() -> Setup` that returns a new, empty store for each
    /// call. See the documentation of the module `contract` for an example. Each scenario has its own
    /// runtime with two threads. The tests are in modules that are named after store methods, so use
    /// the macro in a module of its own.
    store_contract {
        insert {
            a_new_record_has_the_present_stamp
            a_taken_id_stores_nothing
            an_id_is_taken_by_its_local_bytes
            local_bytes_may_repeat_in_another_lane
            several_records_are_stored_together
            all_are_stored_or_none
            the_same_operation_gets_the_same_answer
            a_late_repetition_leaves_the_record_alone
            a_record_past_its_time_is_stored_nowhere
            a_body_that_is_too_large_is_refused
            an_id_is_free_once_its_record_is_forgotten
            of_racers_for_an_id_one_wins
            one_operation_sent_at_once_is_done_once
        }
        load {
            an_unknown_id_is_none
            only_the_exact_id_is_found
            bodies_come_back_byte_for_byte
            everything_stored_comes_back
            a_record_is_there_until_its_time
            a_verdict_names_what_covered_first
            a_lane_that_there_is_not_names_nothing
            a_sequence_starts_at_the_time
        }
        replace {
            the_version_read_is_replaced
            another_version_is_stale
            what_is_revoked_is_ended
            what_is_missing_is_never_created
            nothing_is_prolonged
            added_terms_list_the_record
            the_same_operation_gets_the_same_answer
            a_body_that_is_too_large_is_refused
            of_racers_one_replaces
        }
        reseal {
            the_form_changes_and_nothing_else
            another_version_is_stale
            what_is_missing_is_never_created
            what_is_revoked_stays_revoked
            a_repetition_is_stale
            a_late_reseal_does_nothing
            a_body_that_is_too_large_is_refused
            a_former_term_is_left_by_all
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
            of_racers_as_many_win_as_there_are_uses
            of_racers_for_the_only_use_one_wins
            the_same_operation_takes_one_use
            what_has_no_uses_to_take_is_refused
        }
        counting {
            a_stored_record_is_counted_where_it_says
            a_tally_of_a_client_names_one_of_its_tokens
            the_same_operation_counts_once
            what_is_not_stored_is_not_counted
            of_racers_one_is_counted
            a_moved_end_moves_the_count
            what_is_exhausted_does_not_move
            a_beginning_is_counted_beside_the_end
            what_is_over_is_not_counted
        }
        count_revocations {
            a_client_is_counted_out_in_every_lane
            everything_is_counted_out
            a_subject_is_counted_out_where_it_is_listed
            what_is_not_listed_is_counted_until_its_time
            of_many_the_newest_are_counted_out
            a_cascade_counts_the_descendants_out
        }
        touch {
            the_later_time_wins
            an_unknown_token_is_passed_over
            nothing_else_changes
            nothing_outlives_the_record
        }
        revoke {
            a_tombstone_says_when_and_why
            the_first_is_kept
            what_an_epoch_covers_was_revoked_before
            the_same_operation_gets_the_same_answer
            what_is_missing_is_not_revoked
            a_note_that_is_too_long_is_refused
            a_cascade_covers_the_descendants
            without_a_cascade_the_descendants_live_on
            a_cascade_works_on_what_is_revoked_already
            nothing_is_minted_after_a_cascade
            of_racers_one_is_the_first
        }
        advance {
            of_a_subject
            of_an_ancestor
            of_a_client
            of_everything
            the_same_operation_covers_once
            one_operation_sent_at_once_is_done_once
            a_note_that_is_too_long_is_refused
            the_longest_note_comes_back
            what_was_acknowledged_before_is_dead
            an_empty_lane_can_be_advanced
        }
        stamp {
            a_login_overtaken_by_an_advance_stores_nothing
            a_stamp_that_was_seen_is_kept
            a_stamp_of_a_fresh_lane_is_good
            a_stamp_that_was_never_given_is_refused
            lanes_count_by_themselves
            racing_logins_are_dead_or_later
        }
        operation {
            a_late_insert_does_nothing
            a_late_replacement_does_nothing
            a_late_spend_does_nothing
            a_late_revocation_does_nothing
            a_late_advance_does_nothing
            a_repetition_after_the_deadline_does_nothing
            a_repeated_cascade_covers_once
            operations_are_told_apart
        }
        query {
            every_limit_gives_the_same_list
            a_broad_term_lists_hundreds
            a_broad_term_lists_hundreds_in_a_lane
            a_narrow_term_lists_hundreds
            ties_come_by_id
            a_lane_that_is_named_is_the_only_one
            each_term_lists_its_own
            what_is_listed_is_what_is_loaded
            a_listing_goes_on_from_any_place
            a_count_is_an_upper_bound
            a_listing_misses_nothing_that_stays
        }
        event_log {
            an_unwritten_feed_is_empty
            changes_are_events_in_order
            bodies_come_back_byte_for_byte
            the_two_feeds_are_separate
            a_reader_goes_on_where_it_stopped
            every_limit_gives_the_same_entries
            a_foreign_cursor_does_no_harm
            the_latest_cursor_leads_to_what_comes
            a_reader_that_follows_misses_nothing
        }
        watch {
            trust_comes_soon
            a_revocation_is_told_before_it_returns
            a_replacement_is_told_before_it_returns
            an_epoch_is_told_before_its_advance_returns
            what_ends_nothing_is_not_told
            each_watcher_is_told
            a_watcher_is_let_go
        }
        lifecycle {
            a_report_names_the_store
            a_namespace_does_not_change
            closing_is_harmless
            nothing_comes_back
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
            below_the_floor_nothing_is_written
            the_floor_is_never_lowered
            what_lies_below_the_floor_lives_on
            epochs_hold_above_a_floor
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keyfob::MemoryStore;

    use super::{Setup, Time, scenarios};
    use crate::instrumented_store::InstrumentedStore;

    /// A store that notifies no listener keeps the contract as well.
    async fn without_invalidations() -> Setup {
        let store = InstrumentedStore::new(Arc::new(MemoryStore::new().unwrap()));
        Setup::new(Arc::new(store.without_invalidations()), Time::Real).without_invalidations()
    }

    #[test]
    fn without_invalidations_no_cached_entry_is_trusted() {
        scenarios::watch::trust_comes_soon(without_invalidations);
        scenarios::watch::a_watcher_is_let_go(without_invalidations);
    }
}
