//! The guarantee: once a revocation has returned, no node decides "active" later than the bound.
//!
//! Each file brings about one fault, on real servers, between two nodes: one that revokes, and one
//! that answers from memory and is asked all the time.

mod deposed;
mod failover;
mod half_open;
mod lane;
mod overtaken;
mod paused;
mod racing;
mod restarted;
mod silent;
mod stage;
mod stopped;
