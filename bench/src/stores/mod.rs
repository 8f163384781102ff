//! What the stores cost, against what lies under them: Redis with the barest scripts, and the
//! embedded engine driven bare.

mod bare;
mod embedded;
mod engine;
mod redis;
mod rotation;

use anyhow::Result;
use tokio::runtime::Runtime;

use crate::report::Report;
use crate::size::Size;

pub(crate) fn measure(report: &mut Report, runtime: &Runtime, size: Size) -> Result<()> {
    redis::measure(report, runtime, size)?;
    rotation::measure(report, runtime, size)?;
    embedded::measure(report, runtime, size)
}
