//! Runs the binary in tests.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A home directory and a store for one test, with a server in front of it if the commands ask one.
pub(crate) struct Keyfob {
    // Stopped before the home is deleted.
    server: Option<Served>,
    home: TempDir,
    store: Option<String>,
}

/// A running `keyfob serve`. Dropping it kills the process.
pub(crate) struct Served {
    child: Child,
    pub(crate) url: String,
    pub(crate) admin_key: String,
}

/// Defines a test that runs on a store, and through a server in front of such a store.
macro_rules! both_ways {
    ($(#[$attribute:meta])* fn $name:ident($keyfob:ident: &Keyfob) $body:block) => {
        $(#[$attribute])*
        mod $name {
            use super::*;

            fn run($keyfob: &Keyfob) $body

            #[test]
            fn on_a_store() {
                run(&Keyfob::new());
            }

            #[test]
            fn through_a_server() {
                run(&Keyfob::served());
            }
        }
    };
}
pub(crate) use both_ways;

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Keyfob {
    /// Uses a store file that does not exist yet.
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = Some(format!("file:{}", home.path().join("tokens.redb").display()));
        Self { server: None, home, store }
    }

    /// Uses a store file with an admin key.
    pub(crate) fn with_admin_key() -> (Self, String) {
        let keyfob = Self::new();
        let key = keyfob.run(&["init", "--json"]).exits(0).object();
        let key = key["admin_key"].as_str().unwrap().to_owned();
        (keyfob, key)
    }

    /// Uses a server over such a store.
    pub(crate) fn served() -> Self {
        Self::new().behind_a_server(&[])
    }

    /// Makes an admin key, and uses a server over the store.
    pub(crate) fn behind_a_server(mut self, args: &[&str]) -> Self {
        let words: Vec<_> = ["init", "--json"].iter().chain(args).copied().collect();
        let key = self.run(&words).exits(0).object();
        let mut served = self.serve(args);
        served.admin_key = key["admin_key"].as_str().unwrap().to_owned();
        self.server = Some(served);
        self
    }

    /// Uses a server that tries things out, with this configuration.
    pub(crate) fn behind_a_dev_server(configuration: &str) -> Self {
        let mut keyfob = Self::by_default();
        keyfob.file("keyfob.toml", configuration);
        keyfob.server = Some(keyfob.serve(&["--dev", "--config=keyfob.toml"]));
        keyfob
    }

    /// Starts a server on a free port.
    pub(crate) fn serve(&self, args: &[&str]) -> Served {
        let words: Vec<_> =
            ["serve", "--json", "--listen=127.0.0.1:0"].iter().chain(args).copied().collect();
        let mut command = self.command(&words);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        let object: Value = serde_json::from_str(&first).unwrap_or_else(|_| panic!("{first:?}"));
        let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
        Served { child, url: text("url"), admin_key: text("admin_key") }
    }

    /// The URL of the server.
    pub(crate) fn server_url(&self) -> String {
        self.server.as_ref().unwrap().url.clone()
    }

    /// The key of the commands.
    pub(crate) fn admin_key(&self) -> &str {
        &self.server.as_ref().unwrap().admin_key
    }

    /// Whether the commands ask a server.
    pub(crate) fn is_served(&self) -> bool {
        self.server.is_some()
    }

    /// How many tokens there are before the test issues any: the key of the commands themselves.
    pub(crate) fn keys(&self) -> u64 {
        u64::from(self.server.is_some())
    }

    /// The flag that records an actor. A server takes none, and records the client of the key.
    pub(crate) fn by(&self, actor: &str) -> Option<String> {
        self.server.is_none().then(|| format!("--by={actor}"))
    }

    /// The actor that is recorded.
    pub(crate) fn actor<'a>(&self, actor: &'a str) -> &'a str {
        if self.server.is_some() { "admin" } else { actor }
    }

    /// The position after the last event.
    pub(crate) fn latest_event(&self) -> String {
        let done = self.run(&["events", "--after=latest", "--json"]);
        if done.status.code() == Some(3) {
            // There is no store yet.
            return "start".to_owned();
        }
        done.stderr_objects()[0]["note"]["cursor"].as_str().unwrap().to_owned()
    }

    /// Uses this store.
    pub(crate) fn on(store: &str) -> Self {
        Self { store: Some(store.to_owned()), ..Self::new() }
    }

    /// Uses the default store.
    pub(crate) fn by_default() -> Self {
        Self { store: None, ..Self::new() }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file into the home.
    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if ["KEYFOB_", "OTEL_"].iter().any(|prefix| name_text.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command.args(args).current_dir(self.home.path()).env_remove("XDG_DATA_HOME");
        command.env("HOME", self.home.path());
        match (&self.server, &self.store) {
            (Some(server), _) => {
                command.env("KEYFOB_SERVER", &server.url).env("KEYFOB_TOKEN", &server.admin_key);
            }
            (None, Some(store)) => {
                command.env("KEYFOB_STORE", store);
            }
            (None, None) => {}
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        self.feed(args, b"")
    }

    /// Runs the command with this on stdin.
    pub(crate) fn feed(&self, args: &[&str], stdin: &[u8]) -> Done {
        let mut child = self.start(args);
        let mut pipe = child.stdin.take().unwrap();
        let stdin = stdin.to_vec();
        // The process may end before it has read all of stdin.
        let writer = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
        let done = Done::of(child);
        writer.join().unwrap();
        done
    }

    /// Starts the command with all three streams piped.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Issues a token. Returns its id and its bearer.
    pub(crate) fn issue(&self, args: &[&str]) -> (String, String) {
        let words: Vec<_> = ["issue", "--json"].iter().chain(args).copied().collect();
        let token = self.run(&words).exits(0).object();
        let text = |name: &str| token[name].as_str().unwrap().to_owned();
        (text("id"), text("bearer"))
    }
}

impl Served {
    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Ignored: it may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Done {
    pub(crate) fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
        Self { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self:#?}");
        self
    }

    /// Asserts that stderr contains this text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text}: {self:#?}");
        self
    }

    /// The objects on stdout.
    #[track_caller]
    pub(crate) fn objects(&self) -> Vec<Value> {
        objects(&self.stdout)
    }

    /// The one object on stdout.
    #[track_caller]
    pub(crate) fn object(&self) -> Value {
        let mut objects = self.objects();
        assert_eq!(objects.len(), 1, "{self:#?}");
        objects.remove(0)
    }

    /// The JSON objects on stderr. Log lines are skipped.
    #[track_caller]
    pub(crate) fn stderr_objects(&self) -> Vec<Value> {
        let lines: Vec<_> = self
            .stderr
            .lines()
            .filter(|line| line.starts_with('{') && !line.starts_with("{\"log\""))
            .collect();
        objects(&lines.join("\n"))
    }

    /// The code of the one JSON error on stderr.
    #[track_caller]
    pub(crate) fn error_code(&self) -> String {
        let reported = self.stderr_objects();
        let errors: Vec<_> =
            reported.iter().filter_map(|line| line["error"]["code"].as_str()).collect();
        assert_eq!(errors.len(), 1, "{self:#?}");
        errors[0].to_owned()
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }
}

/// Sends SIGINT, as a terminal does for Ctrl-C.
pub(crate) fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Interrupts a run after it has logged this text.
pub(crate) fn interrupt_after(mut child: Child, logged: &str) -> Done {
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    let mut stderr = String::new();
    while !stderr.contains(logged) {
        assert_ne!(reader.read_line(&mut stderr).unwrap(), 0, "it ended early: {stderr}");
    }
    interrupt(&child);
    std::io::Read::read_to_string(&mut reader, &mut stderr).unwrap();
    Done { stderr, ..Done::of(child) }
}

#[track_caller]
fn objects(text: &str) -> Vec<Value> {
    let parse = |line: &str| {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| {
            panic!("{error}: {line}");
        });
        assert!(object.is_object(), "{line}");
        object
    };
    text.lines().map(parse).collect()
}

/// Snapshot settings that replace the values that differ from run to run.
pub(crate) fn snapshot_settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"tok_[0-9a-hjkmnp-tv-z]{26}", "[id]");
    settings.add_filter(r"fob_[a-z]{2}_[0-9A-Za-z]{61}", "[bearer]");
    settings.add_filter(r"op_[0-9a-f]{32}", "[operation]");
    settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]");
    settings.add_filter(r"\b[0-9a-f]+\.[0-9a-f]{11}\.[0-9a-f]+\b", "[position]");
    settings
}
