//! The slots of a cluster, as its nodes report them.

use keyfob_store::StoreError;

use super::call_error::CallError;
use super::connector::Connector;
use super::reply::{Reply, next};
use crate::config::Address;

/// Consecutive slots of one primary.
#[derive(Debug)]
pub(super) struct SlotRange {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) address: Address,
}

/// Asks these nodes in turn, until one knows the primaries. Returns which one did too.
///
/// Another program may have taken over the address of a former node. So an error that does not end by itself
/// is the answer only if no node may answer later.
pub(super) async fn ask_cluster<'a>(
    connector: &Connector,
    nodes: impl Iterator<Item = &'a Address>,
) -> Result<(Vec<SlotRange>, Address), CallError> {
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    let (mut last_error, mut may_end) = ("no node is configured".to_owned(), false);
    let mut final_error = None;
    for node in nodes {
        let answer = match connector.cluster_node(node).await {
            Ok(connection) => connection.send(&command, connector.response_timeout()).await,
            Err(error) => Err(error),
        };
        match answer.map(|answer| read_slot_ranges(Reply(answer), node)) {
            Ok(Ok(ranges)) if !ranges.is_empty() => return Ok((ranges, node.clone())),
            Ok(_) => (last_error, may_end) = (format!("{node} knows no slots"), true),
            Err(error @ (CallError::Final(_) | CallError::LoginRefused(_))) => {
                final_error = final_error.or(Some(error));
            }
            Err(error) => (last_error, may_end) = (error.into_error().to_string(), true),
        }
    }
    match final_error {
        Some(error) if !(may_end && connector.has_connected()) => Err(error),
        _ => Err(CallError::Refused(last_error)),
    }
}

/// Reads the IP address in what CLUSTER SLOTS says about a node besides its name: names and values.
fn ip_address(details: Reply) -> Option<String> {
    let mut details = details.array().ok()?.into_iter().map(Reply::text);
    while let (Some(name), Some(value)) = (details.next(), details.next()) {
        if name.is_ok_and(|name| name == "ip") {
            return value.ok().filter(|ip| !ip.is_empty());
        }
    }
    None
}

/// Reads the answer to CLUSTER SLOTS: first slot, last slot, primary, replicas.
fn read_slot_ranges(reply: Reply, asked: &Address) -> Result<Vec<SlotRange>, StoreError> {
    let read = |reply: Reply| {
        let mut parts = reply.array()?.into_iter();
        let first = next(&mut parts)?.number()? as u16;
        let last = next(&mut parts)?.number()? as u16;
        let mut primary = next(&mut parts)?.array()?.into_iter();
        let host = next(&mut primary)?.optional()?.unwrap_or_default();
        let port = next(&mut primary)?.number()?;
        let host = String::from_utf8(host).unwrap_or_default();
        let host = match host.as_str() {
            // A node that does not know its own address leaves it out.
            "" => asked.host.clone(),
            // The nodes are to be named by host names, and this one has none. Its IP address follows.
            "?" => primary.nth(1).and_then(ip_address).unwrap_or_else(|| asked.host.clone()),
            _ => host,
        };
        let address = Address::new(host, u16::try_from(port).unwrap_or_default());
        Ok(SlotRange { first, last, address })
    };
    reply.array()?.into_iter().map(read).collect()
}
