//! The contract of every store.

use std::sync::Arc;

use keyfob::{LaneCount, ManualClock};
use keyfob_redb::Options;
use keyfob_testkit::contract::{Setup, Time};
use tempfile::TempDir;

async fn one_lane() -> Setup {
    setup(LaneCount::ONE, tempfile::tempdir().unwrap())
}

async fn eight_lanes() -> Setup {
    setup(LaneCount::new(8).unwrap(), tempfile::tempdir().unwrap())
}

/// The same in memory, where there is a file system for it: what hundreds of runs are about is the
/// answers, and a disk would make most of their time.
async fn eight_lanes_in_memory() -> Setup {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    setup(LaneCount::new(8).unwrap(), folder)
}

fn setup(lanes: LaneCount, folder: TempDir) -> Setup {
    let clock = ManualClock::at("2026-11-24T08:30:00Z".parse().unwrap());
    let options = Options::new().lanes(lanes).clock(Arc::new(clock.clone()));
    let store = options.open(folder.path().join("keyfob.redb")).unwrap();
    Setup::new(Arc::new(store), Time::Manual(clock)).keeping(folder)
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

/// Random runs of everything at once, held against the contract as plain maps.
#[test]
fn random_runs_agree_with_the_model() {
    keyfob_testkit::prop::model_agrees(eight_lanes_in_memory);
}
