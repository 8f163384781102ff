//! A rule of the application's own in a validation chain: `cargo run -p keyfob --example
//! custom_rule`.
//!
//! A rule may wait, such as for a database. Its code and text are for the log: the presenter of a
//! refused token learns only `access_denied`.

#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use std::collections::HashSet;
use std::sync::{Arc, RwLock};

use async_trait::async_trait;
use keyfob::{
    Denied, Grant, Kind, MemoryStore, Rule, Timestamp, Token, TokenManager, ValidationChain,
};

/// Refuses the tokens of accounts that are suspended.
#[derive(Clone, Default)]
struct NotSuspended {
    accounts: Arc<RwLock<HashSet<String>>>,
}

#[async_trait]
impl Rule for NotSuspended {
    async fn check(&self, token: &Token, _now: Timestamp) -> Result<(), Denied> {
        let Some(subject) = &token.subject else {
            return Ok(());
        };
        // If a decision is not possible, refuse.
        let Ok(suspended) = self.accounts.read() else {
            return Err(Denied::new("accounts_unavailable", "the accounts cannot be read"));
        };
        if suspended.contains(subject.as_str()) {
            return Err(Denied::new("account_suspended", "the account is suspended"));
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manager = TokenManager::new(MemoryStore::new()?);
    let rule = NotSuspended::default();
    // A closure is a rule too.
    let interactive = |token: &Token, _: Timestamp| match token.kind {
        Kind::Session => Ok(()),
        _ => Err(Denied::new("not_interactive", "this needs a user at a screen")),
    };
    let chain = ValidationChain::new().rule(rule.clone()).rule(interactive);

    let session = manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
    let key = manager.issue(Grant::new(Kind::ApiKey).subject("user123")).await?;
    println!(
        "session: {:?}",
        manager.validate(&session.bearer, &chain).await.map(|token| token.id)
    );
    assert!(manager.validate(&session.bearer, &chain).await.is_ok());
    let refused = manager.validate(&key.bearer, &chain).await.expect_err("the rule refuses it");
    assert_eq!(refused.code(), "not_interactive");

    rule.accounts.write().map_err(|_| "poisoned")?.insert("user123".to_owned());
    let refused = manager.validate(&session.bearer, &chain).await.expect_err("the rule refuses it");
    println!("suspended: {}", refused.code());
    assert_eq!(refused.code(), "account_suspended");
    Ok(())
}
