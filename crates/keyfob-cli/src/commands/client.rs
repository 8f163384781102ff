//! `client`: views on the API keys whose holders are the clients of a server.

use std::io::Read as _;

use keyfob::token::{ClientKey, MayIssue};
use keyfob::values::{Labels, NameSet};
use keyfob::{ClientId, Filter, Kind, Metadata, Paging, TokenId, TokenState};
use keyfob_api::{GrantSpec, IssuedBody, RevokeTarget, TokenBody};

use super::issue::{note_once, output_lost};
use super::pages::MissingLanes;
use crate::args::{ClientAddArgs, ClientCommand};
use crate::backend::{PageRequest, RevokeNote};
use crate::context::Context;
use crate::failure::Failure;
use crate::input::InputSource;
use crate::output::Output;
use crate::table::Column;
use crate::token_text::or_never;

/// The label of the keys of clients, by which they are listed.
pub(super) const LABEL: (&str, &str) = ("keyfob", "client");

const COLUMNS: [Column; 6] = [
    Column::cut("CLIENT"),
    Column::whole("ID"),
    Column::whole("STATE"),
    Column::cut("SCOPES"),
    Column::cut("AUDIENCE"),
    Column::whole("EXPIRES"),
];

pub(super) async fn run(command: &ClientCommand, context: &mut Context) -> Result<(), Failure> {
    match command {
        ClientCommand::Add(args) => add(args, context).await,
        ClientCommand::List { all } => list(*all, context).await,
        ClientCommand::Rotate { client, id, overlap } => {
            let id = key_of(client, *id, context).await?;
            let issued = context.backend.rotate(id, overlap, None).await?;
            show(&issued, context)
        }
        ClientCommand::Disable { client, reason } => {
            let note = RevokeNote { reason: reason.clone(), by: None };
            disable(client, &note, context).await
        }
    }
}

async fn add(args: &ClientAddArgs, context: &mut Context) -> Result<(), Failure> {
    if !args.another && !active_keys(&args.client, context).await?.is_empty() {
        let message = format!("the client {} has a key", args.client);
        let details = "Rotate it with client rotate, or pass --another to add one more.".into();
        return Err(Failure::Usage { code: "client_exists", message, details });
    }
    let mut metadata = Metadata::default();
    metadata.labels = labels(args)?;
    metadata.labels.set(LABEL.0.parse()?, LABEL.1.parse()?)?;
    let may_issue = args.may_issue()?;
    let client_key = match &args.public_key {
        Some(path) => Some(public_key(&InputSource::from_path(path))?),
        None => None,
    };
    let grant = GrantSpec {
        kind: Some(Kind::ApiKey),
        client: Some(args.client.clone()),
        scopes: NameSet::from_names(args.scope.iter().cloned())?,
        audience: NameSet::from_names(args.audience.iter().cloned())?,
        client_key,
        may_issue: may_issue.map(|(scopes, audiences)| MayIssue::new(scopes, audiences)),
        ttl: Some(args.ttl),
        metadata: Some(metadata),
        ..GrantSpec::default()
    };
    let issued = context.backend.issue(grant, None).await?;
    show(&issued, context)
}

/// Reads a public key: PEM, or a JWK.
fn public_key(source: &InputSource) -> Result<ClientKey, Failure> {
    let mut text = String::new();
    // One byte more than may be there shows that there is more.
    let max = ClientKey::MAX_BYTES as u64 + 1;
    let read = source.open()?.take(max).read_to_string(&mut text);
    read.map_err(|error| source.failed(error))?;
    Ok(match text.trim_start().starts_with("-----BEGIN") {
        true => ClientKey::from_pem(&text)?,
        false => ClientKey::from_json(&text)?,
    })
}

fn labels(args: &ClientAddArgs) -> Result<Labels, Failure> {
    let mut labels = Labels::new();
    for label in &args.label {
        // A repeated key is an error: the last one must not win silently.
        labels.insert(label.key.clone(), label.value.clone())?;
    }
    Ok(labels)
}

/// Shows a key with its secret, once. A client that signs has no secret, and says which key it signs with.
fn show(issued: &IssuedBody, context: &mut Context) -> Result<(), Failure> {
    if issued.token.client_key.is_some() {
        return show_signing(&issued.token, &mut context.output);
    }
    let output = &mut context.output;
    let token = &issued.token;
    let client = token.client.as_ref().map(ToString::to_string).unwrap_or_default();
    let written = if output.is_json() {
        output.object(issued)
    } else {
        output.fields(&[
            ("id", token.id.to_string()),
            ("expires", or_never(token.expires_at)),
            ("client_id", client),
            ("client_secret", issued.bearer.expose().to_owned()),
        ])
    };
    written.and_then(|()| output.flush()).map_err(|failure| {
        let hint = format!("run keyfob rotate {}: the lost secret then ends", token.id);
        output_lost(failure, token.id, hint)
    })?;
    note_once(output, "the secret is shown only this once. Give it to the client");
    Ok(())
}

fn show_signing(token: &TokenBody, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        output.object(token)?;
    } else {
        output.fields(&[
            ("id", token.id.to_string()),
            ("expires", or_never(token.expires_at)),
            ("client_id", token.client.as_ref().map(ToString::to_string).unwrap_or_default()),
            ("kid", token.id.to_string()),
            ("alg", token.client_key.as_ref().map_or("", ClientKey::algorithm).to_owned()),
        ])?;
    }
    output.flush()?;
    let message = "the client signs an assertion for each request (private_key_jwt), with this kid";
    output.note("signs", message);
    Ok(())
}

async fn list(all: bool, context: &mut Context) -> Result<(), Failure> {
    let mut filter = Filter::new().kind(Kind::ApiKey).label(LABEL.0, LABEL.1);
    if !all {
        filter = filter.state(TokenState::Active).state(TokenState::Pending);
    }
    let keys = read(&filter, context).await?;
    if context.output.is_json() {
        return keys.iter().try_for_each(|key| context.output.object(key));
    }
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let rows: Vec<_> = keys
        .iter()
        .map(|key| {
            vec![
                or_dash(key.client.as_ref().map(ToString::to_string).unwrap_or_default()),
                key.id.to_string(),
                key.state.to_string(),
                or_dash(key.scopes.to_string()),
                or_dash(key.audience.to_string()),
                or_never(key.expires_at),
            ]
        })
        .collect();
    if rows.is_empty() {
        context.output.note("no_clients", "there are no clients. Add one with keyfob client add");
        return Ok(());
    }
    context.output.rows(&COLUMNS, &rows)
}

/// Revokes the keys of a client one by one: what else was issued to the client stays valid.
async fn disable(
    client: &ClientId,
    note: &RevokeNote,
    context: &mut Context,
) -> Result<(), Failure> {
    let keys = active_keys(client, context).await?;
    if keys.is_empty() {
        return Err(no_key(client));
    }
    for key in &keys {
        context.backend.revoke(&RevokeTarget::Token(key.id), note).await?;
        let revoked = context.backend.get(key.id).await;
        let output = &mut context.output;
        match revoked {
            Ok(token) if output.is_json() => output.object(&token)?,
            _ if output.is_json() => {}
            _ => output.line(format_args!("disabled {client}: revoked {}", key.id))?,
        }
    }
    let message = "what was issued to the client without one of its keys stays valid. keyfob revoke \
                   --client revokes that too";
    context.output.note("keys_only", message);
    Ok(())
}

/// Returns the key that is meant: the named one, or the only active one.
async fn key_of(
    client: &ClientId,
    id: Option<TokenId>,
    context: &Context,
) -> Result<TokenId, Failure> {
    let keys = active_keys(client, context).await?;
    match (id, keys.as_slice()) {
        (Some(id), keys) if keys.iter().any(|key| key.id == id) => Ok(id),
        (None, [key]) => Ok(key.id),
        (None, [_, _, ..]) => {
            let ids: Vec<_> = keys.iter().map(|key| key.id.to_string()).collect();
            Err(Failure::Usage {
                code: "several_keys",
                message: format!("the client {client} has {} keys. Name one with --id", ids.len()),
                details: ids.join("\n"),
            })
        }
        _ => Err(no_key(client)),
    }
}

fn no_key(client: &ClientId) -> Failure {
    Failure::NoClientKey { client: client.clone() }
}

/// Returns the active keys of a client, with the label or without: an API key authenticates its client
/// in any case.
async fn active_keys(client: &ClientId, context: &Context) -> Result<Vec<TokenBody>, Failure> {
    let filter = Filter::new().kind(Kind::ApiKey).client(client.clone());
    let filter = filter.state(TokenState::Active).state(TokenState::Pending);
    read(&filter, context).await
}

async fn read(filter: &Filter, context: &Context) -> Result<Vec<TokenBody>, Failure> {
    let (mut keys, mut after, mut missing) = (Vec::new(), None, MissingLanes::default());
    loop {
        let request = PageRequest { limit: Paging::MAX_LIMIT, after, expiring_soonest: false };
        let page = context.backend.list(filter, request).await?;
        keys.extend(page.tokens);
        missing.add(page.missing_lanes);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    missing.check()?;
    Ok(keys)
}
