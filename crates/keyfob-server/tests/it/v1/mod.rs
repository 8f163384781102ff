//! The API (`/v1`).

mod changing;
mod edge;
mod events;
mod issuing;
mod reading;
mod revoking;
mod session;
mod state;
mod validating;
