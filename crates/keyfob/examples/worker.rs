//! A background worker that acts for users with derived tokens: `cargo run -p keyfob --example worker`.
//!
//! The worker never holds a session. Each job carries a token of its own: narrower, short-lived, with
//! the worker named as the actor, and revoked with the session.

#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use keyfob::{
    BearerToken, Grant, Kind, MemoryStore, RevokeRequest, TokenManager, Ttl, ValidationChain,
};
use tokio::sync::mpsc;

struct Job {
    name: &'static str,
    bearer: BearerToken,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manager = TokenManager::new(MemoryStore::new()?);
    let session =
        manager.issue(Grant::new(Kind::Session).subject("user123").scopes("mail calendar")).await?;

    let (jobs, mut queue) = mpsc::channel::<Job>(16);
    let checker = manager.clone();
    let worker = tokio::spawn(async move {
        let chain = ValidationChain::new().require_scope("calendar");
        let mut done = 0;
        while let Some(job) = queue.recv().await {
            // Validate when the job starts: the user may have logged out since it was queued.
            match checker.validate(&job.bearer, &chain).await {
                Ok(token) => {
                    done += 1;
                    let actors = &token.claims.registered.actors;
                    println!("{}: done for {:?} by {actors:?}", job.name, token.subject);
                }
                Err(refused) => println!("{}: skipped, {}", job.name, refused.code()),
            }
        }
        done
    });

    let grant =
        || Grant::new(Kind::Access).acting("worker").scope("calendar").ttl(Ttl::from_mins(5));
    let (first, second) = (
        manager.derive(&session.bearer, grant()).await?,
        manager.derive(&session.bearer, grant()).await?,
    );
    jobs.send(Job { name: "first", bearer: first.bearer }).await?;
    while jobs.capacity() < jobs.max_capacity() {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    manager.revoke(session.token.id, RevokeRequest::reason("user logout")).await?;
    jobs.send(Job { name: "second", bearer: second.bearer }).await?;
    drop(jobs);

    assert_eq!(worker.await?, 1, "the second job came after the logout");
    Ok(())
}
