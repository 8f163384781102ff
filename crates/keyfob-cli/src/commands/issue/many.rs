//! `issue --from`: many tokens, one for each line of JSON.
//!
//! A thread reads lines. While one batch of tokens is issued, it reads the lines of the next batch. So
//! a file is issued as fast as the store can write. A program that writes one line to a pipe can wait
//! for its token before it writes the next. An interrupt lets the current batch finish: a token
//! whose bearer was not written would be lost. If the output cannot be written, the tokens that are
//! stored without an owner are revoked and named.

use std::io::{self, BufRead};
use std::path::Path;

use keyfob::values::Actor;
use keyfob_api::IssuedBody;
use tokio::sync::mpsc;

use super::line::{self, LineError};
use super::lost;
use super::show::note_once;
use crate::context::Context;
use crate::encoding::{self, BYTE_ORDER_MARK};
use crate::failure::Failure;
use crate::input::InputSource;
use crate::output::Output;
use crate::progress::Progress;
use crate::token_text::or_never;

/// The maximum length of a line in bytes.
const MAX_LINE_BYTES: usize = 64 * 1024;
/// The maximum number of lines in one batch.
const MAX_BATCH: usize = 512;

struct InputLine {
    number: u64,
    /// The position of its end in the input, in bytes.
    end: u64,
    text: Result<String, LineError>,
}

/// The numbers of issued and refused lines.
#[derive(Default)]
struct LineCounts {
    issued: u64,
    refused: u64,
}

pub(super) async fn run(
    from: &Path,
    by: Option<&Actor>,
    context: &mut Context,
) -> Result<(), Failure> {
    let source = InputSource::from_path(from);
    let progress = progress(&source);
    let mut lines = read(&source)?;
    let mut counts = LineCounts::default();
    let mut batch = Vec::new();
    let interrupt = context.interrupt.clone();
    let outcome = loop {
        batch.clear();
        let read = tokio::select! {
            biased;
            () = interrupt.requested() => break Err(Failure::Interrupted),
            read = lines.recv_many(&mut batch, MAX_BATCH) => read,
        };
        if read == 0 {
            break Ok(());
        }
        let end = issue_batch(std::mem::take(&mut batch), by, context, &mut counts, &source);
        match end.await {
            Ok(end) => progress.set(if source.length().is_some() { end } else { counts.issued }),
            Err(failure) => break Err(failure),
        }
    };
    drop(progress);
    let LineCounts { issued, refused } = counts;
    if issued > 0 {
        let message = format!("{issued} issued. Their bearers are shown only this once");
        note_once(&context.output, &message);
    }
    outcome?;
    if refused > 0 {
        return Err(Failure::Lines { refused, total: issued + refused });
    }
    Ok(())
}

/// Issues the tokens of some lines, in order. Returns the position of the end of the last line.
async fn issue_batch(
    lines: Vec<io::Result<InputLine>>,
    by: Option<&Actor>,
    context: &mut Context,
    counts: &mut LineCounts,
    source: &InputSource,
) -> Result<u64, Failure> {
    let now = context.now();
    let mut end = 0;
    let mut fatal = None;
    let mut grants = Vec::new();
    let mut parsed = Vec::new();
    for line in lines {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                fatal = Some(source.failed(error));
                break;
            }
        };
        end = line.end;
        let grant = line.text.and_then(|text| line::parse(&text, by, now, &context.backend));
        parsed.push((line.number, grant.map(|grant| grants.push(grant))));
    }
    let mut issued = context.backend.issue_many(grants, by)?;
    for (number, grant) in parsed {
        let outcome = match grant {
            Err(refused) => Err(refused),
            Ok(()) => match issued.next().await {
                Some(outcome) => outcome.map_err(LineError::from),
                None => break,
            },
        };
        match outcome {
            Ok(token) => {
                if let Err(failure) = write(&token, &mut context.output) {
                    // No further token is begun.
                    issued.stop();
                    let mut lost = vec![token.token.id];
                    // These were begun already, so they are stored too.
                    while let Some(outcome) = issued.next().await {
                        lost.extend(outcome.map(|token| token.token.id));
                    }
                    return Err(lost::revoke(lost, failure, by, &context.backend).await);
                }
                counts.issued += 1;
            }
            Err(refused) => {
                let position = format!("line {number}");
                context.output.error_line(&position, refused.code(), &refused.to_string());
                counts.refused += 1;
                // Later lines would fail too, but the tokens of this batch must be shown.
                fatal = fatal.or(refused.fatal());
            }
        }
    }
    fatal.map_or(Ok(end), Err)
}

fn write(issued: &IssuedBody, output: &mut Output) -> Result<(), Failure> {
    let token = &issued.token;
    if output.is_json() {
        output.object(issued)?;
    } else {
        let expires = or_never(token.expires_at);
        let (id, kind, bearer) = (token.id, token.kind, issued.bearer.expose());
        output.line(format_args!("{id}\t{kind}\t{expires}\t{bearer}"))?;
    }
    // A buffered bearer would be lost if the process is killed.
    output.flush()
}

fn progress(source: &InputSource) -> Progress {
    if io::IsTerminal::is_terminal(&io::stdout()) {
        return Progress::hidden();
    }
    match source.length() {
        Some(bytes) => Progress::reading(bytes),
        None => Progress::counting("tokens issued"),
    }
}

/// Reads the non-empty lines on a thread of its own.
fn read(source: &InputSource) -> Result<mpsc::Receiver<io::Result<InputLine>>, Failure> {
    let mut reader = source.open()?;
    let (sender, receiver) = mpsc::channel(MAX_BATCH);
    let thread = std::thread::Builder::new().name("lines".into()).spawn(move || {
        let (mut number, mut end) = (0, 0);
        loop {
            number += 1;
            let line = match next_line(&mut reader, number, &mut end) {
                Ok(None) => break,
                Ok(Some(Ok(text))) if text.trim().is_empty() => continue,
                Ok(Some(text)) => Ok(InputLine { number, end, text }),
                Err(error) => Err(error),
            };
            let failed = line.is_err();
            if sender.blocking_send(line).is_err() || failed {
                break;
            }
        }
    });
    thread.map_err(|error| source.failed(error))?;
    Ok(receiver)
}

/// Reads the line of this number. Holds at most [`MAX_LINE_BYTES`] of it in memory. A byte order mark
/// does not belong to the first line.
fn next_line(
    reader: &mut impl BufRead,
    number: u64,
    end: &mut u64,
) -> io::Result<Option<Result<String, LineError>>> {
    let mut line = Vec::new();
    let mut too_long = false;
    let mut is_end = true;
    loop {
        let buffer = reader.fill_buf()?;
        let newline = buffer.iter().position(|byte| *byte == b'\n');
        let taken = newline.map_or(buffer.len(), |position| position + 1);
        if taken == 0 {
            break;
        }
        is_end = false;
        too_long |= line.len() + taken > MAX_LINE_BYTES;
        if !too_long {
            line.extend(buffer.iter().take(taken));
        }
        reader.consume(taken);
        *end += taken as u64;
        if newline.is_some() {
            break;
        }
    }
    if is_end {
        return Ok(None);
    }
    if number == 1 && encoding::is_utf_16(&line) {
        return Err(encoding::utf_16());
    }
    if too_long {
        return Ok(Some(Err(LineError::TooLong { max: MAX_LINE_BYTES })));
    }
    let line = match String::from_utf8(line) {
        Ok(line) if number == 1 => line.trim_start_matches(BYTE_ORDER_MARK).to_owned(),
        Ok(line) => line,
        Err(_) => return Ok(Some(Err(LineError::NotText))),
    };
    Ok(Some(Ok(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_does_not_hide_the_next() {
        let text = format!("{}\n{{}}\n\u{1}", "x".repeat(MAX_LINE_BYTES + 1));
        let mut reader = io::BufReader::with_capacity(100, text.as_bytes());
        let mut end = 0;
        let mut next = || next_line(&mut reader, 1, &mut end).unwrap();
        assert!(matches!(next(), Some(Err(LineError::TooLong { .. }))));
        assert_eq!(next().unwrap().unwrap(), "{}\n");
        assert_eq!(next().unwrap().unwrap(), "\u{1}");
        assert!(next().is_none());
        assert_eq!(end, text.len() as u64);
    }

    #[test]
    fn a_line_that_is_not_utf_8_is_refused() {
        let mut reader: &[u8] = b"\xff\n";
        let line = next_line(&mut reader, 1, &mut 0).unwrap();
        assert!(matches!(line, Some(Err(LineError::NotText))));
    }

    #[test]
    fn a_byte_order_mark_is_dropped_from_the_first_line_only() {
        let mut reader = "\u{feff}{}\n\u{feff}{}".as_bytes();
        assert_eq!(next_line(&mut reader, 1, &mut 0).unwrap().unwrap().unwrap(), "{}\n");
        assert_eq!(next_line(&mut reader, 2, &mut 0).unwrap().unwrap().unwrap(), "\u{feff}{}");
    }

    #[test]
    fn utf_16_is_named() {
        for encoded in [&b"\xff\xfe{\0}\0"[..], b"\xfe\xff\0{\0}", b"{\0}\0", b"\0{\0}"] {
            let error = next_line(&mut &*encoded, 1, &mut 0).err().unwrap();
            assert!(error.to_string().contains("UTF-16"), "{error}");
        }
    }
}
