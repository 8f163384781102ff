//! `completions`: prints a completion script for a shell.

use clap_complete::Shell;

use crate::failure::Failure;
use crate::output::Output;
use crate::parse;

pub(super) fn run(shell: Shell, output: &mut Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut parse::command(), "keyfob", &mut script);
    output.raw(&script)
}
