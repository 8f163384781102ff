//! A server ends, by request or by force, while others continue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use keyfob_testkit::redis::{fresh_namespace, server};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::client::{Client, JSON, Verdict};
use crate::replica::Deployment;

/// How long the answers of a load may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn deployment() -> Deployment {
    let namespace = fresh_namespace();
    Deployment::init(&format!("redis://127.0.0.1:{}/0?namespace={namespace}", server().port()))
}

/// Issues tokens on several connections until a request fails or it is stopped.
struct Load {
    answered: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Option<String>>>,
}

impl Load {
    fn on(client: &Client, connections: usize) -> Self {
        let (answered, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let task = |_| {
            let (client, answered, stop) =
                (client.clone(), Arc::clone(&answered), Arc::clone(&stop));
            tokio::spawn(async move {
                let grant = json!({"subject": "load"}).to_string();
                while !stop.load(Ordering::SeqCst) {
                    match client.send(Method::POST, "/v1/tokens", JSON, grant.clone()).await {
                        Ok(reply) => assert_eq!(reply.status, 201, "{reply:?}"),
                        Err(error) => return Some(error),
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                }
                None
            })
        };
        let tasks = (0..connections).map(task).collect();
        Self { answered, stop, tasks }
    }

    async fn wait_for(&self, answers: usize) {
        let begun = Instant::now();
        while self.answered.load(Ordering::SeqCst) < answers {
            assert!(begun.elapsed() < PATIENCE, "{answers} answers do not come");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Returns how many requests were answered, and the errors of the others.
    async fn ended(self) -> (usize, Vec<String>) {
        let mut errors = Vec::new();
        for task in self.tasks {
            errors.extend(task.await.unwrap());
        }
        (self.answered.load(Ordering::SeqCst), errors)
    }
}

async fn count(client: &Client) -> u64 {
    let reply = client.get("/v1/tokens/count?filter=subject:load").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["count"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_asked_to_end_answers_every_request_that_it_took() {
    let deployment = deployment();
    let other = deployment.serve();
    for _ in 0..5 {
        let before = count(&other.client).await;
        let mut ending = deployment.serve();
        let load = Load::on(&ending.client, 16);
        load.wait_for(200).await;
        ending.signal("TERM");
        let status = ending.wait();
        let (answered, errors) = load.ended().await;
        assert!(status.success(), "{status}: {}", deployment.log());
        // A request that was sent is answered. Only a new connection is refused.
        let is_refusal = |error: &&String| error.contains("ConnectionRefused");
        let cut: Vec<_> = errors.iter().filter(|error| !is_refusal(error)).collect();
        assert!(cut.is_empty(), "{cut:#?}");
        let stored = count(&other.client).await - before;
        assert_eq!(stored, answered as u64, "each token that was issued was answered: {errors:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_others_continue_when_a_server_is_killed() {
    let deployment = deployment();
    let others = [deployment.serve(), deployment.serve()];
    let killed = deployment.serve();
    let bearer = killed.client.issue(&json!({"subject": "alice"})).await;
    let loads = others.each_ref().map(|other| Load::on(&other.client, 4));
    let dying = Load::on(&killed.client, 4);
    dying.wait_for(50).await;
    killed.signal("KILL");
    let (_, errors) = dying.ended().await;
    assert_eq!(errors.len(), 4, "its connections end: {errors:?}");
    for load in loads {
        let answers = load.answered.load(Ordering::SeqCst);
        load.wait_for(answers + 100).await;
        load.stop.store(true, Ordering::SeqCst);
        assert_eq!(load.ended().await.1, Vec::<String>::new());
    }
    for other in &others {
        assert_eq!(other.client.introspect(&bearer).await, Verdict::Active);
    }
    assert_eq!(others[0].client.revoke(&bearer).await.status, 200);
    assert_eq!(others[0].client.introspect(&bearer).await, Verdict::Inactive);
}
