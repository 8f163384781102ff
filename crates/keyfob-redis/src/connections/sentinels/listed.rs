//! A listed name, and the sentinels that it leads to.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::super::connector::Connector;
use super::super::dial::Dialer;
use super::sentinel::{Sentinel, lock};
use super::voters::sentinels_behind;
use crate::config::Address;

/// How often a listed name is resolved again, and how often while one of its sentinels cannot be reached.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(10);
const RESOLVE_INTERVAL_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// An address of the settings.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) address: Address,
    pub(super) resolved: Mutex<Resolved>,
}

/// What a listed name leads to.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) each: Vec<Arc<Sentinel>>,
    pub(super) most: usize,
    /// When resolving it was begun last.
    begun: Option<Instant>,
    pub(super) has_failure: bool,
}

impl Listed {
    /// Resolves the name if that is due. Waits for it only if no address is known.
    pub(super) async fn update(self: &Arc<Self>, connector: &Connector) {
        let (dialer, limit) = (connector.dialer(), connector.connect_timeout());
        let (is_due, is_known) = {
            let mut resolved = lock(&self.resolved);
            let interval = match resolved.has_failure {
                true => RESOLVE_INTERVAL_AFTER_FAILURE,
                false => RESOLVE_INTERVAL,
            };
            let is_recent = resolved.begun.is_some_and(|begun| begun.elapsed() < interval);
            let is_known = !resolved.each.is_empty();
            let is_due = !is_known || !(is_recent || self.is_address());
            if is_due {
                resolved.begun = Some(Instant::now());
                resolved.has_failure = false;
            }
            (is_due, is_known)
        };
        if !is_due {
            return;
        }
        if is_known {
            let (listed, dialer) = (Arc::clone(self), dialer.clone());
            tokio::spawn(async move { listed.resolve(&dialer, limit).await });
        } else {
            self.resolve(dialer, limit).await;
        }
    }

    fn is_address(&self) -> bool {
        self.address.host.parse::<IpAddr>().is_ok()
    }

    async fn resolve(&self, dialer: &Dialer, limit: Duration) {
        let found = timeout(limit, dialer.resolve(&self.address)).await;
        let mut resolved = lock(&self.resolved);
        let Ok(Ok(mut found)) = found else {
            resolved.has_failure = true;
            tracing::debug!(name = %self.address, "the name of a sentinel has no address");
            return;
        };
        // In the same order each time.
        found.sort_unstable();
        found.dedup();
        let is_first = found.first().map(SocketAddr::is_ipv6);
        let each = found.iter().map(|at| {
            let known = resolved.each.iter().find(|known| known.at == *at);
            known.map_or_else(
                || Arc::new(Sentinel::new(&self.address, *at, Some(at.is_ipv6()) != is_first)),
                Arc::clone,
            )
        });
        resolved.each = each.collect();
        resolved.most = resolved.most.max(sentinels_behind(&found));
    }
}
