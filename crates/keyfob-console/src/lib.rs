//! The console of keyfob: pages that the person on call opens in a browser.
//!
//! The pages are made on the server and need no script where they only read. They ask the HTTP API
//! (`/v1`) with the session of the person who looks, and nothing else: what a person may see and do
//! follows from the API, and there is no way in that the API does not have.
//!
//! # A tour
//! - **[`Console`]** makes a router of the pages from a function that answers requests to the API.
//! - **`routes`** is the list of all pages. A request goes through `dispatch` to the function of its page.
//! - **`visit`** is one request as a page receives it: what it names, who looks, and a client of the API.
//! - **`session`** signs in and out: the cookie, the origin of a request, and how often one may try.
//! - **`reply`** and **`trouble`** are what a page answers, and why it cannot.
//! - **`progress`** passes a long run at the API to the browser, line by line.
//! - **`shell`** is what surrounds every page: head, navigation, headers, scripts and styles.
//! - **`widget`** shows the values of keyfob: texts, times, tokens, calls of the API.
//! - **`activity`** remembers what the server did in the last hour.
//! - **`draw`** draws charts, trees and the states of a token as SVG.
//! - **`explain`** says of each demand of a service whether a token meets it.
//! - The other folders are pages.
//!
//! # Rules
//! - A text that comes from a token goes through `widget::text`, which makes invisible characters
//!   visible. maud escapes it.
//! - No page has an inline script or style: the policy of `shell::headers` forbids it.
//! - Nothing changes by GET. What changes something checks the origin of its request first.
//! - No secret is in a URL, a title or a log.

mod activity;
mod console;
mod dispatch;
mod draw;
mod fields;
mod observations;
mod progress;
mod reply;
mod routes;
mod session;
mod shared;
mod shell;
mod trouble;
mod visit;
mod widget;

mod bearer_page;
mod clients;
mod explain;
mod keys_page;
mod live;
mod overview;
mod revoke_many;
mod subject_page;
mod token_list;
mod token_page;
mod webhooks;

pub use console::Console;
