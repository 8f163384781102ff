//! What it takes to hold a store to the contract of keyfob.
//!
//! - [`contract`] is the contract as a suite of tests: `store_contract!(setup)` runs all of it.

pub mod contract;
pub mod fuzz;
