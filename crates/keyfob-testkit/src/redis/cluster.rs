//! A cluster of three primaries, each with one replica.

use super::{LaunchError, RedisServer};
use crate::launch::wait_until;

/// The number of hash slots of a cluster.
const SLOTS: u16 = 16_384;

/// The number of primaries at the start.
const PRIMARIES: usize = 3;

/// A cluster, mostly of three primaries and one replica of each. All servers are killed when it is dropped.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts a cluster, in which a node counts as down after two seconds.
    ///
    /// # Errors
    /// [`LaunchError`], with what to do next.
    pub fn start() -> Result<Self, LaunchError> {
        Self::of(PRIMARIES, 2 * PRIMARIES)
    }

    /// Starts this number of primaries without replicas, for a comparison with one server that has none
    /// either.
    ///
    /// # Errors
    /// As [`RedisCluster::start`].
    pub fn without_replicas(primaries: usize) -> Result<Self, LaunchError> {
        Self::of(primaries, primaries)
    }

    fn of(primaries: usize, count: usize) -> Result<Self, LaunchError> {
        let node = || {
            RedisServer::builder()
                .setting("cluster-enabled", "yes")
                .setting("cluster-config-file", "nodes.conf")
                .setting("cluster-node-timeout", "2000")
                .start()
        };
        let nodes = (0..count).map(|_| node()).collect::<Result<Vec<_>, _>>()?;
        let cluster = Self { nodes };
        cluster.assemble(primaries)?;
        Ok(cluster)
    }

    fn assemble(&self, primaries: usize) -> Result<(), LaunchError> {
        let count = primaries as u16;
        let (primaries, replicas) = self.nodes.split_at(primaries);
        for (number, node) in (1u16..).zip(primaries) {
            let bounds = [(number - 1) * (SLOTS / count), number * (SLOTS / count) - 1];
            let last = if number == count { SLOTS - 1 } else { bounds[1] };
            let range = [bounds[0].to_string(), last.to_string()];
            node.call(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]])?;
        }
        for (epoch, node) in (1..).zip(&self.nodes) {
            node.call(&["CLUSTER", "SET-CONFIG-EPOCH", &format!("{epoch}")])?;
        }
        let (first, others) = self.nodes.split_at(1);
        for (first, other) in first.iter().flat_map(|first| others.iter().map(move |n| (first, n)))
        {
            first.call(&["CLUSTER", "MEET", "127.0.0.1", &other.port().to_string()])?;
        }
        wait_until("every node to know every other", || self.each_knows_all())?;
        for (primary, replica) in primaries.iter().zip(replicas) {
            let id = primary.call(&["CLUSTER", "MYID"])?.to_string();
            // A node may know the address of another node before it knows its role.
            wait_until("a replica to find its primary", || {
                let replicate = replica.call(&["CLUSTER", "REPLICATE", &id]);
                replicate.map(drop).map_err(|error| error.to_string())
            })?;
        }
        self.wait_until_ok()
    }

    fn each_knows_all(&self) -> Result<(), String> {
        let all = self.nodes.len().to_string();
        for node in self.nodes.iter().filter(|node| node.call(&["PING"]).is_ok()) {
            let info = cluster_info(node)?;
            let known = field(&info, "cluster_known_nodes");
            if known != all {
                return Err(format!("port {} knows {known} nodes", node.port()));
            }
            let nodes = node.call(&["CLUSTER", "NODES"]).map_err(|error| error.to_string())?;
            if nodes.to_string().contains("handshake") {
                return Err(format!("port {} is still shaking hands", node.port()));
            }
        }
        Ok(())
    }

    /// Waits until every running node reports that each slot is served by a primary with a replica.
    ///
    /// # Errors
    /// [`LaunchError::NotReady`].
    pub fn wait_until_ok(&self) -> Result<(), LaunchError> {
        wait_until("cluster_state:ok on every node", || {
            for node in &self.nodes {
                let Ok(info) = cluster_info(node) else { continue };
                let state = field(&info, "cluster_state");
                let (assigned, ok) =
                    (field(&info, "cluster_slots_assigned"), field(&info, "cluster_slots_ok"));
                if state != "ok" || assigned != SLOTS.to_string() || ok != assigned {
                    return Err(format!("port {}: {state}, {ok} slots ok", node.port()));
                }
                let replication = node.info("replication").map_err(|error| error.to_string())?;
                let link = replication.get("master_link_status").map_or("up", String::as_str);
                if link != "up" {
                    return Err(format!("port {}: the link to its primary is {link}", node.port()));
                }
            }
            Ok(())
        })
    }

    /// Returns all nodes, running or not.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// Returns the addresses of all nodes.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// Returns the nodes that are currently primaries.
    pub fn primaries(&self) -> Vec<&RedisServer> {
        self.nodes.iter().filter(|node| role(node).as_deref() == Some("master")).collect()
    }

    /// Returns the nodes that currently replicate `primary`.
    pub fn replicas_of(&self, primary: &RedisServer) -> Vec<&RedisServer> {
        let port = primary.port().to_string();
        let replicates = |node: &&RedisServer| {
            let replication = node.info("replication").unwrap_or_default();
            replication.get("master_port") == Some(&port)
        };
        self.nodes.iter().filter(replicates).collect()
    }

    /// Returns the primary that currently serves a slot, or `None` if there is none.
    pub fn primary_of_slot(&self, slot: u16) -> Option<&RedisServer> {
        let slot = i64::from(slot);
        let seen = self.nodes.iter().find_map(|node| node.call(&["CLUSTER", "SLOTS"]).ok())?;
        let range = seen.list().iter().find(|range| {
            let bounds: Vec<_> = range.list().iter().take(2).map(super::Reply::number).collect();
            bounds.first().is_some_and(|first| *first <= slot)
                && bounds.get(1).is_some_and(|last| slot <= *last)
        })?;
        let port = range.list().get(2)?.list().get(1)?.number();
        self.nodes.iter().find(|node| i64::from(node.port()) == port)
    }

    /// Makes a replica of `primary` take over without data loss, and waits until it has.
    ///
    /// # Errors
    /// [`LaunchError::NotReady`].
    pub fn hand_over(&self, primary: &RedisServer) -> Result<(), LaunchError> {
        wait_until("a replica to take over", || {
            if role(primary).as_deref() == Some("slave") {
                return Ok(());
            }
            let replicas = self.replicas_of(primary);
            let replica = replicas.first().ok_or("it has no replica")?;
            let answer = replica.call(&["CLUSTER", "FAILOVER"]);
            // The command takes effect later.
            std::thread::sleep(std::time::Duration::from_millis(300));
            Err(format!("{answer:?}"))
        })?;
        self.wait_until_ok()
    }
}

pub(super) fn role(node: &RedisServer) -> Option<String> {
    node.info("replication").ok()?.get("role").cloned()
}

fn cluster_info(node: &RedisServer) -> Result<String, String> {
    node.call(&["CLUSTER", "INFO"]).map(|info| info.to_string()).map_err(|error| error.to_string())
}

fn field<'a>(info: &'a str, name: &str) -> &'a str {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default()
}
