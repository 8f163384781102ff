//! Known texts that a manager writes into a store. A test looks for them on the disk.

use std::collections::BTreeMap;

use keyfob::{
    Error, Grant, Kind, Metadata, RefreshRequest, RevokeRequest, Subject, TokenManager,
    UpdateRequest,
};

/// The texts, one for each field that a caller can set.
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

/// Writes all [`TRACES`]: issues, uses, rotates, updates and revokes tokens.
///
/// # Errors
/// The first error of the manager.
pub async fn write_traces(manager: &TokenManager) -> Result<(), Error> {
    let request = || RevokeRequest::reason("reason-of-it").by("actor-of-it");
    let change = |metadata: &mut Metadata| metadata.tags.insert("more".try_into()?);
    for kind in Kind::ALL {
        for _ in 0..2 {
            let issued = manager.issue(grant(kind)).await?;
            manager.update(issued.token.id, UpdateRequest::new().by("actor-of-it"), change).await?;
            if kind == Kind::Refresh {
                manager.refresh(&issued.bearer, RefreshRequest::new()).await?;
                // Refreshes twice: the second call is a replay.
                manager.refresh(&issued.bearer, RefreshRequest::new()).await?;
            } else {
                manager.validate_active(&issued.bearer).await?;
            }
            manager.revoke(issued.token.id, request()).await?;
        }
    }
    let subject = Subject::new("subject-of-it")?;
    manager.revoke_subject(&subject, request()).await?;
    manager.revoke_client(&"client-of-it".try_into()?, request()).await?;
    manager.revoke_all(request()).await?;
    manager.shutdown().await;
    Ok(())
}

/// Returns the traces that are in `bytes` in plaintext.
pub fn find_plaintext(bytes: &[u8]) -> Vec<&'static str> {
    let holds = |trace: &&str| bytes.windows(trace.len()).any(|window| window == trace.as_bytes());
    TRACES.into_iter().filter(holds).collect()
}
