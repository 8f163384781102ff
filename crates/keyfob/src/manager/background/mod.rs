//! Background tasks of the manager: periodic work, and the shutdown order.
//!
//! | module | what |
//! |---|---|
//! | `tasks` | the tasks that run, and the phase that they are in |
//! | `repeating` | work that repeats until its owner is gone |
//! | `pending_uses`, `last_use` | when tokens were last used: gathered in memory, written together |
//! | `clocks`, `metrics` | counts and gauges that are published once a second |
//! | `shutdown` | ends everything in order |

mod clocks;
mod last_use;
mod metrics;
mod pending_uses;
mod repeating;
mod shutdown;
mod tasks;

pub(in crate::manager) use clocks::MetricsPublisher;
pub(in crate::manager) use pending_uses::LastUses;
pub(in crate::manager) use repeating::Repeating;
pub(in crate::manager) use tasks::{Phase, Tasks};
