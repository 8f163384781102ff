//! The cached path allocates nothing. These tests have their own binary, because the counting
//! allocator counts allocations of all tests in a binary.

#![expect(clippy::unwrap_used, reason = "in a test, that is an assertion")]

use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use keyfob::cache::ActiveToken;
use keyfob::{Error, Grant, Issued, Kind, MemoryStore, TokenManager, ValidationChain};

/// Returns the output of a future that is ready immediately.
fn ready<T>(work: impl Future<Output = T>) -> T {
    match std::pin::pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits for something"),
    }
}

async fn cached(grant: Grant) -> (TokenManager, Issued) {
    // Without observations: otherwise one in a thousand uses is recorded.
    let store = std::sync::Arc::new(MemoryStore::new().unwrap());
    let manager = TokenManager::builder(store).observations_per_second(0).build();
    let issued = manager.issue(grant).await.unwrap();
    manager.validate_active(&issued.bearer).await.unwrap();
    (manager, issued)
}

fn grant() -> Grant {
    Grant::new(Kind::Access).subject("user123").client("web").audience("shop").scopes("read write")
}

/// Reads all fields of a token in place.
fn read(token: &ActiveToken<'_>) -> usize {
    let texts = [token.subject(), token.client(), token.issuer(), token.device()];
    let texts = texts.into_iter().flatten().chain(token.scopes()).chain(token.audiences());
    texts.map(str::len).sum::<usize>() + token.claims_json().len()
}

#[tokio::test]
async fn a_cached_token_is_checked_and_read_without_an_allocation() {
    let chain = ValidationChain::new().allow_audience("shop").require_scope("read");
    let large = "x".repeat(200);
    for grant in [grant(), grant().subject(large)] {
        let (manager, issued) = cached(grant).await;
        let mut lengths = 0;
        let counted = measure(|| {
            for _ in 0..1000 {
                lengths += ready(manager.validate_with(&issued.bearer, &chain, read)).unwrap();
            }
        });
        assert!(lengths > 10_000);
        assert_eq!(counted.count_total, 0, "{counted:?}");
        let mut without_future = 0;
        let counted = measure(|| {
            for _ in 0..1000 {
                without_future += manager.validate_cached(&issued.bearer, &chain, read).unwrap();
            }
        });
        assert_eq!(without_future, lengths);
        assert_eq!(counted.count_total, 0, "{counted:?}");
    }
}

#[tokio::test]
async fn junk_is_refused_without_more_than_its_error() {
    let (manager, _) = cached(grant()).await;
    let chain = ValidationChain::new();
    let junk =
        ["", "fob_at_", "fob_at_0000000000000000000000000000000000000000000000000000000000000"];
    let counted = measure(|| {
        for text in junk {
            let refused = ready(manager.validate_with(text, &chain, |_| ()));
            assert!(matches!(refused, Err(Error::Refused(_))));
        }
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
}
