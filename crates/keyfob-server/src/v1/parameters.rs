//! The parameters of `/v1`: those of the path, the query and the headers.

use keyfob::Paging;
use keyfob_api::schema::{Address, Text, TokenIdText, TtlText};
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::parameter::{Parameter, Value};

/// The maximum number of events of a page.
const MAX_EVENTS: usize = 1_000;

pub(crate) const TOKEN_ID: Parameter =
    Parameter::text::<TokenIdText>("id", "The id of the token.").required();

pub(crate) const WEBHOOK_ID: Parameter =
    Parameter::text::<Text<32>>("webhook", "The id of the webhook.").required();

pub(crate) const DEAD_LETTER: Parameter =
    Parameter::text::<Text<64>>("letter", "The id of the dead letter.").required();

pub(crate) const DEAD_LETTER_AFTER: Parameter =
    Parameter::text::<Text<64>>("after", "`next` of the page before.");

pub(crate) const FILTER: Parameter = Parameter::text::<String>(
    "filter",
    "Which tokens: fields and values such as `subject:alice state:active`. Without it: all tokens. With \
     `cursor`, pass the `filter` of the first page's answer, so that all pages are of one list.",
);

pub(crate) const BIND: Parameter = Parameter::new(
    "bind",
    Value::Named(bound_value),
    "`bind.NAME=VALUE` gives a value to `$NAME` in the filter. The value is never parsed as a filter.",
);

/// The number of tokens of a page.
pub(crate) const PAGE_LIMIT: Parameter = Parameter::new(
    "limit",
    Value::Number { default: 100, max: Paging::MAX_LIMIT },
    "The maximum number of tokens.",
);

pub(crate) const MAX_TIME: Parameter = Parameter::text::<TtlText>(
    "max_time",
    "After what time the page ends with what was found until then, such as `25ms`. `next` continues. Default: after \
     10,000 records.",
);

pub(crate) const CURSOR: Parameter = Parameter::text::<String>(
    "cursor",
    "`next` of the page before. It belongs to the filter and the order.",
);

pub(crate) const NEWEST: &str = "newest";
pub(crate) const EXPIRING: &str = "expiring";

pub(crate) const ORDER: Parameter = Parameter::new(
    "order",
    Value::Word(&[NEWEST, EXPIRING]),
    "The newest first, or those that expire soonest.",
);

pub(crate) const REASON: Parameter =
    Parameter::text::<Text<256>>("reason", "The reason to record.");

pub(crate) const AFTER: Parameter = Parameter::text::<String>(
    "after",
    "The cursor after which to read, or `start`, or `latest`, or a time (RFC 3339) since which to read. \
     Default: `start` for a page, `latest` for a stream.",
);

/// The number of events of a page.
pub(crate) const EVENT_LIMIT: Parameter = Parameter::new(
    "limit",
    Value::Number { default: 100, max: MAX_EVENTS },
    "The maximum number of events of a page.",
);

pub(crate) const EVENT_TYPE: Parameter = Parameter::text::<String>(
    "type",
    "A type such as `keyfob.token.revoked`, or the start of some, such as `keyfob.token.`.",
);

pub(crate) const EVENT_TOKEN: Parameter =
    Parameter::text::<TokenIdText>("token", "The id of the token that the events are about.");

pub(crate) const OBSERVATIONS: Parameter = Parameter::new(
    "observations",
    Value::Flag,
    "Reads observations, such as refusals, instead of events. They have no stream.",
);

pub(crate) const IDEMPOTENCY_KEY: Parameter = Parameter::text::<Text<255>>(
    "Idempotency-Key",
    "Names the request, so that it may be sent again: a repeat within 24 hours gets the same answer. \
     Visible ASCII. It belongs to the credentials of the request.",
);

pub(crate) const LAST_EVENT_ID: Parameter = Parameter::text::<String>(
    "Last-Event-ID",
    "The id of the last event that the client has seen. It precedes `after`.",
);

pub(crate) const LIMITED_TOKEN: Parameter =
    Parameter::text::<TokenIdText>("token", "The id of a token that limits count.");

pub(crate) const LIMITED_SUBJECT: Parameter =
    Parameter::text::<Text<256>>("subject", "A subject that limits count.");

pub(crate) const LIMITED_CLIENT: Parameter =
    Parameter::text::<Text<256>>("client", "A client that limits count.");

pub(crate) const LIMITED_IP: Parameter =
    Parameter::text::<Address>("ip", "An address that limits count.");

pub(crate) const COUNT: Parameter = Parameter::new(
    "count",
    Value::Flag,
    "Also counts the records that each key seals. This reads every record of the store.",
);

fn bound_value(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string" })
}
