//! Rate limits and quotas: who may do how much, and how this is counted.
//!
//! | file | what |
//! |---|---|
//! | `rate`, `meter` | the algorithm, over values with the time passed in |
//! | `address` | what an address counts as |
//! | `policy`, `request`, `verdict`, `error` | the inputs and the answers |
//! | `store` | the contract with a store that keeps the debts |
//! | `table`, `local` | a store in this process |
//! | `leased` | a store that takes permits in batches from a shared one |
//! | `limiter` | policies applied to requests |
//! | `throttle` | addresses with too many failed attempts |
//!
//! # Bounds
//! For one key, in any time `w`, the number of admitted permits is:
//!
//! | store | at most | and may be lower |
//! |---|---|---|
//! | [`LocalLimits`] | `burst + rate × w`, in each process | never, while the table has room |
//! | a shared store, such as Redis | `burst + rate × w`, in total | by the permits of calls that failed in the middle, until they drain |
//! | [`LeasedLimits`] over it | `burst + rate × (w + lease)`, in total | by the permits that nodes let expire: at most `rate × lease` for each node and lease |
//!
//! If several policies apply to a call, all of them are charged or none. A store that loses data, such as
//! a Redis at a fail-over, admits that much more.

mod address;
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

pub use address::{Ipv6Prefix, Network};
pub use error::LimitError;
pub use keyfob_core::limit_by::LimitBy;
pub use leased::LeasedLimits;
pub use limiter::{Limiter, Limits};
pub use local::LocalLimits;
pub use meter::{InsufficientCapacity, Level, Meter, StoredLevel};
pub use policy::{LimitPolicy, OnFailure};
pub use rate::Rate;
pub use request::LimitRequest;
pub use store::{Charge, ChargeOutcome, Charged, IntoLimitStore, LimitKey, LimitStore};
pub use verdict::{LimitStatus, LimitVerdict};
