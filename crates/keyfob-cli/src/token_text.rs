//! Formats tokens for people: as a row of a table, or in full.

use keyfob::Timestamp;
use keyfob_api::TokenBody;

use crate::table::Column;

/// The columns of a list of tokens.
pub(crate) const TOKEN_COLUMNS: [Column; 6] = [
    Column::whole("ID"),
    Column::whole("KIND"),
    Column::whole("STATE"),
    Column::cut("SUBJECT"),
    Column::cut("CLIENT"),
    Column::whole("EXPIRES"),
];

/// A token as one row of a list, with this text for its expiry.
pub(crate) fn token_row(token: &TokenBody, expiry: String) -> Vec<String> {
    vec![
        token.id.to_string(),
        token.kind.to_string(),
        token.state.to_string(),
        or_dash(token.subject.as_ref()),
        or_dash(token.client.as_ref()),
        expiry,
    ]
}

/// A token in full, without the fields that it does not have.
pub(crate) fn token_fields(token: &TokenBody) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("id", token.id.to_string()),
        ("kind", token.kind.to_string()),
        ("state", token.state.to_string()),
    ];
    let device = &token.metadata.device;
    let claims = token.claims.get().to_owned();
    let labels = token.metadata.labels.iter().map(|(key, value)| format!("{key}={value}"));
    let labels = labels.collect::<Vec<_>>().join(", ");
    let full = |text: String| Some(text).filter(|text| !text.is_empty());
    let optional = [
        ("subject", text(token.subject.as_ref())),
        ("issuer", text(token.issuer.as_ref())),
        ("audience", full(token.audience.to_string())),
        ("scopes", full(token.scopes.to_string())),
        ("client", text(token.client.as_ref())),
        ("issued", Some(token.issued_at.to_string())),
        ("not before", text(token.not_before)),
        ("expires", Some(or_never(token.expires_at))),
        ("idle timeout", text(token.idle_timeout)),
        ("absolute expiry", text(token.absolute_expiry)),
        ("last used", text(token.last_used)),
        ("uses left", text(token.uses_left)),
        ("family", text(token.family)),
        ("device id", text(device.id.as_ref())),
        ("user agent", text(device.user_agent.as_ref())),
        ("ip", text(device.ip)),
        ("platform", text(device.platform.as_ref())),
        ("device version", text(device.version.as_ref())),
        ("app", text(token.metadata.app.as_ref())),
        ("app version", text(token.metadata.app_version.as_ref())),
        ("labels", full(labels)),
        ("tags", full(token.metadata.tags.to_string())),
        ("claims", full(claims).filter(|claims| claims != "{}")),
    ];
    fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    if let Some(revocation) = &token.revocation {
        fields.push(("revoked at", revocation.at.to_string()));
        let through = revocation.through.clone();
        let optional = [
            ("revoked by", text(revocation.by.as_ref())),
            ("reason", text(revocation.reason.as_ref())),
            ("through", Some(through)),
        ];
        fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    }
    fields
}

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn or_dash(value: Option<impl ToString>) -> String {
    text(value).unwrap_or_else(|| "-".into())
}

/// The expiry of a token, or `never`.
pub(crate) fn or_never(at: Option<Timestamp>) -> String {
    text(at).unwrap_or_else(|| "never".into())
}
