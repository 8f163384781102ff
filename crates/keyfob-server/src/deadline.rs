//! A bound on the time of an answer.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// Waits for an answer for a bounded time. Most answers need no wait, and then no timer is made.
pub(crate) async fn within<T>(
    limit: Duration,
    mut answering: Pin<&mut impl Future<Output = T>>,
) -> Option<T> {
    match poll_fn(|context| Poll::Ready(answering.as_mut().poll(context))).await {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => tokio::time::timeout(limit, answering).await.ok(),
    }
}
