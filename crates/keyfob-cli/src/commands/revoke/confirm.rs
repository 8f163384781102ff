//! Asks before a revocation of many tokens.

use std::io::{self, IsTerminal, Write};

use crate::args::RevokeArgs;
use crate::failure::Failure;
use crate::input;
use crate::visible::visible;

/// What to do without a terminal and without `--yes`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum WithoutTerminal {
    Proceed,
    Refuse,
}

/// Asks the user to confirm, unless `--yes` was given.
pub(super) async fn confirm(
    action: &str,
    without_terminal: WithoutTerminal,
    args: &RevokeArgs,
) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    if !can_ask() {
        if without_terminal == WithoutTerminal::Proceed {
            return Ok(());
        }
        return Err(Failure::Usage {
            code: "confirmation_needed",
            message: format!("without a terminal, --yes is needed to {action}"),
            details: String::new(),
        });
    }
    let mut terminal = io::stderr();
    let _ =
        write!(terminal, "This will {}. It cannot be undone. Continue? [y/N] ", visible(action));
    let _ = terminal.flush();
    if input::is_confirmed().await? { Ok(()) } else { Err(Failure::NotConfirmed) }
}

/// Whether a terminal is there to ask on.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}
