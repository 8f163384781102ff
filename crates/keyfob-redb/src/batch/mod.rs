//! The write commands of a store, inside a transaction that several commands share. Each command
//! makes all its decisions before its first write, so that a refused command leaves nothing behind.

mod commands;
mod count_table;
mod counts;
mod documents;
mod reseal;
mod rows;
mod transaction;

pub(crate) use transaction::Batch;
