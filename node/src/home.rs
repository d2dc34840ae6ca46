//! A role's folder on disk: private to its owner, used by one process at a time, written whole or not at all.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, FailureKind};

/// An existing, locked home folder. The lock lasts as long as the value.
pub struct Home {
    path: PathBuf,
    /// Held open for its lock; the file itself stays, so that no two processes ever lock different files.
    _lock: File,
}

impl Home {
    /// Makes the folder if it is absent (readable by its owner alone) and locks it.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        make_private_dir(path)?;
        Self::open(path)
    }

    /// Locks an existing folder.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        check_folder(path)?;
        if !path.is_dir() {
            return Err(Failure::new(FailureKind::NotFound, format!("there is no folder {}", path.display()))
                .hint("make it with the role's init command, or name another with --home"));
        }
        let lock_path = path.join(LOCK_NAME);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        owner_only(&mut options);
        let lock = options.open(&lock_path).map_err(|e| Failure::io("opening", &lock_path, e))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                Err(Failure::new(FailureKind::Busy, format!("{} is in use by another karute process", path.display()))
                    .hint("wait for it to end, or use another folder with --home"))
            }
            Err(TryLockError::Error(e)) => Err(Failure::io("locking", &lock_path, e)),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file or folder inside it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Refuses a path at which something other than a folder stands.
pub fn check_folder(path: &Path) -> Result<(), Failure> {
    if path.exists() && !path.is_dir() {
        return Err(Failure::new(FailureKind::InvalidInput, format!("{} is a file, not a folder", path.display()))
            .hint("name a folder, or a path at which nothing is yet"));
    }
    Ok(())
}

/// Makes `path` and its missing parents; the last one readable by its owner alone.
pub fn make_private_dir(path: &Path) -> Result<(), Failure> {
    check_folder(path)?;
    fs::create_dir_all(path).map_err(|e| Failure::io("making the folder", path, e))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))
            .map_err(|e| Failure::io("closing to others the folder", path, e))?;
    }
    Ok(())
}

/// Replaces `path` by `bytes`, readable by its owner alone: a new file, synced, renamed over the old one, folder synced.
/// After a crash the file holds either the old bytes or the new ones.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = write_synced(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    if let Err(e) = written {
        let _ = fs::remove_file(&partial); // the first error is the one to report
        return Err(Failure::io("writing", path, e));
    }
    sync_parent(path).map_err(|e| Failure::io("syncing the folder of", path, e))
}

/// Makes durable that a file at `path` was made, renamed or removed.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Replaces `path` by `bytes`, readable by its owner alone, without waiting for the disk: for what can be made again.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    owner_only(&mut options);
    let written = options.open(&partial).and_then(|mut file| file.write_all(bytes));
    written.and_then(|()| fs::rename(&partial, path)).map_err(|e| Failure::io("writing", path, e))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    owner_only(&mut options);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads a file of at most `max` bytes; `None` if it does not exist.
pub fn read_bounded(path: &Path, max: u64) -> Result<Option<Vec<u8>>, Failure> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Failure::io("opening", path, e)),
    };
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(|e| Failure::io("reading", path, e))?;
    if bytes.len() as u64 > max {
        return Err(Failure::new(FailureKind::InvalidInput, format!("{} is larger than {max} bytes", path.display())));
    }
    Ok(Some(bytes))
}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn owner_only(_: &mut OpenOptions) {}

const LOCK_NAME: &str = "lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_told_that_the_folder_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("patient");
        let first = Home::create(&path).unwrap();
        assert_eq!(Home::open(&path).err().unwrap().kind(), FailureKind::Busy);
        drop(first);
        Home::open(&path).unwrap();
    }

    #[test]
    fn an_absent_folder_is_not_made_by_opening() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("absent");
        assert_eq!(Home::open(&path).err().unwrap().kind(), FailureKind::NotFound);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_named_as_such() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, b"x").unwrap();
        for failure in [Home::open(&path).err(), Home::create(&path).err(), make_private_dir(&path).err()] {
            let failure = failure.unwrap();
            assert_eq!(failure.kind(), FailureKind::InvalidInput);
            assert!(failure.chain().contains("is a file") && failure.advice().is_some());
        }
        let below = read_bounded(&path.join("config.toml"), 5).unwrap_err();
        assert_eq!((below.kind(), below.advice().is_some()), (FailureKind::InvalidInput, true));
        let folder = read_bounded(dir.path(), 5).unwrap_err();
        assert_eq!((folder.kind(), folder.advice().is_some()), (FailureKind::InvalidInput, true));
    }

    #[cfg(unix)]
    #[test]
    fn folder_and_files_are_the_owners_alone_and_no_partial_stays() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let home = Home::create(&dir.path().join("p")).unwrap();
        let file = home.join("f");
        write_atomic(&file, b"one").unwrap();
        write_atomic(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(home.path()).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(!home.join("f.partial").exists());
    }

    #[test]
    fn reading_stops_at_the_bound() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        fs::write(&file, b"12345").unwrap();
        assert_eq!(read_bounded(&file, 5).unwrap().unwrap(), b"12345");
        assert!(read_bounded(&file, 4).is_err());
        assert!(read_bounded(&dir.path().join("g"), 4).unwrap().is_none());
    }
}
