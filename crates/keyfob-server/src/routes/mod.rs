//! The routes.
//!
//! | module | content |
//! |---|---|
//! | `route` | one route as data |
//! | `reply` | the bodies of a route as data: what it takes, what it answers |
//! | `table`, `signals` | all routes |
//! | `dispatch` | from a request to the handler of its route |
//! | `arrival` | from a request to its caller and its body |
//! | `body` | the body of a request |
//! | `forwarding` | what an edge sends on to its central server |
//! | `for_central` | the checks that an edge sends on |
//! | `waiting` | how many requests may wait for the central server |
//! | `context` | the request that a task answers, for the lines of a log |
//! | `request_id` | the id of a request |
//! | `charge` | the limits that a route charges |
//! | `observe` | what is counted and logged of a request |
//! | `trace` | the trace that a request belongs to, and its span there |

mod arrival;
mod body;
mod charge;
pub(crate) mod context;
mod dispatch;
mod for_central;
mod forwarding;
mod observe;
pub(crate) mod reply;
pub(crate) mod request_id;
pub mod route;
mod signals;
pub mod table;
pub(crate) mod trace;
pub(crate) mod waiting;

pub(crate) use dispatch::router;
