//! A server that gives the answers that a test sets, including those that no real server gives on demand.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Returns the answer to the words of a command, encoded for the wire.
pub(crate) type Answer = dyn Fn(&[String]) -> String + Send + Sync;

/// Stops when it is dropped, and closes every connection.
pub(crate) struct Fake {
    pub(crate) port: u16,
    accepting: JoinHandle<()>,
}

impl Fake {
    pub(crate) async fn start(
        answer: impl Fn(&[String]) -> String + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer: Arc<Answer> = Arc::new(answer);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&answer)));
            }
        });
        Self { port, accepting }
    }

    /// Stops it, as if its machine had failed.
    pub(crate) fn stop(&self) {
        self.accepting.abort();
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn serve(stream: TcpStream, answer: Arc<Answer>) {
    let mut stream = BufReader::new(stream);
    while let Some(words) = command(&mut stream).await {
        if stream.write_all(answer(&words).as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn command(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..number(stream).await? {
        let mut word = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8_lossy(&word[..word.len() - 2]).into_owned());
    }
    Some(words)
}

/// Reads what follows the type byte of a list or of a string.
async fn number(stream: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.get(1..)?.trim().parse().ok()
}

/// The answer of a sentinel that names a primary at this address, and that does not report about itself.
pub(crate) fn sentinel_answer(words: &[String], host: &str, port: u16) -> String {
    match words[0].as_str() {
        "SENTINEL" => list(&[host, &port.to_string()]),
        _ => "-ERR unknown command\r\n".to_owned(),
    }
}

/// Encodes words as a list.
pub(crate) fn list(words: &[&str]) -> String {
    let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{words}", words.matches("$").count())
}
