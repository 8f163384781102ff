//! The part of the report about the commands that the user may run, one by one.

use std::collections::BTreeMap;

use keyfob_store::{Lane, Severity, StoreError, StoreReport};

use super::shared::Shared;
use crate::config::{Address, RedisConfig, Topology};
use crate::connections::Call;
use crate::protocol::signatures::{Scripts, missing_permissions};

/// Why a command is sent, and how bad it is if the user may not run it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Purpose {
    /// Without it, what it is for fails.
    Needed(&'static str),
    /// Without it, keyfob does less.
    Useful(&'static str),
}

/// Commands that are sent outside scripts, whatever the topology.
const SENT_ALWAYS: [(&str, Purpose); 9] = [
    ("evalsha", Purpose::Needed("everything")),
    ("script|load", Purpose::Needed("everything")),
    ("script|exists", Purpose::Needed("everything")),
    ("time", Purpose::Needed("everything")),
    ("client|tracking", Purpose::Useful("the cache: without it, every token is loaded")),
    ("get", Purpose::Useful("the cache: without it, every token is loaded")),
    ("del", Purpose::Useful("the cache: without it, every token is loaded")),
    ("set", Purpose::Useful("the cache: without it, every token is loaded")),
    ("info", Purpose::Useful("noticing that the address leads to another server")),
];

/// Returns each command that keyfob sends to such servers, and why.
fn commands(config: &RedisConfig, scripts: &Scripts) -> BTreeMap<String, Vec<Purpose>> {
    let mut commands: BTreeMap<String, Vec<Purpose>> = BTreeMap::new();
    let mut add = |command: &str, purpose| {
        commands.entry(command.to_owned()).or_default().push(purpose);
    };
    for (command, purpose) in SENT_ALWAYS {
        add(command, purpose);
    }
    match config.topology {
        Topology::Standalone(_) => {}
        Topology::Sentinel { .. } => add("role", Purpose::Needed("fail-overs by Sentinel")),
        Topology::Cluster(_) => {
            add("cluster|slots", Purpose::Needed("everything"));
            add("cluster|nodes", Purpose::Useful("finding slots whose move was aborted"));
            add("asking", Purpose::Needed("slots that are being moved"));
            add("rename", Purpose::Useful("the cache: without it, every token is loaded"));
        }
    }
    if config.database > 0 {
        add("select", Purpose::Needed("everything"));
    }
    let wait = "waiting for replicas";
    add("wait", if config.wait > 0 { Purpose::Needed(wait) } else { Purpose::Useful(wait) });
    for script in scripts.all() {
        for command in &script.commands.needed {
            add(command, Purpose::Needed(script.name));
        }
        for command in &script.commands.optional {
            add(command, Purpose::Useful("counting and cleaning up"));
        }
    }
    for purposes in commands.values_mut() {
        purposes.sort_unstable();
        purposes.dedup();
    }
    commands
}

impl Shared {
    /// Says which commands the user may not run, on each of these servers: each has an access list of
    /// its own.
    pub(super) async fn permission_findings(&self, report: &mut StoreReport, servers: &[Address]) {
        let commands = commands(&self.config, &self.scripts);
        for address in servers {
            if let Some(lane) = self.lane_at(address).await {
                self.permissions_at(report, address, lane, &commands).await;
            }
        }
    }

    async fn permissions_at(
        &self,
        report: &mut StoreReport,
        address: &Address,
        lane: Lane,
        commands: &BTreeMap<String, Vec<Purpose>>,
    ) {
        let missing = match self.missing_permissions(lane, commands.keys()).await {
            Ok(missing) => missing,
            Err(error) => {
                let advice =
                    format!("it cannot be seen what the user may do at {address}: {error}");
                return report.find(Severity::Warning, "permissions", advice);
            }
        };
        let user = self.config.login.user.as_deref().unwrap_or("default");
        for command in &missing {
            let purposes = commands.get(command).map_or(&[][..], Vec::as_slice);
            let needed = |purpose: &Purpose| matches!(purpose, Purpose::Needed(_));
            let is_fault = purposes.iter().any(needed);
            let what = purposes.iter().filter(|purpose| !is_fault || needed(purpose));
            let what: Vec<_> = what
                .map(|purpose| match purpose {
                    Purpose::Needed(what) | Purpose::Useful(what) => *what,
                })
                .collect();
            let advice = format!(
                "user '{user}' may not run {command} at {address}, which is for {}. On that server: \
                 ACL SETUSER {user} +{command}",
                what.join(", ")
            );
            let severity = if is_fault { Severity::Fault } else { Severity::Warning };
            report.find(severity, "permissions", advice);
        }
        if missing.is_empty() {
            let advice = format!("user '{user}' may run all commands that keyfob sends {address}");
            report.find(Severity::Good, "permissions", advice);
        }
    }

    async fn missing_permissions(
        &self,
        lane: Lane,
        commands: impl Iterator<Item = &String>,
    ) -> Result<Vec<String>, StoreError> {
        let keys = missing_permissions::Keys { any: self.keys.lane(lane) };
        let commands: Vec<_> = commands.map(|command| command.as_bytes().into()).collect();
        let call = Call::new(&self.scripts.missing_permissions, keys, commands);
        let missing = self.connections.read(self.keys.slot(lane), &call).await?.array()?;
        missing.into_iter().map(|command| command.text()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documented rules name each command that is sent, and no other.
    #[test]
    fn the_documented_user_may_run_exactly_what_is_sent() {
        let recipes = include_str!("../../../../docs/recipes.md");
        let line = recipes.lines().find(|line| line.starts_with("ACL SETUSER")).unwrap();
        let mut documented: Vec<_> =
            line.split_whitespace().filter_map(|word| word.strip_prefix('+')).collect();
        documented.sort_unstable();
        let scripts = Scripts::new(104);
        let urls = ["redis://h/1?wait=1", "redis+sentinel://h/name", "redis+cluster://h"];
        let configs = urls.map(|url| url.parse::<RedisConfig>().unwrap());
        let sent = configs.iter().flat_map(|config| commands(config, &scripts).into_keys());
        let sent: std::collections::BTreeSet<_> = sent.collect();
        assert_eq!(documented, sent.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn a_script_that_writes_in_several_steps_first_checks_its_permissions() {
        let scripts = Scripts::new(104);
        for script in scripts.all() {
            let writes_in_steps = script.text.contains("attempt(write");
            assert!(
                !writes_in_steps || script.text.contains("acl_check_cmd"),
                "{} does not check its permissions",
                script.name
            );
        }
        let needed = |command: &str| scripts.revoke.commands.needed.iter().any(|it| it == command);
        assert!(needed("xadd") && needed("setrange") && needed("hincrby"));
        assert!(!needed("hrandfield"), "a revocation must not fail because of tidying up");
    }
}
