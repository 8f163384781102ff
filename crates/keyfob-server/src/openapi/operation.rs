//! One route as an operation of the document.

use serde_json::{Map, Value, json};

use super::failures;
use super::schemas::Schemas;
use crate::access::demand::Demand;
use crate::jwt::routes::LIST;
use crate::parameter::{self, Parameter};
use crate::routes::reply::{Content, Reply};
use crate::routes::route::Route;
use crate::ssf::STREAM;
use crate::v1::parameters::{DEAD_LETTER, TOKEN_ID, WEBHOOK_ID};

/// The parameters that paths have.
const PATH_PARAMETERS: &[Parameter] = &[TOKEN_ID, WEBHOOK_ID, DEAD_LETTER, STREAM, LIST];

/// Returns the operation of a route.
pub(super) fn operation(route: &Route, schemas: &mut Schemas) -> Value {
    let mut operation = json!({
        "operationId": route.operation,
        "summary": route.summary,
        "description": description(route.demand),
        "tags": [route.tag.as_str()],
        "security": security(route.demand),
        "responses": responses(route, schemas),
    });
    if let Demand::Client { others } = route.demand {
        operation["x-keyfob-scope-for-others"] = others.as_str().into();
    }
    let parameters = parameters(route, schemas);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = request_body(route, schemas) {
        operation["requestBody"] = body;
    }
    operation
}

fn description(demand: Demand) -> String {
    match demand {
        Demand::Public => "Everybody may ask.".to_owned(),
        Demand::Presented => "The answer is about the bearer token of the request.".to_owned(),
        Demand::Signature => {
            "The body has to be signed with a key that the server knows.".to_owned()
        }
        Demand::Caller => "Needs the credentials of a client, and no scope.".to_owned(),
        Demand::Client { others } => format!(
            "A client acts on its own tokens. With the scope `{others}` it acts on all tokens."
        ),
        Demand::TokenEndpoint => {
            "The client authenticates by a header or in the form. A public client names itself by \
             `client_id`. What it gets follows from the grant."
                .to_owned()
        }
        Demand::Scope(scope) => format!("Needs the scope `{scope}`."),
    }
}

/// Returns the ways to authenticate, each with the scope that the caller needs.
fn security(demand: Demand) -> Value {
    let scopes: Vec<_> = demand.scope().iter().map(|scope| scope.as_str()).collect();
    match demand {
        Demand::Public | Demand::Signature => json!([]),
        Demand::Presented => json!([{ "apiKey": [] }, { "accessToken": [] }]),
        Demand::Caller | Demand::Client { .. } | Demand::Scope(_) => {
            json!([{ "apiKey": [] }, { "basic": [] }, { "accessToken": scopes }])
        }
        // The form may have the credentials.
        Demand::TokenEndpoint => {
            json!([{ "apiKey": [] }, { "basic": [] }, { "accessToken": [] }, {}])
        }
    }
}

fn parameters(route: &Route, schemas: &mut Schemas) -> Vec<Value> {
    let in_path = names_in(route.path).filter_map(|name| {
        let known = PATH_PARAMETERS.iter().find(|known| known.name == name)?;
        Some((known, "path"))
    });
    let in_query = route.query.iter().map(|known| (known, "query"));
    let in_header = route.headers.iter().map(|known| (known, "header"));
    let all = in_path.chain(in_query).chain(in_header);
    all.map(|(parameter, place)| {
        let mut described = json!({
            "name": parameter.name,
            "in": place,
            "description": parameter.about,
            "required": parameter.is_required,
            "schema": parameter.schema(schemas.requests()).to_value(),
        });
        if let parameter::Value::Named(_) = parameter.value {
            // Each member is a parameter of its own.
            described["style"] = "form".into();
            described["explode"] = true.into();
        }
        described
    })
    .collect()
}

/// Returns the names in braces.
fn names_in(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

fn request_body(route: &Route, schemas: &mut Schemas) -> Option<Value> {
    let media_type = route.takes.content_type()?;
    let content = match (&route.json, route.forms) {
        (Some(json), _) => {
            let example: Value = serde_json::from_str(json.example).unwrap_or_default();
            json!({ "schema": schemas.request(json.schema), "example": example })
        }
        (None, [form]) => json!({ "schema": schemas.form(form) }),
        (None, forms) => {
            let forms: Vec<_> = forms.iter().map(|form| schemas.form(form)).collect();
            json!({ "schema": { "oneOf": forms } })
        }
    };
    Some(json!({ "required": true, "content": { (media_type): content } }))
}

fn responses(route: &Route, schemas: &mut Schemas) -> Value {
    let mut responses = failures::of(route);
    let statuses: std::collections::BTreeSet<_> =
        route.replies.iter().map(|reply| reply.status).collect();
    for status in statuses {
        let replies = route.replies.iter().filter(|reply| reply.status == status);
        responses.insert(status.to_string(), response(replies, schemas));
    }
    responses.into()
}

/// Returns the response of replies with the same status. The first says what it is.
fn response<'a>(replies: impl Iterator<Item = &'a Reply>, schemas: &mut Schemas) -> Value {
    let mut response = json!({});
    let (mut content, mut headers) = (Map::new(), Map::new());
    for reply in replies {
        if response.get("description").is_none() {
            response["description"] = reply.about.into();
        }
        if let Some(media_type) = reply.content.media_type() {
            content.insert(
                media_type.to_owned(),
                json!({ "schema": schema(&reply.content, schemas) }),
            );
        }
        for header in reply.headers {
            let schema = header.schema(schemas.requests()).to_value();
            let described = json!({ "description": header.about, "schema": schema });
            headers.insert(header.name.to_owned(), described);
        }
    }
    if !content.is_empty() {
        response["content"] = content.into();
    }
    if !headers.is_empty() {
        response["headers"] = headers.into();
    }
    response
}

fn schema(content: &Content, schemas: &mut Schemas) -> Value {
    match content {
        Content::Empty => Value::Null,
        Content::Json(schema) | Content::JsonAs(_, schema) | Content::JsonLines(schema) => {
            schemas.answer(*schema)
        }
        Content::Text(_) => json!({ "type": "string" }),
    }
}
