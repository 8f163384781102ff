//! One server and the operations of tests on it.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::client::{Client, NatsMessage};
use super::{LaunchError, Program};
use crate::launch::{Process, free_port, new_folder};

pub(super) const PROGRAM: Program = Program { name: "nats-server", variable: "KEYFOB_NATS_SERVER" };

/// The number of ports to try if another process takes a port in the meantime.
const ATTEMPTS: usize = 20;

/// The configuration of a server.
#[derive(Clone, Debug, Default)]
pub struct NatsServerBuilder {
    login: Option<(String, String)>,
    settings: String,
}

/// A server with JetStream on a free port of the loopback, in its own folder. It is killed when it is
/// dropped, and when the tests end in any other way.
#[derive(Debug)]
pub struct NatsServer {
    // Killed before its folder is removed.
    process: Process,
    folder: TempDir,
    port: u16,
    login: Option<(String, String)>,
}

impl NatsServerBuilder {
    /// Clients log in with this user and password; so do the functions of [`NatsServer`].
    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.login = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// One more line of the configuration, as its file has it. Files that it names are in the folder of
    /// the server, unless their path is absolute.
    pub fn setting(mut self, line: &str) -> Self {
        self.settings.push_str(line);
        self.settings.push('\n');
        self
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    /// [`LaunchError`], with what to do next.
    pub fn start(self) -> Result<NatsServer, LaunchError> {
        let mut taken = String::new();
        for _ in 0..ATTEMPTS {
            match self.attempt() {
                Err(LaunchError::Ended { log }) if is_port_taken(&log) => taken = log,
                other => return other,
            }
        }
        Err(LaunchError::Ended { log: taken })
    }

    fn attempt(&self) -> Result<NatsServer, LaunchError> {
        let folder = new_folder("keyfob-nats-")?;
        let port = free_port()?;
        let mut settings = format!(
            "host: 127.0.0.1\nport: {port}\nserver_name: {}\njetstream {{ store_dir: \"streams\" }}\n{}",
            name(folder.path()),
            self.settings
        );
        if let Some((user, password)) = &self.login {
            let _infallible = writeln!(
                settings,
                "authorization {{ users: [ {{ user: \"{user}\", password: \"{password}\" }} ] }}"
            );
        }
        std::fs::write(folder.path().join("nats.conf"), settings)?;
        let process = Process::new(PROGRAM, folder.path());
        let server = NatsServer { process, folder, port, login: self.login.clone() };
        server.launch()?;
        Ok(server)
    }
}

fn is_port_taken(log: &str) -> bool {
    log.contains("address already in use")
}

/// The name of a server, by which it is known from another one that has taken its port.
fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl NatsServer {
    /// Returns the configuration of a server.
    pub fn builder() -> NatsServerBuilder {
        NatsServerBuilder::default()
    }

    /// Starts a server that everybody may use.
    ///
    /// # Errors
    /// [`LaunchError`], with what to do next.
    pub fn start() -> Result<Self, LaunchError> {
        Self::builder().start()
    }

    fn launch(&self) -> Result<(), LaunchError> {
        self.process.start(&["-c", "nats.conf"].map(String::from))?;
        self.process.wait_until("a greeting", || {
            let address = (std::net::Ipv4Addr::LOCALHOST, self.port);
            let stream = std::net::TcpStream::connect(address).map_err(|e| e.to_string())?;
            stream.set_read_timeout(Some(Duration::from_secs(1))).map_err(|e| e.to_string())?;
            let mut info = String::new();
            let read = io::BufRead::read_line(&mut io::BufReader::new(stream), &mut info);
            read.map_err(|error| error.to_string())?;
            match info.contains(&name(self.folder.path())) {
                true => Ok(()),
                false => Err(format!("another server answers on port {}: {info}", self.port)),
            }
        })
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address for a client, without a login.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Returns the folder of the server. Its log is the file `log` there.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Creates a stream in files that takes these subjects. `more` are more of its settings, as members of JSON.
    ///
    /// # Errors
    /// If the server does not answer within seconds, or refuses it.
    pub fn create_stream(&self, stream: &str, subjects: &str, more: &str) -> io::Result<()> {
        let more = if more.is_empty() { String::new() } else { format!(",{more}") };
        let wanted = format!(
            r#"{{"name":"{stream}","subjects":["{subjects}"],"storage":"file","retention":"limits","max_consumers":-1,"num_replicas":1,"allow_direct":true{more}}}"#
        );
        self.admin(&format!("$JS.API.STREAM.CREATE.{stream}"), &wanted)
    }

    /// Deletes a stream.
    ///
    /// # Errors
    /// Those of [`NatsServer::create_stream`].
    pub fn delete_stream(&self, stream: &str) -> io::Result<()> {
        self.admin(&format!("$JS.API.STREAM.DELETE.{stream}"), "")
    }

    fn admin(&self, subject: &str, wanted: &str) -> io::Result<()> {
        let answer = self.client()?.request(subject, wanted)?;
        let text = String::from_utf8_lossy(&answer.payload).into_owned();
        match text.contains(r#""error""#) || text.is_empty() {
            true => Err(io::Error::other(format!("{subject}: {text}"))),
            false => Ok(()),
        }
    }

    /// Returns all messages of a stream, in its order. Messages that were deleted end the list.
    ///
    /// # Errors
    /// Those of [`NatsServer::create_stream`].
    pub fn messages(&self, stream: &str) -> io::Result<Vec<NatsMessage>> {
        let (mut client, mut all) = (self.client()?, Vec::new());
        loop {
            let wanted = format!(r#"{{"seq":{}}}"#, all.len() + 1);
            let found = client.request(&format!("$JS.API.DIRECT.GET.{stream}"), &wanted)?;
            match found.status.as_deref() {
                None => all.push(found),
                Some("404") => return Ok(all),
                Some(other) => return Err(io::Error::other(format!("{stream}: {other}"))),
            }
        }
    }

    fn client(&self) -> io::Result<Client> {
        let client = Client::connect(self.port, self.login.as_ref())?;
        match client.info.contains(&name(self.folder.path())) {
            true => Ok(client),
            false => Err(io::Error::other("another server has the port")),
        }
    }

    /// Kills the server immediately.
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
            std::thread::sleep(Duration::from_millis(200));
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
