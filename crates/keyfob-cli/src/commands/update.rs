//! `update`: changes the metadata of one token.

use keyfob::values::{Labels, NameSet};
use keyfob_api::UpdateBody;

use crate::args::UpdateArgs;
use crate::context::Context;
use crate::failure::Failure;

pub(super) async fn run(args: &UpdateArgs, context: &mut Context) -> Result<(), Failure> {
    let mut labels = Labels::new();
    for label in &args.label {
        // A repeated key is an error: the last one must not win silently.
        labels.insert(label.key.clone(), label.value.clone())?;
    }
    let changes = UpdateBody {
        labels: labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        remove_labels: args.remove_label.clone(),
        tags: NameSet::from_names(args.tag.iter().cloned())?,
        remove_tags: NameSet::from_names(args.remove_tag.iter().cloned())?,
        device_id: args.device_id.clone(),
        user_agent: args.user_agent.clone(),
        ip: args.ip,
        platform: args.platform.clone(),
        device_version: args.device_version.clone(),
        app: args.app.clone(),
        app_version: args.app_version.clone(),
    };
    let token = context.backend.update(args.id, &changes, args.by.as_ref()).await?;
    context.output.token(&token)
}
