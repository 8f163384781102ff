//! The sentinels, and the primary that most of them name.
//!
//! The answer of one sentinel proves nothing. It may be cut off together with a primary that the
//! others have replaced. So the primary is the server that more than half of all configured
//! sentinels name, whether they can be reached or not.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::call_error::CallError;
use super::connection::Connection;
use super::connector::Connector;
use super::reply::{Reply, next};
use crate::config::{Address, misconfigured};

#[derive(Debug)]
pub(super) struct Sentinels {
    each: Vec<Sentinel>,
    name: String,
}

#[derive(Debug)]
struct Sentinel {
    address: Address,
    connection: Mutex<Option<Arc<Connection>>>,
}

impl Sentinels {
    pub(super) fn new(addresses: &[Address], name: &str) -> Self {
        let sentinel =
            |address: &Address| Sentinel { address: address.clone(), connection: Mutex::default() };
        Self { each: addresses.iter().map(sentinel).collect(), name: name.to_owned() }
    }

    /// Returns the primary as soon as a majority has named it.
    pub(super) async fn primary(&self, connector: &Connector) -> Result<Address, CallError> {
        let mut asked: FuturesUnordered<_> =
            self.each.iter().map(|sentinel| sentinel.ask(&self.name, connector)).collect();
        let (mut votes, mut last_error, mut final_error) = (Vec::new(), String::new(), None);
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(vote) => votes.push(vote),
                Err(CallError::Final(error)) => final_error = Some(error),
                Err(error) => last_error = format!(": {}", error.into_error()),
            }
            match majority(&votes, self.each.len()) {
                Some(Some(address)) => return Ok(address.clone()),
                Some(None) => {
                    return Err(CallError::Final(misconfigured(format!(
                        "the sentinels know no primary '{}': check the name after their addresses, \
                         SENTINEL MASTERS lists those that they know",
                        self.name
                    ))));
                }
                None => {}
            }
        }
        Err(match final_error {
            Some(error) => CallError::Final(error),
            None => CallError::Refused(format!(
                "of {} sentinels {} answer, and no primary is named by more than half of \
                 all{last_error}",
                self.each.len(),
                votes.len()
            )),
        })
    }

    pub(super) fn close(&self) {
        self.each.iter().for_each(|sentinel| sentinel.keep(None));
    }
}

impl Sentinel {
    /// Returns the primary that this sentinel names, or `None` if it knows no primary of that name.
    async fn ask(&self, name: &str, connector: &Connector) -> Result<Option<Address>, CallError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let connection = match connection.filter(|connection| connection.is_open()) {
            Some(connection) => connection,
            None => {
                let connection = Arc::new(connector.sentinel(&self.address).await?);
                self.keep(Some(Arc::clone(&connection)));
                connection
            }
        };
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
        let answer = connection.send(&command, connector.response_timeout()).await;
        let reply = Reply(answer.inspect_err(|_| self.keep(None))?);
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

    fn keep(&self, connection: Option<Arc<Connection>>) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }
}

/// Returns the vote that more than half of `all` voters gave.
fn majority<T: PartialEq>(votes: &[T], all: usize) -> Option<&T> {
    votes.iter().find(|vote| votes.iter().filter(|other| other == vote).count() * 2 > all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_majority_is_more_than_half_of_all_that_are_configured() {
        assert_eq!(majority(&["a"], 1), Some(&"a"), "a single sentinel decides");
        assert_eq!(majority(&["a"], 2), None, "half is not enough");
        assert_eq!(majority(&["a", "a"], 2), Some(&"a"));
        assert_eq!(
            majority(&["old"], 3),
            None,
            "the only sentinel that answers may also be cut off"
        );
        assert_eq!(majority(&["old", "new"], 3), None, "one more must answer");
        assert_eq!(majority(&["old", "new", "new"], 3), Some(&"new"));
        assert_eq!(majority(&["new", "new"], 3), Some(&"new"), "the third answer is not needed");
        assert_eq!(majority(&["a", "b", "c"], 3), None);
        assert_eq!(majority(&["a", "a", "b", "b"], 5), None);
        assert_eq!(majority::<&str>(&[], 3), None);
    }
}
