//! The attribute that a rate limit counts by.

/// The attribute that a limit counts by. A request without the attribute is not counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LimitBy {
    /// Each token by itself.
    Token,
    /// All tokens of a subject together.
    Subject,
    /// All tokens of a client together.
    Client,
    /// All requests from a client address: an IPv4 address, or the first 64 bits of an IPv6 address,
    /// the least that one customer has.
    Ip,
    /// The failed validations of a client address, which is counted as for [`LimitBy::Ip`]. A
    /// manager charges these itself.
    ///
    /// # Warning
    /// Clients behind one address share one budget: an office, a mobile network (NAT), or every client
    /// of a proxy whose own address is taken for theirs. While the budget is used up, a validation from
    /// the address that has to ask the store is refused as throttled, also one of a good bearer token.
    /// So one client with a wrong bearer token can hold up all others. Choose a rate for the largest
    /// group behind one address, and take the address of a client only from a proxy that you trust.
    FailedAttempts,
}

impl LimitBy {
    /// Every attribute.
    pub const ALL: [Self; 5] =
        [Self::Token, Self::Subject, Self::Client, Self::Ip, Self::FailedAttempts];

    /// Returns the name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Subject => "subject",
            Self::Client => "client",
            Self::Ip => "ip",
            Self::FailedAttempts => "failed-attempts",
        }
    }
}
