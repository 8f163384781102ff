//! One sentinel: the connection to it, and what it answers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::call_error::CallError;
use super::super::connection::Connection;
use super::super::connector::Connector;
use super::super::reply::{Reply, next};
use super::voters::Voter;
use crate::config::Address;

#[derive(Debug)]
pub(super) struct Sentinel {
    /// The listed name, which its certificate has.
    pub(super) name: Address,
    pub(super) at: SocketAddr,
    /// Whether its name has addresses of the other family, whose votes count in any case.
    is_second_family: bool,
    connection: Mutex<Option<Arc<Connection>>>,
    /// The run of its process.
    run: Mutex<Option<String>>,
}

/// A sentinel as the report sees it.
#[derive(Debug)]
pub(crate) struct SentinelView {
    /// The listed name, and the address that it has.
    pub(crate) listed: String,
    pub(crate) run: Option<String>,
    /// Which primary it names, or why it does not answer.
    pub(crate) named: Result<Option<Address>, String>,
    /// The other sentinels of the primary that it knows: their addresses and runs.
    pub(crate) knows: Vec<(String, String)>,
}

impl Sentinel {
    pub(super) fn new(name: &Address, at: SocketAddr, is_second_family: bool) -> Self {
        let (connection, run) = (Mutex::default(), Mutex::default());
        Self { name: name.clone(), at, is_second_family, connection, run }
    }

    /// Whether its answer counts. Without its run it is not known whether it is the same sentinel as at the
    /// other address of its host.
    pub(super) fn has_vote(&self) -> bool {
        !self.is_second_family || lock(&self.run).is_some()
    }

    pub(super) fn voter(&self) -> Voter {
        lock(&self.run).clone().map_or(Voter::At(self.at), Voter::Run)
    }

    async fn connected(&self, connector: &Connector) -> Result<Arc<Connection>, CallError> {
        let connection = lock(&self.connection).clone();
        if let Some(connection) = connection.filter(|connection| connection.is_open()) {
            return Ok(connection);
        }
        let connection = Arc::new(connector.sentinel(&self.name, self.at).await?);
        *lock(&self.run) = connection.server_run().map(str::to_owned);
        self.keep(Some(Arc::clone(&connection)));
        Ok(connection)
    }

    async fn send(&self, words: &[&str], connector: &Connector) -> Result<Reply, CallError> {
        let connection = self.connected(connector).await?;
        let mut command = redis::cmd("SENTINEL");
        words.iter().for_each(|word| {
            command.arg(*word);
        });
        let answer = connection.send(&command, connector.response_timeout()).await;
        Ok(Reply(answer.inspect_err(|_| self.keep(None))?))
    }

    /// Returns the primary that this sentinel names, or `None` if it knows no primary of that name.
    pub(super) async fn ask(
        &self,
        name: &str,
        connector: &Connector,
    ) -> Result<Option<Address>, CallError> {
        let reply = self.send(&["GET-MASTER-ADDR-BY-NAME", name], connector).await?;
        if reply.is_nil() {
            return Ok(None);
        }
        let read = || {
            let mut parts = reply.array()?.into_iter();
            let host = next(&mut parts)?.text()?;
            let port = next(&mut parts)?.number()?;
            Ok(Address::new(host, u16::try_from(port).unwrap_or_default()))
        };
        read().map(Some).map_err(CallError::Final)
    }

    pub(super) async fn inspect(&self, name: &str, connector: &Connector) -> SentinelView {
        let named = self.ask(name, connector).await.map_err(|error| error.into_error().to_string());
        let knows = match &named {
            Ok(Some(_)) => {
                self.send(&["SENTINELS", name], connector).await.ok().map(known_sentinels)
            }
            _ => None,
        };
        let listed = match self.at.to_string() {
            at if at == self.name.to_string() => at,
            at => format!("{} ({at})", self.name),
        };
        let run = lock(&self.run).clone();
        SentinelView { listed, run, named, knows: knows.unwrap_or_default() }
    }

    pub(super) fn keep(&self, connection: Option<Arc<Connection>>) {
        *lock(&self.connection) = connection;
    }
}

/// Reads the answer to SENTINEL SENTINELS: for each one a list of names and values.
fn known_sentinels(reply: Reply) -> Vec<(String, String)> {
    let read = |fields: Reply| {
        let mut parts = fields.array().ok()?.into_iter().map(Reply::text);
        let mut values = HashMap::new();
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            values.insert(name.ok()?, value.ok()?);
        }
        let address = Address::new(values.get("ip")?, values.get("port")?.parse().ok()?);
        Some((address.to_string(), values.get("runid")?.clone()))
    };
    reply.array().unwrap_or_default().into_iter().filter_map(read).collect()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
