//! The parsers with any input.

mod fuzz;
#[path = "../../../keyfob/tests/it/mutations.rs"]
mod mutations;
