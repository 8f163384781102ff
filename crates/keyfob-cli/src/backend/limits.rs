//! Rate limits, in a store of limits or at a server.

use keyfob_api::{LimitStatusBody, LimitVerdictBody, NamedLimit, TestLimitBody};
use keyfob_client::Client;
use keyfob_server::limit_trial::LimitTrial;

use crate::failure::Failure;

/// The maximum number of calls that a server makes at once.
const MAX_CALLS: u32 = 1_000;

/// Where limits are counted.
#[derive(Debug)]
pub(crate) enum LimitBackend {
    Store(Box<LimitTrial>),
    Server(Client),
}

impl LimitBackend {
    /// Charges a limit, and calls `each` with the verdicts as they come.
    pub(crate) async fn charge(
        &self,
        wanted: &TestLimitBody,
        mut each: impl FnMut(Vec<LimitVerdictBody>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self {
            Self::Store(trial) => each(trial.charge(wanted).await?),
            Self::Server(client) => {
                let mut left = wanted.times;
                while left > 0 {
                    let times = left.min(MAX_CALLS);
                    each(client.test_limit(&TestLimitBody { times, ..wanted.clone() }).await?)?;
                    left -= times;
                }
                Ok(())
            }
        }
    }

    /// Returns the status of a limit. Nothing is charged.
    pub(crate) async fn status(&self, limit: &NamedLimit) -> Result<Vec<LimitStatusBody>, Failure> {
        match self {
            Self::Store(trial) => Ok(trial.status(limit).await?),
            Self::Server(client) => Ok(client.limit_status(limit).await?),
        }
    }
}
