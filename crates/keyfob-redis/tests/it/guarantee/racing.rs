//! Cache fills race invalidations: a load is under way while its token is revoked, and its result
//! arrives after the invalidation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyfob::store::MonotonicInstant;
use keyfob::{Grant, Kind, RevokeRequest, Subject, ValidationChain};
use keyfob_testkit::proxy::{Concerned, Faults, Proxy};
use keyfob_testkit::redis::server;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::scenario::*;

const TASKS: u64 = 100;
const ROUNDS: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_cache_fills() {
    let proxy = Proxy::to_port(server().port()).await.unwrap();
    let (namespace, bound) = (TestNamespace::new(8), millis(150));
    let here = revoking_node(&namespace.config_for_port(server().port())).await;
    let there = Node::at(&namespace.config_for_port(proxy.port()), bound).await;
    let first = Tokens::issue(&here).await;
    there.until_answered_from_cache(&first.bearers).await;
    let late = Duration::from_millis(3);
    proxy.set(Faults { delay: late, concerns: Concerned::NotSaying(FEED), ..Faults::default() });

    let overtaken = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (here, there) = (here.clone(), there.manager.clone());
        let overtaken = Arc::clone(&overtaken);
        tasks.spawn(async move {
            for round in 0..ROUNDS {
                let subject = Subject::new(format!("{task} {round}")).unwrap();
                let grant = Grant::new(Kind::Session).subject(subject.clone());
                let issued = here.issue(grant).await.unwrap();
                let filling = {
                    let (there, bearer) = (there.clone(), issued.bearer.clone());
                    tokio::spawn(async move {
                        let chain = ValidationChain::new();
                        let is_active = there.validate_with(&bearer, &chain, |_| ()).await.is_ok();
                        (is_active, MonotonicInstant::now())
                    })
                };
                // Before the load is answered, while it is answered, and after that.
                sleep(late * ((task + round) % 5) as u32).await;
                if round % 2 == 0 {
                    here.revoke(issued.token.id, RevokeRequest::default()).await.unwrap();
                } else {
                    here.revoke_subject(&subject, RevokeRequest::default()).await.unwrap();
                }
                let revoked = MonotonicInstant::now();
                let (was_active, filled) = filling.await.unwrap();
                if was_active && filled > revoked {
                    overtaken.fetch_add(1, Ordering::Relaxed);
                }
                let end = revoked.after(bound.as_duration());
                while MonotonicInstant::now() <= end {
                    sleep(Duration::from_millis(2)).await;
                }
                let chain = ValidationChain::new();
                let answer = there.validate_with(&issued.bearer, &chain, |_| ()).await;
                assert!(answer.is_err(), "{} lives on from a late fill", issued.token.id);
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    let overtaken = overtaken.load(Ordering::Relaxed);
    assert!(overtaken > TASKS, "only {overtaken} fills were overtaken");
    there.until_answered_from_cache(&first.bearers).await;
}
