//! All routes. This table is the one place that says what each demands of its caller, what it takes and
//! what it answers. The OpenAPI document is made from it.

use http::Method;
use keyfob_api::edge::{
    EdgeBeatAnswer, EdgeBeatBody, EdgeBody, EdgeCharged, EdgeChargesBody, EdgeConsumeBody,
    EdgeConsumed, EdgeFirstUseBody, EdgeObservationsBody, EdgeRecordBody, EdgeReplaced, EdgeTaken,
    EdgeUsesBody,
};
use keyfob_api::{
    AcceptBody, AcceptedBody, CountBody, DeriveBody, DoctorBody, EventsPageBody, ExplainAnswer,
    ExplainBody, GithubLeak, GithubVerdict, GrantSpec, HistoryBody, IntrospectBody, IssueOutcome,
    IssuedBody, KeysBody, LeakBody, LeaksBody, LimitVerdictsBody, LimitsBody, NamedLimit,
    OneOrMany, OpenSessionBody, RecoverBody, RecoverProgress, RefreshBody, RefreshedBody,
    ResealBody, ResealProgress, RetireKeyBody, RetiredKeyBody, RevokeAnswer, RevokeBody,
    RevokeProgress, RotateBody, StatsBody, TestLimitBody, TokenBody, TokenPageBody, UpdateBody,
    ValidateAnswer, ValidateBody,
};

use keyfob_api::webhook::{
    CreateWebhookBody, DeadLettersBody, DeliveryBody, RotateWebhookBody, UpdateWebhookBody,
    WebhookBody, WebhookSecretBody, WebhooksBody,
};
use schemars::JsonSchema;

use super::reply::{Content, Reply};
use super::route::{Handler, Route, Tag};
use super::signals;
use crate::access::demand::Demand;
use crate::access::scope::ManagementScope::{
    Admin, Edge, Events, Introspect, Issue, Keys, Read, Revoke,
};
use crate::jwt::resources::ResourceMetadata;
use crate::jwt::routes::KeySetSchema;
use crate::oauth::claims_view::IntrospectionSchema;
use crate::oauth::forms;
use crate::oauth::metadata::Metadata;
use crate::oauth::token::answer::TokenAnswer;
use crate::operations::Status;
use crate::parameter::{Parameter, schema_of};
use crate::v1::parameters::{self, BIND, FILTER};
use crate::{gateway, jwt, leaks, oauth, openapi, operations, page, v1};

/// Returns all routes.
pub fn routes() -> Vec<Route> {
    let mut routes = oauth_routes();
    routes.extend(token_routes());
    routes.extend(api_routes());
    routes.extend(upkeep_routes());
    routes.extend(webhook_routes());
    routes.extend(signals::routes());
    routes.extend(caller_routes());
    routes.extend(edge_routes());
    routes.extend(gateway_routes());
    routes.extend(scanner_routes());
    routes.extend(service_routes());
    routes.extend(page_routes());
    routes
}

fn oauth_routes() -> Vec<Route> {
    vec![
        post("/oauth2/introspect", "introspect", |call| Box::pin(oauth::introspect::handle(call)))
            .about(Tag::OAuth, "Introspect a token (RFC 7662)")
            .scope(Introspect)
            .takes_forms(forms::INTROSPECTION)
            .answers::<IntrospectionSchema>(200, "Whether the token is active, and its claims.")
            .reply(Reply {
                status: 200,
                about: "The same, signed.",
                content: Content::Text(jwt::signed_answer::MEDIA_TYPE),
                headers: &[],
            }),
        post("/oauth2/revoke", "revoke", |call| Box::pin(oauth::revoke::handle(call)))
            .about(Tag::OAuth, "Revoke a token (RFC 7009)")
            .demands(Demand::Client { others: Revoke })
            .takes_forms(forms::REVOCATION)
            .reply(Reply {
                status: 200,
                about: "The token is revoked, or was not valid before.",
                content: Content::Empty,
                headers: &[],
            }),
        post("/oauth2/token", "token", |call| Box::pin(oauth::token::handle(call)))
            .about(Tag::OAuth, "Get a token for a grant (RFC 6749, RFC 8693)")
            .demands(Demand::TokenEndpoint)
            .takes_forms(forms::TOKEN_REQUESTS)
            .headers(&[forms::DPOP])
            .reply(Reply {
                status: 200,
                about: "The token.",
                content: Content::Json(schema_of::<TokenAnswer<'_>>),
                headers: &[forms::DPOP_NONCE],
            }),
        get("/.well-known/oauth-authorization-server", "metadata", |call| {
            Box::pin(oauth::metadata::handle(call))
        })
        .about(Tag::OAuth, "Read the metadata of the server (RFC 8414)")
        .answers::<Metadata>(200, "The endpoints, and what they support."),
        get("/.well-known/jwks.json", "jwks", |call| Box::pin(jwt::routes::keys(call)))
            .about(Tag::OAuth, "Read the keys that sign access tokens (RFC 7517)")
            .may_fail(&[404])
            .reply(Reply {
                status: 200,
                about: "The public keys.",
                content: Content::JsonAs(jwt::routes::KEY_SET, schema_of::<KeySetSchema>),
                headers: &[],
            }),
        get(jwt::resources::PATH, "protectedResource", |call| {
            Box::pin(jwt::resources::metadata(call))
        })
        .about(Tag::OAuth, "Read the metadata of a service that takes JWTs (RFC 9728)")
        .query(&[jwt::resources::RESOURCE])
        .may_fail(&[404])
        .answers::<ResourceMetadata>(200, "Where tokens for the service are issued."),
        get("/status-lists/{list}", "statusList", |call| Box::pin(jwt::routes::status_list(call)))
            .about(Tag::OAuth, "Read which JWTs are revoked (Token Status List)")
            .may_fail(&[404, 503])
            .reply(Reply {
                status: 200,
                about: "The list: a signed JWT.",
                content: Content::Text("application/statuslist+jwt"),
                headers: jwt::routes::LIST_HEADERS,
            }),
    ]
}

/// The maximum length of a body that names one thing, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// The maximum length of a body that may name a thousand things, in bytes.
const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Where a token that was issued can be read.
const LOCATION: &[Parameter] =
    &[Parameter::text::<String>("Location", "The path of the token, if one was issued.")];

/// The routes of one token, and of pages of them.
fn token_routes() -> Vec<Route> {
    let issue = || post("/v1/tokens", "issueTokens", |call| Box::pin(v1::issue::handle(call)));
    vec![
        issue()
            .about(Tag::Tokens, "Issue a token, or up to a thousand")
            .scope(Issue)
            .query(&[])
            .headers(&[parameters::IDEMPOTENCY_KEY])
            .takes_json::<OneOrMany<GrantSpec>>(
                MAX_BATCH_BYTES,
                r#"{"subject":"alice","scopes":["read"],"ttl":"15m"}"#,
            )
            .reply(Reply {
                status: 201,
                about: "The token with its bearer, or an outcome for each of an array. The bearer is shown \
                        once.",
                content: Content::Json(|generator| {
                    let one = generator.subschema_for::<IssuedBody>();
                    let many = generator.subschema_for::<Vec<IssueOutcome>>();
                    schemars::json_schema!({ "oneOf": [one, many] })
                }),
                headers: LOCATION,
            }),
        get("/v1/tokens", "listTokens", |call| Box::pin(v1::list::list(call)))
            .about(Tag::Tokens, "List the tokens that match a filter")
            .scope(Read)
            .query(&[
                FILTER,
                BIND,
                parameters::PAGE_LIMIT,
                parameters::MAX_TIME,
                parameters::CURSOR,
                parameters::ORDER,
            ])
            .answers::<TokenPageBody>(200, "One page."),
        get("/v1/tokens/count", "countTokens", |call| Box::pin(v1::list::count(call)))
            .about(Tag::Tokens, "Count the tokens that match a filter")
            .scope(Read)
            .query(&[FILTER, BIND])
            .answers::<CountBody>(200, "How many match."),
        get("/v1/tokens/{id}", "getToken", |call| Box::pin(v1::tokens::get(call)))
            .about(Tag::Tokens, "Read a token")
            .scope(Read)
            .query(&[])
            .answers::<TokenBody>(200, "The token, in whatever state."),
        Route::new(Method::PATCH, "/v1/tokens/{id}", "updateToken", |call| {
            Box::pin(v1::tokens::update(call))
        })
        .about(Tag::Tokens, "Change the metadata of a token")
        .scope(Issue)
        .query(&[])
        .takes_json::<UpdateBody>(MAX_BODY_BYTES, r#"{"labels":{"team":"shop"},"tags":["beta"]}"#)
        .answers::<TokenBody>(200, "The token after the change."),
        Route::new(Method::DELETE, "/v1/tokens/{id}", "revokeToken", |call| {
            Box::pin(v1::tokens::revoke(call))
        })
        .about(Tag::Tokens, "Revoke a token, and all that was minted from it")
        .demands(Demand::Client { others: Revoke })
        .query(&[parameters::REASON])
        .answers::<RevokeAnswer>(200, "The revocation. If the token was revoked already, the first one."),
        get("/v1/tokens/{id}/history", "getTokenHistory", |call| {
            Box::pin(v1::tokens::history(call))
        })
        .about(Tag::Tokens, "Read the last changes of a token")
        .scope(Read)
        .query(&[])
        .answers::<HistoryBody>(200, "The changes, the oldest first."),
        post("/v1/tokens/{id}/rotate", "rotateToken", |call| Box::pin(v1::tokens::rotate(call)))
            .about(Tag::Tokens, "Give an API key a new secret")
            .demands(Demand::Client { others: Issue })
            .query(&[])
            .takes_json::<RotateBody>(MAX_BODY_BYTES, r#"{"overlap":"24h"}"#)
            .may_fail(&[403, 409])
            .answers::<IssuedBody>(200, "The key with its new bearer, which is shown once."),
        post("/v1/tokens/{id}/derive", "deriveToken", |call| Box::pin(v1::derive::handle(call)))
            .about(Tag::Tokens, "Derive a narrower token")
            .scope(Issue)
            .query(&[])
            .headers(&[parameters::IDEMPOTENCY_KEY])
            .takes_json::<DeriveBody>(
                MAX_BODY_BYTES,
                r#"{"token":"PASTE_THE_BEARER","acting":"billing","scopes":["read"]}"#,
            )
            .answers::<IssuedBody>(200, "The derived token with its bearer, which is shown once."),
    ]
}

/// The other routes of `/v1`.
fn api_routes() -> Vec<Route> {
    vec![
        post("/v1/validate", "validateTokens", |call| Box::pin(v1::validate::handle(call)))
            .about(
                Tag::Validation,
                "Validate a bearer token, or up to a thousand, and charge limits",
            )
            .scope(Introspect)
            .query(&[])
            .takes_json::<OneOrMany<ValidateBody>>(
                MAX_BATCH_BYTES,
                r#"{"token":"PASTE_THE_BEARER","scopes":["read"]}"#,
            )
            .answers::<OneOrMany<ValidateAnswer>>(200, "The verdict, or one for each of an array."),
        post("/v1/explain", "explainToken", |call| Box::pin(v1::explain::handle(call)))
            .about(Tag::Validation, "Find every demand that a token does not meet")
            .scope(Read)
            .query(&[])
            .takes_json::<ExplainBody>(
                MAX_BODY_BYTES,
                r#"{"token":"PASTE_THE_BEARER","audience":"shop"}"#,
            )
            .may_fail(&[404])
            .answers::<ExplainAnswer>(200, "The token, and the refusals. No use is counted."),
        post("/v1/refresh", "refreshToken", |call| Box::pin(v1::refresh::handle(call)))
            .about(
                Tag::Tokens,
                "Exchange a refresh token for an access token and the next refresh token",
            )
            .scope(Issue)
            .query(&[])
            .takes_json::<RefreshBody>(
                MAX_BODY_BYTES,
                r#"{"token":"PASTE_THE_BEARER","scopes":["read"]}"#,
            )
            .may_fail(&[404])
            .answers::<RefreshedBody>(200, "Both tokens with their bearers, which are shown once."),
        post("/v1/introspect", "introspectTokens", |call| Box::pin(v1::introspect::handle(call)))
            .about(Tag::Validation, "Introspect up to a thousand tokens")
            .scope(Introspect)
            .query(&[])
            .takes_json::<IntrospectBody>(MAX_BATCH_BYTES, r#"{"tokens":["PASTE_THE_BEARER"]}"#)
            .answers::<Vec<IntrospectionSchema>>(200, "An answer for each token, in order."),
        post("/v1/leaks", "revokeLeaks", |call| Box::pin(v1::leaks::handle(call)))
            .about(Tag::Revocation, "Revoke bearers that a scanner found")
            .scope(Revoke)
            .query(&[])
            .takes_json::<LeaksBody>(
                MAX_BATCH_BYTES,
                r#"{"tokens":["PASTE_THE_BEARER"],"reason":"leaked: found in a repository"}"#,
            )
            .answers::<Vec<LeakBody>>(200, "What was done about each text, in order."),
        post("/v1/revoke", "revokeTokens", |call| Box::pin(v1::revoke::handle(call)))
            .about(
                Tag::Revocation,
                "Revoke by token, family, subject, client or filter, or everything",
            )
            .scope(Revoke)
            .query(&[])
            .takes_json::<RevokeBody>(
                MAX_BODY_BYTES,
                r#"{"target":{"subject":"alice"},"reason":"left the company"}"#,
            )
            .may_fail(&[404])
            .answers::<RevokeAnswer>(200, "What was done. For a filter: a line after each page.")
            .reply(Reply {
                status: 200,
                about: "",
                content: Content::JsonLines(schema_of::<RevokeProgress>),
                headers: &[],
            }),
        get("/v1/events", "readEvents", |call| Box::pin(v1::events::handle(call)))
            .about(Tag::Events, "Read events, by page or as a stream")
            .scope(Events)
            .query(&[
                parameters::AFTER,
                parameters::EVENT_LIMIT,
                parameters::EVENT_TYPE,
                parameters::EVENT_TOKEN,
                parameters::OBSERVATIONS,
            ])
            .headers(&[parameters::LAST_EVENT_ID])
            .answers::<EventsPageBody>(
                200,
                "One page. With `Accept: text/event-stream`: the events as they happen.",
            )
            .reply(Reply {
                status: 200,
                about: "",
                content: Content::Text("text/event-stream"),
                headers: &[],
            }),
        get("/v1/stats", "getStats", |call| Box::pin(v1::operations::stats(call)))
            .about(Tag::Operations, "Count the tokens by state, kind and client")
            .scope(Read)
            .query(&[])
            .answers::<StatsBody>(200, "The numbers."),
        get("/v1/doctor", "getReport", |call| Box::pin(v1::operations::doctor(call)))
            .about(Tag::Operations, "Check the settings of the store")
            .scope(Admin)
            .query(&[])
            .answers::<DoctorBody>(200, "The findings."),
    ]
}

/// The routes of limits, of keys, and of recovery.
fn upkeep_routes() -> Vec<Route> {
    vec![
        get("/v1/limits", "getLimits", |call| Box::pin(v1::limits::limits(call)))
            .about(Tag::Operations, "Read the limits, and their status")
            .scope(Read)
            .query(&[
                parameters::LIMITED_TOKEN,
                parameters::LIMITED_SUBJECT,
                parameters::LIMITED_CLIENT,
                parameters::LIMITED_IP,
            ])
            .answers::<LimitsBody>(
                200,
                "The policies, and the status of those that count what is named.",
            ),
        post("/v1/limits/test", "testLimit", |call| Box::pin(v1::limits::test(call)))
            .about(Tag::Operations, "Charge a limit that the request names by its rate")
            .scope(Admin)
            .query(&[])
            .takes_json::<TestLimitBody>(
                MAX_BODY_BYTES,
                r#"{"limit":{"name":"test","rate":"10/1m","counted":{"ip":"192.0.2.1"}},"times":12}"#,
            )
            .may_fail(&[404])
            .answers::<LimitVerdictsBody>(200, "The verdict on each call."),
        post("/v1/limits/status", "getLimitStatus", |call| Box::pin(v1::limits::status(call)))
            .about(Tag::Operations, "Read the status of a limit that the request names by its rate")
            .scope(Read)
            .query(&[])
            .takes_json::<NamedLimit>(
                MAX_BODY_BYTES,
                r#"{"name":"test","rate":"10/1m","counted":{"ip":"192.0.2.1"}}"#,
            )
            .may_fail(&[404])
            .answers::<LimitsBody>(200, "The status. Nothing is charged."),
        get("/v1/keys", "getKeys", |call| Box::pin(v1::keys::list(call)))
            .about(Tag::Operations, "Read the keys that seal the store")
            .scope(Keys)
            .query(&[parameters::COUNT])
            .may_fail(&[404])
            .answers::<KeysBody>(200, "The keys, without their secrets."),
        post("/v1/keys/reseal", "resealStore", |call| Box::pin(v1::keys::reseal(call)))
            .about(Tag::Operations, "Seal all records with the active key")
            .scope(Keys)
            .query(&[])
            .takes_json::<ResealBody>(MAX_BODY_BYTES, "{}")
            .may_fail(&[404])
            .reply(lines::<ResealProgress>("A line after each page.")),
        post("/v1/keys/retire", "retireKey", |call| Box::pin(v1::keys::retire(call)))
            .about(Tag::Operations, "Refuse records that are sealed under an old key")
            .scope(Keys)
            .query(&[])
            .takes_json::<RetireKeyBody>(MAX_BODY_BYTES, r#"{"version":1}"#)
            .may_fail(&[404, 409])
            .answers::<RetiredKeyBody>(200, "The store refuses it. Retire it in the ring too."),
        post("/v1/recover", "recoverRevocations", |call| Box::pin(v1::recover::handle(call)))
            .about(Tag::Revocation, "Revoke again what a restored store has forgotten")
            .scope(Admin)
            .query(&[])
            .takes_json::<RecoverBody>(
                MAX_BATCH_BYTES,
                r#"{"revocations":[{"target":{"subject":"alice"},"at":"2026-11-28T09:00:00Z"}]}"#,
            )
            .reply(lines::<RecoverProgress>("Lines while it runs, and a last one.")),
        post("/v1/recover/accept", "acceptRollback", |call| Box::pin(v1::recover::accept(call)))
            .about(
                Tag::Revocation,
                "Accept the tokens again that a store refuses since it lost its last writes",
            )
            .scope(Admin)
            .query(&[])
            .takes_json::<AcceptBody>(MAX_BODY_BYTES, r#"{"reason":"all logs were applied"}"#)
            .answers::<AcceptedBody>(200, "In how many lanes tokens are accepted again."),
    ]
}

/// A stream of lines of JSON.
fn lines<T: JsonSchema>(about: &'static str) -> Reply {
    Reply { status: 200, about, content: Content::JsonLines(schema_of::<T>), headers: &[] }
}

/// Events sent to receivers.
fn webhook_routes() -> Vec<Route> {
    let nothing = |about| Reply { status: 204, about, content: Content::Empty, headers: &[] };
    let created = "The webhook, and its secret, which is shown once.";
    vec![
        post("/v1/webhooks", "createWebhook", |call| Box::pin(v1::webhooks::create(call)))
            .about(Tag::Events, "Have events sent to a receiver, signed by Standard Webhooks")
            .scope(Admin)
            .query(&[])
            .takes_json::<CreateWebhookBody>(
                MAX_BODY_BYTES,
                r#"{"url":"https://shop.example/hooks","types":["keyfob.token.revoked"],"filter":"kind:api-key"}"#,
            )
            .answers::<WebhookSecretBody>(201, created),
        get("/v1/webhooks", "listWebhooks", |call| Box::pin(v1::webhooks::list(call)))
            .about(Tag::Events, "List the webhooks")
            .scope(Admin)
            .query(&[])
            .answers::<WebhooksBody>(200, "All of them, and how far each has come."),
        get("/v1/webhooks/{webhook}", "getWebhook", |call| Box::pin(v1::webhooks::get(call)))
            .about(Tag::Events, "Read a webhook")
            .scope(Admin)
            .query(&[])
            .may_fail(&[404])
            .answers::<WebhookBody>(200, "The webhook, without its secrets."),
        Route::new(Method::PATCH, "/v1/webhooks/{webhook}", "updateWebhook", |call| {
            Box::pin(v1::webhooks::update(call))
        })
        .about(Tag::Events, "Change, disable or enable a webhook")
        .scope(Admin)
        .query(&[])
        .takes_json::<UpdateWebhookBody>(MAX_BODY_BYTES, r#"{"enabled":true}"#)
        .may_fail(&[404])
        .answers::<WebhookBody>(200, "The webhook after the change."),
        Route::new(Method::DELETE, "/v1/webhooks/{webhook}", "deleteWebhook", |call| {
            Box::pin(v1::webhooks::delete(call))
        })
        .about(Tag::Events, "Delete a webhook and its dead letters")
        .scope(Admin)
        .query(&[])
        .may_fail(&[404])
        .reply(nothing("It is deleted.")),
        post("/v1/webhooks/{webhook}/rotate", "rotateWebhookSecret", |call| {
            Box::pin(v1::webhooks::rotate(call))
        })
        .about(Tag::Events, "Give a webhook a new secret, with an overlap")
        .scope(Admin)
        .query(&[])
        .takes_json::<RotateWebhookBody>(MAX_BODY_BYTES, r#"{"overlap":"1d"}"#)
        .may_fail(&[404])
        .answers::<WebhookSecretBody>(200, "The new secret, which is shown once."),
        post("/v1/webhooks/{webhook}/test", "testWebhook", |call| {
            Box::pin(v1::webhooks::test(call))
        })
        .about(Tag::Events, "Send a test event, and say what the receiver answers")
        .scope(Admin)
        .query(&[])
        .may_fail(&[404])
        .answers::<DeliveryBody>(200, "What came of it."),
        get("/v1/webhooks/{webhook}/dead-letters", "listDeadLetters", |call| {
            Box::pin(v1::webhooks::dead_letters(call))
        })
        .about(Tag::Events, "List the deliveries that were given up")
        .scope(Admin)
        .query(&[parameters::DEAD_LETTER_AFTER])
        .may_fail(&[404])
        .answers::<DeadLettersBody>(200, "A page of them."),
        post("/v1/webhooks/{webhook}/dead-letters/{letter}/send", "sendDeadLetter", |call| {
            Box::pin(v1::webhooks::send_dead_letter(call))
        })
        .about(Tag::Events, "Send a dead letter again, and drop it if it is delivered")
        .scope(Admin)
        .query(&[])
        .may_fail(&[404])
        .answers::<DeliveryBody>(200, "What came of it."),
        Route::new(
            Method::DELETE,
            "/v1/webhooks/{webhook}/dead-letters/{letter}",
            "dropDeadLetter",
            |call| Box::pin(v1::webhooks::drop_dead_letter(call)),
        )
        .about(Tag::Events, "Drop a dead letter")
        .scope(Admin)
        .query(&[])
        .may_fail(&[404])
        .reply(nothing("It is dropped.")),
    ]
}

/// The routes about the caller itself.
fn caller_routes() -> Vec<Route> {
    vec![
        get("/v1/caller", "getCaller", |call| Box::pin(v1::session::caller(call)))
            .about(Tag::Operations, "Read the token that authenticates the request")
            .demands(Demand::Caller)
            .query(&[])
            .answers::<TokenBody>(200, "The token, with its scopes."),
        post("/v1/sessions", "openSession", |call| Box::pin(v1::session::open(call)))
            .about(Tag::Operations, "Open a session for a person who has an API key")
            .demands(Demand::Caller)
            .query(&[])
            .takes_json::<OpenSessionBody>(MAX_BODY_BYTES, r#"{"idle":"15m"}"#)
            .may_fail(&[403])
            .answers::<IssuedBody>(201, "The session with its bearer, which is shown once."),
    ]
}

/// What an edge asks: a node without a store.
fn edge_routes() -> Vec<Route> {
    const OPERATION: &str = r#"{"operation":{"id":"AAAAAAAAAAAAAAAAAAAAAA","deadline_ms":1}}"#;
    const FIRST_USE: &str =
        r#"{"operation":{"id":"AAAAAAAAAAAAAAAAAAAAAA","deadline_ms":1},"version":1,"body":"AA"}"#;
    vec![
        get("/v1/edge", "describeEdge", |call| Box::pin(v1::edge::describe(call)))
            .about(Tag::Edge, "Read what an edge has to know")
            .scope(Edge)
            .query(&[])
            .answers::<EdgeBody>(200, "The namespace."),
        post("/v1/edge/beat", "edgeBeat", |call| Box::pin(v1::edge::beat(call)))
            .about(Tag::Edge, "Wait for changes of what an edge has cached")
            .scope(Edge)
            .query(&[])
            .takes_json::<EdgeBeatBody>(MAX_BODY_BYTES, r#"{"hold_us":50000}"#)
            .answers::<EdgeBeatAnswer>(
                200,
                "The changes, and how old the proof is that there are no others.",
            ),
        get("/v1/edge/records/{id}", "getEdgeRecord", |call| Box::pin(v1::edge::record(call)))
            .about(Tag::Edge, "Read the record of a token")
            .scope(Edge)
            .query(&[])
            .answers::<EdgeRecordBody>(200, "The record, in whatever state."),
        post("/v1/edge/records/{id}/consume", "consumeEdgeUse", |call| {
            Box::pin(v1::edge::consume(call))
        })
        .about(Tag::Edge, "Consume a use of a token whose uses are limited")
        .scope(Edge)
        .query(&[])
        .takes_json::<EdgeConsumeBody>(MAX_BODY_BYTES, OPERATION)
        .answers::<EdgeConsumed>(200, "How many are left."),
        post("/v1/edge/records/{id}/first-use", "writeEdgeFirstUse", |call| {
            Box::pin(v1::edge::first_use(call))
        })
        .about(Tag::Edge, "Write that the newest secret of an API key was used")
        .scope(Edge)
        .query(&[])
        .takes_json::<EdgeFirstUseBody>(MAX_BODY_BYTES, FIRST_USE)
        .answers::<EdgeReplaced>(200, "What became of it."),
        post("/v1/edge/uses", "writeEdgeUses", |call| Box::pin(v1::edge::uses(call)))
            .about(Tag::Edge, "Write when tokens were last used")
            .scope(Edge)
            .query(&[])
            .takes_json::<EdgeUsesBody>(MAX_BATCH_BYTES, r#"{"uses":[]}"#)
            .answers::<EdgeTaken>(200, "They are written."),
        post("/v1/edge/observations", "writeEdgeObservations", |call| {
            Box::pin(v1::edge::observations(call))
        })
        .about(Tag::Edge, "Write what an edge has seen")
        .scope(Edge)
        .query(&[])
        .takes_json::<EdgeObservationsBody>(MAX_BATCH_BYTES, r#"{"observations":[]}"#)
        .answers::<EdgeTaken>(200, "They are written."),
        post("/v1/edge/charges", "chargeEdgeLimits", |call| Box::pin(v1::edge::charges(call)))
            .about(Tag::Edge, "Take permits from rate limits")
            .scope(Edge)
            .query(&[])
            .takes_json::<EdgeChargesBody>(MAX_BODY_BYTES, r#"{"charges":[]}"#)
            .answers::<EdgeCharged>(200, "Whether they were admitted."),
    ]
}

fn scanner_routes() -> Vec<Route> {
    let about = "Take what GitHub's secret scanning found, with its signature";
    vec![
        post("/leaks/github", "revokeGithubLeaks", |call| Box::pin(leaks::github::handle(call)))
            .about(Tag::Revocation, about)
            .demands(Demand::Signature)
            .headers(leaks::github::HEADERS)
            .takes_json::<Vec<GithubLeak>>(
                MAX_BATCH_BYTES,
                r#"[{"token":"PASTE_THE_BEARER","type":"keyfob","url":"https://github.com/a/b"}]"#,
            )
            .may_fail(&[401, 404])
            .answers::<Vec<GithubVerdict>>(200, "Which texts are bearers of this service."),
    ]
}

fn gateway_routes() -> Vec<Route> {
    let route = get("/authz", "authorizeRequest", |call| Box::pin(gateway::authz::handle(call)));
    vec![
        route
            .about(Tag::Validation, "Answer a gateway: may this request pass, and whose is it?")
            .demands(Demand::Presented)
            .describes_query(gateway::parameters::DEMANDS)
            .headers(gateway::parameters::DESCRIPTION)
            .may_fail(&[400, 401, 403, 429, 503])
            .reply(Reply {
                status: 200,
                about: "The request may pass.",
                content: Content::Empty,
                headers: gateway::parameters::IDENTITY,
            }),
    ]
}

fn service_routes() -> Vec<Route> {
    vec![
        get("/healthz", "health", |call| Box::pin(operations::health(call)))
            .about(Tag::Service, "Ask whether the process lives")
            .answers::<Status>(200, "It lives."),
        get("/readyz", "readiness", |call| Box::pin(operations::readiness(call)))
            .about(Tag::Service, "Ask whether this replica can do its work")
            .answers::<Status>(200, "The store answers and has no fault.")
            .answers::<Status>(503, "The store does not answer, or has a fault."),
        get("/metrics", "metrics", |call| Box::pin(operations::metrics(call)))
            .about(Tag::Service, "Read all metrics in the text format of Prometheus")
            .may_fail(&[404])
            .reply(Reply {
                status: 200,
                about: "The metrics.",
                content: Content::Text("text/plain"),
                headers: &[],
            }),
        get("/openapi.json", "openapi", |call| Box::pin(openapi::handle(call)))
            .about(Tag::Service, "Read this document")
            .reply(Reply {
                status: 200,
                about: "The OpenAPI document.",
                content: Content::Json(schema_of::<serde_json::Map<String, serde_json::Value>>),
                headers: &[],
            }),
    ]
}

/// The page that shows the document to people.
fn page_routes() -> Vec<Route> {
    let text = |media_type, about| Reply {
        status: 200,
        about,
        content: Content::Text(media_type),
        headers: &[],
    };
    vec![
        get("/docs", "docs", |call| Box::pin(page::docs(call)))
            .about(Tag::Service, "Read this document as a page")
            .reply(text("text/html", "The page.")),
        get("/docs/page.js", "docsScript", |call| Box::pin(page::script(call)))
            .about(Tag::Service, "Read the script of the page")
            .reply(text("text/javascript", "The script.")),
        get("/docs/page.css", "docsStyle", |call| Box::pin(page::style(call)))
            .about(Tag::Service, "Read the style of the page")
            .reply(text("text/css", "The style.")),
    ]
}

fn get(path: &'static str, operation: &'static str, handler: Handler) -> Route {
    Route::new(Method::GET, path, operation, handler)
}

fn post(path: &'static str, operation: &'static str, handler: Handler) -> Route {
    Route::new(Method::POST, path, operation, handler)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_route_and_each_operation_is_there_once() {
        let all = routes();
        let paths: BTreeSet<_> = all.iter().map(|r| (r.method.as_str(), r.path)).collect();
        let operations: BTreeSet<_> = all.iter().map(|r| r.operation).collect();
        assert_eq!((paths.len(), operations.len()), (all.len(), all.len()));
    }

    #[test]
    fn each_operation_is_a_label_of_the_metrics() {
        for route in routes() {
            let label = keyfob::metrics::HttpRoute::of_operation(route.operation);
            assert!(label.is_some(), "add {} to HttpRoute in keyfob-metrics", route.operation);
        }
    }

    #[test]
    fn a_route_that_changes_something_demands_a_client() {
        for route in routes() {
            let is_public = matches!(route.demand, Demand::Public);
            assert!(route.method == Method::GET || !is_public, "{route:?}");
        }
    }

    #[test]
    fn each_example_is_a_body_that_the_route_takes() {
        for route in routes() {
            let Some(json) = &route.json else { continue };
            assert!((json.is_body)(json.example), "{route:?}: {}", json.example);
        }
    }
}
