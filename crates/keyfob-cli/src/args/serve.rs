//! The arguments of `serve` and `init`.

use std::path::PathBuf;

use clap::Args;
use keyfob::ClientId;
use keyfob::values::Issuer;
use keyfob_server::listen::ListenAddress;

const SERVE_HELP: &str = "\
A client is the holder of an API key of that client: client_id is the client of the key, and
client_secret is its bearer. 'keyfob init' makes the first key. The routes need these scopes of the
caller: keyfob:issue, keyfob:read, keyfob:revoke, keyfob:introspect, keyfob:events, keyfob:keys,
keyfob:edge, or keyfob:admin for all.

A file with settings is given by --config; 'keyfob config --help' says more. The environment
overrides the file, and flags override both. SIGHUP reads the file, the key ring and the certificates
again, without a lost request.

With --json the first line on stdout is {\"url\"}, with --dev also \"admin_key\". A SIGTERM or Ctrl-C
stops the server after the requests that run.

Examples:
  keyfob serve --dev
  keyfob serve --store file:/var/lib/keyfob/tokens.redb --issuer https://tokens.example.com
  keyfob serve --config /etc/keyfob/keyfob.toml
  keyfob serve --config edge.toml --listen unix:/run/keyfob.sock
  KEYFOB_STORE=redis://:password@redis:6379 keyfob serve --listen 10.0.0.5:8700";

/// Serve tokens over HTTP: OAuth endpoints, an API, and checks for gateways
///
/// Serves the tokens of the store to services in any language. Any number of servers may run on one
/// Redis.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = SERVE_HELP)]
pub(crate) struct ServeArgs {
    /// The file with the settings
    #[arg(long, value_name = "FILE", env = "KEYFOB_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// The address to listen on, or unix:PATH. Port 0 picks a free one. Default: 127.0.0.1:8700
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<ListenAddress>,

    /// Start with an empty store in memory and show an admin key. For development
    #[arg(long)]
    pub(crate) dev: bool,

    /// The public URL of the service: the issuer in its metadata and in new tokens
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<Issuer>,

    /// A client without a secret, which may refresh with its name alone. Repeat for more
    #[arg(long, value_name = "CLIENT")]
    pub(crate) public_client: Vec<ClientId>,
}

const INIT_HELP: &str = "\
With --json it prints {\"admin_key\"}. If the store has an active admin key, the command is refused:
use that key to issue others.

Examples:
  keyfob init
  keyfob init --store redis://redis:6379 --json";

/// Make the first admin key of a store
///
/// Issues an API key with the scope keyfob:admin, which may hand out every scope and every audience.
/// It does not expire. Its bearer is shown only once.
#[derive(Debug, Args)]
#[command(after_help = INIT_HELP)]
pub(crate) struct InitArgs {
    /// The client of the key, which is its client_id
    #[arg(long, value_name = "CLIENT", default_value = "admin")]
    pub(crate) client: ClientId,

    /// Make another admin key although there is one
    #[arg(long)]
    pub(crate) another: bool,
}
