//! On a terminal, a typed bearer is not shown.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::harness::Keyfob;

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
