//! Which commands a script runs, found in its text.
//!
//! A command is **needed** unless it runs only where its failure is caught: by `redis.pcall`, or in a
//! function that is called by `pcall` alone. Only the functions `write` and `recover` are needed all the same:
//! a script catches their failure to undo what it has written.

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
        let parts = Parts::of(text);
        let is_needed = parts.reached_from(&["", WRITE, RECOVER]);
        let needed = parts.commands(|at| is_needed[at]);
        let mut optional = parts.all_commands();
        optional.retain(|command| !needed.contains(command));
        Self { needed, optional }
    }
}

/// The function in which a script writes what it may have to undo.
const WRITE: &str = "write";
/// The function that undoes or marks what was written, if a command fails in between.
const RECOVER: &str = "recover";
/// The function that creates those that few calls of a script need.
const RARELY: &str = "rarely";

/// Returns the commands that a placeholder stands for, sorted: those that a script checks before they are
/// needed.
///
/// | placeholder | commands |
/// |---|---|
/// | `NEEDED_COMMANDS` | without which the script fails |
/// | `WRITE_COMMANDS` | those of them that run once it writes, without those of rare functions |
/// | `UNDO_COMMANDS` | those of them that undo what was written |
/// | `RARE_COMMANDS` | those of them that rare functions run |
pub(super) fn list(placeholder: &str, text: &str) -> Option<Vec<String>> {
    let parts = Parts::of(text);
    let needed = parts.reached_from(&["", WRITE, RECOVER]);
    Some(match placeholder {
        "NEEDED_COMMANDS" => parts.commands(|at| needed[at]),
        "RARE_COMMANDS" => parts.commands(|at| needed[at] && parts.is_rare(at)),
        "UNDO_COMMANDS" => {
            let undoes = parts.reached_from(&[RECOVER]);
            parts.commands(|at| undoes[at])
        }
        "WRITE_COMMANDS" => {
            let roots: &[&str] = if parts.has(WRITE) { &[WRITE, RECOVER] } else { &[""] };
            let writes = parts.reached_from(roots);
            parts.commands(|at| writes[at] && !parts.is_rare(at))
        }
        _ => return None,
    })
}

/// The functions of a script, and what is in no function, which comes first.
struct Parts<'a>(Vec<Part<'a>>);

/// A function of a script, without the functions in it; or everything that is in no function.
struct Part<'a> {
    /// Empty for what is in no function.
    name: &'a str,
    /// The position of the function that it is in.
    parent: usize,
    indent: usize,
    lines: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let mut parts = vec![Part { name: "", parent: 0, indent: 0, lines: Vec::new() }];
        let mut current = 0;
        for line in text.lines() {
            let code = line.trim_start();
            let indent = line.len() - code.len();
            let function = code.strip_prefix("local function ");
            if let Some(name) = function.and_then(|rest| rest.split('(').next()) {
                parts.push(Part { name, parent: current, indent, lines: Vec::new() });
                current = parts.len() - 1;
            }
            let Some(part) = parts.get_mut(current) else { continue };
            part.lines.push(line);
            let is_one_line = function.is_some() && line.ends_with(" end");
            if current > 0 && (is_one_line || (code == "end" && indent == part.indent)) {
                current = part.parent;
            }
        }
        Self(parts)
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|part| part.name == name)
    }

    /// Returns whether each part runs if the named ones do, other than where its failure is caught.
    fn reached_from(&self, names: &[&str]) -> Vec<bool> {
        let mut reached: Vec<_> = self.0.iter().map(|part| names.contains(&part.name)).collect();
        loop {
            let is_called = |callee: &Part<'_>| {
                let callers = self.0.iter().zip(&reached).filter(|(_, is_reached)| **is_reached);
                callers.into_iter().any(|(caller, _)| caller.calls(callee.name))
            };
            let next: Vec<_> =
                self.0.iter().zip(&reached).map(|(part, at)| *at || is_called(part)).collect();
            if next == reached {
                return reached;
            }
            reached = next;
        }
    }

    /// Returns whether a part is within the function that creates the rare ones.
    fn is_rare(&self, mut at: usize) -> bool {
        while let Some(part) = self.0.get(at).filter(|_| at > 0) {
            if part.name == RARELY {
                return true;
            }
            at = part.parent;
        }
        false
    }

    /// The commands of some parts whose failure is not caught, sorted.
    fn commands(&self, is_chosen: impl Fn(usize) -> bool) -> Vec<String> {
        let chosen = self.0.iter().enumerate().filter(|(at, _)| is_chosen(*at));
        let commands = chosen.flat_map(|(_, part)| part.commands());
        sorted(commands.filter(|(_, is_caught)| !is_caught))
    }

    fn all_commands(&self) -> Vec<String> {
        sorted(self.0.iter().flat_map(Part::commands))
    }
}

fn sorted(commands: impl Iterator<Item = (String, bool)>) -> Vec<String> {
    let mut names: Vec<_> = commands.map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Part<'_> {
    /// Returns whether this part calls a function. `pcall(function, …)`, which catches its failure, is no
    /// such call.
    fn calls(&self, function: &str) -> bool {
        let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let is_call = |line: &str, at: usize| {
            let (before, after) = (&line[..at], &line[at + function.len()..]);
            !before.ends_with(is_name)
                && after.starts_with('(')
                && !before.ends_with("local function ")
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
local is_done = pcall(write)
";
        let ScriptCommands { needed, optional } = ScriptCommands::of(text);
        assert_eq!(needed, ["get", "set", "xinfo|stream"]);
        assert_eq!(optional, ["del", "hrandfield", "xadd"]);
        // What is called in both ways is needed.
        let both = ScriptCommands::of(&text.replace("local is_done", "log() local is_done"));
        assert_eq!(both.needed, ["get", "set", "xadd", "xinfo|stream"]);
    }

    #[test]
    fn a_script_checks_what_it_may_have_to_undo_and_rare_functions_check_their_own() {
        let text = "\
local function rarely()
  local function split(head)
    call('RENAME', head, head)
  end
  local function tidy() call('HRANDFIELD', KEYS[1], 8) end
  rare_functions = { split = split, tidy = tidy }
end
local found = call('GET', KEYS[1])
local function write()
  call('SET', KEYS[1], '1')
  if found then rarely().split(KEYS[1]) end
  pcall(rarely().tidy)
end
local function recover()
  call('DEL', KEYS[1])
end
";
        let list = |placeholder| super::list(placeholder, text).unwrap();
        assert_eq!(list("NEEDED_COMMANDS"), ["del", "get", "rename", "set"]);
        assert_eq!(list("WRITE_COMMANDS"), ["del", "set"]);
        assert_eq!(list("UNDO_COMMANDS"), ["del"]);
        assert_eq!(list("RARE_COMMANDS"), ["rename"]);
        assert_eq!(ScriptCommands::of(text).optional, ["hrandfield"]);
    }
}
