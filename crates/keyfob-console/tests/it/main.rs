//! The console over the routes of a real server, in this process.

#![expect(clippy::unwrap_used, reason = "in a test, that is an assertion")]

mod bearer_page;
mod clients;
mod keys_page;
mod live;
mod overview;
mod revoking;
mod signing_in;
mod subject;
mod support;
mod token_list;
mod token_page;
mod webhooks;
