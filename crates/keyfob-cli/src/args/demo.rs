//! The arguments of `demo`.

/// The arguments of `demo`. The first six steps print what the specification of the example prints, and so
/// the time in its form.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  keyfob demo\n  keyfob demo --store memory:\n  keyfob demo --full"
)]
pub(crate) struct DemoArgs {
    /// Also show rotation, theft detection, sealing, a rate limit and metrics
    ///
    /// Adds five steps: a retry after a lost response, the detection of a stolen refresh token, a
    /// record with and without sealing, a rate limit that is reached, and the metrics of the run.
    #[arg(long)]
    pub(crate) full: bool,
}
