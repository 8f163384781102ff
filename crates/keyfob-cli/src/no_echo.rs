//! Turns off the echo of the terminal while a secret is typed.
//!
//! Dropping the guard turns the echo on again. So it also comes back when the command is interrupted
//! while a thread still waits for the rest of the line.

/// A guard: the terminal on stdin does not show what is typed while it exists.
#[derive(Debug)]
pub(crate) struct NoEchoInput {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

#[cfg(unix)]
impl NoEchoInput {
    /// Turns the echo off. Does nothing if the terminal does not support it.
    pub(crate) fn begin() -> Self {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok().filter(|modes| {
            let mut no_echo = modes.clone();
            no_echo.local_modes.remove(LocalModes::ECHO);
            // `Now` keeps input that was typed before the prompt.
            tcsetattr(&stdin, OptionalActions::Now, &no_echo).is_ok()
        });
        Self { before }
    }

    /// Turns the echo on again. Returns whether it was off.
    pub(crate) fn end(self) -> bool {
        self.before.is_some()
    }
}

#[cfg(unix)]
impl Drop for NoEchoInput {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        if let Some(before) = &self.before {
            // `drop` cannot report an error.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

#[cfg(not(unix))]
impl NoEchoInput {
    /// Does nothing: on this system the terminal shows what is typed.
    pub(crate) fn begin() -> Self {
        Self {}
    }

    /// Returns whether the echo was off.
    pub(crate) fn end(self) -> bool {
        false
    }
}
