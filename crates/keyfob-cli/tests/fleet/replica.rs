//! A server as a process, and the store that several share.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;

/// A store with an admin key.
#[derive(Debug)]
pub(crate) struct Deployment {
    home: TempDir,
    store: String,
    /// Further variables of its servers.
    pub(crate) variables: Vec<(&'static str, String)>,
    pub(crate) admin_key: String,
}

/// A `keyfob serve`. It is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Replica {
    process: Child,
    pub(crate) client: Client,
}

/// How long a process may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(30);

impl Deployment {
    /// Makes the first admin key of a store.
    pub(crate) fn init(store: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let (store_text, variables, admin_key) = (store.to_owned(), Vec::new(), String::new());
        let mut deployment = Self { home, store: store_text, variables, admin_key };
        let output = deployment.command(store, &["init", "--json"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let made: Value = serde_json::from_slice(&output.stdout).unwrap();
        deployment.admin_key = made["admin_key"].as_str().unwrap().to_owned();
        deployment
    }

    /// Gives its servers keys for JWTs and security event tokens, and an issuer.
    pub(crate) fn transmit(&mut self) {
        let ring = self.home.path().join("ring").to_string_lossy().into_owned();
        let mut generate = self.command(&self.store, &["keys", "generate"]);
        let generated = generate.env("KEYFOB_KEYS", &ring).output().unwrap();
        assert!(generated.status.success(), "{}", self.log());
        let issuer = "https://tokens.example".to_owned();
        self.variables = vec![("KEYFOB_JWT_KEYS", ring), ("KEYFOB_ISSUER", issuer)];
    }

    /// Starts a server.
    pub(crate) fn serve(&self) -> Replica {
        self.serve_through(&self.store)
    }

    /// Starts a server that reaches the store at another address.
    pub(crate) fn serve_through(&self, store: &str) -> Replica {
        self.start(self.command(store, &["serve", "--json", "--listen", "127.0.0.1:0"]))
    }

    /// Starts a server without a store, in front of the server at this URL.
    pub(crate) fn serve_edge(&self, central: &str, key: &str, listen: &str) -> Replica {
        let mut command = self.command("", &["serve", "--json", "--listen", listen]);
        command.env_remove("KEYFOB_STORE").env("KEYFOB_EDGE_CENTRAL", central);
        self.start(std::mem::replace(command.env("KEYFOB_EDGE_KEY", key), Command::new("true")))
    }

    /// Starts such a server, which sends on what it does not answer. It has no keys and no issuer.
    pub(crate) fn serve_forwarding_edge(&self, central: &str, key: &str) -> Replica {
        let mut command = self.command("", &["serve", "--json", "--listen", "127.0.0.1:0"]);
        for name in ["KEYFOB_STORE", "KEYFOB_JWT_KEYS", "KEYFOB_ISSUER"] {
            command.env_remove(name);
        }
        command.env("KEYFOB_EDGE_CENTRAL", central).env("KEYFOB_EDGE_KEY", key);
        command.env("KEYFOB_EDGE_FORWARD", "true");
        self.start(command)
    }

    fn start(&self, mut command: Command) -> Replica {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: {line:?}: {}", self.log()));
        let url = started["url"].as_str().unwrap();
        Replica { process, client: Client::new(url, &self.admin_key) }
    }

    fn command(&self, store: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KEYFOB_") {
                command.env_remove(name);
            }
        }
        let log = std::fs::File::options().create(true).append(true).open(self.log_path());
        command.args(args).current_dir(self.home.path()).env("KEYFOB_STORE", store);
        command.env("KEYFOB_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stderr(log.unwrap());
        command
    }

    fn log_path(&self) -> std::path::PathBuf {
        self.home.path().join("log")
    }

    /// What the processes have logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

impl Replica {
    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(status.success(), "{name}");
    }

    /// Waits until the process has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until `/readyz` answers with this status.
    pub(crate) async fn wait_until_ready_is(&self, status: u16) {
        let begun = Instant::now();
        while self.client.get("/readyz").await.status != status {
            assert!(begun.elapsed() < PATIENCE, "/readyz does not answer {status}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}
