//! The guarantee: after a revocation has returned, no node decides "active" later than the maximum staleness.
//!
//! Each file causes one fault, on real servers, between two nodes: one that revokes, and one
//! that answers from its cache and is asked all the time.

mod deposed;
mod failover;
mod half_open;
mod lane;
mod moved;
mod overtaken;
mod paused;
mod racing;
mod restarted;
mod scenario;
mod silent;
mod stopped;
