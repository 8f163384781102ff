//! `issue --from`: many tokens, one for each line of JSON.
//!
//! A thread reads lines; what it has read by the time that the tokens before are issued is issued
//! together. So a file is issued as fast as the store takes it, and whoever writes one line to a
//! pipe and waits for its token gets it. An interruption lets what is under way finish, for a
//! token whose bearer nobody saw would be lost.

use std::io::{self, BufRead};
use std::path::Path;
use std::pin::pin;

use futures_util::StreamExt;
use keyfob::{Actor, Error, Issued};
use tokio::sync::mpsc;

use super::grant_line::{self, Refused};
use super::issue::{lost, note_once, write_object};
use crate::context::Context;
use crate::failure::Failure;
use crate::input::Source;
use crate::output::Output;
use crate::progress::Progress;
use crate::table::or_never;

/// The most bytes of one line.
const MOST_BYTES: usize = 64 * 1024;
/// The most lines that are issued together.
const TOGETHER: usize = 512;

struct Line {
    number: u64,
    /// How many bytes were read up to its end.
    end: u64,
    text: Result<String, Refused>,
}

/// How many lines there were.
#[derive(Default)]
struct Tally {
    issued: u64,
    refused: u64,
}

pub(super) async fn run(
    from: &Path,
    by: Option<&Actor>,
    context: &mut Context,
) -> Result<(), Failure> {
    let source = Source::named(from);
    let progress = progress(&source);
    let mut lines = read(&source)?;
    let mut tally = Tally::default();
    let mut together = Vec::new();
    let interrupt = context.interrupt.clone();
    let outcome = loop {
        together.clear();
        let read = tokio::select! {
            biased;
            () = interrupt.requested() => break Err(Failure::Interrupted),
            read = lines.recv_many(&mut together, TOGETHER) => read,
        };
        if read == 0 {
            break Ok(());
        }
        let end = issue_together(std::mem::take(&mut together), by, context, &mut tally, &source);
        match end.await {
            Ok(end) => progress.at(if source.length().is_some() { end } else { tally.issued }),
            Err(failure) => break Err(failure),
        }
    };
    drop(progress);
    let Tally { issued, refused } = tally;
    if issued > 0 {
        let message = format!("{issued} issued; their bearers are shown only this once");
        note_once(&context.output, &message);
    }
    outcome?;
    if refused > 0 {
        return Err(Failure::Lines { refused, total: issued + refused });
    }
    Ok(())
}

/// Issues what some lines ask for, in their order, and says up to where they reach.
async fn issue_together(
    lines: Vec<io::Result<Line>>,
    by: Option<&Actor>,
    context: &mut Context,
    tally: &mut Tally,
    source: &Source,
) -> Result<u64, Failure> {
    let now = context.now();
    let mut end = 0;
    let mut broken = None;
    let mut grants = Vec::new();
    let mut places = Vec::new();
    for line in lines {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                broken = Some(source.failed(error));
                break;
            }
        };
        end = line.end;
        let grant = line.text.and_then(|text| grant_line::parse(&text, by, now));
        places.push((line.number, grant.map(|grant| grants.push(grant))));
    }
    let mut issued = pin!(context.manager.issue_many(grants));
    for (number, place) in places {
        let outcome = match place {
            Err(refused) => Err(refused),
            Ok(()) => match issued.next().await {
                Some(outcome) => outcome.map_err(Refused::from),
                None => break,
            },
        };
        match outcome {
            Ok(issued) => {
                let output = &mut context.output;
                write(&issued, output).map_err(|failure| lost(failure, &issued))?;
                tally.issued += 1;
            }
            Err(refused) => {
                let place = format!("line {number}");
                context.output.refuse(&place, refused.code(), &refused.to_string());
                tally.refused += 1;
                // Nothing more will come of it, but those under way have to be shown.
                if let Refused::Keyfob(error @ Error::Store(_)) = refused {
                    broken = broken.or(Some(error.into()));
                }
            }
        }
    }
    broken.map_or(Ok(end), Err)
}

fn write(issued: &Issued, output: &mut Output) -> Result<(), Failure> {
    let token = &issued.token;
    if output.is_json() {
        write_object(issued, token.issued_at, output)?;
    } else {
        let expires = or_never(token.expires_at);
        let (id, kind, bearer) = (token.id, token.kind, issued.bearer.expose());
        output.line(format_args!("{id}\t{kind}\t{expires}\t{bearer}"))?;
    }
    // What is held back is lost when the process is killed.
    output.flush()
}

fn progress(source: &Source) -> Progress {
    if io::IsTerminal::is_terminal(&io::stdout()) {
        return Progress::hidden();
    }
    match source.length() {
        Some(bytes) => Progress::reading(bytes),
        None => Progress::counting("tokens issued"),
    }
}

/// Reads the lines that are not empty on a thread of its own.
fn read(source: &Source) -> Result<mpsc::Receiver<io::Result<Line>>, Failure> {
    let mut reader = source.open()?;
    let (sender, receiver) = mpsc::channel(TOGETHER);
    let thread = std::thread::Builder::new().name("lines".into()).spawn(move || {
        let (mut number, mut end) = (0, 0);
        loop {
            number += 1;
            let line = match next_line(&mut reader, &mut end) {
                Ok(None) => break,
                Ok(Some(Ok(text))) if text.trim().is_empty() => continue,
                Ok(Some(text)) => Ok(Line { number, end, text }),
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

/// The next line without its end, of which no more than is allowed is kept in memory.
fn next_line(
    reader: &mut impl BufRead,
    end: &mut u64,
) -> io::Result<Option<Result<String, Refused>>> {
    let mut line = Vec::new();
    let mut too_long = false;
    let mut anything = false;
    loop {
        let buffer = reader.fill_buf()?;
        let newline = buffer.iter().position(|byte| *byte == b'\n');
        let taken = newline.map_or(buffer.len(), |place| place + 1);
        if taken == 0 {
            break;
        }
        anything = true;
        too_long |= line.len() + taken > MOST_BYTES;
        if !too_long {
            line.extend(buffer.iter().take(taken));
        }
        reader.consume(taken);
        *end += taken as u64;
        if newline.is_some() {
            break;
        }
    }
    if !anything {
        return Ok(None);
    }
    if too_long {
        return Ok(Some(Err(Refused::TooLong { most: MOST_BYTES })));
    }
    Ok(Some(String::from_utf8(line).map_err(|_| Refused::NotText)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_does_not_hide_the_next() {
        let text = format!("{}\n{{}}\n\u{1}", "x".repeat(MOST_BYTES + 1));
        let mut reader = io::BufReader::with_capacity(100, text.as_bytes());
        let mut end = 0;
        let mut next = || next_line(&mut reader, &mut end).unwrap();
        assert!(matches!(next(), Some(Err(Refused::TooLong { .. }))));
        assert_eq!(next().unwrap().unwrap(), "{}\n");
        assert_eq!(next().unwrap().unwrap(), "\u{1}");
        assert!(next().is_none());
        assert_eq!(end, text.len() as u64);
    }

    #[test]
    fn a_line_that_is_no_text_is_refused() {
        let mut reader: &[u8] = b"\xff\n";
        let line = next_line(&mut reader, &mut 0).unwrap();
        assert!(matches!(line, Some(Err(Refused::NotText))));
    }
}
