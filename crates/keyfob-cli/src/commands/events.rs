//! `events`: what happened, as CloudEvents, from a cursor on.

use std::time::Duration;

use keyfob::store::Cursor;
use keyfob::{CloudEvent, Delivery, Event};
use serde::Serialize;

use crate::args::{EventsArgs, From};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;

/// How many are asked of the store at a time.
const PAGE: usize = 256;
/// How often observations are asked for, which nobody is woken by.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Serialize)]
struct WithCursor<'a> {
    #[serde(flatten)]
    event: CloudEvent<'a>,
    /// An extension attribute, whose name CloudEvents wants in lower case and in one word.
    #[serde(rename = "keyfobcursor", skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

pub(super) async fn run(args: &EventsArgs, context: &mut Context) -> Result<(), Failure> {
    let interrupt = context.interrupt.clone();
    let mut cursor = match &args.after {
        From::After(cursor) => cursor.clone(),
        From::Latest if args.observations => context.manager.latest_observation().await?,
        From::Latest => context.manager.latest_event().await?,
    };
    let mut reader = Reader { args, left: args.limit.unwrap_or(u64::MAX), cursor: &mut cursor };
    let read = async {
        match (args.observations, args.follow) {
            (true, _) => reader.observations(context).await,
            (false, true) => reader.follow(context).await,
            (false, false) => reader.events(context).await,
        }
    };
    let outcome = match interrupt.or(read).await {
        // There is no other way to end it.
        Err(Failure::Interrupted) if args.follow => Ok(()),
        outcome => outcome,
    };
    if !matches!(outcome, Err(Failure::Output(_))) {
        let feed = if args.observations { " --observations" } else { "" };
        let message = format!("go on with: keyfob events{feed} --after {cursor}");
        context.output.note_cursor("resume", message, &cursor);
    }
    outcome
}

struct Reader<'a> {
    args: &'a EventsArgs,
    left: u64,
    /// After what was written last.
    cursor: &'a mut Cursor,
}

impl Reader<'_> {
    /// What there is.
    async fn events(&mut self, context: &mut Context) -> Result<(), Failure> {
        while self.left > 0 {
            let limit = self.left.min(PAGE as u64) as usize;
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

    /// What there is, and what comes.
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

    /// What was seen, and what comes if that is asked for.
    async fn observations(&mut self, context: &mut Context) -> Result<(), Failure> {
        while self.left > 0 {
            let limit = self.left.min(PAGE as u64) as usize;
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
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    fn write(&mut self, event: &Event, after: Cursor, output: &mut Output) -> Result<(), Failure> {
        let cursor = self.args.with_cursor.then(|| after.to_string());
        output.object(&WithCursor { event: CloudEvent::new(event), cursor })?;
        self.left -= 1;
        *self.cursor = after;
        Ok(())
    }
}

fn note_trimmed(output: &Output) {
    let message = "events before this were trimmed before they were read: what is built from \
                   events has to be built anew";
    output.note("trimmed", message);
}
