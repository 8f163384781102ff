//! The contract of a store, on every kind of server that there is.

use std::sync::Arc;

use keyfob_redis::RedisStore;
use keyfob_testkit::contract::{Setup, Time};
use keyfob_testkit::redis::fresh_namespace;

/// A store in a namespace of its own, on a server that others use too.
async fn fresh(url: &str) -> Setup {
    let url = format!("{url}?namespace={}&lanes=8", fresh_namespace());
    let store = RedisStore::connect(&url).await.expect("the server is there");
    Setup::new(Arc::new(store), Time::Real)
}

mod one_server {
    use super::*;

    async fn setup() -> Setup {
        fresh(&keyfob_testkit::redis::server().url()).await
    }

    keyfob_testkit::store_contract!(setup);
}

mod cluster {
    use super::*;

    async fn setup() -> Setup {
        fresh(&crate::cluster_url(keyfob_testkit::redis::cluster())).await
    }

    keyfob_testkit::store_contract!(setup);
}

mod sentinel {
    use super::*;

    async fn setup() -> Setup {
        fresh(&crate::sentinel_url(keyfob_testkit::redis::sentinel())).await
    }

    keyfob_testkit::store_contract!(setup);
}
