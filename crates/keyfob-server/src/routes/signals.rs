//! The routes of Shared Signals: how receivers find and manage their streams, and poll.

use http::Method;
use keyfob_api::signals::{
    ChangeStreamBody, CreateStreamBody, PollAnswer, PollBody, StreamBody, StreamStatusBody,
    StreamSubjectBody, VerifyStreamBody,
};
use schemars::json_schema;

use super::reply::{Content, Reply};
use super::route::{Handler, Route, Tag};
use crate::access::scope::ManagementScope::Signals;
use crate::parameter::Parameter;
use crate::ssf::metadata::{self, Configuration};
use crate::ssf::{STREAM_ID, poll, streams};

const MAX_BODY_BYTES: usize = 64 * 1024;
/// The maximum length of a poll, which may acknowledge a thousand tokens.
const MAX_POLL_BYTES: usize = 256 * 1024;

/// The stream that a query has to name.
const NAMED: &[Parameter] = &[STREAM_ID.required()];

/// Returns the routes.
pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![
        Route::new(Method::GET, metadata::PATH, "transmitterConfiguration", |call| {
            Box::pin(metadata::handle(call))
        })
        .about(Tag::Signals, "Read the configuration of the transmitter (SSF 1.0)")
        .may_fail(&[404])
        .answers::<Configuration>(200, "The endpoints, and what they support."),
    ];
    routes.extend(stream_routes());
    routes.extend(state_routes());
    routes
}

fn stream_routes() -> Vec<Route> {
    vec![
        of(Method::POST, "/ssf/streams", "createStream", |call| Box::pin(streams::create(call)))
            .about(Tag::Signals, "Create a stream of security event tokens")
            .takes_json::<CreateStreamBody>(
                MAX_BODY_BYTES,
                r#"{"delivery":{"method":"urn:ietf:rfc:8936"},"description":"orders"}"#,
            )
            .answers::<StreamBody>(201, "The stream. It begins now."),
        of(Method::GET, "/ssf/streams", "readStreams", |call| Box::pin(streams::read(call)))
            .about(Tag::Signals, "Read a stream, or all streams of the receiver")
            .query(&[STREAM_ID])
            .may_fail(&[400, 404])
            .reply(Reply {
                status: 200,
                about: "The stream that `stream_id` names; without it, a list.",
                content: Content::Json(|generator| {
                    let one = generator.subschema_for::<StreamBody>();
                    let many = generator.subschema_for::<Vec<StreamBody>>();
                    json_schema!({ "oneOf": [one, many] })
                }),
                headers: &[],
            }),
        of(Method::PATCH, "/ssf/streams", "updateStream", |call| Box::pin(streams::update(call)))
            .about(Tag::Signals, "Change a stream: what is left out stays")
            .takes_json::<ChangeStreamBody>(
                MAX_BODY_BYTES,
                r#"{"stream_id":"wh-00000000000000000000","description":"orders"}"#,
            )
            .may_fail(&[404])
            .answers::<StreamBody>(200, "The stream after the change."),
        of(Method::PUT, "/ssf/streams", "replaceStream", |call| Box::pin(streams::replace(call)))
            .about(Tag::Signals, "Replace the settings of a stream: what is left out is removed")
            .takes_json::<ChangeStreamBody>(
                MAX_BODY_BYTES,
                r#"{"stream_id":"wh-00000000000000000000","delivery":{"method":"urn:ietf:rfc:8936"}}"#,
            )
            .may_fail(&[404])
            .answers::<StreamBody>(200, "The stream after the change."),
        of(Method::DELETE, "/ssf/streams", "deleteStream", |call| Box::pin(streams::delete(call)))
            .about(Tag::Signals, "Delete a stream")
            .query(NAMED)
            .may_fail(&[404])
            .reply(nothing(204, "It is deleted.")),
    ]
}

fn state_routes() -> Vec<Route> {
    const SUBJECT: &str = r#"{"stream_id":"wh-00000000000000000000","subject":{"format":"iss_sub","iss":"https://tokens.example","sub":"alice"}}"#;
    vec![
        of(Method::GET, "/ssf/status", "getStreamStatus", |call| Box::pin(streams::status(call)))
            .about(Tag::Signals, "Read whether a stream transmits")
            .query(NAMED)
            .may_fail(&[404])
            .answers::<StreamStatusBody>(200, "Whether it does, and why."),
        of(Method::POST, "/ssf/status", "setStreamStatus", |call| {
            Box::pin(streams::set_status(call))
        })
        .about(Tag::Signals, "Enable, pause or disable a stream")
        .takes_json::<StreamStatusBody>(
            MAX_BODY_BYTES,
            r#"{"stream_id":"wh-00000000000000000000","status":"paused"}"#,
        )
        .may_fail(&[404])
        .answers::<StreamStatusBody>(200, "The status after the change."),
        of(Method::POST, "/ssf/subjects/add", "addStreamSubject", |call| {
            Box::pin(streams::add_subject(call))
        })
        .about(Tag::Signals, "Have a stream tell of a subject again")
        .takes_json::<StreamSubjectBody>(MAX_BODY_BYTES, SUBJECT)
        .may_fail(&[404])
        .reply(nothing(200, "The stream has it.")),
        of(Method::POST, "/ssf/subjects/remove", "removeStreamSubject", |call| {
            Box::pin(streams::remove_subject(call))
        })
        .about(Tag::Signals, "Have a stream leave out a subject")
        .takes_json::<StreamSubjectBody>(MAX_BODY_BYTES, SUBJECT)
        .may_fail(&[404])
        .reply(nothing(204, "The stream leaves it out.")),
        of(Method::POST, "/ssf/verify", "verifyStream", |call| Box::pin(streams::verify(call)))
            .about(Tag::Signals, "Have a stream transmit an event that tests it")
            .takes_json::<VerifyStreamBody>(
                MAX_BODY_BYTES,
                r#"{"stream_id":"wh-00000000000000000000","state":"abc"}"#,
            )
            .may_fail(&[404, 429])
            .reply(nothing(204, "It will be transmitted.")),
        of(Method::POST, "/ssf/streams/{stream}/poll", "pollStream", |call| {
            Box::pin(poll::handle(call))
        })
        .about(Tag::Signals, "Fetch tokens, and acknowledge earlier ones (RFC 8936)")
        .takes_json::<PollBody>(MAX_POLL_BYTES, r#"{"returnImmediately":true,"ack":["op-1"]}"#)
        .may_fail(&[404])
        .answers::<PollAnswer>(
            200,
            "The tokens: at once if there are some, and otherwise after a while.",
        ),
    ]
}

fn of(method: Method, path: &'static str, operation: &'static str, handler: Handler) -> Route {
    Route::new(method, path, operation, handler).scope(Signals).query(&[])
}

fn nothing(status: u16, about: &'static str) -> Reply {
    Reply { status, about, content: Content::Empty, headers: &[] }
}
