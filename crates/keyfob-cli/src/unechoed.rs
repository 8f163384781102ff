//! A terminal that does not show what is typed, for as long as a secret is read.
//!
//! It shows it again when this is dropped: so also when the command is interrupted while a thread
//! still waits for the rest of the line.

/// While it is there, the terminal on stdin shows nothing of what is typed.
#[derive(Debug)]
pub(crate) struct Unechoed {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

#[cfg(unix)]
impl Unechoed {
    /// Has the terminal show nothing; where it cannot be told so, it goes on as before.
    pub(crate) fn begin() -> Self {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok().filter(|modes| {
            let mut unechoed = modes.clone();
            unechoed.local_modes.remove(LocalModes::ECHO);
            // What was typed before is kept, only not shown.
            tcsetattr(&stdin, OptionalActions::Now, &unechoed).is_ok()
        });
        Self { before }
    }

    /// Ends it; whether there was anything to end.
    pub(crate) fn end(self) -> bool {
        self.before.is_some()
    }
}

#[cfg(unix)]
impl Drop for Unechoed {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        if let Some(before) = &self.before {
            // Nobody is there to be told that it cannot be done.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

#[cfg(not(unix))]
impl Unechoed {
    /// This system is not told: it shows what is typed.
    pub(crate) fn begin() -> Self {
        Self {}
    }

    /// Ends it; whether there was anything to end.
    pub(crate) fn end(self) -> bool {
        false
    }
}
