//! On a terminal, a typed bearer is not shown, and tables have its width.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::harness::{Keyfob, snapshot_settings};

/// Both ends of a terminal.
fn terminal() -> (File, File) {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&near).unwrap();
    unlockpt(&near).unwrap();
    let name = ptsname(&near, Vec::new()).unwrap();
    let far = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (File::from(near), far)
}

fn shows_what_is_typed(terminal: &File) -> bool {
    tcgetattr(terminal).unwrap().local_modes.contains(LocalModes::ECHO)
}

#[test]
fn a_bearer_that_is_typed_is_not_shown() {
    let keyfob = Keyfob::new();
    let (_, bearer) = keyfob.issue(&["--subject=user123"]);
    let (mut near, far) = terminal();
    assert!(shows_what_is_typed(&far));
    let end = || Stdio::from(OwnedFd::from(far.try_clone().unwrap()));
    let mut command = keyfob.command(&["validate"]);
    let mut child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    let mut seen = Vec::new();
    let mut until = |what: &str, near: &mut File| {
        while !String::from_utf8_lossy(&seen).contains(what) {
            let mut some = [0; 1024];
            let count = near.read(&mut some).unwrap();
            seen.extend_from_slice(&some[..count]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    };
    until("bearer: ", &mut near);
    near.write_all(format!("{bearer}\n").as_bytes()).unwrap();
    let screen = until("user123", &mut near);
    assert!(!screen.contains(&bearer), "{screen}");
    assert!(child.wait().unwrap().success());
    assert!(shows_what_is_typed(&far), "the echo is on again afterwards");
}

#[test]
fn an_interrupted_prompt_leaves_the_terminal_as_it_was() {
    let keyfob = Keyfob::new();
    keyfob.issue(&[]);
    let (mut near, far) = terminal();
    let end = || Stdio::from(OwnedFd::from(far.try_clone().unwrap()));
    let mut command = keyfob.command(&["validate"]);
    let mut child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    let (mut seen, mut some) = (Vec::new(), [0; 1024]);
    while !String::from_utf8_lossy(&seen).contains("bearer: ") {
        let count = near.read(&mut some).unwrap();
        seen.extend_from_slice(&some[..count]);
    }
    assert!(!shows_what_is_typed(&far));
    crate::harness::interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(shows_what_is_typed(&far));
}

/// Runs a command with stdout on a terminal of this width. Returns what the terminal shows.
fn on_a_terminal(
    keyfob: &Keyfob,
    width: u16,
    args: &[&str],
    environment: &[(&str, &str)],
) -> String {
    let (mut near, far) = terminal();
    let size = Winsize { ws_row: 24, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&far, size).unwrap();
    let mut command = keyfob.command(args);
    command.env_remove("COLUMNS").env("NO_COLOR", "1").envs(environment.iter().copied());
    command.stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::from(OwnedFd::from(far)));
    let mut child = command.spawn().unwrap();
    // The command holds the other end of the terminal.
    drop(command);
    let (mut shown, mut some) = (Vec::new(), [0; 4096]);
    // The end of a terminal without a writer is an error on Linux.
    while let Ok(count @ 1..) = near.read(&mut some) {
        shown.extend_from_slice(&some[..count]);
    }
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

fn with_tokens() -> Keyfob {
    let keyfob = Keyfob::new();
    let subject = "--subject=0f8fad5b-d9cb-469f-a165-70867728950e";
    keyfob.issue(&["--kind=api-key", subject, "--client=billing-service", "--ttl=90d"]);
    // Ids sort by ticks of 16 ms.
    std::thread::sleep(std::time::Duration::from_millis(20));
    keyfob.issue(&["--kind=session", "--subject=ann", "--ttl=never"]);
    keyfob
}

#[test]
fn a_list_fits_a_terminal_of_80_columns() {
    let keyfob = with_tokens();
    let list = on_a_terminal(&keyfob, 80, &["list"], &[]);
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    snapshot_settings().bind(|| {
        insta::assert_snapshot!(list, @r"
    ID                              KIND     STATE   SUBJECT     CLIENT      EXPIRES
    [id]  session  active  ann         -           never
    [id]  api-key  active  0f8fad5b-…  billing-s…  in 90d
    ");
    });
    // A width that no terminal has counts as 80, and a variable overrides the terminal.
    for (width, environment) in
        [(0, &[][..]), (3, &[]), (50, &[("COLUMNS", "80")]), (80, &[("COLUMNS", "0")])]
    {
        assert_eq!(on_a_terminal(&keyfob, width, &["list"], environment), list, "{width}");
    }
}

#[test]
fn a_list_on_50_columns_has_one_field_on_a_line() {
    let list = on_a_terminal(&with_tokens(), 50, &["list"], &[]);
    assert!(list.lines().all(|line| line.chars().count() <= 50), "{list}");
    snapshot_settings().bind(|| {
        insta::assert_snapshot!(list, @r"
    id:      [id]
    kind:    session
    state:   active
    subject: ann
    client:  -
    expires: never

    id:      [id]
    kind:    api-key
    state:   active
    subject: 0f8fad5b-d9cb-469f-a165-70867728950e
    client:  billing-service
    expires: in 90d
    ");
    });
}

#[test]
fn a_wide_list_has_everything_in_full() {
    let keyfob = with_tokens();
    let list = on_a_terminal(&keyfob, 80, &["list", "--wide"], &[]);
    let object = &keyfob.run(&["list", "--json", "kind:api-key"]).exits(0).object();
    for field in ["id", "subject", "client", "expires_at"] {
        let text = object[field].as_str().unwrap();
        assert!(list.contains(text), "{text}: {list}");
    }
    assert_eq!(list.lines().count(), 3);
}

#[test]
fn no_command_breaks_a_word_at_any_width() {
    let keyfob = with_tokens();
    keyfob.run(&["keys", "generate", "--keys=ring"]).exits(0);
    let id = keyfob.run(&["list", "--json", "kind:session"]).exits(0).object();
    let id = id["id"].as_str().unwrap();
    for args in [
        &["list"][..],
        &["stats"],
        &["doctor"],
        &["history", id],
        &["keys", "list", "--keys=ring"],
        &["limit", "test", "--subject=a", "--rate=9/1h", "--times=3"],
    ] {
        // Without line breaks of its own, each text is whole.
        let wide = on_a_terminal(&keyfob, 80, &[args, &["--wide"]].concat(), &[]);
        let words = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
        let known = words(&wide);
        for width in [0, 20, 50, 80, 132, 65_535] {
            let shown = on_a_terminal(&keyfob, width, args, &[]);
            for word in words(&shown) {
                let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
                let is_whole = known.contains(&word)
                    || known.contains(&word.trim_end_matches(':').to_owned())
                    || word.ends_with('…')
                    || word == "in"
                    // A length of time, a time without its milliseconds, and a size differ from run to run.
                    || ["ms", "s", "m", "h", "d"].contains(&unit)
                    || word.ends_with('z')
                    || word.chars().all(|c| c.is_ascii_digit());
                assert!(is_whole, "{args:?} at {width} breaks '{word}':\n{shown}");
            }
        }
    }
}
