//! A store without a store: records over HTTP from a central keyfob server, and the invalidation feed with
//! them.
//!
//! A node over an [`EdgeStore`] is an *edge*. It validates by itself, from its own cache, under the same
//! guarantee as a node with a connection to Redis. It needs an API key with the scope `keyfob:edge`, and
//! nothing else.
//!
//! ```no_run
//! use keyfob::TokenManager;
//! use keyfob_edge::EdgeStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let central = keyfob_client::Client::builder("https://tokens.example.com")
//!     .bearer_file("/run/secrets/edge-key")
//!     .build()?;
//! let store = EdgeStore::open(central).await?;
//! let prefix = store.prefix().parse()?;
//! let manager = TokenManager::builder(store).prefix(prefix).build();
//! let token = manager.validate_active("fob_at_…").await?;
//! # Ok(())
//! # }
//! ```
//!
//! # A tour
//! - **[`EdgeStore`]** loads records, consumes uses, and writes last uses and observations. Everything else
//!   is done at the central server: [`StoreError::NotAtEdge`](keyfob_store::StoreError::NotAtEdge).
//! - **[`EdgeLimits`]** counts rate limits and used proofs in the store of the central server.
//! - `follow` asks for beats, one after the other. What a beat means is decided in
//!   [`keyfob_store::relay`], by functions of values.
//! - `wire` turns bodies into values, and refuses those that are none.
//!
//! # The bound
//! Trust counts from when a beat was asked for, less the age of what it proves. So the max staleness of the edge
//! holds whatever the network does. Twice the time to the central server and back, and the age of its own
//! proof, have to fit into it: otherwise each check asks the central server.

mod failure;
mod follow;
mod limits;
mod store;
mod wire;

pub use limits::EdgeLimits;
pub use store::EdgeStore;
