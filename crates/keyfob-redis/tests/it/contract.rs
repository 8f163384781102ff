//! The contract of a store, on every kind of server.

use std::sync::Arc;

use keyfob_redis::RedisConfig;
use keyfob_testkit::contract::{Setup, Time};

use crate::support::{config, open};

/// A store in a separate namespace, on a server that other tests use too.
async fn fresh(url: &str) -> Setup {
    with(config(url, 8)).await
}

async fn with(config: RedisConfig) -> Setup {
    Setup::new(Arc::new(open(&config).await), Time::Real)
}

mod one_server {
    use super::*;

    async fn setup() -> Setup {
        fresh(&keyfob_testkit::redis::server().url()).await
    }

    keyfob_testkit::store_contract!(setup);

    mod keyed {
        keyfob_testkit::key_contract!(super::setup);
    }

    /// Index leaves so small that a few records under one term fill several.
    async fn with_small_leaves() -> Setup {
        with(config(&keyfob_testkit::redis::server().url(), 8).with_leaf(8)).await
    }

    /// Random sequences of all methods, compared with a model of plain maps.
    #[test]
    fn random_runs_agree_with_the_model() {
        keyfob_testkit::model_test::store_matches_model_in_real_time(with_small_leaves);
    }
}

mod cluster {
    use super::*;

    async fn setup() -> Setup {
        fresh(&crate::cluster_url(keyfob_testkit::redis::cluster())).await
    }

    keyfob_testkit::store_contract!(setup);

    mod keyed {
        keyfob_testkit::key_contract!(super::setup);
    }
}

mod sentinel {
    use super::*;

    async fn setup() -> Setup {
        fresh(&crate::sentinel_url(keyfob_testkit::redis::sentinel())).await
    }

    keyfob_testkit::store_contract!(setup);
}
