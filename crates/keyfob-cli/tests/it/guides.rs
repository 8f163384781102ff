//! The guides of the documentation, run as a reader pastes them.
//!
//! Of a page, the blocks marked `sh,server` start a server, and all `sh` blocks run in one shell, in
//! order, where any failing command ends the test. A `text` block right after a `sh` block is what it prints;
//! `…` stands for any text. The test puts free ports in place of those in the page, and fills in the
//! line `key=…` that the reader copies from the server.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use keyfob_testkit::redis::RedisServer;

/// The address of the server in the pages.
const SERVER: &str = "127.0.0.1:8700";
/// The address of the Redis server in the pages.
const REDIS: &str = "127.0.0.1:6379";
/// Separates the output of a block from that of the next one.
const MARK: &str = "-- end of block --";

/// A block of a page that the test runs.
struct Block {
    line: usize,
    script: String,
    prints: Option<String>,
}

/// What a page contains for the test.
#[derive(Default)]
struct Guide {
    server: Option<String>,
    blocks: Vec<Block>,
}

impl Guide {
    fn read(page: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut guide = Self::default();
        let mut lines = text.lines().enumerate();
        // The line after the block before.
        let mut next = 0;
        while let Some((number, line)) = lines.next() {
            let Some(language) = line.strip_prefix("```") else { continue };
            let body: Vec<_> =
                lines.by_ref().map(|(_, line)| line).take_while(|l| *l != "```").collect();
            let body = body.join("\n");
            match language {
                "sh" => guide.blocks.push(Block {
                    line: number + 1,
                    script: body.clone(),
                    prints: None,
                }),
                "sh,server" => guide.server = Some(body.clone()),
                "text" if number == next => {
                    if let Some(block) = guide.blocks.last_mut() {
                        block.prints = Some(body.clone());
                    }
                }
                _ => {}
            }
            next = number + body.lines().count() + 2;
        }
        assert!(!guide.blocks.is_empty(), "{page} has nothing to run");
        guide
    }
}

/// A folder in which the commands of a page run, with `keyfob` in the path.
struct Reader {
    home: tempfile::TempDir,
    server: String,
    redis: Option<RedisServer>,
}

impl Reader {
    fn new() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self {
            home: tempfile::tempdir().unwrap(),
            server: format!("127.0.0.1:{port}"),
            redis: None,
        }
    }

    fn with_redis() -> Self {
        let server = RedisServer::builder().append_only().start().unwrap();
        Self { redis: Some(server), ..Self::new() }
    }

    fn script(&self, text: &str) -> String {
        let listen = format!("keyfob serve --listen {}", self.server);
        let text = text.replace("keyfob serve", &listen).replace(SERVER, &self.server);
        match &self.redis {
            Some(redis) => text.replace(REDIS, &format!("127.0.0.1:{}", redis.port())),
            None => text,
        }
    }

    fn shell(&self, script: &str) -> Command {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_keyfob"));
        let path = std::env::join_paths(
            std::iter::once(binary.parent().unwrap().to_owned())
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let mut command = Command::new("bash");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KEYFOB_") {
                command.env_remove(name);
            }
        }
        command.args(["-euo", "pipefail", "-c", script]).current_dir(self.home.path());
        command.env("HOME", self.home.path()).env("PATH", path.unwrap());
        command.env_remove("XDG_DATA_HOME").stdin(Stdio::null());
        command
    }

    /// Starts the server of the page. Returns it with the line that the reader copies from it.
    fn start(&self, script: &str) -> (Server, String) {
        let script = format!("exec {}", self.script(script));
        let mut child = self.shell(&script).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.next().unwrap().starts_with("keyfob serves http://"), "the server starts");
        let key = if script.contains("--dev") {
            lines.find(|line| line.trim_start().starts_with("key=")).unwrap()
        } else {
            String::new()
        };
        // The server must not be stopped by a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        (Server(child), key.trim().to_owned())
    }

    /// Runs all blocks, and compares what they print.
    fn follow(&self, guide: &Guide) {
        let server = guide.server.as_deref().map(|script| self.start(script));
        let mut script = server.as_ref().map_or_else(String::new, |(_, key)| key.clone());
        for block in &guide.blocks {
            script.push_str(&format!("\n{}\necho '{MARK}'\n", self.script(&block.script)));
        }
        let done = self.shell(&script).output().unwrap();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        let printed: Vec<_> = stdout.split(&format!("{MARK}\n")).collect();
        assert!(
            done.status.success(),
            "the block after that of line {:?} failed\n{stdout}\n{stderr}",
            printed.len().checked_sub(2).and_then(|last| guide.blocks.get(last)).map(|b| b.line),
        );
        for (block, printed) in guide.blocks.iter().zip(printed) {
            let Some(expected) = &block.prints else { continue };
            let expected = self.script(expected);
            assert!(
                matches(&expected, printed.trim_end()),
                "line {} prints\n{printed}\ninstead of\n{expected}\n{stderr}",
                block.line
            );
        }
    }
}

/// A server, which is stopped at the end of the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns whether a text is as expected, where `…` stands for any text.
fn matches(expected: &str, text: &str) -> bool {
    let mut parts = expected.split('…');
    let Some(mut rest) = parts.next().and_then(|start| text.strip_prefix(start)) else {
        return false;
    };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[test]
fn an_ellipsis_stands_for_any_text() {
    assert!(matches("a … c", "a b c") && matches("a", "a") && matches("…", ""));
    assert!(!matches("a … c", "a b d") && !matches("a", "ab") && !matches("a…b…c", "acb"));
}

#[test]
fn the_first_minutes() {
    Reader::new().follow(&Guide::read("first-minutes.md"));
}

#[test]
fn clients_that_sign() {
    Reader::new().follow(&Guide::read("client-keys.md"));
}

#[test]
fn the_incident_runbook() {
    Reader::new().follow(&Guide::read("incidents.md"));
}

#[test]
fn from_one_machine_to_redis() {
    Reader::with_redis().follow(&Guide::read("growing.md"));
}
