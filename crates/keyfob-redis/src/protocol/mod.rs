//! What Rust and the Lua scripts must agree on, described once.
//!
//! | module | describes |
//! |---|---|
//! | [`signatures`] | the keys and the arguments of each script, in order |
//! | [`layout`] | the bytes of a record's header, an epoch, a debt |
//! | [`constants`] | numbers and short strings that both sides use |
//! | [`parts`] | texts of any length after one another |
//! | [`commands`] | which commands a script runs |
//!
//! Rust builds a call from a struct that has a field for each key and each argument. The scripts in
//! `src/lua` name them in placeholders such as `@arg.deadline@` and `@header[record].stamp@`, which
//! `template.rs` replaces when a store is opened. So a name costs a script nothing when it runs, and a
//! name that does not exist fails a test.

pub(crate) mod arg;
pub(crate) mod commands;
pub(crate) mod constants;
pub(crate) mod layout;
pub(crate) mod parts;
pub(crate) mod script;
mod signature;
pub(crate) mod signatures;
mod template;

#[cfg(test)]
mod tests;
