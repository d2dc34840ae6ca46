//! The files to deposit: those named, and those in folders named, always in the same order.
//!
//! Symbolic links inside a folder are not followed (a link could lead anywhere); they and everything else that is not a
//! plain file are reported as skipped.

use std::fs;
use std::path::{Path, PathBuf};

use super::limits::{WALK_DEPTH_MAX, WALK_FILES_MAX};
use crate::failure::{Failure, FailureKind};

/// What a walk found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// The files, each once, folders in the order named and sorted inside.
    pub files: Vec<PathBuf>,
    /// What was left out, and why.
    pub skipped: Vec<(PathBuf, Skipped)>,
}

/// Why something in a folder is not deposited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// A symbolic link.
    Link,
    /// A socket, pipe or device.
    Special,
    /// A folder nested deeper than is read.
    TooDeep,
}

impl Skipped {
    /// The reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Link => "a symbolic link",
            Self::Special => "not a plain file",
            Self::TooDeep => "nested too deep",
        }
    }
}

/// Walks `paths`. A path that does not exist or cannot be read fails the whole walk: nothing is silently left out.
pub fn walk(paths: &[PathBuf]) -> Result<Walk, Failure> {
    let mut found = Walk::default();
    for path in paths {
        let meta = fs::metadata(path).map_err(|e| Failure::io("reading", path, e))?;
        if meta.is_dir() {
            folder(path, 0, &mut found)?;
        } else if meta.is_file() {
            push(path, &mut found)?;
        } else {
            found.skipped.push((path.clone(), Skipped::Special));
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.files.retain(|path| seen.insert(path.clone()));
    Ok(found)
}

fn folder(path: &Path, depth: usize, found: &mut Walk) -> Result<(), Failure> {
    if depth >= WALK_DEPTH_MAX {
        found.skipped.push((path.to_owned(), Skipped::TooDeep));
        return Ok(());
    }
    let failed = |e| Failure::io("reading the folder", path, e);
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(path).and_then(Iterator::collect).map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(failed)?;
        let inner = entry.path();
        if kind.is_symlink() {
            found.skipped.push((inner, Skipped::Link));
        } else if kind.is_dir() {
            folder(&inner, depth + 1, found)?;
        } else if kind.is_file() {
            push(&inner, found)?;
        } else {
            found.skipped.push((inner, Skipped::Special));
        }
    }
    Ok(())
}

fn push(path: &Path, found: &mut Walk) -> Result<(), Failure> {
    if found.files.len() >= WALK_FILES_MAX {
        return Err(Failure::new(FailureKind::InvalidInput, format!("more than {WALK_FILES_MAX} files"))
            .hint("deposit them folder by folder"));
    }
    found.files.push(path.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_stable_and_each_file_comes_once() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b", "a", "c/z", "c/y"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let walk = walk(&[dir.path().join("c/y"), dir.path().to_owned()]).unwrap();
        let names: Vec<_> = walk.files.iter().map(|p| p.strip_prefix(dir.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["c/y", "a", "b", "c/z"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_folder_are_reported_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "x").unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        let walk = walk(&[dir.path().to_owned()]).unwrap();
        assert_eq!(walk.files.len(), 1);
        assert_eq!(walk.skipped, [(dir.path().join("loop"), Skipped::Link)]);
    }

    #[test]
    fn a_path_that_is_not_there_fails_the_walk() {
        let failure = walk(&[PathBuf::from("no/such/file")]).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::NotFound);
    }
}
