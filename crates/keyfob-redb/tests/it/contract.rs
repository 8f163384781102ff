//! The contract of every store.

use std::sync::Arc;

use keyfob::{LaneCount, ManualClock};
use keyfob_redb::Options;
use keyfob_testkit::contract::{Setup, Time};

async fn one_lane() -> Setup {
    setup(LaneCount::ONE)
}

async fn eight_lanes() -> Setup {
    setup(LaneCount::new(8).unwrap())
}

fn setup(lanes: LaneCount) -> Setup {
    let clock = ManualClock::at("2026-11-24T08:30:00Z".parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new().lanes(lanes).clock(Arc::new(clock.clone()));
    let store = options.open(folder.path().join("keyfob.redb")).unwrap();
    Setup::new(Arc::new(store), Time::Manual(clock)).keeping(folder)
}

mod with_one_lane {
    keyfob_testkit::store_contract!(crate::contract::one_lane);
}

mod with_eight_lanes {
    keyfob_testkit::store_contract!(crate::contract::eight_lanes);
}
