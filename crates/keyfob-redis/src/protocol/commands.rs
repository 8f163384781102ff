//! Which commands a script runs, found in its text.
//!
//! A command is **needed** unless it runs only where its failure is caught: by `redis.pcall`, or in a
//! function that is called by `pcall` alone.

/// Commands that have subcommands, which have permissions of their own.
const CONTAINERS: [&str; 1] = ["XINFO"];

/// The commands of a script as an access list names them, such as `get` and `xinfo|stream`, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScriptCommands {
    /// Without these, the script fails.
    pub(crate) needed: Vec<String>,
    /// Without these, the script does less.
    pub(crate) optional: Vec<String>,
}

impl ScriptCommands {
    /// Finds the commands in the text of a script without comments.
    pub(super) fn of(text: &str) -> Self {
        let parts = Part::split(text);
        let mut needed_parts = vec![0];
        let mut next = 0;
        while let Some(part) = needed_parts.get(next).and_then(|at| parts.get(*at)) {
            let is_called = |(at, callee): &(usize, &Part<'_>)| {
                !needed_parts.contains(at) && part.calls(callee.name)
            };
            let called: Vec<_> =
                parts.iter().enumerate().filter(is_called).map(|(at, _)| at).collect();
            needed_parts.extend(called);
            next += 1;
        }
        let (mut needed, mut optional) = (Vec::new(), Vec::new());
        for (at, part) in parts.iter().enumerate() {
            for (command, is_caught) in part.commands() {
                let is_needed = needed_parts.contains(&at) && !is_caught;
                if is_needed { &mut needed } else { &mut optional }.push(command);
            }
        }
        needed.sort_unstable();
        needed.dedup();
        optional.retain(|command| !needed.contains(command));
        optional.sort_unstable();
        optional.dedup();
        Self { needed, optional }
    }
}

/// A function of a script, or everything that is in no function.
struct Part<'a> {
    /// Empty for what is in no function.
    name: &'a str,
    lines: Vec<&'a str>,
}

impl<'a> Part<'a> {
    /// Splits a script. What is in no function comes first.
    fn split(text: &'a str) -> Vec<Self> {
        let mut parts = vec![Self { name: "", lines: Vec::new() }];
        let mut is_in_function = false;
        for line in text.lines() {
            let function = line.strip_prefix("local function ");
            if let Some(name) = function.and_then(|rest| rest.split('(').next()) {
                parts.push(Self { name, lines: Vec::new() });
                is_in_function = true;
            }
            let at = if is_in_function { parts.len() - 1 } else { 0 };
            if let Some(part) = parts.get_mut(at) {
                part.lines.push(line);
            }
            let is_one_line = function.is_some() && line.ends_with(" end");
            is_in_function &= line != "end" && !is_one_line;
        }
        parts
    }

    /// Returns whether this part names a function other than to catch its failure.
    fn calls(&self, function: &str) -> bool {
        let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let is_call = |line: &str, at: usize| {
            let (before, after) = (&line[..at], &line[at + function.len()..]);
            !before.ends_with(is_name)
                && !after.starts_with(is_name)
                && !before.ends_with("local function ")
                && (!before.ends_with("pcall(") || before.ends_with("redis.pcall("))
        };
        !function.is_empty()
            && self
                .lines
                .iter()
                .any(|line| line.match_indices(function).any(|(at, _)| is_call(line, at)))
    }

    /// The commands, and whether the failure of each is caught.
    fn commands(&self) -> impl Iterator<Item = (String, bool)> {
        self.lines.iter().flat_map(|line| {
            line.match_indices("call('").filter_map(|(at, call)| {
                let mut words = line[at + call.len()..].split('\'');
                let command = words.next()?;
                let name = match words.nth(1) {
                    Some(subcommand) if CONTAINERS.contains(&command) => {
                        format!("{command}|{subcommand}")
                    }
                    _ => command.to_owned(),
                };
                Some((name.to_ascii_lowercase(), line[..at].ends_with('p')))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_needed_unless_its_failure_is_caught() {
        let text = "\
local function tidy()
  call('HRANDFIELD', KEYS[1], 8)
  log()
end
local function log() call('XADD', KEYS[2]) end
local function write()
  call('SET', KEYS[1], '1')
  pcall(tidy, 1)
  redis.pcall('DEL', KEYS[1])
  return call('XINFO', 'STREAM', KEYS[2])
end
local found = call('GET', KEYS[1]) or call('SET', KEYS[2])
return attempt(write)
";
        let ScriptCommands { needed, optional } = ScriptCommands::of(text);
        assert_eq!(needed, ["get", "set", "xinfo|stream"]);
        assert_eq!(optional, ["del", "hrandfield", "xadd"]);
        // What is called in both ways is needed.
        let both = ScriptCommands::of(&text.replace("return attempt", "log() return attempt"));
        assert_eq!(both.needed, ["get", "set", "xadd", "xinfo|stream"]);
    }
}
