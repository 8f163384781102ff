//! `init`: makes the first admin key of a store.

use keyfob::token::MayIssue;
use keyfob::{ClientId, Filter, Grant, Issued, Kind, Paging, TokenManager, TokenState};
use keyfob_server::access::scope::ManagementScope;
use serde::Serialize;

use super::client;
use super::issue::{note_once, revoke_lost};
use crate::args::InitArgs;
use crate::context::Context;
use crate::failure::Failure;

#[derive(Serialize)]
struct InitView<'a> {
    admin_key: &'a str,
}

pub(super) async fn run(args: &InitArgs, context: &mut Context) -> Result<(), Failure> {
    let manager = context.manager()?;
    if !args.another && has_admin_key(&manager).await? {
        return Err(Failure::HasAdminKey);
    }
    let issued = issue_admin_key(&manager, args.client.clone()).await?;
    let bearer = issued.bearer.expose();
    let output = &mut context.output;
    let written = if output.is_json() {
        output.object(&InitView { admin_key: bearer })
    } else {
        output.fields(&[
            ("id", issued.token.id.to_string()),
            ("client_id", args.client.to_string()),
            ("client_secret", bearer.to_owned()),
        ])
    };
    if let Err(failure) = written.and_then(|()| output.flush()) {
        return Err(revoke_lost(issued.token.id, failure, None, context).await);
    }
    note_once(
        &context.output,
        "the admin key is shown only this once. Keep it like a root password",
    );
    Ok(())
}

/// Issues an API key that may do everything.
pub(super) async fn issue_admin_key(
    manager: &TokenManager,
    client: ClientId,
) -> Result<Issued, Failure> {
    let grant = Grant::new(Kind::ApiKey)
        .client(client)
        .scope(ManagementScope::Admin.as_str())
        .may_issue(MayIssue::all())
        .label(client::LABEL.0, client::LABEL.1)
        .never_expires();
    Ok(manager.issue(grant).await?)
}

/// Returns a filter of active admin keys.
fn admin_keys() -> Filter {
    Filter::new()
        .kind(Kind::ApiKey)
        .state(TokenState::Active)
        .scope(ManagementScope::Admin.as_str())
}

/// How many tokens a server looks at when it starts.
const MAX_LOOKED_AT: usize = 100;

/// Returns whether a store with few tokens has no admin key. A store with many tokens is in use, and to read
/// all of them would keep a server from starting.
pub(super) async fn surely_lacks_admin_key(manager: &TokenManager) -> Result<bool, Failure> {
    let page = manager.list(&Filter::new(), Paging::new(MAX_LOOKED_AT)).await?;
    let (filter, now) = (admin_keys(), manager.now());
    Ok(page.next.is_none() && !page.tokens.iter().any(|token| filter.matches(token, now)))
}

/// Returns whether the store has an active admin key.
async fn has_admin_key(manager: &TokenManager) -> Result<bool, Failure> {
    let filter = admin_keys();
    let mut paging = Paging::new(1);
    loop {
        let page = manager.list(&filter, paging.clone()).await?;
        if !page.tokens.is_empty() {
            return Ok(true);
        }
        let Some(next) = page.next else { return Ok(false) };
        paging = paging.after(Some(next));
    }
}
