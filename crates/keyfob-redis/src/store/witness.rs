//! The witness: a file of this machine with the last known pulses. A process that starts compares them with the
//! store, and so notices that it was rolled back while no node was running. See [`rollback`](super::rollback).

use std::fs;
use std::io;
use std::path::Path;

use keyfob_store::{Lane, LaneCount};

/// What a witness begins with.
const TITLE: &str = "keyfob witness 1";

/// The pulses in a witness, by lane.
pub(super) type KnownPulses = Vec<(Lane, u64)>;

/// Reads the pulses. There are none if there is no file, or if it belongs to another namespace.
///
/// # Errors
/// If the file cannot be read or is not a witness.
pub(super) fn read(path: &Path, tag: &[u8], lanes: LaneCount) -> io::Result<KnownPulses> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    parse(&text, tag, lanes)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is not a witness of keyfob"))
}

fn parse(text: &str, tag: &[u8], lanes: LaneCount) -> Option<KnownPulses> {
    let mut lines = text.lines();
    let of = lines.next()?.strip_prefix(TITLE)?.trim();
    if of != name_of(tag) {
        return Some(Vec::new());
    }
    let pulse = |line: &str| {
        let (lane, pulse) = line.split_once(' ')?;
        let lane = lane.parse().ok().filter(|lane| *lane < lanes.get())?;
        Some((Lane::new(lane), pulse.parse().ok()?))
    };
    lines.map(pulse).collect()
}

/// Writes the pulses. Of a lane, the file keeps the later pulse: other processes may write it too.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn write(path: &Path, tag: &[u8], lanes: LaneCount, pulses: &[u64]) -> io::Result<()> {
    // A file that cannot be read is replaced.
    let before = read(path, tag, lanes).unwrap_or_default();
    let mut text = format!("{TITLE} {}\n", name_of(tag));
    for (lane, pulse) in lanes.lanes().zip(pulses) {
        let known = before.iter().find(|(known, _)| *known == lane).map_or(0, |(_, pulse)| *pulse);
        let pulse = known.max(*pulse);
        if pulse > 0 {
            text += &format!("{} {pulse}\n", lane.number());
        }
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".new-{}", std::process::id()));
    fs::write(&temporary, text)?;
    fs::rename(&temporary, path).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn name_of(tag: &[u8]) -> String {
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulses_read_back_and_never_decrease() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness");
        let (tag, lanes) = ([7; 8], LaneCount::new(3).unwrap());
        assert_eq!(read(&path, &tag, lanes).unwrap(), []);
        write(&path, &tag, lanes, &[50, 0, 60]).unwrap();
        write(&path, &tag, lanes, &[40, 0, 70]).unwrap();
        let known = [(Lane::new(0), 50), (Lane::new(2), 70)];
        assert_eq!(read(&path, &tag, lanes).unwrap(), known);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_witness_of_another_namespace_says_nothing_and_other_files_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness");
        let lanes = LaneCount::ONE;
        write(&path, &[1; 8], lanes, &[50]).unwrap();
        assert_eq!(read(&path, &[2; 8], lanes).unwrap(), []);
        for text in ["", "something", "keyfob witness 1 0101010101010101\n9 x\n"] {
            fs::write(&path, text).unwrap();
            assert!(read(&path, &[1; 8], lanes).is_err(), "{text}");
        }
    }
}
