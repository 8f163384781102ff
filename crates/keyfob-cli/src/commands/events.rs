//! `events`: prints events as CloudEvents, from a cursor on.

use std::time::Duration;

use keyfob::store::Cursor;

use crate::args::{EventsArgs, EventsStart};
use crate::backend::{EventLine, Feed};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;

/// The maximum number of events in one read of the store.
const PAGE_SIZE: usize = 256;
/// The interval between reads of observations. The store does not notify about them.
const OBSERVATION_POLL_INTERVAL: Duration = Duration::from_millis(500);

pub(super) async fn run(args: &EventsArgs, context: &mut Context) -> Result<(), Failure> {
    let interrupt = context.interrupt.clone();
    let feed = if args.observations { Feed::Observations } else { Feed::Events };
    let mut cursor = match &args.after {
        EventsStart::After(cursor) => cursor.clone(),
        EventsStart::Latest => context.backend.latest(feed).await?,
    };
    let left = args.limit.unwrap_or(u64::MAX);
    let mut reader = EventReader { args, feed, left, cursor: &mut cursor };
    let read = async {
        match (feed, args.follow) {
            (Feed::Events, true) => reader.follow(context).await,
            _ => reader.pages(context).await,
        }
    };
    let outcome = match interrupt.or(read).await {
        // An interrupt is the normal end of `--follow`.
        Err(Failure::Interrupted) if args.follow => Ok(()),
        outcome => outcome,
    };
    if !matches!(outcome, Err(Failure::Output(_))) {
        let flag = if args.observations { " --observations" } else { "" };
        let message = format!("resume with: keyfob events{flag} --after {cursor}");
        context.output.note_cursor("resume", message, &cursor);
    }
    outcome
}

struct EventReader<'a> {
    args: &'a EventsArgs,
    feed: Feed,
    left: u64,
    /// The position after the last written event.
    cursor: &'a mut Cursor,
}

impl EventReader<'_> {
    /// Writes what is stored, and for observations with `--follow`, new ones.
    async fn pages(&mut self, context: &mut Context) -> Result<(), Failure> {
        while self.left > 0 {
            let limit = self.left.min(PAGE_SIZE as u64) as usize;
            let page = context.backend.event_lines(self.feed, self.cursor, limit).await?;
            if page.trimmed {
                note_trimmed(&context.output);
            }
            for line in page.lines {
                self.write(line, &mut context.output)?;
            }
            context.output.flush()?;
            *self.cursor = page.cursor;
            if page.more {
                continue;
            }
            if !self.args.follow {
                break;
            }
            tokio::time::sleep(OBSERVATION_POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Writes the stored events, then new ones as they are published.
    async fn follow(&mut self, context: &mut Context) -> Result<(), Failure> {
        let mut events = context.backend.follow(self.cursor.clone()).await?;
        while self.left > 0 {
            let Some(delivery) = events.next().await else { break };
            match delivery? {
                Some(line) => {
                    self.write(line, &mut context.output)?;
                    context.output.flush()?;
                }
                None => note_trimmed(&context.output),
            }
        }
        Ok(())
    }

    fn write(&mut self, line: EventLine, output: &mut Output) -> Result<(), Failure> {
        output.object(&line.view(self.args.with_cursor))?;
        self.left -= 1;
        if let Some(after) = line.after {
            *self.cursor = after;
        }
        Ok(())
    }
}

fn note_trimmed(output: &Output) {
    let message = "some events were deleted before they were read. Rebuild any state that is \
                   derived from events";
    output.note("trimmed", message);
}
