//! The first exchange on a new connection: logs in, chooses the database, and learns what answers.
//!
//! The library would log in too. But it does not tell a wrong password from a server that has no room for a
//! client, and it cannot say what answers if that is no Redis server.

use std::io;

use redis::Pipeline;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::login::Credentials;
use super::server_error::{Handling, rule_for};

/// How much an answer may have. INFO has about 1 KiB.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// How much of the answer of an unknown program is shown.
const MAX_SHOWN_BYTES: usize = 24;

/// What a server says about itself. Empty texts are unknown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ServerInfo {
    /// The run of its process.
    pub(super) run_id: String,
    pub(super) version: String,
    pub(super) mode: String,
}

/// An exchange that failed.
#[derive(Debug)]
pub(super) enum HandshakeError {
    /// The connection failed or was closed before the server had answered.
    Closed(Option<io::Error>),
    /// The server answered with this error.
    Refused(String),
    /// Another program answered. Holds what it is, as far as its answer shows it.
    NotRedis(String),
}

/// Logs in and chooses the database. Returns what the server says about itself.
pub(super) async fn greet<S>(
    stream: &mut S,
    credentials: &Credentials,
    database: u32,
) -> Result<ServerInfo, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut commands = Pipeline::new();
    if let Some((user, password)) = credentials.words() {
        commands.cmd("AUTH").arg(user).arg(password);
    }
    if database != 0 {
        commands.cmd("SELECT").arg(database);
    }
    commands.cmd("INFO").arg("server");
    // A server that has no room for a client closes the connection after it has said so. Then the write may
    // fail, and what it said can still be read.
    let mut written = stream.write_all(&commands.get_packed_pipeline()).await;
    if written.is_ok() {
        written = stream.flush().await;
    }
    let mut answers = Answers { stream, bytes: Vec::new(), read: 0 };
    let read = answers.read(commands.len()).await;
    match read {
        Err(HandshakeError::Closed(None)) => Err(HandshakeError::Closed(written.err())),
        read => read,
    }
}

/// The answers as they arrive.
struct Answers<'a, S> {
    stream: &'a mut S,
    bytes: Vec<u8>,
    /// How many of the bytes were taken.
    read: usize,
}

impl<S: AsyncRead + Unpin> Answers<'_, S> {
    /// Reads this many answers. The last one is the answer to INFO.
    async fn read(&mut self, count: usize) -> Result<ServerInfo, HandshakeError> {
        for _ in 1..count {
            let line = self.line().await?;
            match line.split_at_checked(1) {
                Some(("+", _)) => {}
                Some(("-", error)) => return Err(HandshakeError::Refused(error.to_owned())),
                _ => return Err(self.not_redis()),
            }
        }
        let line = self.line().await?;
        match line.split_at_checked(1) {
            Some(("$", length)) => {
                let length =
                    length.parse().ok().filter(|length: &usize| *length < MAX_ANSWER_BYTES);
                let length = length.ok_or_else(|| self.not_redis())?;
                self.fill(length + 2).await?;
                let text = self.bytes.get(self.read..).unwrap_or_default();
                Ok(ServerInfo::read(&String::from_utf8_lossy(text)))
            }
            // The user may not run INFO, or the server does not have it.
            Some(("-", error)) if says_nothing(error) => Ok(ServerInfo::default()),
            Some(("-", error)) => Err(HandshakeError::Refused(error.to_owned())),
            _ => Err(self.not_redis()),
        }
    }

    /// Takes the next line, without its end.
    async fn line(&mut self) -> Result<String, HandshakeError> {
        loop {
            let rest = self.bytes.get(self.read..).unwrap_or_default();
            if let Some(length) = rest.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&rest[..length]).into_owned();
                self.read += length + 2;
                return Ok(line);
            }
            if !matches!(rest.first(), None | Some(b'+' | b'-' | b'$'))
                || rest.len() > MAX_ANSWER_BYTES
            {
                return Err(self.not_redis());
            }
            self.receive().await?;
        }
    }

    /// Waits until this many bytes have not been taken.
    async fn fill(&mut self, count: usize) -> Result<(), HandshakeError> {
        while self.bytes.len() - self.read < count {
            self.receive().await?;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<(), HandshakeError> {
        match self.stream.read_buf(&mut self.bytes).await {
            Ok(0) => Err(HandshakeError::Closed(None)),
            Ok(_) => Ok(()),
            Err(error) => Err(HandshakeError::Closed(Some(error))),
        }
    }

    fn not_redis(&self) -> HandshakeError {
        HandshakeError::NotRedis(program_of(&self.bytes))
    }
}

impl ServerInfo {
    fn read(text: &str) -> Self {
        let mut info = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
            match name {
                "run_id" => info.run_id = value.to_owned(),
                "redis_version" => info.version = value.to_owned(),
                "redis_mode" | "server_mode" => info.mode = value.to_owned(),
                _ => {}
            }
        }
        info
    }
}

/// Returns whether an error says that the server does not report about itself, and nothing else.
fn says_nothing(error: &str) -> bool {
    let (code, text) = error.split_once(' ').unwrap_or((error, ""));
    match code {
        "NOPERM" => true,
        "ERR" => rule_for(code, text).is_none_or(|rule| rule.handling == Handling::Misconfigured),
        _ => false,
    }
}

/// Says which program begins its answer so.
pub(super) fn program_of(answer: &[u8]) -> String {
    let known = match answer {
        [b'H', b'T', b'T', b'P', b'/', ..] | [b'<', ..] => Some("an HTTP server"),
        // A record of TLS: an alert, or a part of the handshake.
        [0x15 | 0x16, 0x03, ..] => Some("a server that speaks TLS"),
        [b'S', b'S', b'H', b'-', ..] => Some("an SSH server"),
        [b'E', b'R', b'R', b'O', b'R', b'\r', b'\n', ..] => Some("a memcached server"),
        _ => None,
    };
    match known {
        Some(program) => program.to_owned(),
        None => {
            let shown = answer.get(..MAX_SHOWN_BYTES).unwrap_or(answer);
            format!("another program, whose answer begins with \"{}\"", shown.escape_ascii())
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;
    use crate::config::Secret;

    /// Greets a server that answers with these bytes, whatever it is asked, and then closes.
    async fn greeted(answer: &[u8], database: u32) -> Result<ServerInfo, HandshakeError> {
        let (mut client, mut server) = duplex(4096);
        server.write_all(answer).await.unwrap();
        server.shutdown().await.unwrap();
        let credentials = Credentials::fixed(None, Some(Secret::new("sesame")));
        greet(&mut client, &credentials, database).await
    }

    #[tokio::test]
    async fn a_server_says_what_it_is() {
        let text = "# Server\r\nredis_version:7.0.15\r\nredis_mode:cluster\r\nrun_id:abc\r\n";
        let answer = format!("+OK\r\n+OK\r\n${}\r\n{text}\r\n", text.len());
        let info = greeted(answer.as_bytes(), 3).await.unwrap();
        let expected =
            ServerInfo { run_id: "abc".into(), version: "7.0.15".into(), mode: "cluster".into() };
        assert_eq!(info, expected);
    }

    #[tokio::test]
    async fn an_answer_that_is_cut_off_or_absent_is_a_closed_connection() {
        for answer in ["", "+OK", "+OK\r\n", "+OK\r\n$100\r\nrun_id:a"] {
            let failed = greeted(answer.as_bytes(), 0).await.unwrap_err();
            assert!(matches!(failed, HandshakeError::Closed(_)), "{answer}: {failed:?}");
        }
    }

    #[tokio::test]
    async fn the_first_error_counts() {
        let answer = "-ERR max number of clients reached\r\n";
        let Err(HandshakeError::Refused(error)) = greeted(answer.as_bytes(), 0).await else {
            panic!("it is refused")
        };
        assert_eq!(error, "ERR max number of clients reached");
        let answer = "+OK\r\n-ERR DB index is out of range\r\n-NOPERM no\r\n";
        let Err(HandshakeError::Refused(error)) = greeted(answer.as_bytes(), 99).await else {
            panic!("it is refused")
        };
        assert_eq!(error, "ERR DB index is out of range");
    }

    #[tokio::test]
    async fn a_server_may_say_nothing_about_itself() {
        for error in ["NOPERM this user has no permissions", "ERR unknown command 'INFO'", "ERR no"]
        {
            let info = greeted(format!("+OK\r\n-{error}\r\n").as_bytes(), 0).await.unwrap();
            assert_eq!(info, ServerInfo::default(), "{error}");
        }
        let failed = greeted(b"+OK\r\n-BUSY Redis is busy running a script.\r\n", 0).await;
        assert!(matches!(failed, Err(HandshakeError::Refused(_))), "{failed:?}");
    }

    #[tokio::test]
    async fn other_programs_are_named() {
        for (answer, program) in [
            (&b"HTTP/1.1 400 Bad Request\r\n"[..], "an HTTP server"),
            (b"<!DOCTYPE HTML PUBLIC", "an HTTP server"),
            (b"\x15\x03\x01\0\x02\x02\x16", "a server that speaks TLS"),
            (b"SSH-2.0-OpenSSH_9.2", "an SSH server"),
            (b"ERROR\r\nERROR\r\n", "a memcached server"),
            (b"220 mail\x1b\"", r#"another program, whose answer begins with "220 mail\x1b\"""#),
            (b"+OK\r\n:12\r\n", "another program"),
            (b"+OK\r\n$x\r\n", "another program"),
        ] {
            let failed = greeted(answer, 0).await.unwrap_err();
            let HandshakeError::NotRedis(found) = failed else { panic!("{failed:?}") };
            assert!(found.starts_with(program), "{found}");
        }
    }
}
