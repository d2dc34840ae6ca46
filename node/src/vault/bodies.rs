//! Sealed bodies as content-addressed files.
//!
//! `bodies/ab/<BLAKE3 in hex>` holds a sealed body, the file beside it with suffix `obao` the hash pairs of its tree.
//! Uploads grow in `incoming/<upload id>-<length>`. A whole body is hashed, synced, renamed into place and its folder
//! synced **before** the journal frame that names it, so that a frame never names a body that a power cut took. The
//! other way round is harmless: a body that no frame names is swept away.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use karute_consent::id::parse_hex;
use karute_protocol::bao::{BodyRef, BodyRoot, write_pairs};

use super::journal::sync_folder;

/// Names an upload among all uploads of this host; the caller makes it from vault, depositor and record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UploadId(pub [u8; 32]);

/// What the folder may hold.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Longest sealed body, in bytes.
    pub body_bytes_max: u64,
    /// Uploads that may be under way.
    pub uploads_max: usize,
}

impl Default for BodyLimits {
    fn default() -> BodyLimits {
        BodyLimits { body_bytes_max: 1 << 40, uploads_max: 256 }
    }
}

/// Why an upload does not go on.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The length is zero or above the limit.
    #[error("the length of the body is not accepted")]
    Length,
    /// Too many uploads are under way.
    #[error("too many uploads are under way")]
    TooMany,
    /// Nothing was begun under this id and length.
    #[error("this upload was not begun")]
    NotBegun,
    /// The bytes do not begin where the upload ends, or go beyond its length.
    #[error("the upload goes on at byte {expected}")]
    Offset {
        /// Where the next byte belongs.
        expected: u64,
    },
    /// Not all bytes are here.
    #[error("the upload is not complete")]
    Incomplete,
    /// What arrived is not what was promised; it has been thrown away.
    #[error("the body does not have the promised hash")]
    Changed,
    /// The disk failed.
    #[error("the body could not be stored")]
    Disk(#[from] io::Error),
}

/// The store of bodies.
pub struct Bodies {
    kept: PathBuf,
    incoming: PathBuf,
    limits: BodyLimits,
    /// Uploads that this process has touched. The outer lock is held for look-ups only.
    uploads: Mutex<HashMap<UploadId, Arc<Mutex<Upload>>>>,
}

/// A body that is not yet in its place.
struct Upload {
    file: File,
    path: PathBuf,
    total: u64,
    offset: u64,
    unsynced: u64,
}

/// An open body; reads do not move a cursor.
#[derive(Debug)]
pub struct BodyFile {
    /// The sealed body.
    pub data: File,
    /// The hash pairs of its tree, as `karute_protocol::bao` writes them.
    pub pairs: File,
    /// Length of the body, in bytes.
    pub len: u64,
}

/// A long upload is synced each time this much has come, so that the end does not wait for all of it.
const SYNC_EVERY_BYTES: u64 = 32 << 20;

impl Bodies {
    /// Makes the folders `bodies` and `incoming` below `folder`.
    pub fn open(folder: &Path, limits: BodyLimits) -> io::Result<Bodies> {
        let kept = folder.join("bodies");
        let incoming = folder.join("incoming");
        fs::create_dir_all(&kept)?;
        fs::create_dir_all(&incoming)?;
        sync_folder(folder)?;
        Ok(Bodies { kept, incoming, limits, uploads: Mutex::new(HashMap::new()) })
    }

    /// Begins or resumes an upload of `total` bytes. Returns where it goes on; everything before is durable.
    pub fn open_partial(&self, id: UploadId, total: u64) -> Result<u64, UploadError> {
        if total == 0 || total > self.limits.body_bytes_max {
            return Err(UploadError::Length);
        }
        if let Ok(upload) = self.upload(id) {
            let mut upload = hold(&upload);
            if upload.total == total {
                upload.file.sync_data()?;
                upload.unsynced = 0;
                return Ok(upload.offset);
            }
        }
        let path = self.partial_path(id, total);
        if !path.exists() && self.uploads_under_way()? >= self.limits.uploads_max {
            return Err(UploadError::TooMany);
        }
        let upload = Upload::open(path, total)?;
        let offset = upload.offset;
        hold(&self.uploads).insert(id, Arc::new(Mutex::new(upload)));
        Ok(offset)
    }

    /// Appends bytes at exactly the place where the upload goes on. Returns the next place.
    pub fn append(&self, id: UploadId, offset: u64, bytes: &[u8]) -> Result<u64, UploadError> {
        let upload = self.upload(id)?;
        let mut upload = hold(&upload);
        if offset != upload.offset || bytes.len() as u64 > upload.total - offset {
            return Err(UploadError::Offset { expected: upload.offset });
        }
        if let Err(error) = upload.file.write_all_at(bytes, offset) {
            // A body that finds no room must not keep what room there was: the journal needs it.
            if error.kind() == io::ErrorKind::StorageFull {
                self.abandon(id, upload.total)?;
            }
            return Err(error.into());
        }
        upload.offset += bytes.len() as u64;
        upload.unsynced += bytes.len() as u64;
        if upload.unsynced >= SYNC_EVERY_BYTES {
            upload.file.sync_data()?;
            upload.unsynced = 0;
        }
        Ok(upload.offset)
    }

    /// The bytes that have come so far, for reading the commitment.
    pub fn partial(&self, id: UploadId) -> Result<File, UploadError> {
        let upload = self.upload(id)?;
        let file = hold(&upload).file.try_clone()?;
        Ok(file)
    }

    /// Puts a complete upload into its place, durably. A body with another hash is thrown away.
    pub fn finish(&self, id: UploadId, root: BodyRoot) -> Result<(), UploadError> {
        let shared = self.upload(id)?;
        let upload = hold(&shared);
        if upload.offset != upload.total {
            return Err(UploadError::Incomplete);
        }
        hold(&self.uploads).remove(&id);
        let fresh = upload.path.with_extension("obao");
        let pairs = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&fresh)?;
        let mut from_start = upload.file.try_clone()?;
        from_start.rewind()?;
        let found = write_pairs(BufReader::with_capacity(1 << 20, from_start), upload.total, pairs.try_clone()?)?;
        if found != (BodyRef { root, len: upload.total }) {
            fs::remove_file(&fresh)?;
            fs::remove_file(&upload.path)?;
            return Err(UploadError::Changed);
        }
        upload.file.sync_data()?;
        pairs.sync_data()?;
        let place = self.place(root)?;
        fs::rename(&fresh, place.with_extension("obao"))?;
        fs::rename(&upload.path, &place)?;
        sync_folder(place.parent().unwrap_or(&self.kept))?;
        Ok(())
    }

    /// Throws an upload away.
    pub fn abandon(&self, id: UploadId, total: u64) -> io::Result<()> {
        hold(&self.uploads).remove(&id);
        remove_if_there(&self.partial_path(id, total))
    }

    /// Opens a body that is in its place.
    pub fn read(&self, root: BodyRoot) -> io::Result<BodyFile> {
        let path = self.path(root);
        let data = File::open(&path)?;
        let len = data.metadata()?.len();
        Ok(BodyFile { data, pairs: File::open(path.with_extension("obao"))?, len })
    }

    /// Whether a body is in its place.
    pub fn holds(&self, root: BodyRoot) -> bool {
        self.path(root).exists()
    }

    /// Removes a body and its pairs, durably.
    pub fn remove(&self, root: BodyRoot) -> io::Result<()> {
        let path = self.path(root);
        remove_if_there(&path)?;
        remove_if_there(&path.with_extension("obao"))?;
        path.parent().filter(|folder| folder.exists()).map_or(Ok(()), sync_folder)
    }

    /// Throws away uploads on which nothing has been done for `idle`. Returns how many.
    pub fn sweep_partials(&self, now: SystemTime, idle: Duration) -> io::Result<usize> {
        let mut swept = 0;
        for path in files_in(&self.incoming)? {
            let old = is_older(&path, now, idle)?;
            if old {
                hold(&self.uploads).retain(|_, upload| hold(upload).path != path);
                remove_if_there(&path)?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// Removes bodies older than `idle` that `is_named` does not know. Returns how many.
    pub fn sweep_bodies<E: From<io::Error>>(
        &self,
        now: SystemTime,
        idle: Duration,
        is_named: &mut dyn FnMut(BodyRoot) -> Result<bool, E>,
    ) -> Result<usize, E> {
        let mut swept = 0;
        for entry in fs::read_dir(&self.kept)? {
            let folder = entry?.path();
            if !folder.is_dir() {
                continue;
            }
            for path in files_in(&folder)? {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let Ok(root) = parse_hex(name) else { continue };
                let root = BodyRoot(root);
                // The pairs are written when the body is put into its place, perhaps long after its last byte.
                let pairs = path.with_extension("obao");
                let placed = if pairs.exists() { &pairs } else { &path };
                if is_older(placed, now, idle)? && !is_named(root)? {
                    self.remove(root)?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    fn upload(&self, id: UploadId) -> Result<Arc<Mutex<Upload>>, UploadError> {
        hold(&self.uploads).get(&id).cloned().ok_or(UploadError::NotBegun)
    }

    fn uploads_under_way(&self) -> io::Result<usize> {
        Ok(files_in(&self.incoming)?.len())
    }

    fn partial_path(&self, id: UploadId, total: u64) -> PathBuf {
        self.incoming.join(format!("{}-{total}", hex(&id.0)))
    }

    fn path(&self, root: BodyRoot) -> PathBuf {
        let name = hex(&root.0);
        self.kept.join(&name[..2]).join(name)
    }

    /// The path of a body, its folder made durably.
    fn place(&self, root: BodyRoot) -> io::Result<PathBuf> {
        let path = self.path(root);
        if let Some(folder) = path.parent()
            && !folder.exists()
        {
            fs::create_dir_all(folder)?;
            sync_folder(&self.kept)?;
        }
        Ok(path)
    }
}

impl Upload {
    /// Opens or makes the file; what is in it already is made durable.
    fn open(path: PathBuf, total: u64) -> io::Result<Upload> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        let offset = file.metadata()?.len().min(total);
        file.set_len(offset)?;
        file.sync_all()?;
        Ok(Upload { file, path, total, offset, unsynced: 0 })
    }
}

/// The data is whole at every moment at which a panic could happen, so a poisoned lock is taken.
fn hold<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hex(bytes: &[u8; 32]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

fn is_older(path: &Path, now: SystemTime, idle: Duration) -> io::Result<bool> {
    let touched = fs::metadata(path)?.modified()?;
    Ok(now.duration_since(touched).is_ok_and(|age| age > idle))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
