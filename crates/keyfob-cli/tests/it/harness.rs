//! Runs the binary in tests.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A home directory and a store for one test.
pub(crate) struct Keyfob {
    home: TempDir,
    store: Option<String>,
}

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
        Self { home, store }
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
            if name.to_string_lossy().starts_with("KEYFOB_") {
                command.env_remove(name);
            }
        }
        command.args(args).current_dir(self.home.path()).env_remove("XDG_DATA_HOME");
        command.env("HOME", self.home.path());
        if let Some(store) = &self.store {
            command.env("KEYFOB_STORE", store);
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
