//! `events`: prints events as CloudEvents, from a cursor on.

use std::time::Duration;

use keyfob::Event;
use keyfob::event::CloudEvent;
use keyfob::handlers::Delivery;
use keyfob::store::Cursor;
use serde::Serialize;

use crate::args::{EventsArgs, EventsStart};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;

/// The maximum number of events in one read of the store.
const PAGE_SIZE: usize = 256;
/// The interval between reads of observations. The store does not notify about them.
const OBSERVATION_POLL_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Serialize)]
struct EventLine<'a> {
    #[serde(flatten)]
    event: CloudEvent<'a>,
    /// An extension attribute. CloudEvents requires a name of lower-case letters and digits.
    #[serde(rename = "keyfobcursor", skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

pub(super) async fn run(args: &EventsArgs, context: &mut Context) -> Result<(), Failure> {
    let interrupt = context.interrupt.clone();
    let mut cursor = match &args.after {
        EventsStart::After(cursor) => cursor.clone(),
        EventsStart::Latest if args.observations => context.manager.latest_observation().await?,
        EventsStart::Latest => context.manager.latest_event().await?,
    };
    let mut reader =
        EventReader { args, left: args.limit.unwrap_or(u64::MAX), cursor: &mut cursor };
    let read = async {
        match (args.observations, args.follow) {
            (true, _) => reader.observations(context).await,
            (false, true) => reader.follow(context).await,
            (false, false) => reader.events(context).await,
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
    left: u64,
    /// The position after the last written event.
    cursor: &'a mut Cursor,
}

impl EventReader<'_> {
    /// Writes the stored events.
    async fn events(&mut self, context: &mut Context) -> Result<(), Failure> {
        while self.left > 0 {
            let limit = self.left.min(PAGE_SIZE as u64) as usize;
            let page = context.manager.events(self.cursor, limit).await?;
            if page.trimmed {
                note_trimmed(&context.output);
            }
            for (event, after) in page.events {
                self.write(&event, after, &mut context.output)?;
            }
            context.output.flush()?;
            *self.cursor = page.cursor;
            if !page.more {
                break;
            }
        }
        Ok(())
    }

    /// Writes the stored events, then new ones as they are published.
    async fn follow(&mut self, context: &mut Context) -> Result<(), Failure> {
        let mut events = context.manager.events_from(self.cursor.clone());
        while self.left > 0 {
            let Some(delivery) = events.next().await else { break };
            match delivery? {
                Delivery::Event(event) => {
                    self.write(&event, events.cursor().clone(), &mut context.output)?;
                    context.output.flush()?;
                }
                Delivery::Trimmed => note_trimmed(&context.output),
            }
        }
        Ok(())
    }

    /// Writes the stored observations, then new ones with `--follow`.
    async fn observations(&mut self, context: &mut Context) -> Result<(), Failure> {
        while self.left > 0 {
            let limit = self.left.min(PAGE_SIZE as u64) as usize;
            let page = context.manager.observations(self.cursor, limit).await?;
            for (seen, id) in page.observations {
                context.output.object(&CloudEvent::for_observation(&seen, id))?;
                self.left -= 1;
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

    fn write(&mut self, event: &Event, after: Cursor, output: &mut Output) -> Result<(), Failure> {
        let cursor = self.args.with_cursor.then(|| after.to_string());
        output.object(&EventLine { event: CloudEvent::new(event), cursor })?;
        self.left -= 1;
        *self.cursor = after;
        Ok(())
    }
}

fn note_trimmed(output: &Output) {
    let message = "some events were deleted before they were read. Rebuild any state that is \
                   derived from events";
    output.note("trimmed", message);
}
