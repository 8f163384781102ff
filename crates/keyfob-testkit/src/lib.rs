//! Tools to test a keyfob store: the store contract as a test suite, and real servers to run it on.
//!
//! # Testing your own store
//!
//! Write an `async fn` that returns a new, empty store, and pass it to
//! `store_contract!`. The macro creates one `#[test]` for each scenario
//! of the contract:
//!
//! ```
//! # use std::sync::Arc;
//! # use keyfob::clock::ManualClock;
//! # use keyfob::random::OsRandom;
//! # use keyfob::store::LaneCount;
//! # use keyfob::MemoryStore;
//! use keyfob_testkit::contract::{Setup, Time};
//!
//! async fn my_store() -> Setup {
//!     let clock = ManualClock::new("2026-11-24T08:30:00Z".parse().unwrap());
//!     # let lanes = LaneCount::new(8).unwrap();
//!     let store = MemoryStore::with(lanes, Arc::new(clock.clone()), &OsRandom).unwrap();
//!     Setup::new(Arc::new(store), Time::Manual(clock))
//! }
//!
//! keyfob_testkit::store_contract!(my_store);
//! # fn main() {}
//! ```
//!
//! `docs/writing-a-store.md` says what to implement, and `examples/custom_store.rs` is a complete store
//! that passes the suite.
//!
//! # Modules
//!
//! - [`contract`]: the contract as a test suite.
//! - [`model`]: the contract as plain maps. [`model_test`] compares a store with it in random runs.
//! - [`stress`]: many tasks on several nodes, with an exact record of what must be revoked.
//! - [`families`]: many tasks that refresh tokens, and an attacker with a stolen token.
//! - [`limits`]: the contract of a limit store.
//! - [`redis`]: starts real Redis servers; with the feature `tls` also servers with TLS.
//! - [`nats`]: starts a real NATS server with JetStream, and reads its streams.
//! - [`proxy`]: a TCP proxy that delays, stalls or cuts connections on request.
//! - [`instrumented_store`]: a store wrapper that counts calls and injects faults.
//! - [`recorder`]: a metrics recorder in memory.
//! - [`bearers`]: bearer tokens that no manager issued.
//! - [`traces`]: texts that must not be readable in a sealed store.
//! - [`fuzz`]: the properties that the fuzz targets check.

pub mod bearers;
pub mod contract;
pub mod families;
pub mod fuzz;
pub mod instrumented_store;
#[cfg(unix)]
mod launch;
pub mod limits;
pub mod model;
pub mod model_test;
#[cfg(unix)]
pub mod nats;
pub mod proxy;
pub mod recorder;
#[cfg(unix)]
pub mod redis;
pub mod stress;
pub mod traces;
