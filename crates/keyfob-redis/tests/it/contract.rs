//! The contract of a store, on one server.

use std::sync::Arc;

use keyfob_redis::RedisStore;
use keyfob_testkit::contract::{Setup, Time};
use keyfob_testkit::redis::{fresh_namespace, server};

async fn one_server() -> Setup {
    let url = format!("{}?namespace={}&lanes=8", server().url(), fresh_namespace());
    let store = RedisStore::connect(&url).await.expect("the server is there");
    Setup::new(Arc::new(store), Time::Real)
}

keyfob_testkit::store_contract!(one_server);
