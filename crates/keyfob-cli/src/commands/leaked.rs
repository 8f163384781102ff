//! `leaked`: revokes bearers that were found where they should not be.

use std::io::{BufRead, Read as _};

use keyfob_api::{LeakBody, LeakOutcome, MAX_ITEMS, SecretText};
use zeroize::Zeroizing;

use crate::args::LeakedArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::input::InputSource;

/// The maximum length of a line. No bearer is longer.
const MAX_LINE_BYTES: u64 = 64 * 1024;

pub(super) async fn run(args: &LeakedArgs, context: &mut Context) -> Result<(), Failure> {
    let source = InputSource::from_flag(args.from.as_ref());
    let mut reader = source.open()?;
    loop {
        let read = tokio::task::spawn_blocking(move || batch(&mut reader).map(|it| (it, reader)));
        let read = read.await.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
        let (texts, rest) = read.map_err(|error| source.failed(error))?;
        reader = rest;
        if texts.is_empty() {
            return context.output.flush();
        }
        let answers =
            context.backend.revoke_leaks(texts, args.reason.as_ref(), args.by.as_ref()).await?;
        for answer in &answers {
            show(answer, context)?;
        }
    }
}

fn show(answer: &LeakBody, context: &mut Context) -> Result<(), Failure> {
    if context.output.is_json() {
        return context.output.object(answer);
    }
    let Some(token) = &answer.token else {
        return context.output.line(answer.outcome.as_str());
    };
    let owner = |name, owner: Option<String>| owner.map(|owner| format!(" {name} {owner}"));
    let subject = owner("subject", token.subject.as_ref().map(ToString::to_string));
    let client = owner("client", token.client.as_ref().map(ToString::to_string));
    let [subject, client] = [subject, client].map(Option::unwrap_or_default);
    let kept = match answer.outcome {
        LeakOutcome::Replaced => ": it has another secret now, and stays",
        _ => "",
    };
    let outcome = answer.outcome.as_str();
    context.output.line(format_args!("{outcome} {}{subject}{client}{kept}", token.id))
}

/// Reads as many texts as one request takes; none at the end. Empty lines are left out.
fn batch(reader: &mut Box<dyn BufRead + Send>) -> std::io::Result<Vec<SecretText>> {
    let mut texts = Vec::new();
    let mut line = Zeroizing::new(Vec::new());
    while texts.len() < MAX_ITEMS {
        line.clear();
        if reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        // What is not UTF-8 is no bearer.
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if !text.is_empty() {
            texts.push(SecretText::new(text));
        }
    }
    Ok(texts)
}
