//! Random runs that compare a store with the [`Model`](crate::model::Model): each answer, each
//! record after each step, and each listing in both orders.
//!
//! A failing run is reduced to the steps that matter. The variable `PROPTEST_CASES` sets the number
//! of runs.

/// Returns a mismatch from the function if the condition is false.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

mod compare;
mod run;
mod step;
#[cfg(test)]
mod tests;

use std::future::Future;

use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::contract::Setup;
use run::ModelRun;
use step::Step;

/// The number of runs on a store with a manual clock.
const RUN_COUNT: u32 = 200;

/// The number of runs on a store in real time, behind a network.
const RUN_COUNT_IN_REAL_TIME: u32 = 24;

/// Compares a store with a manual clock with the model.
///
/// # Panics
/// If they differ. The message has the difference and the steps.
pub fn store_matches_model<Making: Future<Output = Setup>>(setup: impl Fn() -> Making) {
    compare(RUN_COUNT, true, setup);
}

/// Compares a store in real time with the model, in fewer runs and without waits.
///
/// # Panics
/// If they differ. The message has the difference and the steps.
pub fn store_matches_model_in_real_time<Making: Future<Output = Setup>>(
    setup: impl Fn() -> Making,
) {
    compare(RUN_COUNT_IN_REAL_TIME, false, setup);
}

fn compare<Making: Future<Output = Setup>>(runs: u32, may_wait: bool, setup: impl Fn() -> Making) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the runtime can be created");
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = runs;
    }
    let result = TestRunner::new(config).run(&step::steps(may_wait), |steps| {
        let run = async { execute(setup().await, &steps).await };
        runtime.block_on(run).map_err(TestCaseError::fail)
    });
    if let Err(disagreement) = result {
        panic!("the store and the model differ: {disagreement}");
    }
}

async fn execute(setup: Setup, steps: &[Step]) -> Result<(), String> {
    let mut run = ModelRun::new(setup).await?;
    for (number, step) in steps.iter().enumerate() {
        run.take(step).await.map_err(|difference| format!("at step {number}: {difference}"))?;
    }
    run.compare_all().await?;
    run.close().await;
    Ok(())
}
