//! The OpenAPI document against the table of routes, and against the document in the repository.

use keyfob_server::access::demand::Demand;
use keyfob_server::openapi_document;
use keyfob_server::routes::route::{Route, Takes};
use keyfob_server::routes::table::routes;
use serde_json::{Value, json};

use crate::support::Service;

/// The document in the repository. `cargo xtask openapi --bless` writes it.
const KEPT: &str = include_str!("../../openapi.json");

/// Returns the operation of a route in the document.
fn operation<'a>(document: &'a Value, route: &Route) -> &'a Value {
    let method = route.method.as_str().to_ascii_lowercase();
    &document["paths"][route.path][method]
}

#[test]
fn the_document_in_the_repository_is_that_of_the_service() {
    let kept: Value = serde_json::from_str(KEPT).unwrap();
    let served = openapi_document();
    for (name, part) in served.as_object().unwrap() {
        assert_eq!(&kept[name], part, "{name} differs: run cargo xtask openapi --bless");
    }
    assert_eq!(kept, served);
}

#[tokio::test]
async fn everybody_may_read_the_document() {
    let service = Service::start().await;
    let reply = service.get("/openapi.json", None).await;
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!(reply.json(), openapi_document());
}

#[test]
fn every_route_is_an_operation_with_its_name_body_and_answers() {
    let document = openapi_document();
    for route in routes() {
        let operation = operation(&document, &route);
        assert_eq!(operation["operationId"], route.operation, "{route:?}");
        assert_ne!(operation["summary"], "", "{route:?} has no summary");
        let content = operation.pointer("/requestBody/content").and_then(Value::as_object);
        let media_types: Vec<_> = content.into_iter().flatten().map(|(name, _)| &**name).collect();
        assert_eq!(media_types, route.takes.content_type().as_slice(), "{route:?}");
        let statuses = operation["responses"].as_object().unwrap();
        assert!(statuses.keys().any(|status| status.starts_with('2')), "{route:?}");
        assert!(statuses.contains_key("500"), "{route:?}");
    }
    let operations = document["paths"].as_object().unwrap().values();
    let operations: usize = operations.map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(operations, routes().len());
}

#[test]
fn every_problem_lists_its_codes() {
    let document = openapi_document();
    let all = &document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
    let all = all.as_array().unwrap();
    let responses = document["components"]["responses"].as_object().unwrap();
    let problems = responses.iter().filter_map(|(name, response)| {
        Some((name, response["content"].get("application/problem+json")?))
    });
    let mut count = 0;
    for (name, problem) in problems {
        let codes = problem.pointer("/schema/allOf/1/properties/code/enum").unwrap();
        let codes = codes.as_array().unwrap();
        assert!(codes.contains(&problem["example"]["code"]), "{name}");
        assert!(codes.iter().all(|code| all.contains(code)), "{name}");
        count += 1;
    }
    assert!(count > 8 && all.len() > 50, "{count} {}", all.len());
}

#[test]
fn every_demand_is_stated() {
    let document = openapi_document();
    let with =
        |scopes: &[&str]| json!([{ "apiKey": [] }, { "basic": [] }, { "accessToken": scopes }]);
    for route in routes() {
        let operation = operation(&document, &route);
        let security = match route.demand {
            Demand::Public | Demand::Signature => json!([]),
            Demand::Presented => json!([{ "apiKey": [] }, { "accessToken": [] }]),
            Demand::Caller => with(&[]),
            Demand::Client { others } => {
                assert_eq!(operation["x-keyfob-scope-for-others"], others.as_str());
                with(&[])
            }
            Demand::TokenEndpoint => {
                json!([{ "apiKey": [] }, { "basic": [] }, { "accessToken": [] }, {}])
            }
            Demand::Scope(scope) => with(&[scope.as_str()]),
        };
        assert_eq!(operation["security"], security, "{route:?}");
        let is_refusal_stated = operation["responses"].get("401").is_some();
        assert_eq!(is_refusal_stated, route.demand != Demand::Public, "{route:?}");
    }
}

#[test]
fn every_parameter_of_a_path_is_described() {
    let document = openapi_document();
    for route in routes() {
        let parameters = operation(&document, &route)["parameters"].as_array();
        let is_in_path = |parameter: &&Value| parameter["in"] == "path";
        let mut described: Vec<_> = parameters
            .into_iter()
            .flatten()
            .filter(is_in_path)
            .map(|parameter| format!("{{{}}}", parameter["name"].as_str().unwrap()))
            .collect();
        described.retain(|name| route.path.contains(name));
        assert_eq!(described.len(), route.path.matches('{').count(), "{route:?}");
    }
}

#[test]
fn every_reference_resolves_and_everything_defined_is_used() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = openapi_document();
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in &found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for group in ["schemas", "responses"] {
        for name in document["components"][group].as_object().unwrap().keys() {
            let reference = format!("#/components/{group}/{name}");
            assert!(found.contains(&&*reference), "{reference} is not used");
        }
    }
}

#[tokio::test]
async fn every_operation_that_demands_something_refuses_a_request_without_credentials() {
    let service = Service::start().await;
    let document = openapi_document();
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation["security"] == json!([]) {
                continue;
            }
            let content = operation.pointer("/requestBody/content").and_then(Value::as_object);
            let media_type = content.and_then(|content| content.keys().next());
            let media_type = media_type.map_or("application/json", |name| name);
            let method = method.to_ascii_uppercase().parse().unwrap();
            let path = path.replace("{id}", "tok_00000000000000000000000000");
            let reply = service.raw(method, &path, None, media_type, "{}").await;
            assert_eq!(reply.status, 401, "{path}");
            let kind = match media_type {
                "application/json" => "application/problem+json",
                _ => "application/json",
            };
            assert_eq!(reply.headers["content-type"], kind, "{path}");
            count += 1;
        }
    }
    let asks = |demand: Demand| !matches!(demand, Demand::Public | Demand::Signature);
    let guarded = routes().into_iter().filter(|route| asks(route.demand));
    assert_eq!(count, guarded.count());
}

#[tokio::test]
async fn a_query_with_a_parameter_that_is_not_in_the_document_is_refused() {
    let service = Service::start().await;
    let key = service.admin().await;
    for route in routes() {
        if !route.path.starts_with("/v1/") {
            continue;
        }
        let path = route.path.replace("{id}", "tok_00000000000000000000000000");
        let body = if route.takes == Takes::Nothing { "" } else { "{}" };
        let path = format!("{path}?hunter2=1");
        let authorization = key.bearer();
        let authorization = Some(&*authorization);
        let reply =
            service.raw(route.method.clone(), &path, authorization, "application/json", body).await;
        assert_eq!(reply.error(), (400, "unknown_parameter".into()), "{route:?}");
        assert!(!String::from_utf8_lossy(&reply.body).contains("hunter2"), "{route:?}");
    }
}
