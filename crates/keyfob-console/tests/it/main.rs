//! The console over the routes of a real server, in this process.

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
