//! Rate limits and quotas: who may do how much, and how that is counted.
//!
//! | file | what |
//! |---|---|
//! | `rate`, `meter` | the algorithm, over values with the time passed in |
//! | `policy`, `request`, `verdict`, `error` | what is said and answered |
//! | `store` | the contract with whatever keeps what is owed |
//! | `table`, `local` | that, in this process |
//! | `leased` | that, taken in batches from another |
//! | `limiter` | policies over a store |
//! | `throttle` | addresses with too many failed attempts |
//!
//! # Bounds
//! Of one key, in any time `w`:
//!
//! | store | at most | fewer may be |
//! |---|---|---|
//! | [`LocalLimits`] | `burst + rate × w`, in each process | never, while the table has places |
//! | a shared one, such as Redis | `burst + rate × w`, in all | by the permits of calls that came to nothing halfway, until they drain |
//! | [`LeasedLimits`] over it | `burst + rate × (w + lease)`, in all | by the permits that nodes let lapse: at most `rate × lease` for each node and lease |
//!
//! A call that several policies count is admitted by all or charged to none. A store that loses what
//! it was told, such as a Redis at a fail-over, admits that much more.

#![allow(missing_docs, unreachable_pub, reason = "to be written before the split is done")]

mod error;
mod leased;
mod limiter;
mod local;
mod meter;
mod policy;
mod rate;
mod request;
mod store;
mod table;
mod throttle;
mod verdict;

pub use error::LimitError;
pub use keyfob_core::limit_by::LimitBy;
pub use leased::LeasedLimits;
pub use limiter::{Limiter, Limits};
pub use local::LocalLimits;
pub use meter::{InsufficientCapacity, Level, Meter};
pub use policy::{LimitPolicy, OnFailure};
pub use rate::Rate;
pub use request::LimitRequest;
pub use store::{Charge, ChargeOutcome, Charged, IntoLimitStore, LimitKey, LimitStore};
pub use verdict::{LimitStatus, LimitVerdict};
