//! A minimal client of the Redis protocol: one connection per call.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// The maximum time until a server answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// The reply of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// A status, such as `OK`.
    Status(String),
    /// A number.
    Number(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// The null reply.
    Nil,
    /// Several replies.
    List(Vec<Reply>),
}

impl Reply {
    /// Returns the number, or 0 if the reply is not a number.
    pub fn number(&self) -> i64 {
        match self {
            Self::Number(number) => *number,
            other => other.to_string().parse().unwrap_or(0),
        }
    }

    /// Returns the members of a list, or none if the reply is not a list.
    pub fn list(&self) -> &[Reply] {
        match self {
            Self::List(list) => list,
            _ => &[],
        }
    }

    /// Returns the value after `key` in a list of keys and values.
    pub fn field(&self, key: &str) -> Option<String> {
        let (pairs, _) = self.list().as_chunks::<2>();
        pairs.iter().find(|[name, _]| name.to_string() == key).map(|[_, value]| value.to_string())
    }
}

/// Writes the text of a reply. Each member of a list is on its own line.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Bytes(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
            Self::Nil => Ok(()),
            Self::List(list) => list.iter().try_for_each(|member| writeln!(f, "{member}")),
        }
    }
}

/// Sends commands to the server at `port`, in order, and returns the last reply.
pub(super) fn call(port: u16, commands: &[Vec<&str>]) -> io::Result<Reply> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let mut last = Reply::Nil;
    for command in commands {
        let mut request = format!("*{}\r\n", command.len()).into_bytes();
        for part in command {
            request.extend_from_slice(format!("${}\r\n{part}\r\n", part.len()).as_bytes());
        }
        reader.get_mut().write_all(&request)?;
        last = read(&mut reader)?;
    }
    Ok(last)
}

fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Reply> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.trim_end();
    let foreign = || io::Error::other(format!("no reply of the Redis protocol: {line:?}"));
    let rest = line.get(1..).ok_or_else(foreign)?;
    let number = || rest.parse::<i64>().map_err(|_| foreign());
    match line.as_bytes().first() {
        Some(b'+') => Ok(Reply::Status(rest.to_owned())),
        Some(b'-') => Err(io::Error::other(rest.to_owned())),
        Some(b':') => number().map(Reply::Number),
        Some(b'$') => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Reply::Nil) };
            let mut bytes = vec![0; length + 2];
            reader.read_exact(&mut bytes)?;
            bytes.truncate(length);
            Ok(Reply::Bytes(bytes))
        }
        Some(b'*') => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Reply::Nil) };
            (0..length).map(|_| read(reader)).collect::<io::Result<_>>().map(Reply::List)
        }
        _ => Err(foreign()),
    }
}
