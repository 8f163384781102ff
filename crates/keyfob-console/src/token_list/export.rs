//! All tokens that match, as a file: CSV (RFC 4180), or one JSON text on each line.

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, Response};
use keyfob_api::TokenBody;
use keyfob_client::{Client, Error, ListQuery};
use keyfob_core::Filter;

use crate::reply::{Answer, Reply};
use crate::trouble::Trouble;
use crate::visit::Visit;

/// How many tokens are asked for at a time.
const PAGE: usize = 500;

const COLUMNS: [&str; 14] = [
    "id",
    "kind",
    "state",
    "subject",
    "client",
    "device",
    "app",
    "scopes",
    "labels",
    "tags",
    "issued_at",
    "last_used",
    "expires_at",
    "revoked_at",
];

/// Answers with a file of CSV.
pub(crate) async fn csv(visit: Visit) -> Answer {
    let head = stream::iter([Ok(row(COLUMNS.map(str::to_owned)))]);
    let rows = head.chain(tokens(&visit)?.map(|token| Ok(row(cells(&token?)))));
    Ok(file("text/csv; charset=utf-8", "tokens.csv", rows))
}

/// Answers with a file of JSON lines: the objects of `GET /v1/tokens`.
pub(crate) async fn json_lines(visit: Visit) -> Answer {
    let lines = tokens(&visit)?.map(|token| {
        // A token can be written in any case.
        let mut line = serde_json::to_string(&token?).unwrap_or_default();
        line.push('\n');
        Ok(line)
    });
    Ok(file("application/x-ndjson", "tokens.jsonl", lines))
}

/// Returns the tokens that match the filter of a request.
fn tokens(
    visit: &Visit,
) -> Result<impl Stream<Item = Result<TokenBody, Error>> + Send + 'static, Trouble> {
    let filter = visit.query.text("filter").unwrap_or_default();
    if Filter::parse(filter, visit.now).is_err() {
        return Err(Trouble::BadForm("This is not a filter. Go back, and correct it."));
    }
    Ok(all(visit.api.clone(), ListQuery::new(filter).limit(PAGE)))
}

fn all(
    api: Client,
    query: ListQuery,
) -> impl Stream<Item = Result<TokenBody, Error>> + Send + 'static {
    let pages = stream::unfold(Some(query), move |query| {
        let api = api.clone();
        async move {
            let query = query?;
            match api.list(&query).await {
                Ok(page) => {
                    let next = page
                        .next
                        .map(|cursor| ListQuery::new(page.filter).limit(PAGE).after(Some(cursor)));
                    let tokens: Vec<_> = page.tokens.into_iter().map(Ok).collect();
                    Some((stream::iter(tokens), next))
                }
                Err(error) => Some((stream::iter(vec![Err(error)]), None)),
            }
        }
    });
    pages.flatten()
}

/// A file that breaks off where the API fails: a whole one would lie.
fn file(
    content_type: &'static str,
    name: &str,
    pieces: impl Stream<Item = Result<String, Error>> + Send + 'static,
) -> Reply {
    let mut response = Response::new(Body::from_stream(pieces.map(|piece| piece.map(Bytes::from))));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Reply::Whole(response)
}

fn cells(token: &TokenBody) -> [String; 14] {
    let text = |value: Option<&dyn ToString>| value.map(ToString::to_string).unwrap_or_default();
    let (metadata, labels) = (&token.metadata, token.metadata.labels.iter());
    let labels: Vec<_> = labels.map(|(key, value)| format!("{key}={value}")).collect();
    [
        token.id.to_string(),
        token.kind.to_string(),
        token.state.to_string(),
        text(token.subject.as_ref().map(|it| it as _)),
        text(token.client.as_ref().map(|it| it as _)),
        text(metadata.device.id.as_ref().map(|it| it as _)),
        text(metadata.app.as_ref().map(|it| it as _)),
        token.scopes.to_string(),
        labels.join(" "),
        metadata.tags.to_string(),
        token.issued_at.to_string(),
        text(token.last_used.as_ref().map(|it| it as _)),
        text(token.expires_at.as_ref().map(|it| it as _)),
        text(token.revocation.as_ref().map(|it| &it.at as _)),
    ]
}

fn row(cells: [String; 14]) -> String {
    let mut row = cells.map(|cell| quoted(&cell)).join(",");
    row.push_str("\r\n");
    row
}

/// Writes a cell. A spreadsheet runs what begins like a formula, so such a cell begins with a quote.
fn quoted(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula_and_stays_a_cell() {
        assert_eq!(quoted("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(quoted("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
    }
}
