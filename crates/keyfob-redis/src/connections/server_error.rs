//! The errors that a server answers with: what each means, what the caller does about it, and what an
//! operator does.
//!
//! The table in `docs/redis-incidents.md` is compared with this one.

/// What to do about an error. In all cases the server has not executed the command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Handling {
    /// It passes by itself within seconds, so the call is repeated until its budget is used up.
    Repeat,
    /// The same: until then, the server serves no call.
    RepeatUntilItServes,
    /// The same, for a slot that is being moved. The caller may have another way.
    RepeatWhileMoved,
    /// This server cannot serve the call, and another one may soon: the route is asked for again.
    AskOtherNodes,
    /// The same, and the server is no primary. The connection to it is given up too.
    FindPrimary,
    /// The same: the server serves no call.
    LeaveReplica,
    /// The script is loaded, and the call is sent again.
    LoadScript,
    /// The call is sent to the server that the error names, and so are all later calls for the slot.
    FollowMoved,
    /// Only this call is sent to the server that the error names.
    FollowAsk,
    /// It lasts until an operator acts, and the setting is right: the store is unavailable. To repeat the
    /// call would only make the caller wait.
    Unavailable,
    /// The login is wrong. A password that may have changed is asked for again.
    RefusedLogin,
    /// The settings of the store, or the rights of its user, are wrong.
    Misconfigured,
    /// The server holds data of another program.
    NotAStore,
}

impl Handling {
    /// What keyfob does, for the table in the documentation.
    #[cfg(test)]
    fn in_words(self) -> &'static str {
        match self {
            Self::Repeat | Self::RepeatUntilItServes | Self::RepeatWhileMoved => "repeats",
            Self::AskOtherNodes => "repeats, by way of other nodes",
            Self::FindPrimary | Self::LeaveReplica => "repeats, where the primary is then",
            Self::LoadScript => "loads the script, repeats",
            Self::FollowMoved | Self::FollowAsk => {
                "follows; `store_misconfigured` without a cluster"
            }
            Self::Unavailable => "`store_unavailable`",
            Self::RefusedLogin | Self::Misconfigured => "`store_misconfigured`",
            Self::NotAStore => "`not_a_store`",
        }
    }
}

/// One error of a server.
#[derive(Debug)]
pub(crate) struct ServerErrorRule {
    /// The first word of the error.
    pub(crate) code: &'static str,
    /// What the rest of the error contains. Empty means anything.
    pub(crate) text: &'static str,
    pub(crate) handling: Handling,
    /// The meaning. The address of the server comes before it.
    pub(crate) meaning: &'static str,
    /// What to do about it.
    pub(crate) advice: &'static str,
}

const fn rule(
    code: &'static str,
    text: &'static str,
    handling: Handling,
    meaning: &'static str,
    advice: &'static str,
) -> ServerErrorRule {
    ServerErrorRule { code, text, handling, meaning, advice }
}

/// All errors that are known. The first rule that matches counts.
pub(crate) static RULES: &[ServerErrorRule] = &[
    rule(
        "LOADING",
        "",
        Handling::RepeatUntilItServes,
        "still reads its data from disk",
        "wait until it is done, INFO persistence shows how far it is",
    ),
    rule(
        "BUSY",
        "",
        Handling::RepeatUntilItServes,
        "is busy with a slow script of another client",
        "wait until the script ends, or end it with SCRIPT KILL. If that answers UNKILLABLE, only a restart \
         of the server ends it",
    ),
    rule(
        "NOREPLICAS",
        "",
        // A replica that lost its connection is back within a second or two.
        Handling::Repeat,
        "has fewer replicas than it needs for a write",
        "start the replicas, or lower min-replicas-to-write",
    ),
    rule(
        "ERR",
        "max number of clients",
        // Other clients leave at any time.
        Handling::Repeat,
        "has as many clients as it accepts",
        "raise maxclients, or close connections that are not needed",
    ),
    rule(
        "ERR",
        "Script killed by user",
        // SCRIPT KILL ends only a script that has written nothing.
        Handling::Repeat,
        "was asked to end the script",
        "find out who sends SCRIPT KILL",
    ),
    rule(
        "TRYAGAIN",
        "",
        Handling::RepeatWhileMoved,
        "has only some of the keys of a call, because their slot is being moved",
        "finish the move of the slot, or undo it with CLUSTER SETSLOT",
    ),
    rule(
        "CLUSTERDOWN",
        "",
        // A node that is cut off says so, while the others have replaced it.
        Handling::AskOtherNodes,
        "is a node of a cluster that is down",
        "start its nodes, CLUSTER INFO and CLUSTER SLOTS show which slots no node serves",
    ),
    rule(
        "MASTERDOWN",
        "",
        Handling::LeaveReplica,
        "is a replica that has lost its primary",
        "start the primary, or use the address of the present one",
    ),
    rule(
        "READONLY",
        "",
        Handling::FindPrimary,
        "is a replica, and a replica accepts no writes",
        "use the address of the primary, INFO replication names it",
    ),
    rule(
        "NOSCRIPT",
        "",
        Handling::LoadScript,
        "lost a script right after it was loaded",
        "connect to the server itself, not to a proxy that sends commands to several servers",
    ),
    rule(
        "MOVED",
        "",
        Handling::FollowMoved,
        "is a node of a cluster, and the slot is at another node",
        "write redis+cluster:// instead of redis://",
    ),
    rule(
        "ASK",
        "",
        Handling::FollowAsk,
        "is a node of a cluster, and the slot is being moved to another node",
        "write redis+cluster:// instead of redis://",
    ),
    rule(
        "OOM",
        "",
        // What expires soon rarely makes enough room.
        Handling::Unavailable,
        "has no memory left for new data",
        "raise maxmemory, or remove data of other programs. Revocations are still accepted",
    ),
    rule(
        "MISCONF",
        "",
        Handling::Unavailable,
        "accepts no writes, because it cannot save its data to disk",
        "free disk space, or allow it to write to its folder. Its log has the cause",
    ),
    rule(
        "UNKILLABLE",
        "",
        // The answer to SCRIPT KILL, which keyfob does not send.
        Handling::Unavailable,
        "cannot end a script that has written",
        "restart the server",
    ),
    rule(
        "NOPERM",
        "",
        Handling::Misconfigured,
        "refused a command: the Redis user lacks a permission that keyfob needs",
        "give the user the rights that docs/recipes.md lists",
    ),
    rule(
        "ERR",
        "The user executing the script can't",
        Handling::Misconfigured,
        "refused a command of a script: the Redis user lacks a permission that keyfob needs",
        "give the user the rights that docs/recipes.md lists",
    ),
    rule(
        "WRONGPASS",
        "",
        Handling::RefusedLogin,
        "refused the login: the user name or the password is wrong, or the user is disabled",
        "write the login as redis://user:password@host, or as redis://:password@host for the default user",
    ),
    rule(
        "NOAUTH",
        "",
        Handling::RefusedLogin,
        "refused the login: it asks for a password, and none was given",
        "write it as redis://:password@host or redis://user:password@host",
    ),
    rule(
        "ERR",
        "without any password configured",
        Handling::RefusedLogin,
        "refused the login: its default user has no password",
        "remove the password from the URL, or set one on the server",
    ),
    rule(
        "DENIED",
        "",
        Handling::Misconfigured,
        "is in protected mode: it accepts only clients on its own machine",
        "set a password on the server, and give it to keyfob",
    ),
    rule(
        "NOPROTO",
        "",
        Handling::Misconfigured,
        "does not speak RESP3",
        "use Redis or Valkey, version 7.0 or later",
    ),
    rule(
        "ERR",
        "DB index is out of range",
        Handling::Misconfigured,
        "has no database of that number",
        "use a lower number. A server has the databases 0 to 15, unless its setting `databases` says \
         otherwise",
    ),
    rule(
        "ERR",
        "SELECT is not allowed in cluster mode",
        Handling::Misconfigured,
        "is a node of a cluster, which has only database 0",
        "write redis+cluster:// instead of redis://, without a number",
    ),
    rule(
        "ERR",
        "cluster support disabled",
        Handling::Misconfigured,
        "is a single server, not a node of a cluster",
        "write redis:// instead of redis+cluster://",
    ),
    rule(
        "ERR",
        "unknown command 'SENTINEL'",
        Handling::Misconfigured,
        "is not a sentinel",
        "give the addresses of the sentinels (port 26379), or write redis:// for a single server and \
         redis+cluster:// for a cluster",
    ),
    rule(
        "ERR",
        "unknown command 'CLUSTER'",
        Handling::Misconfigured,
        "is not a node of a cluster",
        "write redis:// for a single server, or redis+sentinel:// for sentinels",
    ),
    rule(
        "ERR",
        "unknown command",
        Handling::Misconfigured,
        "does not know a command that keyfob needs",
        "use Redis or Valkey, version 7.0 or later, and do not rename its commands",
    ),
    rule(
        "CROSSSLOT",
        "",
        Handling::Misconfigured,
        "does not keep keys with the same hash tag in one slot",
        "use a cluster with the hash tags of Redis",
    ),
    rule(
        "WRONGTYPE",
        "",
        Handling::NotAStore,
        "has a key of another type under a name that keyfob uses",
        "use another namespace, such as ?namespace=other",
    ),
];

/// Returns the rule for an error: its first word, and the rest.
pub(crate) fn rule_for(code: &str, text: &str) -> Option<&'static ServerErrorRule> {
    RULES.iter().find(|rule| rule.code == code && text.contains(rule.text))
}

impl ServerErrorRule {
    /// Says what is wrong with a server, in its own words too, and what to do.
    pub(crate) fn explain(&self, server: &str, words: &str) -> String {
        format!("{server} {} ({}): {}", self.meaning, without_position(words), self.advice)
    }
}

/// The words of a server without the place in a script, which says nothing to an operator.
pub(crate) fn without_position(words: &str) -> &str {
    let words = words.split_once(" script: ").map_or(words, |(words, _)| words);
    words.trim_end_matches(['.', ' ', ','])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_and_the_text_decide() {
        let handling = |code, text| rule_for(code, text).map(|rule| rule.handling);
        assert_eq!(handling("LOADING", "Redis is loading"), Some(Handling::RepeatUntilItServes));
        assert_eq!(
            handling("ERR", "max number of clients + cluster connections reached"),
            Some(Handling::Repeat)
        );
        assert_eq!(handling("ERR", "value is not an integer"), None);
        assert_eq!(handling("NEWCODE", "of a later version"), None);
        let sentinel = rule_for("ERR", "unknown command 'SENTINEL', with args beginning with: 'X'");
        assert!(sentinel.is_some_and(|rule| rule.meaning == "is not a sentinel"));
    }

    #[test]
    fn each_error_can_be_reached_and_says_what_to_do() {
        for rule in RULES {
            assert!(
                std::ptr::eq(rule_for(rule.code, rule.text).unwrap(), rule),
                "an earlier rule hides {} {}",
                rule.code,
                rule.text
            );
            assert!(!rule.meaning.is_empty() && !rule.advice.is_empty());
            assert!(!rule.advice.ends_with('.') && !rule.meaning.ends_with('.'), "{}", rule.code);
        }
    }

    #[test]
    fn the_documentation_has_the_same_table() {
        let page = include_str!("../../../../docs/redis-incidents.md");
        let row = |rule: &ServerErrorRule| {
            let ServerErrorRule { code, text, handling, meaning, advice } = rule;
            let name = format!("{code} {text}");
            format!("| `{}` | {meaning} | {} | {advice} |\n", name.trim(), handling.in_words())
        };
        let table: String = RULES.iter().map(row).collect();
        assert!(page.contains(&table), "docs/redis-incidents.md needs these rows:\n{table}");
    }

    #[test]
    fn an_explanation_has_the_servers_words_without_the_place_in_the_script() {
        let words = "OOM command not allowed when used memory > 'maxmemory'. script: 2fdd, on \
                     @user_script:4.";
        let text = rule_for("OOM", "").unwrap().explain("h:1", words);
        let start = "h:1 has no memory left for new data (OOM command not allowed when used memory > \
                     'maxmemory'): raise maxmemory";
        assert!(text.starts_with(start), "{text}");
    }
}
