//! The arguments of `limit`: a policy, and the key that it counts.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use keyfob::values::LimitName;
use keyfob::{ClientId, Rate, Subject, TokenId, Ttl};

const TEST_HELP: &str = "\
Exits with 0 if every call is admitted, and with 1 if a call is refused. Processes that use the same
Redis share limits. With a file or with memory, each process counts for itself, from zero.

Examples:
  keyfob limit test --rate 10/1m --ip 192.0.2.1 --times 12
  keyfob limit test --rate 1000/s --burst 50 --cost 5 --client shop
  keyfob limit test --rate 10000/30d --name reports --subject user123 --json";

const SHOW_HELP: &str = "\
The name identifies the counter, with what it counts by. Use the name of the policy, and its rate.

Examples:
  keyfob limit show --rate 10/1m --ip 192.0.2.1
  keyfob limit show --rate 5/1m --name attempts --failed-attempts --ip 192.0.2.1
  keyfob limit show --rate 10000/30d --name reports --subject user123 --json";

/// Test a rate limit, or show its status
///
/// Services define limits and quotas as policies. Here you name a policy by its rate.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  keyfob limit test --rate 10/1m --ip 192.0.2.1 --times 12\n  \
                  keyfob limit show --rate 10/1m --ip 192.0.2.1")]
pub(crate) struct LimitArgs {
    #[command(subcommand)]
    pub(crate) action: LimitAction,
}

/// An action on a limit.
#[derive(Debug, Subcommand)]
pub(crate) enum LimitAction {
    /// Charge a limit one or more times and print each verdict
    #[command(after_help = TEST_HELP)]
    Test(LimitTestArgs),
    /// Show the status of a limit without charging it
    #[command(after_help = SHOW_HELP)]
    Show(LimitShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LimitTestArgs {
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,

    /// The number of permits that each call costs
    #[arg(long, value_name = "PERMITS", default_value_t = 1)]
    pub(crate) cost: u32,

    /// The number of calls
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) times: u32,

    /// Take permits in batches that are valid for this long
    #[arg(long, value_name = "DURATION")]
    pub(crate) lease: Option<Ttl>,
}

#[derive(Debug, Args)]
pub(crate) struct LimitShowArgs {
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,

    /// Count failed validations of the address
    #[arg(long, requires = "ip", help_heading = "Counted")]
    pub(crate) failed_attempts: bool,
}

/// A policy, and the key that it counts.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// Permits per period, such as 100/1m or 10000/30d
    #[arg(long, help_heading = "Policy")]
    pub(crate) rate: Rate,

    /// The maximum number of permits in one burst. Default: the permits of one period
    #[arg(long, value_name = "PERMITS", help_heading = "Policy")]
    pub(crate) burst: Option<u32>,

    /// The name of the policy
    #[arg(long, default_value = "test", help_heading = "Policy")]
    pub(crate) name: LimitName,

    /// How many leading bits of an IPv6 address count as one address: 32 to 64. Use those of the service
    #[arg(long, value_name = "BITS", default_value_t = 64, help_heading = "Policy")]
    pub(crate) ipv6_prefix: u8,

    #[command(flatten)]
    pub(crate) counted: CountedArgs,
}

/// The key that is counted: exactly one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct CountedArgs {
    /// Count calls of this token
    #[arg(long, value_name = "ID", help_heading = "Counted")]
    pub(crate) token: Option<TokenId>,

    /// Count calls of this subject
    #[arg(long, help_heading = "Counted")]
    pub(crate) subject: Option<Subject>,

    /// Count calls of this client
    #[arg(long, help_heading = "Counted")]
    pub(crate) client: Option<ClientId>,

    /// Count calls from this client address
    #[arg(long, value_name = "ADDRESS", help_heading = "Counted")]
    pub(crate) ip: Option<IpAddr>,
}
