//! One standalone server and the operations of tests on it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{LaunchError, PROGRAM, Reply, resp};
use crate::launch::{Process, free_port, new_folder};

#[cfg(feature = "tls")]
use super::Certificates;

/// The number of ports to try if another process takes a port in the meantime.
const ATTEMPTS: usize = 20;

/// The user of the launcher, if the server has users.
const OPERATOR: (&str, &str) = ("operator", "operator-of-the-tests");

/// The configuration of a server.
#[derive(Clone, Debug, Default)]
pub struct RedisServerBuilder {
    append_only: bool,
    password: Option<String>,
    users: Vec<String>,
    args: Vec<String>,
    #[cfg(feature = "tls")]
    tls: bool,
}

/// A server on a free port of the loopback, in its own folder. It is killed when it is dropped, and
/// when the tests end in any other way.
#[derive(Debug)]
pub struct RedisServer {
    // Killed before its folder is removed.
    process: Process,
    folder: TempDir,
    args: Vec<String>,
    port: u16,
    login: Vec<String>,
    password: Option<String>,
    #[cfg(feature = "tls")]
    tls: Option<(u16, Certificates)>,
}

/// The statistics of a command from `INFO commandstats`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CommandStats {
    /// The number of calls.
    pub calls: u64,
    /// The total time of the calls in microseconds.
    pub usec: u64,
}

impl RedisServerBuilder {
    /// Writes every change to disk before the reply, so that the data survives a kill.
    pub fn append_only(mut self) -> Self {
        self.append_only = true;
        self
    }

    /// The default user needs this password.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// One more user, with its rules as `ACL SETUSER` takes them, such as `~app:* +@all`.
    pub fn user(mut self, name: &str, password: &str, rules: &str) -> Self {
        self.users.push(format!("user {name} on >{password} {rules}"));
        self
    }

    /// Listens for TLS on a second port, with a certificate of its own authority. Clients may send
    /// a certificate but do not have to.
    #[cfg(feature = "tls")]
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// One more setting, as the command line takes it, such as `("maxmemory", "1mb")`.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.args.extend([format!("--{name}"), value.to_owned()]);
        self
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    /// [`LaunchError`], with what to do next.
    pub fn start(self) -> Result<RedisServer, LaunchError> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match self.attempt() {
                Err(LaunchError::Ended { log }) if is_port_taken(&log) => last = Some(log),
                other => return other,
            }
        }
        Err(LaunchError::Ended { log: last.unwrap_or_default() })
    }

    fn attempt(&self) -> Result<RedisServer, LaunchError> {
        let folder = new_folder("keyfob-redis-")?;
        let port = free_port()?;
        let mut args: Vec<String> = ["--port", &port.to_string(), "--bind", "127.0.0.1"]
            .into_iter()
            .chain(["--save", "", "--enable-debug-command", "yes"])
            // A full synchronisation of a replica starts immediately.
            .chain(["--repl-diskless-sync-delay", "0"])
            .map(String::from)
            .collect();
        if self.append_only {
            args.extend(["--appendonly", "yes", "--appendfsync", "always"].map(String::from));
        }
        let login = self.access(folder.path(), &mut args)?;
        #[cfg(feature = "tls")]
        let tls = self.certificates(folder.path(), &mut args)?;
        args.extend(self.args.iter().cloned());
        let server = RedisServer {
            process: Process::new(PROGRAM, folder.path()),
            folder,
            args,
            port,
            login,
            password: self.password.clone(),
            #[cfg(feature = "tls")]
            tls,
        };
        server.launch()?;
        Ok(server)
    }

    /// Sets users and passwords. Returns the login arguments of the launcher.
    fn access(&self, folder: &Path, args: &mut Vec<String>) -> Result<Vec<String>, LaunchError> {
        if self.users.is_empty() {
            let Some(password) = &self.password else { return Ok(Vec::new()) };
            args.extend(["--requirepass".to_owned(), password.clone()]);
            return Ok(vec!["AUTH".to_owned(), password.clone()]);
        }
        let (name, secret) = OPERATOR;
        let by = self.password.as_ref().map_or("nopass".to_owned(), |word| format!(">{word}"));
        let mut lines = vec![
            format!("user default on {by} ~* &* +@all"),
            format!("user {name} on >{secret} ~* &* +@all"),
        ];
        lines.extend(self.users.iter().cloned());
        std::fs::write(folder.join("users.acl"), lines.join("\n") + "\n")?;
        args.extend(["--aclfile", "users.acl"].map(String::from));
        Ok(["AUTH", name, secret].map(String::from).to_vec())
    }

    #[cfg(feature = "tls")]
    fn certificates(
        &self,
        folder: &Path,
        args: &mut Vec<String>,
    ) -> Result<Option<(u16, Certificates)>, LaunchError> {
        if !self.tls {
            return Ok(None);
        }
        let certificates = Certificates::make(folder)?;
        let port = free_port()?;
        args.extend(["--tls-port", &port.to_string()].map(String::from));
        args.extend(
            ["--tls-cert-file", "server.pem", "--tls-key-file", "server.key"].map(String::from),
        );
        args.extend(["--tls-ca-cert-file", "authority.pem"].map(String::from));
        args.extend(["--tls-auth-clients", "optional"].map(String::from));
        Ok(Some((port, certificates)))
    }
}

pub(super) fn is_port_taken(log: &str) -> bool {
    log.contains("Address already in use") || log.contains("Failed listening")
}

impl RedisServer {
    /// Returns the configuration of a server.
    pub fn builder() -> RedisServerBuilder {
        RedisServerBuilder::default()
    }

    /// Starts a server that keeps its data in memory and has no password.
    ///
    /// # Errors
    /// [`LaunchError`], with what to do next.
    pub fn start() -> Result<Self, LaunchError> {
        Self::builder().start()
    }

    fn launch(&self) -> Result<(), LaunchError> {
        let pid = self.process.start(&self.args)?;
        self.process.wait_until("an answer to PING", || {
            self.call(&["PING"]).map_err(|error| error.to_string())?;
            // Another server may have taken the port.
            match self.info("server").map_err(|error| error.to_string())?.get("process_id") {
                Some(answers) if *answers == pid.to_string() => Ok(()),
                answers => Err(format!("process {answers:?} answers on port {}", self.port)),
            }
        })
    }

    /// Returns the port without TLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address for a client, with the password of the default user, if it has one.
    pub fn url(&self) -> String {
        let login =
            self.password.as_ref().map_or(String::new(), |password| format!(":{password}@"));
        format!("redis://{login}127.0.0.1:{}", self.port)
    }

    /// Returns the address for a client that logs in as another user.
    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!("redis://{user}:{password}@127.0.0.1:{}", self.port)
    }

    /// Returns the address for a client with TLS, or `None` if the server was not started with TLS.
    #[cfg(feature = "tls")]
    pub fn tls_url(&self) -> Option<String> {
        let login =
            self.password.as_ref().map_or(String::new(), |password| format!(":{password}@"));
        self.tls.as_ref().map(|(port, _)| format!("rediss://{login}127.0.0.1:{port}"))
    }

    /// Returns the paths of the certificates, or `None` if the server was not started with TLS.
    #[cfg(feature = "tls")]
    pub fn certificates(&self) -> Option<&Certificates> {
        self.tls.as_ref().map(|(_, certificates)| certificates)
    }

    /// Returns the folder of the server. Its log is the file `log` there.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends one command on a connection of its own.
    ///
    /// # Errors
    /// If the server does not answer within seconds, or answers with an error.
    pub fn call(&self, command: &[&str]) -> io::Result<Reply> {
        let mut commands = Vec::new();
        if !self.login.is_empty() {
            commands.push(self.login.iter().map(String::as_str).collect());
        }
        commands.push(command.to_vec());
        resp::call(self.port, &commands)
    }

    /// Returns a section of `INFO`.
    ///
    /// # Errors
    /// The errors of [`RedisServer::call`].
    pub fn info(&self, section: &str) -> io::Result<BTreeMap<String, String>> {
        let text = self.call(&["INFO", section])?.to_string();
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        Ok(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Waits until a replica of this server has everything that this server has now.
    ///
    /// `WAIT` on a connection of its own does not do this: it waits for the writes of that
    /// connection, and there are none.
    ///
    /// # Errors
    /// The errors of [`RedisServer::call`], and [`io::ErrorKind::TimedOut`] if the replica is not
    /// there after ten seconds.
    pub fn wait_until_copied_to(&self, replica: &Self) -> io::Result<()> {
        let number = |fields: &BTreeMap<String, String>, name: &str| -> Option<u64> {
            fields.get(name).and_then(|value| value.parse().ok())
        };
        let written = number(&self.info("replication")?, "master_repl_offset");
        let begun = Instant::now();
        loop {
            let state = replica.info("replication")?;
            let linked = state.get("master_link_status").is_some_and(|status| status == "up");
            if linked && number(&state, "slave_repl_offset") >= written {
                return Ok(());
            }
            if begun.elapsed() > Duration::from_secs(10) {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the replica is behind"));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns the statistics of each command since the start or the last `CONFIG RESETSTAT`, by
    /// its name in lower case.
    ///
    /// # Errors
    /// The errors of [`RedisServer::call`].
    pub fn command_stats(&self) -> io::Result<BTreeMap<String, CommandStats>> {
        let number = |values: &str, name: &str| {
            let value =
                values.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
            value.and_then(|value| value.parse().ok()).unwrap_or_default()
        };
        let stats = self.info("commandstats")?;
        Ok(stats
            .iter()
            .filter_map(|(name, values)| {
                let (calls, usec) = (number(values, "calls"), number(values, "usec"));
                Some((name.strip_prefix("cmdstat_")?.to_owned(), CommandStats { calls, usec }))
            })
            .collect())
    }

    /// Returns the number of keys.
    ///
    /// # Errors
    /// The errors of [`RedisServer::call`].
    pub fn key_count(&self) -> io::Result<u64> {
        self.call(&["DBSIZE"]).map(|count| count.number().unsigned_abs())
    }

    /// Kills the server immediately. Unwritten data is lost.
    pub fn kill9(&self) {
        self.process.kill();
    }

    /// Starts the server again on the same port and in the same folder. Kills it first if it runs.
    ///
    /// # Errors
    /// [`LaunchError`].
    pub fn restart(&self) -> Result<(), LaunchError> {
        self.kill9();
        let mut taken = String::new();
        for _ in 0..ATTEMPTS {
            std::fs::write(self.folder.path().join("log"), "")?;
            match self.launch() {
                Err(LaunchError::Ended { log }) if is_port_taken(&log) => taken = log,
                other => return other,
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        Err(LaunchError::Ended { log: taken })
    }

    /// Pauses the process (SIGSTOP): its connections stay open and it does not answer.
    ///
    /// # Errors
    /// If the server does not run.
    pub fn pause(&self) -> io::Result<()> {
        self.process.signal("STOP")
    }

    /// Resumes the process (SIGCONT).
    ///
    /// # Errors
    /// If the server does not run.
    pub fn resume(&self) -> io::Result<()> {
        self.process.signal("CONT")
    }
}
