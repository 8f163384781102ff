//! `man`: prints the manual page, from the definition of the help.

use crate::failure::Failure;
use crate::output::Output;
use crate::parse;

pub(super) fn run(name: Option<&str>, output: &mut Output) -> Result<(), Failure> {
    let mut keyfob = parse::command().disable_help_subcommand(true);
    keyfob.build();
    let command = match name {
        None => keyfob,
        Some(name) => {
            let known = keyfob.find_subcommand(name).cloned();
            known.ok_or_else(|| unknown_command(&keyfob))?.display_name(format!("keyfob-{name}"))
        }
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).map_err(Failure::Output)?;
    output.raw(&page)
}

fn unknown_command(keyfob: &clap::Command) -> Failure {
    let names: Vec<_> = keyfob.get_subcommands().map(|command| command.get_name()).collect();
    let message = "unknown command".into();
    let details = format!("Use one of {}.", names.join(", "));
    Failure::Usage { code: "usage", message, details }
}
