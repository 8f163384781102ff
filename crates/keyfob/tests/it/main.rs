//! The tests of the public API, in one binary.

mod contract_memory;
mod fuzz;
mod manager;
mod storm;
