//! What it takes to hold a store to the contract of keyfob.
//!
//! - [`contract`] is the contract as a suite of tests: `store_contract!(setup)` runs all of it.
//! - [`model`] is the contract as plain maps, and [`prop`] compares a store with it in random runs.
//! - [`limits`] is the contract of a store of limits.
//! - [`families`] has many tasks refresh tokens at once, and a thief among them.
//! - [`redis`] starts real servers for the stores that need one; with the feature `tls` also such
//!   that speak TLS.
//! - [`spy`] is a store that counts what is loaded and answers late on command.
//! - [`recorder`] keeps metrics where a test can look at them.
//! - [`traces`] are what must not be found in clear in a sealed store.
//! - [`proxy`] is a network before a server that fails on command.

pub mod contract;
pub mod families;
pub mod fuzz;
pub mod limits;
pub mod model;
pub mod prop;
pub mod proxy;
pub mod recorder;
#[cfg(unix)]
pub mod redis;
pub mod spy;
pub mod storm;
pub mod traces;
