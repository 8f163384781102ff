//! No bearer and no part of its secret is in a log at trace, in `Debug` or in an error.

use std::sync::{Arc, Mutex};

use keyfob::{RevokeRequest, ValidationChain};
use tracing_subscriber::fmt::MakeWriter;

use super::{bench, session};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_secret_is_shown_anywhere() {
    let log = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    // The subscriber is global, because handlers run on their own threads.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    tracing::trace!("the log is on");

    let bench = bench();
    let mut shown = String::new();
    let issued = bench.manager.issue(session("user123")).await.unwrap();
    let task =
        bench.manager.spawn_handler(keyfob::handlers::log_events, keyfob::store::Cursor::start());
    let chain = ValidationChain::new().require_scope("admin");
    for outcome in [
        bench.manager.validate_active(&issued.bearer).await,
        bench.manager.validate(&issued.bearer, &chain).await,
    ] {
        shown.push_str(&format!("{outcome:?}"));
        shown.push_str(&outcome.map_or_else(|error| error.to_string(), |_| String::new()));
    }
    bench.manager.revoke(issued.token.id, RevokeRequest::reason("logout")).await.unwrap();
    let mut altered = issued.bearer.expose().to_owned();
    altered.pop();
    altered.push('0');
    for bearer in [issued.bearer.expose(), &altered] {
        let refused = bench.manager.validate_active(bearer).await.unwrap_err();
        shown.push_str(&format!("{refused} {refused:?}"));
    }
    let manager = format!("{:?}", bench.manager);
    assert!(manager.len() < 4000, "a manager does not print its store: {manager}");
    shown.push_str(&format!("{issued:?} {manager} {:?}", issued.bearer));
    shown.push_str(&format!("{:?}", keyfob::Presentation::from(&issued.bearer)));
    let panicked = std::panic::catch_unwind(|| panic!("{:?}", issued.bearer)).unwrap_err();
    shown.push_str(panicked.downcast_ref::<String>().unwrap());
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    task.stop().await;
    shown.push_str(&String::from_utf8(log.0.lock().unwrap().clone()).unwrap());

    assert!(shown.contains("the log is on") && shown.contains("keyfob.token.issued"));
    let secret = &issued.bearer.expose()[32..62];
    for part in [secret, &secret[..8], &secret[22..], issued.bearer.expose()] {
        assert!(!shown.contains(part), "a part of the secret is visible");
    }
}
