//! What can be said to `demo`.

/// What can be said to `demo`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyfob demo\n  keyfob demo --store memory:\n  keyfob demo --full"
)]
pub(crate) struct DemoArgs {
    /// Go on: rotation and a thief, sealing, a limit, metrics
    ///
    /// Goes on after the six steps: a refresh token whose answer was lost, a thief who is caught,
    /// what a store holds with keys and without, a limit that is reached, and what was counted.
    #[arg(long)]
    pub(crate) full: bool,
}
