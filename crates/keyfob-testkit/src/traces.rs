//! What a manager leaves behind in a store, to be looked for in what lies on its disk.

use std::collections::BTreeMap;

use keyfob::{
    Error, Grant, Kind, Metadata, RefreshRequest, RevokeRequest, Subject, TokenManager,
    UpdateRequest,
};

/// What is said of tokens, one word for each place that has room for one.
pub const TRACES: [&str; 10] = [
    "subject-of-it",
    "client-of-it",
    "device-of-it",
    "agent-of-it",
    "label-of-it",
    "tag-of-it",
    "claim-of-it",
    "actor-of-it",
    "reason-of-it",
    "scope-of-it",
];

fn grant(kind: Kind) -> Grant {
    Grant::new(kind)
        .subject("subject-of-it")
        .client("client-of-it")
        .scope("scope-of-it")
        .device_id("device-of-it")
        .user_agent("agent-of-it")
        .label("label", "label-of-it")
        .tag("tag-of-it")
        .claims(&BTreeMap::from([("plan", "claim-of-it")]))
        .by("actor-of-it")
}

/// Leaves every trace that there is: issues, uses, rotates, changes and revokes.
///
/// # Errors
/// Whatever of it fails.
pub async fn leave(manager: &TokenManager) -> Result<(), Error> {
    let why = || RevokeRequest::reason("reason-of-it").by("actor-of-it");
    let change = |metadata: &mut Metadata| metadata.tags.insert("more".try_into()?);
    for kind in Kind::ALL {
        for _ in 0..2 {
            let issued = manager.issue(grant(kind)).await?;
            manager.update(issued.token.id, UpdateRequest::new().by("actor-of-it"), change).await?;
            if kind == Kind::Refresh {
                manager.refresh(&issued.bearer, RefreshRequest::new()).await?;
                // Once more: it is seen to be a replay.
                manager.refresh(&issued.bearer, RefreshRequest::new()).await?;
            } else {
                manager.validate_active(&issued.bearer).await?;
            }
            manager.revoke(issued.token.id, why()).await?;
        }
    }
    let subject = Subject::new("subject-of-it")?;
    manager.revoke_subject(&subject, why()).await?;
    manager.revoke_client(&"client-of-it".try_into()?, why()).await?;
    manager.revoke_all(why()).await?;
    manager.shutdown().await;
    Ok(())
}

/// Which traces lie in clear among these bytes.
pub fn in_clear(bytes: &[u8]) -> Vec<&'static str> {
    let holds = |trace: &&str| bytes.windows(trace.len()).any(|window| window == trace.as_bytes());
    TRACES.into_iter().filter(holds).collect()
}
