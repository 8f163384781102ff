//! Asks before a revocation of many tokens.

use std::io::{self, IsTerminal, Write};

use crate::args::RevokeArgs;
use crate::failure::Failure;
use crate::input;
use crate::visible::visible;

/// Refuses a revocation of many tokens for which no question can be asked and `--yes` is missing. The
/// question needs a terminal on stdin and on stderr.
pub(super) fn check_can_confirm(action: &str, args: &RevokeArgs) -> Result<(), Failure> {
    if args.yes || can_ask() {
        return Ok(());
    }
    Err(Failure::Usage {
        code: "confirmation_needed",
        message: format!("without a terminal on stdin and stderr, --yes is needed to {action}"),
        details: "Count the tokens with --dry-run first.".into(),
    })
}

/// Asks the user to confirm, unless `--yes` was given.
pub(super) async fn confirm(action: &str, args: &RevokeArgs) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    check_can_confirm(action, args)?;
    let mut terminal = io::stderr();
    let _ =
        write!(terminal, "This will {}. It cannot be undone. Continue? [y/N] ", visible(action));
    let _ = terminal.flush();
    if input::is_confirmed().await? { Ok(()) } else { Err(Failure::NotConfirmed) }
}

/// Returns whether stdin and stderr are terminals.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}
