//! Each row of the table of errors in the documentation, met by a store: a scripted server answers with the
//! error.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyfob_redis::{RedisConfig, RedisStore};

use crate::fake::{Fake, list};

/// A row of the table.
struct Row {
    error: &'static str,
    meaning: &'static str,
    handling: &'static str,
    advice: &'static str,
}

fn rows() -> Vec<Row> {
    let page = include_str!("../../../../docs/redis-incidents.md");
    let (_, table) = page.split_once("| error | meaning |").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [error, meaning, handling, advice] = cells[..] else { panic!("four cells: {line}") };
        Row { error: error.trim_matches('`'), meaning, handling, advice }
    })
    .collect()
}

impl Row {
    /// The error as a server sends it.
    fn words(&self) -> String {
        match self.error {
            "MOVED" | "ASK" => format!("{} 3999 127.0.0.1:1", self.error),
            error => format!("{error} and more words"),
        }
    }

    fn is_repeated(&self) -> bool {
        self.handling.contains("repeats")
    }

    /// The code that the table promises.
    fn code(&self) -> &'static str {
        let codes = ["store_misconfigured", "not_a_store", "store_unavailable"];
        let named = codes.into_iter().find(|code| self.handling.contains(code));
        match named {
            Some(code) => code,
            None if self.is_repeated() => "store_unavailable",
            None => panic!("{}", self.handling),
        }
    }
}

/// Opens a store on a server that answers each script with these words. Returns the error, and how often a
/// script was called.
async fn refused(words: String, budget: Duration) -> (String, String, usize) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let server = Fake::start(move |command| match command[0].as_str() {
        "TIME" => list(&["1795000000", "0"]),
        "SCRIPT" if command[1] == "EXISTS" => "*1\r\n:1\r\n".to_owned(),
        "SCRIPT" => "+loaded\r\n".to_owned(),
        "EVALSHA" => {
            counted.fetch_add(1, Ordering::SeqCst);
            format!("-{words}\r\n")
        }
        _ => "-ERR unknown command\r\n".to_owned(),
    })
    .await;
    let config: RedisConfig = format!("redis://127.0.0.1:{}", server.port).parse().unwrap();
    let config = config.with_timeouts(Duration::from_secs(5), Duration::from_secs(5), budget);
    let opened = tokio::time::timeout(Duration::from_secs(30), RedisStore::open(config)).await;
    let error = opened.expect("it does not wait").unwrap_err();
    (error.code().to_owned(), error.to_string(), calls.load(Ordering::SeqCst))
}

#[tokio::test]
async fn each_error_is_handled_as_the_table_says() {
    let rows = rows();
    assert!(rows.len() > 25, "the table was found");
    for row in &rows {
        let budget = match row.is_repeated() {
            true => Duration::from_millis(100),
            false => Duration::from_secs(3600),
        };
        let (code, text, calls) = refused(row.words(), budget).await;
        let error = row.error;
        assert_eq!(code, row.code(), "{error}: {text}");
        assert_eq!(calls > 1, row.is_repeated(), "{error}: called {calls} times");
        for part in [row.meaning, row.advice, &format!("({})", row.words()), "127.0.0.1:"] {
            assert!(text.contains(part), "{error}, {part}: {text}");
        }
    }
}

#[tokio::test]
async fn an_unknown_error_may_end_by_itself_and_an_unknown_failure_of_a_script_does_not() {
    let (code, text, calls) =
        refused("NEWCODE of a later version".to_owned(), Duration::from_millis(100)).await;
    assert_eq!(code, "store_unavailable");
    assert!(calls > 1 && text.contains("answers NEWCODE of a later version"), "{text}");
    let (code, text, calls) =
        refused("ERR value is not an integer".to_owned(), Duration::from_secs(3600)).await;
    assert_eq!((code.as_str(), calls), ("store_unavailable", 1));
    assert!(text.contains("refused a command (ERR value is not an integer)"), "{text}");
}
