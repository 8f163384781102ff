//! A minimal client of the NATS protocol.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// The maximum time until a server answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// A message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NatsMessage {
    /// Its subject. Of a message in a stream, that under which it was published.
    pub subject: String,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// The status of an answer without a message, such as `404`.
    pub status: Option<String>,
    /// Its content.
    pub payload: Vec<u8>,
}

/// A connection.
pub(super) struct Client {
    stream: BufReader<TcpStream>,
    requests: u64,
    /// What the server says about itself.
    pub(super) info: String,
}

impl Client {
    /// Connects, as a user if one is given.
    pub(super) fn connect(port: u16, login: Option<&(String, String)>) -> io::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream: BufReader::new(stream), requests: 0, info: String::new() };
        client.info = client.line()?;
        let login = login.map_or(String::new(), |(user, password)| {
            format!(r#","user":"{user}","pass":"{password}""#)
        });
        client.write(&format!(
            "CONNECT {{\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true,\
             \"tls_required\":false{login}}}\r\nSUB _INBOX.keyfob.* 1\r\nPING\r\n"
        ))?;
        match &*client.line()? {
            "PONG" => Ok(client),
            other => Err(io::Error::other(other.to_owned())),
        }
    }

    /// Sends a request, and returns the answer.
    pub(super) fn request(&mut self, subject: &str, payload: &str) -> io::Result<NatsMessage> {
        self.requests += 1;
        let (inbox, length) = (format!("_INBOX.keyfob.{}", self.requests), payload.len());
        self.write(&format!("PUB {subject} {inbox} {length}\r\n{payload}\r\n"))?;
        loop {
            let line = self.line()?;
            let words: Vec<&str> = line.split_whitespace().collect();
            let message = match words.as_slice() {
                ["PING"] => {
                    self.write("PONG\r\n")?;
                    continue;
                }
                ["MSG", to, _, length] => (*to, self.message("0", length)?),
                ["HMSG", to, _, head, length] => (*to, self.message(head, length)?),
                [sign, ..] if sign.starts_with("INFO") => continue,
                _ => return Err(io::Error::other(line)),
            };
            // An answer to an earlier request may come late.
            if message.0 == inbox {
                return Ok(message.1);
            }
        }
    }

    /// Reads the headers and the content of a message.
    fn message(&mut self, head: &str, length: &str) -> io::Result<NatsMessage> {
        let number = |text: &str| text.parse::<usize>().map_err(io::Error::other);
        let (head, length) = (number(head)?, number(length)?);
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes)?;
        bytes.truncate(length);
        let payload = bytes.split_off(head.min(length));
        let head = String::from_utf8_lossy(&bytes).into_owned();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).map(ToOwned::to_owned);
        let headers: BTreeMap<_, _> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let subject = headers.get("Nats-Subject").cloned().unwrap_or_default();
        Ok(NatsMessage { subject, headers, status, payload })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(text.as_bytes())
    }
}
