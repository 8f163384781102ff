//! Decisions, as pure functions of values and of the time, which is an argument.

pub mod filter;
pub mod rotation;
pub mod validation;
