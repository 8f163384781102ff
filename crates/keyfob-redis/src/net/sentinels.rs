//! The sentinels, and which primary most of them name.
//!
//! One that answers proves nothing: it may be cut off together with a primary that the others have
//! deposed. So a primary is what more than half of all that are listed name, reachable or not.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::dial::Dialer;
use super::link::Link;
use super::reply::{Reply, next};
use super::trouble::CallError;
use crate::config::Address;

#[derive(Debug)]
pub(super) struct Sentinels {
    each: Vec<Sentinel>,
    name: String,
}

#[derive(Debug)]
struct Sentinel {
    address: Address,
    link: Mutex<Option<Arc<Link>>>,
}

impl Sentinels {
    pub(super) fn new(addresses: &[Address], name: &str) -> Self {
        let sentinel =
            |address: &Address| Sentinel { address: address.clone(), link: Mutex::default() };
        Self { each: addresses.iter().map(sentinel).collect(), name: name.to_owned() }
    }

    /// The primary, as soon as most have named it.
    pub(super) async fn primary(&self, dialer: &Dialer) -> Result<Address, CallError> {
        let mut asked: FuturesUnordered<_> =
            self.each.iter().map(|sentinel| sentinel.ask(&self.name, dialer)).collect();
        let (mut votes, mut silent, mut misused) = (Vec::new(), String::new(), None);
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(vote) => votes.push(vote),
                Err(CallError::Final(error)) => misused = Some(error),
                Err(trouble) => silent = format!(": {}", trouble.into_error()),
            }
            match most(&votes, self.each.len()) {
                Some(Some(address)) => return Ok(address.clone()),
                Some(None) => {
                    let detail = format!("the sentinels know no primary '{}'", self.name);
                    return Err(CallError::Refused(detail));
                }
                None => {}
            }
        }
        Err(match misused {
            Some(error) => CallError::Final(error),
            None => CallError::Refused(format!(
                "of {} sentinels {} answer, and no primary is named by more than half of \
                 all{silent}",
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
    /// The primary that it names; nothing if it knows none of that name.
    async fn ask(&self, name: &str, dialer: &Dialer) -> Result<Option<Address>, CallError> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let link = match link.filter(|link| link.is_open()) {
            Some(link) => link,
            None => {
                let link = Arc::new(dialer.sentinel(&self.address).await?);
                self.keep(Some(Arc::clone(&link)));
                link
            }
        };
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
        let answer = link.send(&command, dialer.response_timeout()).await;
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

    fn keep(&self, link: Option<Arc<Link>>) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = link;
    }
}

/// What more than half of `all` say, of those that have answered.
fn most<T: PartialEq>(votes: &[T], all: usize) -> Option<&T> {
    votes.iter().find(|vote| votes.iter().filter(|other| other == vote).count() * 2 > all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_is_more_than_half_of_all_that_are_listed() {
        assert_eq!(most(&["a"], 1), Some(&"a"), "one that is alone decides");
        assert_eq!(most(&["a"], 2), None, "half is not enough");
        assert_eq!(most(&["a", "a"], 2), Some(&"a"));
        assert_eq!(most(&["old"], 3), None, "the only one that answers may be cut off too");
        assert_eq!(most(&["old", "new"], 3), None, "one more must tell");
        assert_eq!(most(&["old", "new", "new"], 3), Some(&"new"));
        assert_eq!(most(&["new", "new"], 3), Some(&"new"), "the third need not be waited for");
        assert_eq!(most(&["a", "b", "c"], 3), None);
        assert_eq!(most(&["a", "a", "b", "b"], 5), None);
        assert_eq!(most::<&str>(&[], 3), None);
    }
}
