//! What a rate limit counts by.

/// What a policy counts by. A request that has nothing of the kind is not counted by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LimitBy {
    /// Each token by itself.
    Token,
    /// All tokens of a subject together.
    Subject,
    /// All tokens of a client together.
    Client,
    /// All that comes from a client address: an IPv4 address, or the first 64 bits of one of IPv6,
    /// which is what one customer has at least.
    Ip,
    /// The failed validations of a client address, told as for [`LimitBy::Ip`]. A manager charges
    /// these itself.
    FailedAttempts,
}

impl LimitBy {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Token, Self::Subject, Self::Client, Self::Ip, Self::FailedAttempts];

    /// The name.
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
