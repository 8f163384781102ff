//! `limit`: a policy that is named on the command line, and what it counts.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use keyfob::{ClientId, LimitName, Rate, Subject, TokenId, Ttl};

const TEST_HELP: &str = "\
Exits with 0 when every call is admitted and with 1 when one is refused. Limits are shared by all who
use the same Redis; with a file or with memory each process counts for itself, from nothing.

Examples:
  keyfob limit test --rate 10/1m --ip 192.0.2.1 --times 12
  keyfob limit test --rate 1000/s --burst 50 --cost 5 --client shop
  keyfob limit test --rate 10000/30d --name reports --subject user123 --json";

const SHOW_HELP: &str = "\
The name and the rate are part of what is counted: give those of the policy.

Examples:
  keyfob limit show --rate 10/1m --ip 192.0.2.1
  keyfob limit show --rate 5/1m --name attempts --failed-attempts --ip 192.0.2.1
  keyfob limit show --rate 10000/30d --name reports --subject user123 --json";

/// Try a rate limit, or show how one stands
///
/// Limits and quotas are policies of the services that apply them; here one is named by its rate.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  keyfob limit test --rate 10/1m --ip 192.0.2.1 --times 12\n  \
                  keyfob limit show --rate 10/1m --ip 192.0.2.1")]
pub(crate) struct LimitArgs {
    #[command(subcommand)]
    pub(crate) action: LimitAction,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum LimitAction {
    /// Charge a limit so many times and print each verdict
    #[command(after_help = TEST_HELP)]
    Test(LimitTestArgs),
    /// Show how a limit stands, without charging it
    #[command(after_help = SHOW_HELP)]
    Show(LimitShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LimitTestArgs {
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,

    /// How many permits each call costs
    #[arg(long, value_name = "PERMITS", default_value_t = 1)]
    pub(crate) cost: u32,

    /// How many calls to make
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) times: u32,

    /// Take permits in batches, each good for so long
    #[arg(long, value_name = "DURATION")]
    pub(crate) lease: Option<Ttl>,
}

#[derive(Debug, Args)]
pub(crate) struct LimitShowArgs {
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,

    /// Count the failed validations of the address
    #[arg(long, requires = "ip", help_heading = "Counted")]
    pub(crate) failed_attempts: bool,
}

/// A policy, and what it counts.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// So many permits per period, such as 100/1m or 10000/30d
    #[arg(long, help_heading = "Policy")]
    pub(crate) rate: Rate,

    /// How many permits at once; without it, those of a period
    #[arg(long, value_name = "PERMITS", help_heading = "Policy")]
    pub(crate) burst: Option<u32>,

    /// The name of the policy
    #[arg(long, default_value = "test", help_heading = "Policy")]
    pub(crate) name: LimitName,

    #[command(flatten)]
    pub(crate) counted: CountedArgs,
}

/// What is counted: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct CountedArgs {
    /// Count a token
    #[arg(long, value_name = "ID", help_heading = "Counted")]
    pub(crate) token: Option<TokenId>,

    /// Count a subject
    #[arg(long, help_heading = "Counted")]
    pub(crate) subject: Option<Subject>,

    /// Count a client
    #[arg(long, help_heading = "Counted")]
    pub(crate) client: Option<ClientId>,

    /// Count a client address
    #[arg(long, value_name = "ADDRESS", help_heading = "Counted")]
    pub(crate) ip: Option<IpAddr>,
}
