//! A script, ready to be sent.

use super::commands::ScriptCommands;
use super::signature::Signature;
use super::template;

/// An assembled script.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) name: &'static str,
    pub(crate) digest: String,
    pub(crate) text: String,
    pub(crate) commands: ScriptCommands,
}

impl Script {
    pub(super) fn new(signature: &Signature, leaf_capacity: u16) -> Self {
        let text = template::assemble(signature, leaf_capacity);
        let digest = redis::Script::new(&text).get_hash().to_owned();
        let commands = ScriptCommands::of(&text);
        Self { name: signature.name, digest, text, commands }
    }
}
