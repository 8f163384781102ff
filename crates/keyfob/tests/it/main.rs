//! The tests of the public API, in one binary.

#![expect(clippy::unwrap_used, reason = "in a test, that is an assertion")]

mod client_keys;
mod contract_measured;
mod contract_memory;
mod contract_sealed;
mod fuzz;
mod jwt_form;
mod limits;
mod manager;
mod metrics;
mod model_memory;
mod mutations;
mod stress;
