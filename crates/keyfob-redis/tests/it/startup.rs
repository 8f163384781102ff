//! The checks of a store at the open.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Once;

use keyfob_redis::RedisStore;
use keyfob_testkit::redis::RedisServer;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use crate::fake::{Fake, list};

thread_local! {
    static TAKEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Records the warnings of each thread by itself. It is the only subscriber of the process: one
/// for each test would lose what another test's thread meets first, since `tracing` keeps with
/// each call site whether anybody listens.
struct Warnings;

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        TAKEN.with_borrow_mut(|taken| taken.push(text.0));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Returns the warnings while a store is opened.
async fn warnings(url: &str) -> Vec<String> {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| tracing::subscriber::set_global_default(Warnings).unwrap());
    TAKEN.take();
    RedisStore::connect(url).await.unwrap();
    TAKEN.take()
}

fn says(warnings: &[String], words: [&str; 2]) -> usize {
    let both = |warning: &&String| words.iter().all(|word| warning.contains(word));
    warnings.iter().filter(both).count()
}

#[tokio::test]
async fn settings_that_endanger_tokens_are_logged_once() {
    let careless = RedisServer::builder()
        .setting("maxmemory", "100mb")
        .setting("maxmemory-policy", "allkeys-lru")
        .setting("save", "")
        .start()
        .unwrap();
    let warnings_text = warnings(&careless.url()).await;
    assert_eq!(
        says(&warnings_text, ["maxmemory-policy", "may evict keys (allkeys-lru)"]),
        1,
        "{warnings_text:?}"
    );
    assert_eq!(
        says(&warnings_text, ["persistence", "keeps nothing on disk"]),
        1,
        "{warnings_text:?}"
    );

    let careful = RedisServer::builder().append_only().start().unwrap();
    let warnings_text = warnings(&careful.url()).await;
    assert_eq!(says(&warnings_text, ["maxmemory-policy", ""]), 0, "{warnings_text:?}");
    assert_eq!(says(&warnings_text, ["persistence", ""]), 0, "{warnings_text:?}");
}

#[tokio::test]
async fn a_user_without_permission_to_read_settings_can_open_a_store() {
    const RULES: &str = "~* +@all -info -config";
    let server = RedisServer::builder().user("shop", "pw", RULES).start().unwrap();
    let warnings_text = warnings(&server.url_of("shop", "pw")).await;
    assert_eq!(
        says(&warnings_text, ["settings", "does not allow reading its settings"]),
        1,
        "{warnings_text:?}"
    );
    assert_eq!(
        says(&warnings_text, ["version", "does not report its version"]),
        1,
        "{warnings_text:?}"
    );
}

#[tokio::test]
async fn a_server_that_is_too_old_is_named() {
    let old = Fake::start(|words| {
        let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
        match words[0].as_str() {
            "TIME" => list(&["1795000000", "0"]),
            "INFO" => bulk("# Server\r\nredis_version:6.2.14\r\n"),
            "SCRIPT" if words[1] == "EXISTS" => "*1\r\n:0\r\n".to_owned(),
            "SCRIPT" => "-ERR Error compiling script: unexpected symbol near '#'\r\n".to_owned(),
            _ => "-ERR unknown command\r\n".to_owned(),
        }
    })
    .await;
    let error = RedisStore::connect(&format!("redis://127.0.0.1:{}", old.port)).await.unwrap_err();
    assert_eq!(error.code(), "store_misconfigured", "{error}");
    assert!(error.to_string().contains("version 6.2.14: 7.0 or later"), "{error}");
}
