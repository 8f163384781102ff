//! A primary with replicas, watched by three sentinels.

use std::io;

use tempfile::TempDir;

use super::cluster::role;
use super::server::is_port_taken;
use super::{LaunchError, PROGRAM, RedisServer, Reply, resp};
use crate::launch::{Process, free_port, new_folder, wait_until};

/// The name of the primary in the configuration of the sentinels.
const SERVICE: &str = "keyfob";

const SENTINELS: usize = 3;

/// The number of ports to try if another process takes a port in the meantime.
const ATTEMPTS: usize = 20;

/// One primary, its replicas and three sentinels. All servers are killed when it is dropped.
#[derive(Debug)]
pub struct RedisSentinel {
    sentinels: Vec<Sentinel>,
    servers: Vec<RedisServer>,
    /// The port that the sentinels use for the first primary.
    announced_port: u16,
}

#[derive(Debug)]
struct Sentinel {
    // Killed before its folder is removed.
    process: Process,
    _folder: TempDir,
    port: u16,
    login: SentinelLogin,
}

/// The user and the password that the sentinels ask for.
type SentinelLogin = Option<(String, String)>;

impl Sentinel {
    fn start(primary: u16, login: &SentinelLogin) -> Result<Self, LaunchError> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            match Self::attempt(primary, login) {
                Err(LaunchError::Ended { log }) if is_port_taken(&log) => last = log,
                other => return other,
            }
        }
        Err(LaunchError::Ended { log: last })
    }

    fn attempt(primary: u16, login: &SentinelLogin) -> Result<Self, LaunchError> {
        let folder = new_folder("keyfob-redis-")?;
        let port = free_port()?;
        let quorum = SENTINELS / 2 + 1;
        let access = login.as_ref().map_or(String::new(), |(user, password)| {
            format!(
                "user {user} on >{password} ~* &* +@all\n\
                 user default off\n\
                 sentinel sentinel-user {user}\n\
                 sentinel sentinel-pass {password}\n"
            )
        });
        let settings = format!(
            "port {port}\n\
             bind 127.0.0.1\n\
             sentinel monitor {SERVICE} 127.0.0.1 {primary} {quorum}\n\
             sentinel down-after-milliseconds {SERVICE} 1000\n\
             sentinel failover-timeout {SERVICE} 3000\n\
             {access}"
        );
        std::fs::write(folder.path().join("sentinel.conf"), settings)?;
        let process = Process::new(PROGRAM, folder.path());
        let sentinel = Self { process, _folder: folder, port, login: login.clone() };
        let pid = sentinel.process.start(&["sentinel.conf", "--sentinel"].map(String::from))?;
        sentinel.process.wait_until("an answer to PING", || {
            let info = sentinel.call(&["INFO", "server"]).map_err(|error| error.to_string())?;
            let answers = info.to_string().contains(&format!("process_id:{pid}\r\n"));
            if answers { Ok(()) } else { Err(format!("another process has port {port}")) }
        })?;
        Ok(sentinel)
    }

    fn call(&self, command: &[&str]) -> io::Result<Reply> {
        let login = self.login.as_ref().map(|(user, password)| vec!["AUTH", user, password]);
        let commands: Vec<_> = login.into_iter().chain([command.to_vec()]).collect();
        resp::call(self.port, &commands)
    }
}

impl RedisSentinel {
    /// Starts a primary with this number of replicas, and three sentinels that consider it down
    /// after one second without an answer.
    ///
    /// # Errors
    /// [`LaunchError`], with what to do next.
    pub fn start(replicas: usize) -> Result<Self, LaunchError> {
        let primary = RedisServer::start()?;
        let replicas = (0..replicas).map(|_| RedisServer::start()).collect::<Result<_, _>>()?;
        let announced_port = primary.port();
        Self::around(primary, announced_port, replicas)
    }

    /// The same, without replicas. The sentinels ask for a user and a password.
    ///
    /// # Errors
    /// [`LaunchError`], with what to do next.
    pub fn start_with_login(user: &str, password: &str) -> Result<Self, LaunchError> {
        let primary = RedisServer::start()?;
        let announced_port = primary.port();
        let login = Some((user.to_owned(), password.to_owned()));
        Self::with(primary, announced_port, Vec::new(), &login)
    }

    /// The same with existing servers. The sentinels use the port `announced_port`, which may be
    /// that of a proxy.
    ///
    /// # Errors
    /// [`LaunchError`], with what to do next.
    pub fn around(
        primary: RedisServer,
        announced_port: u16,
        replicas: Vec<RedisServer>,
    ) -> Result<Self, LaunchError> {
        Self::with(primary, announced_port, replicas, &None)
    }

    fn with(
        primary: RedisServer,
        announced_port: u16,
        replicas: Vec<RedisServer>,
        login: &SentinelLogin,
    ) -> Result<Self, LaunchError> {
        for replica in &replicas {
            replica.call(&["REPLICAOF", "127.0.0.1", &announced_port.to_string()])?;
        }
        let sentinels = (0..SENTINELS)
            .map(|_| Sentinel::start(announced_port, login))
            .collect::<Result<Vec<_>, _>>()?;
        let servers = std::iter::once(primary).chain(replicas).collect();
        let group = Self { sentinels, servers, announced_port };
        group.wait_until_ok()?;
        Ok(group)
    }

    /// Returns the name of the primary in the configuration of the sentinels.
    pub fn service(&self) -> &'static str {
        SERVICE
    }

    /// Returns the addresses of the sentinels, as `host:port`.
    pub fn sentinels(&self) -> Vec<String> {
        self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect()
    }

    /// Sends a command to one of the sentinels. The first is 0.
    ///
    /// # Errors
    /// If it does not answer within seconds, or answers with an error.
    pub fn call_sentinel(&self, number: usize, command: &[&str]) -> io::Result<Reply> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "there is no such sentinel");
        self.sentinels.get(number).ok_or_else(missing)?.call(command)
    }

    /// Kills one of the sentinels.
    pub fn kill_sentinel(&self, number: usize) {
        if let Some(sentinel) = self.sentinels.get(number) {
            sentinel.process.kill();
        }
    }

    /// Returns all servers except the sentinels, running or not.
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// Returns the server that all sentinels report as primary and that reports itself as primary,
    /// or `None` if they do not agree.
    pub fn primary(&self) -> Option<&RedisServer> {
        let mut ports = self.sentinels.iter().map(|sentinel| {
            let answer = sentinel.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]).ok()?;
            answer.list().get(1).map(|port| port.to_string())
        });
        let port = ports.next()??;
        if ports.any(|other| other.as_ref() != Some(&port)) {
            return None;
        }
        let primary = match self.servers.first() {
            Some(first) if self.announced_port.to_string() == port => first,
            _ => self.servers.iter().find(|server| server.port().to_string() == port)?,
        };
        (role(primary).as_deref() == Some("master")).then_some(primary)
    }

    /// Waits until the sentinels agree on a primary and know its replicas and each other.
    ///
    /// # Errors
    /// [`LaunchError::NotReady`].
    pub fn wait_until_ok(&self) -> Result<(), LaunchError> {
        wait_until("the sentinels to agree", || {
            self.primary().ok_or("they do not agree on a primary")?;
            let running = self.servers.iter().filter(|server| role(server).is_some()).count();
            for sentinel in &self.sentinels {
                let seen = sentinel.call(&["SENTINEL", "MASTER", SERVICE]);
                let seen = seen.map_err(|error| error.to_string())?;
                let number = |name| seen.field(name).and_then(|number| number.parse().ok());
                let (replicas, others) = (number("num-slaves"), number("num-other-sentinels"));
                let known = replicas.is_some_and(|replicas: usize| replicas + 1 >= running);
                if !known || others != Some(SENTINELS - 1) {
                    return Err(format!("one knows {replicas:?} replicas, {others:?} sentinels"));
                }
            }
            for server in &self.servers {
                let replication = server.info("replication").unwrap_or_default();
                let link = replication.get("master_link_status").map_or("up", String::as_str);
                if link != "up" {
                    return Err(format!(
                        "port {}: the link to the primary is {link}",
                        server.port()
                    ));
                }
            }
            Ok(())
        })
    }

    /// Makes a replica the primary, as if the primary were down. Waits until all sentinels report
    /// the new primary and returns it.
    ///
    /// # Errors
    /// [`LaunchError::NotReady`].
    pub fn failover(&self) -> Result<&RedisServer, LaunchError> {
        let old = self.primary().map(RedisServer::port);
        wait_until("a sentinel to begin the failover", || {
            let sentinel = self.sentinels.first().ok_or("there is no sentinel")?;
            let begun = sentinel.call(&["SENTINEL", "FAILOVER", SERVICE]);
            begun.map(drop).map_err(|error| error.to_string())
        })?;
        self.wait_for_another_than(old)
    }

    /// Waits until the sentinels agree on a primary on another port than `old`, and returns it.
    ///
    /// # Errors
    /// [`LaunchError::NotReady`].
    pub fn wait_for_another_than(&self, old: Option<u16>) -> Result<&RedisServer, LaunchError> {
        let mut new = None;
        wait_until("another primary", || {
            new = self.primary().filter(|primary| Some(primary.port()) != old);
            if new.is_some() { Ok(()) } else { Err("the old primary, or none".to_owned()) }
        })?;
        let seen = String::from("none");
        new.ok_or(LaunchError::NotReady { waited_for: "another primary", seen })
    }
}
