//! A change of the ring in a file: the whole file is replaced in one step.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use keyfob_seal::{KeyError, KeyRing};

use crate::file::FileKeys;
use crate::target::{create_new, sync_folder, write};

/// A change of the ring in a file. It locks the ring: no other change can start meanwhile.
#[derive(Debug)]
pub struct RingChange<'a> {
    keys: &'a FileKeys,
    /// The ring to change.
    pub ring: KeyRing,
    /// The file to replace.
    target: PathBuf,
    file: File,
    temporary: TemporaryFile,
}

/// A file next to the ring that this process has created. It is the lock of a change.
#[derive(Debug)]
struct TemporaryFile(Option<PathBuf>);

impl FileKeys {
    /// Begins a change of the ring. No other change can begin before this one is committed or dropped.
    ///
    /// A symbolic link is followed: the change replaces the file that it names, in the folder of that file.
    ///
    /// # Errors
    /// [`KeyError::Unwritable`] while another change is in progress, or if the file cannot be replaced: this
    /// user may not write to its folder, it belongs to another user, or it has several names. Otherwise the
    /// errors of [`FileKeys::read`].
    pub fn change(&self) -> Result<RingChange<'_>, KeyError> {
        RingChange::begin(self)
    }
}

impl<'a> RingChange<'a> {
    fn begin(keys: &'a FileKeys) -> Result<Self, KeyError> {
        let target = keys.target()?;
        let path = temporary_path(&target);
        let file = create_new(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => keys.refused(format!(
                "another change is in progress. If its process has ended, delete {}",
                path.display()
            )),
            _ => keys.unwritable(&target, &error),
        })?;
        let temporary = TemporaryFile(Some(path));
        // Read after locking: an earlier read could miss a change.
        let ring = keys.read()?;
        let replaced = fs::metadata(&target).map_err(|error| keys.unwritable(&target, &error))?;
        take_over_owner(&file, &replaced).map_err(|detail| keys.refused(detail))?;
        Ok(Self { keys, ring, target, file, temporary })
    }

    /// Writes the ring in one step. After a crash the file has the old ring or the new one, never a mix.
    ///
    /// # Errors
    /// [`KeyError::Unwritable`].
    pub fn commit(self) -> Result<(), KeyError> {
        let Self { keys, ring, target, file, temporary } = self;
        if keys.target()? != target {
            let detail = "the link names another file since the change began. Start again";
            return Err(keys.refused(detail.to_owned()));
        }
        let replace = || {
            let permissions = fs::metadata(&target)?.permissions();
            file.set_permissions(permissions)?;
            write(file, &ring)?;
            temporary.rename(&target)?;
            sync_folder(&target)
        };
        replace().map_err(|error| keys.unwritable(&target, &error))
    }
}

impl TemporaryFile {
    fn rename(mut self, to: &Path) -> io::Result<()> {
        match &self.0 {
            Some(path) => fs::rename(path, to)?,
            None => return Ok(()),
        }
        // A file with this name now belongs to another change.
        self.0 = None;
        Ok(())
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Do not leave keys behind. `drop` cannot report an error.
            let _ = fs::remove_file(path);
        }
    }
}

fn temporary_path(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    target.with_file_name(name)
}

/// Gives the new file the owner of the file that it replaces, so that the same user can read it.
///
/// # Errors
/// When that is not possible, or when the replaced file would still exist under another name.
#[cfg(unix)]
fn take_over_owner(file: &File, replaced: &Metadata) -> Result<(), String> {
    use std::os::unix::fs::{MetadataExt, fchown};

    if replaced.nlink() > 1 {
        return Err(format!(
            "the file has {} names (hard links), and only this one would get the new ring. Replace the \
             others with symbolic links to it",
            replaced.nlink()
        ));
    }
    let created = file.metadata().map_err(|error| error.to_string())?;
    if created.uid() == replaced.uid() {
        return Ok(());
    }
    fchown(file, Some(replaced.uid()), Some(replaced.gid())).map_err(|error| {
        format!(
            "the file belongs to the user {}, and its replacement would belong to the user {} ({error}). \
             Run the command as the owner",
            replaced.uid(),
            created.uid()
        )
    })
}

#[cfg(not(unix))]
fn take_over_owner(_: &File, _: &Metadata) -> Result<(), String> {
    Ok(())
}
