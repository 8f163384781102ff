//! The file that the path of a ring names, and what stands in the way of writing it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use keyfob_seal::KeyRing;

/// How many symbolic links are followed one after the other. Linux has the same limit.
const MAX_LINKS: usize = 40;

/// Returns the file that `path` names, through symbolic links. The last link may name a file that does not
/// exist.
pub(crate) fn follow_links(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(next) = fs::read_link(&path) else { return Ok(path) };
        // A relative link starts in the folder of the link.
        path = folder_of(&path).join(next);
    }
    Err(io::Error::other("it leads through too many symbolic links"))
}

/// Creates a file that only its owner can access, and that does not exist yet.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(path)
}

/// Writes the ring to the disk.
pub(crate) fn write(mut file: File, ring: &KeyRing) -> io::Result<()> {
    file.write_all(ring.to_text().as_bytes())?;
    file.sync_all()
}

/// Syncs the folder of a file, so that the file survives a crash like the records that its keys seal.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder_of(path))?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Says why a ring could not be written to `target`, and what to do.
pub(crate) fn explain(target: &Path, error: &io::Error) -> String {
    let (target, folder) = (target.display(), folder_of(target).display());
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "a change replaces the file {target}, and this user may not do that in the folder {folder} \
             ({error}). Run the command as a user who may write there"
        ),
        io::ErrorKind::ReadOnlyFilesystem => format!(
            "{target} is on a read-only file system, like a mounted secret ({error}). Change the ring where \
             it is kept, and distribute it from there"
        ),
        io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices => format!(
            "{target} is mounted as a single file, which cannot be replaced ({error}). Change the file that \
             is mounted there, or mount its folder"
        ),
        io::ErrorKind::NotFound => {
            format!("there is no folder {folder} ({error}). Create it first")
        }
        _ => error.to_string(),
    }
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_system_comes_with_what_to_do() {
        let target = Path::new("/etc/keyfob/ring");
        for (kind, advice) in [
            (io::ErrorKind::PermissionDenied, "a user who may write there"),
            (io::ErrorKind::ReadOnlyFilesystem, "where it is kept"),
            (io::ErrorKind::ResourceBusy, "mount its folder"),
            (io::ErrorKind::CrossesDevices, "mount its folder"),
            (io::ErrorKind::NotFound, "no folder /etc/keyfob"),
        ] {
            let text = explain(target, &kind.into());
            assert!(text.contains(advice) && text.contains(&kind.to_string()), "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_reports_a_file_that_is_a_mount_point_as_busy() {
        const EBUSY: i32 = 16;
        const EROFS: i32 = 30;
        assert_eq!(io::Error::from_raw_os_error(EBUSY).kind(), io::ErrorKind::ResourceBusy);
        assert_eq!(io::Error::from_raw_os_error(EROFS).kind(), io::ErrorKind::ReadOnlyFilesystem);
    }
}
