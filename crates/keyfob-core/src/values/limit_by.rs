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
