//! Pure decisions over values: they take the time as an argument and touch nothing else.

pub mod filter;
pub mod rotation;
pub mod validation;
