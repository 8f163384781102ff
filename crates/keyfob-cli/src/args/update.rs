//! The arguments of `update`.

use std::net::IpAddr;

use clap::{ArgAction, ArgGroup, Args};
use keyfob::values::{Actor, AppId, LabelKey, Platform, UserAgent, Version};
use keyfob::{DeviceId, Tag, TokenId};

use crate::values::LabelArg;

const AFTER_HELP: &str = "\
Fields that you do not name stay unchanged. Labels and tags are removed before others are added.

Examples:
  keyfob update tok_00d1h88n000000000000000001 --label environment=staging --tag vip
  keyfob update tok_00d1h88n000000000000000001 --remove-tag beta --by ops
  keyfob update tok_00d1h88n000000000000000001 --app-version 2.1";

/// Change the metadata of a token
///
/// Changes the metadata of a pending or active token and shows the token. Concurrent changes are not
/// lost.
#[derive(Debug, Args)]
#[command(
    after_help = AFTER_HELP,
    group = ArgGroup::new("change").required(true).multiple(true).args([
        "label", "remove_label", "tag", "remove_tag", "device_id", "user_agent", "ip", "platform",
        "device_version", "app", "app_version",
    ])
)]
pub(crate) struct UpdateArgs {
    /// The id of the token
    pub(crate) id: TokenId,

    /// Set a label. Repeat with other keys for more
    #[arg(long, value_name = "KEY=VALUE", action = ArgAction::Append)]
    pub(crate) label: Vec<LabelArg>,

    /// Remove a label. Repeat for more
    #[arg(long, value_name = "KEY")]
    pub(crate) remove_label: Vec<LabelKey>,

    /// Add a tag. Repeat for more
    #[arg(long)]
    pub(crate) tag: Vec<Tag>,

    /// Remove a tag. Repeat for more
    #[arg(long, value_name = "TAG")]
    pub(crate) remove_tag: Vec<Tag>,

    /// The application's id of the device
    #[arg(long, value_name = "ID")]
    pub(crate) device_id: Option<DeviceId>,

    /// The User-Agent that uses the token
    #[arg(long, value_name = "TEXT")]
    pub(crate) user_agent: Option<UserAgent>,

    /// The client address that uses the token
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Option<IpAddr>,

    /// The platform of the device
    #[arg(long)]
    pub(crate) platform: Option<Platform>,

    /// The version of the platform
    #[arg(long, value_name = "VERSION")]
    pub(crate) device_version: Option<Version>,

    /// The application that uses the token
    #[arg(long)]
    pub(crate) app: Option<AppId>,

    /// The version of the application
    #[arg(long, value_name = "VERSION")]
    pub(crate) app_version: Option<Version>,

    /// The actor to record in events and history
    #[arg(long, value_name = "ACTOR")]
    pub(crate) by: Option<Actor>,
}
