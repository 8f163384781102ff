//! Runs the binary as users do. Each test has a store of its own.

#![expect(clippy::unwrap_used, reason = "in a test, that is an assertion")]

mod bad_input;
mod both_ways;
mod clients;
mod configuring;
mod counting;
mod damaged_file;
mod demo;
mod events;
mod exit_codes;
mod guides;
mod harness;
mod help;
mod interrupt;
mod json;
mod keys;
mod leaked;
mod life;
mod limit;
mod lost_shard;
mod many;
mod metrics;
#[cfg(target_os = "linux")]
mod one_file;
mod recovering;
mod refreshing;
mod revoking;
mod secrets;
mod serve_and_init;
mod serving;
#[cfg(unix)]
mod terminal;
#[cfg(feature = "otlp")]
mod traces;
mod untrusted_text;
mod webhook;
