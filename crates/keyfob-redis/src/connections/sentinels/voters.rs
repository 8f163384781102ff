//! Counts sentinels and their votes. Functions of values.
//!
//! The number of sentinels is the number of different ones behind all listed names. It must not be too small,
//! else a few that are cut off would be a majority. And it must not count one twice, else a majority could
//! not be reached.

use std::collections::HashSet;
use std::net::SocketAddr;

/// What a listed name leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ListedName {
    /// The addresses that the name has now.
    pub(super) addresses: Vec<SocketAddr>,
    /// The largest number of sentinels that the name led to so far. A name may lose those that are down.
    pub(super) most: usize,
}

/// Identifies a sentinel: by the run of its process if it is known, else by its address.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Voter {
    Run(String),
    At(SocketAddr),
}

/// The number of sentinels behind addresses of one name: a sentinel has at most one address of each family.
pub(super) fn sentinels_behind(addresses: &[SocketAddr]) -> usize {
    let v6 = addresses.iter().filter(|at| at.is_ipv6()).count();
    v6.max(addresses.len() - v6)
}

/// Returns the number of different sentinels behind all names.
pub(super) fn count(names: &[ListedName], voter_at: impl Fn(SocketAddr) -> Voter) -> usize {
    let mut known = HashSet::new();
    let mut total = 0;
    for name in names {
        let new = |is_v6: bool| {
            let of_family = name.addresses.iter().filter(|at| at.is_ipv6() == is_v6);
            let voters: HashSet<_> = of_family.map(|at| voter_at(*at)).collect();
            voters.difference(&known).count()
        };
        let missing = name.most.saturating_sub(sentinels_behind(&name.addresses));
        total += new(false).max(new(true)) + missing;
        known.extend(name.addresses.iter().map(|at| voter_at(*at)));
    }
    total
}

/// The last vote of each sentinel.
#[derive(Clone, Debug)]
pub(super) struct Votes<T>(Vec<(Voter, T)>);

impl<T> Default for Votes<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq> Votes<T> {
    /// Sets the vote of a sentinel. One that is reached by two ways has one vote.
    pub(super) fn set(&mut self, voter: Voter, vote: T) {
        match self.0.iter_mut().find(|(known, _)| *known == voter) {
            Some((_, known)) => *known = vote,
            None => self.0.push((voter, vote)),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the different votes.
    pub(super) fn different(&self) -> Vec<&T> {
        let mut different: Vec<&T> = Vec::new();
        for (_, vote) in &self.0 {
            if !different.contains(&vote) {
                different.push(vote);
            }
        }
        different
    }

    /// Returns the votes that more than half of `all` sentinels gave, as far as they are `same`.
    pub(super) fn majority(&self, all: usize, same: impl Fn(&T, &T) -> bool) -> Option<&T> {
        let given = |vote: &T| self.0.iter().filter(|(_, other)| same(vote, other)).count();
        self.0.iter().map(|(_, vote)| vote).find(|vote| given(vote) * 2 > all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn name(addresses: &[&str]) -> ListedName {
        let addresses: Vec<_> = addresses.iter().map(|text| at(text)).collect();
        ListedName { most: sentinels_behind(&addresses), addresses }
    }

    fn by_address(names: &[ListedName]) -> usize {
        count(names, Voter::At)
    }

    #[test]
    fn each_sentinel_behind_the_names_is_counted_once() {
        let (one, two, three) = ("10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1");
        assert_eq!(by_address(&[name(&[one]), name(&[two]), name(&[three])]), 3);
        assert_eq!(by_address(&[name(&[one, two, three])]), 3, "one name of three sentinels");
        assert_eq!(by_address(&[name(&[one]), name(&[one]), name(&[two])]), 2, "listed twice");
        assert_eq!(by_address(&[name(&[one, two, three]), name(&[two])]), 3, "by name and address");
        assert_eq!(by_address(&[name(&[one]), name(&["10.0.0.1:2"])]), 2, "two ports");
        assert_eq!(by_address(&[]), 0);
    }

    #[test]
    fn a_host_with_an_address_of_each_family_is_one_sentinel() {
        let both = name(&["[::1]:1", "127.0.0.1:1"]);
        assert_eq!(by_address(std::slice::from_ref(&both)), 1);
        let three =
            name(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"]);
        assert_eq!(by_address(&[three]), 3);
        assert_eq!(by_address(&[both, name(&["127.0.0.1:1"])]), 1);
    }

    #[test]
    fn two_addresses_of_one_run_are_one_sentinel() {
        let names = [name(&["10.0.0.1:1"]), name(&["192.0.2.1:1"]), name(&["10.0.0.2:1"])];
        let run = |at: SocketAddr| match at.ip().to_string().as_str() {
            "10.0.0.2" => Voter::At(at),
            _ => Voter::Run("abc".to_owned()),
        };
        assert_eq!(count(&names, run), 2);
    }

    #[test]
    fn a_name_that_loses_addresses_still_counts_them() {
        let mut short = name(&["10.0.0.1:1"]);
        short.most = 3;
        assert_eq!(by_address(&[short.clone()]), 3, "one of three is no majority");
        let unresolved = ListedName { addresses: Vec::new(), most: 1 };
        assert_eq!(by_address(&[short, unresolved]), 4);
    }

    fn votes(given: &[&'static str]) -> Votes<&'static str> {
        let mut votes = Votes::default();
        for (number, vote) in given.iter().enumerate() {
            votes.set(Voter::Run(number.to_string()), *vote);
        }
        votes
    }

    fn majority(given: &[&'static str], all: usize) -> Option<&'static str> {
        votes(given).majority(all, PartialEq::eq).copied()
    }

    #[test]
    fn a_majority_is_more_than_half_of_all() {
        assert_eq!(majority(&["a"], 1), Some("a"), "a single sentinel decides");
        assert_eq!(majority(&["a"], 2), None, "half is not enough");
        assert_eq!(majority(&["a", "a"], 2), Some("a"));
        assert_eq!(majority(&["old"], 3), None, "the only one that answers may be cut off too");
        assert_eq!(majority(&["old", "new"], 3), None, "one more must answer");
        assert_eq!(majority(&["old", "new", "new"], 3), Some("new"));
        assert_eq!(majority(&["new", "new"], 3), Some("new"), "the third answer is not needed");
        assert_eq!(majority(&["a", "b", "c"], 3), None);
        assert_eq!(majority(&["a", "a", "b", "b"], 5), None);
        assert_eq!(majority(&[], 3), None);
    }

    #[test]
    fn two_names_of_one_server_are_one_vote() {
        let same = |one: &&str, other: &&str| {
            one == other || [*one, *other].iter().all(|it| it.starts_with("a"))
        };
        assert_eq!(votes(&["a-by-name", "a-by-ip", "b"]).majority(3, same), Some(&"a-by-name"));
        assert_eq!(votes(&["a-by-name", "b", "c"]).majority(3, same), None);
    }

    #[test]
    fn a_sentinel_has_one_vote() {
        let mut votes = Votes::default();
        let run = || Voter::Run("abc".to_owned());
        votes.set(run(), "a");
        votes.set(run(), "a");
        assert_eq!(votes.majority(3, PartialEq::eq), None);
        votes.set(run(), "b");
        assert_eq!((votes.len(), votes.different()), (1, vec![&"b"]));
    }
}
