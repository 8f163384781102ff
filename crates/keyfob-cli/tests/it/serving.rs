//! `serve` as a process: its configuration, its signals, its addresses.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::Keyfob;

/// How long a process may take for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server. It is killed when it is dropped.
pub(crate) struct Serving<'a> {
    keyfob: &'a Keyfob,
    process: Child,
    pub(crate) started: Value,
}

impl<'a> Serving<'a> {
    pub(crate) fn start(keyfob: &'a Keyfob, args: &[&str]) -> Self {
        let words: Vec<_> = ["serve", "--json"].iter().chain(args).copied().collect();
        Self::of(keyfob, keyfob.command(&words))
    }

    fn of(keyfob: &'a Keyfob, mut command: Command) -> Self {
        let log = File::create(keyfob.home().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{}", log_of(keyfob)));
        Self { keyfob, process, started }
    }

    pub(crate) fn address(&self, name: &str) -> &str {
        self.started[name].as_str().unwrap().strip_prefix("http://").unwrap()
    }

    fn get(&self, path: &str) -> String {
        get(self.address("url"), path)
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits until the log has this text.
    pub(crate) fn wait_for_log(&self, text: &str) {
        let begun = Instant::now();
        while !log_of(self.keyfob).contains(text) {
            assert!(begun.elapsed() < PATIENCE, "{text}: {}", log_of(self.keyfob));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks the server to end, and returns the exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.signal("TERM");
        self.process.wait().unwrap().code()
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn log_of(keyfob: &Keyfob) -> String {
    std::fs::read_to_string(keyfob.home().join("log")).unwrap_or_default()
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

const METADATA: &str = "/.well-known/oauth-authorization-server";

#[test]
fn a_hangup_reads_the_configuration_again() {
    let keyfob = Keyfob::new();
    let write = |issuer: &str| {
        let text = format!("listen = \"127.0.0.1:0\"\nissuer = \"{issuer}\"\n");
        keyfob.file("keyfob.toml", text)
    };
    write("https://one.example");
    let serving = Serving::start(&keyfob, &["--config", "keyfob.toml"]);
    assert!(serving.get(METADATA).contains("https://one.example"));
    write("https://two.example");
    serving.signal("HUP");
    serving.wait_for_log("the configuration has been read again");
    assert!(serving.get(METADATA).contains("https://two.example"));

    keyfob.file("keyfob.toml", "lissen = \"127.0.0.1:0\"\n");
    serving.signal("HUP");
    serving.wait_for_log("Did you mean listen?");
    assert!(serving.get(METADATA).contains("https://two.example"));

    keyfob.file("keyfob.toml", "listen = \"127.0.0.1:1\"\n");
    serving.signal("HUP");
    serving.wait_for_log("the new value applies after a restart");
    assert_eq!(serving.end(), Some(0));
    for line in log_of(&keyfob).lines().filter(|line| line.starts_with("{\"log\"")) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["log"]["time"].is_string(), "{line}");
    }
    assert!(log_of(&keyfob).contains("the server has drained"));
}

#[test]
fn management_has_an_address_of_its_own() {
    let keyfob = Keyfob::new();
    let text = "listen = \"127.0.0.1:0\"\n[management]\nlisten = \"127.0.0.1:0\"\n";
    keyfob.file("keyfob.toml", text);
    let serving = Serving::start(&keyfob, &["--config", "keyfob.toml", "--dev"]);
    assert!(serving.get("/metrics").starts_with("HTTP/1.1 404"));
    let metrics = get(serving.address("management_url"), "/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
}

#[test]
fn the_console_is_on_the_side_of_management_and_can_be_turned_off() {
    let keyfob = Keyfob::new();
    let text = "listen = \"127.0.0.1:0\"\n[management]\nlisten = \"127.0.0.1:0\"\n";
    keyfob.file("keyfob.toml", text);
    let serving = Serving::start(&keyfob, &["--config", "keyfob.toml", "--dev"]);
    let page = get(serving.address("management_url"), "/console");
    assert!(page.starts_with("HTTP/1.1 401") && page.contains("Sign in"), "{page}");
    assert!(serving.get("/console").starts_with("HTTP/1.1 404"));
    keyfob.file("keyfob.toml", format!("{text}[console]\nenabled = false\n"));
    serving.signal("HUP");
    serving.wait_for_log("\"console\"");
    drop(serving);
    let serving = Serving::start(&keyfob, &["--config", "keyfob.toml", "--dev"]);
    assert!(get(serving.address("management_url"), "/console").starts_with("HTTP/1.1 404"));
}

#[test]
fn an_address_beyond_the_machine_without_tls_is_warned_about() {
    let keyfob = Keyfob::new();
    let serving = Serving::start(&keyfob, &["--dev", "--listen", "0.0.0.0:0"]);
    serving.wait_for_log("without TLS");
    let quiet = Keyfob::new();
    let local = Serving::start(&quiet, &["--dev", "--listen", "127.0.0.1:0"]);
    local.signal("HUP");
    local.wait_for_log("read again");
    assert!(!log_of(&quiet).contains("without TLS"));
}

#[test]
fn limits_of_the_configuration_are_there() {
    let keyfob = Keyfob::new();
    let limit = "[limits.asks]\nby = \"ip\"\nrate = \"2/1h\"\nroutes = [\"metadata\"]\n";
    keyfob.file("keyfob.toml", format!("listen = \"127.0.0.1:0\"\n{limit}"));
    let serving = Serving::start(&keyfob, &["--config", "keyfob.toml", "--dev"]);
    let first = serving.get(METADATA).to_ascii_lowercase();
    assert!(first.contains("ratelimit: \"asks\";r=1;"), "{first}");
    assert!(first.contains("ratelimit-policy: \"asks\";q=2;w=3600\r\n"), "{first}");
    assert!(serving.get(METADATA).starts_with("HTTP/1.1 200"));
    let third = serving.get(METADATA).to_ascii_lowercase();
    assert!(third.starts_with("http/1.1 429"), "{third}");
    assert!(third.contains("retry-after: "), "{third}");
    assert!(serving.get("/healthz").starts_with("HTTP/1.1 200"));
}

#[test]
fn systemd_may_hold_the_address() {
    let has = Command::new("systemd-socket-activate").arg("--version").output();
    if has.is_err() {
        return;
    }
    let keyfob = Keyfob::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let address = format!("127.0.0.1:{port}");
    let plain = keyfob.command(&["serve", "--json", "--dev", "--listen", "127.0.0.1:1"]);
    let mut command = Command::new("systemd-socket-activate");
    command.args(["-l", &address, "-E", "HOME"]).arg(plain.get_program()).args(plain.get_args());
    command.env("HOME", keyfob.home());
    // The server starts with the first connection, and answers it.
    let asking = std::thread::spawn({
        let address = address.clone();
        move || {
            let begun = Instant::now();
            while TcpStream::connect(&address).is_err() {
                assert!(begun.elapsed() < PATIENCE);
                std::thread::sleep(Duration::from_millis(20));
            }
            get(&address, "/healthz")
        }
    });
    let serving = Serving::of(&keyfob, command);
    assert_eq!(serving.started["url"], format!("http://{address}"));
    assert!(asking.join().unwrap().starts_with("HTTP/1.1 200"));
}
