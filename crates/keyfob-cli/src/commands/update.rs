//! `update`: changes the metadata of one token.

use keyfob::values::Labels;
use keyfob::{InvalidValue, Metadata, UpdateRequest};

use crate::args::UpdateArgs;
use crate::context::Context;
use crate::failure::Failure;

pub(super) async fn run(args: &UpdateArgs, context: &mut Context) -> Result<(), Failure> {
    let mut labels = Labels::new();
    for label in &args.label {
        // A repeated key is an error: the last one must not win silently.
        labels.insert(label.key.clone(), label.value.clone())?;
    }
    let change = |metadata: &mut Metadata| change(metadata, args, &labels);
    let mut request = UpdateRequest::new();
    if let Some(actor) = &args.by {
        request = request.by(actor.clone());
    }
    let token = context.manager.update(args.id, request, change).await?;
    context.output.token(&token, context.manager.now())
}

fn change(metadata: &mut Metadata, args: &UpdateArgs, labels: &Labels) -> Result<(), InvalidValue> {
    for key in &args.remove_label {
        metadata.labels.remove(key);
    }
    for tag in &args.remove_tag {
        metadata.tags.remove(tag);
    }
    for (key, value) in labels.iter() {
        metadata.labels.set(key.clone(), value.clone())?;
    }
    for tag in &args.tag {
        metadata.tags.insert(tag.clone())?;
    }
    let device = &mut metadata.device;
    set(&mut device.id, &args.device_id);
    set(&mut device.user_agent, &args.user_agent);
    set(&mut device.ip, &args.ip);
    set(&mut device.platform, &args.platform);
    set(&mut device.version, &args.device_version);
    set(&mut metadata.app, &args.app);
    set(&mut metadata.app_version, &args.app_version);
    Ok(())
}

fn set<T: Clone>(slot: &mut Option<T>, value: &Option<T>) {
    if value.is_some() {
        slot.clone_from(value);
    }
}
