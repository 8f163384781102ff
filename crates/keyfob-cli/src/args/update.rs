//! `update`: changes of metadata.

use std::net::IpAddr;

use clap::{ArgAction, ArgGroup, Args};
use keyfob::{Actor, AppId, DeviceId, LabelKey, Platform, Tag, TokenId, UserAgent, Version};

use super::value::Label;

const AFTER_HELP: &str = "\
What is not named stays as it is. Labels and tags are removed before others are added.

Examples:
  keyfob update tok_00d1h88n000000000000000001 --label environment=staging --tag vip
  keyfob update tok_00d1h88n000000000000000001 --remove-tag beta --by ops
  keyfob update tok_00d1h88n000000000000000001 --app-version 2.1";

/// Change the metadata of a token
///
/// Changes the metadata of a token that is pending or active, and shows it. Changes that others make
/// at the same time are not lost.
#[derive(Debug, Args)]
#[command(
    after_help = AFTER_HELP,
    group = ArgGroup::new("change").required(true).multiple(true).args([
        "label", "remove_label", "tag", "remove_tag", "device_id", "user_agent", "ip", "platform",
        "device_version", "app", "app_version",
    ])
)]
pub(crate) struct UpdateArgs {
    /// The token
    pub(crate) id: TokenId,

    /// Set a label; may be repeated with other keys
    #[arg(long, value_name = "KEY=VALUE", action = ArgAction::Append)]
    pub(crate) label: Vec<Label>,

    /// Remove a label; may be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) remove_label: Vec<LabelKey>,

    /// Add a tag; may be repeated
    #[arg(long)]
    pub(crate) tag: Vec<Tag>,

    /// Remove a tag; may be repeated
    #[arg(long, value_name = "TAG")]
    pub(crate) remove_tag: Vec<Tag>,

    /// What the application calls the device
    #[arg(long, value_name = "ID")]
    pub(crate) device_id: Option<DeviceId>,

    /// The User-Agent that the token is used by
    #[arg(long, value_name = "TEXT")]
    pub(crate) user_agent: Option<UserAgent>,

    /// The address that the token is used from
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Option<IpAddr>,

    /// The platform of the device
    #[arg(long)]
    pub(crate) platform: Option<Platform>,

    /// The version of the platform
    #[arg(long, value_name = "VERSION")]
    pub(crate) device_version: Option<Version>,

    /// The application that it is for
    #[arg(long)]
    pub(crate) app: Option<AppId>,

    /// The version of the application
    #[arg(long, value_name = "VERSION")]
    pub(crate) app_version: Option<Version>,

    /// Who changes it, for the events and the history
    #[arg(long, value_name = "ACTOR")]
    pub(crate) by: Option<Actor>,
}
