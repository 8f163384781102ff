//! A request of HTTP/1.1 as bytes, and its answer.

use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64ct::{Base64, Encoding as _};

/// A request of HTTP/1.1 as bytes.
#[derive(Clone, Debug)]
pub(crate) struct Request(pub(super) Vec<u8>);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const JSON: &str = "application/json";

/// Returns the value of a header with the scheme Basic. The client and the secret need no encoding.
pub(crate) fn basic(client: &str, secret: &str) -> String {
    format!("Basic {}", Base64::encode_string(format!("{client}:{secret}").as_bytes()))
}

impl Request {
    pub(crate) fn get(path: &str, headers: &[(&str, &str)]) -> Self {
        Self::new("GET", path, headers, "")
    }

    pub(crate) fn post(
        path: &str,
        content_type: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Self {
        let length = body.len().to_string();
        let own = [("content-type", content_type), ("content-length", &*length)];
        Self::new("POST", path, &[&own, headers].concat(), body)
    }

    fn new(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(body);
        Self(text.into_bytes())
    }
}

/// Sends one request on a connection of its own, for what happens between the measurements.
pub(crate) fn ask(port: u16, request: &Request) -> Result<Answer> {
    let mut stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(&request.0)?;
    let mut bytes = Vec::new();
    loop {
        if let Some((status, start, end)) = parse(&bytes)? {
            let body = bytes.get(start..end).unwrap_or_default().to_vec();
            return Ok(Answer { status, body });
        }
        let mut piece = [0; 64 * 1024];
        let count = stream.read(&mut piece)?;
        ensure!(count > 0, "the server closed the connection");
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
}

/// Returns the status and the place of the body; `None` if the answer is not whole yet.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = response.parse(bytes)? else { return Ok(None) };
    let status = response.code.context("no status")?;
    let length = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("the answer has no content-length")?;
    let end = start + std::str::from_utf8(length.value)?.parse::<usize>()?;
    Ok((bytes.len() >= end).then_some((status, start, end)))
}
