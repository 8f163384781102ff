//! The cost of the stores, against Redis with the minimal scripts and against redb alone.

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
