//! The embedded store, held to the contract and to what a file on disk adds to it.

mod contract;
