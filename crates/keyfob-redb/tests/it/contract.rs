//! The contract suite, on the embedded store.

use std::sync::Arc;

use keyfob::clock::ManualClock;
use keyfob::random::OsRandom;
use keyfob::seal::SealedStore;
use keyfob::store::LaneCount;
use keyfob::{KeyRing, Timestamp};
use keyfob_redb::{Options, RedbStore};
use keyfob_testkit::contract::{Setup, Time};
use tempfile::TempDir;

async fn one_lane() -> Setup {
    setup(LaneCount::ONE, tempfile::tempdir().unwrap())
}

async fn eight_lanes() -> Setup {
    setup(LaneCount::new(8).unwrap(), tempfile::tempdir().unwrap())
}

/// The same on a file system in memory, if there is one. Hundreds of runs would spend most of their
/// time on the disk, and they test only the answers.
async fn eight_lanes_in_memory() -> Setup {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    setup(LaneCount::new(8).unwrap(), folder)
}

async fn sealed() -> Setup {
    let ring = KeyRing::generate(Timestamp::default(), &OsRandom).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = open(LaneCount::new(8).unwrap(), &folder);
    Setup::new(Arc::new(SealedStore::new(store, &ring)), Time::Manual(clock)).keeping(folder)
}

fn setup(lanes: LaneCount, folder: TempDir) -> Setup {
    let (store, clock) = open(lanes, &folder);
    Setup::new(store, Time::Manual(clock)).keeping(folder)
}

fn open(lanes: LaneCount, folder: &TempDir) -> (Arc<RedbStore>, ManualClock) {
    let clock = ManualClock::new("2026-11-24T08:30:00Z".parse().unwrap());
    let options = Options::new().lanes(lanes).clock(Arc::new(clock.clone()));
    let store = options.open(folder.path().join("keyfob.redb")).unwrap();
    (Arc::new(store), clock)
}

mod sealed_file {
    keyfob_testkit::store_contract!(crate::contract::sealed);
}

mod with_one_lane {
    keyfob_testkit::store_contract!(crate::contract::one_lane);
}

mod keyed {
    keyfob_testkit::key_contract!(crate::contract::eight_lanes);
}

mod with_eight_lanes {
    keyfob_testkit::store_contract!(crate::contract::eight_lanes);
}

/// Random sequences of commands, compared with a model of the contract.
#[test]
fn random_runs_agree_with_the_model() {
    keyfob_testkit::model_test::store_matches_model(eight_lanes_in_memory);
}
