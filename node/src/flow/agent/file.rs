//! Files of any size, read twice: once for their digest, once while they are sealed. At most a few pieces are in memory.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use karute_consent::id::Digest;
use karute_protocol::record::{RecordSealer, SealedBody};
use sha2::Digest as _;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use zeroize::Zeroizing;

use crate::agent::connect::ConnectError;
use crate::agent::error::{AgentError, Obstacle};
use crate::failure::{Failure, FailureKind};

/// What the first pass finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileFacts {
    /// Bytes of the file.
    pub(super) len: u64,
    /// SHA-256 of the file.
    pub(super) digest: Digest,
}

/// A file on its way through the sealer, in a thread of its own.
pub(super) struct Sealing {
    pieces: mpsc::Receiver<Bytes>,
    end: JoinHandle<Result<SealedBody, AgentError>>,
}

/// The first pass.
pub(super) async fn examine(path: &Path) -> Result<FileFacts, AgentError> {
    let path = path.to_owned();
    in_thread(move || {
        let mut file = open(&path)?;
        let mut hash = sha2::Sha256::new();
        let mut buffer = buffer_for(&file);
        let mut len = 0;
        loop {
            let got = read(&mut file, &mut buffer, &path)?;
            if got == 0 {
                return Ok(FileFacts { len, digest: Digest::from_bytes(hash.finalize().into()) });
            }
            hash.update(&buffer[..got]);
            len += got as u64;
        }
    })
    .await
}

/// The second pass: seals the file with its padding and hands out the sealed body in pieces.
pub(super) fn seal(path: PathBuf, sealer: RecordSealer) -> Sealing {
    let (to, pieces) = mpsc::channel(PIECES_WAITING);
    let end = spawn_blocking(move || seal_all(&path, sealer, &to));
    Sealing { pieces, end }
}

impl Sealing {
    /// The next piece; none at the end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        self.pieces.recv().await
    }

    /// What the header says of the whole sealed body, after its last piece.
    pub(super) async fn finish(self) -> Result<SealedBody, AgentError> {
        self.end.await.map_err(|_| AgentError::Malformed("the sealing thread ended"))?
    }
}

fn seal_all(path: &Path, mut sealer: RecordSealer, to: &mpsc::Sender<Bytes>) -> Result<SealedBody, AgentError> {
    let refused = |_| AgentError::Impossible(Obstacle::File);
    let mut file = open(path)?;
    let mut buffer = buffer_for(&file);
    let mut sealed = Vec::with_capacity(buffer.len() + READ_BYTES / 16);
    loop {
        let got = read(&mut file, &mut buffer, path)?;
        if got == 0 {
            break;
        }
        sealer.push(&buffer[..got], &mut sealed).map_err(refused)?;
        send_full(&mut sealed, to)?;
    }
    let body = sealer.finish(&mut sealed).map_err(refused)?;
    send_full(&mut sealed, to)?;
    if !sealed.is_empty() {
        send(sealed, to)?;
    }
    Ok(body)
}

/// Sends as many whole pieces as there are, and leaves the rest.
fn send_full(sealed: &mut Vec<u8>, to: &mpsc::Sender<Bytes>) -> Result<(), AgentError> {
    while sealed.len() >= PIECE_BYTES {
        let rest = sealed.split_off(PIECE_BYTES);
        send(std::mem::replace(sealed, rest), to)?;
        sealed.reserve(PIECE_BYTES + READ_BYTES / 16);
    }
    Ok(())
}

fn send(piece: Vec<u8>, to: &mpsc::Sender<Bytes>) -> Result<(), AgentError> {
    to.blocking_send(piece.into()).map_err(|_| AgentError::Unreachable(ConnectError::Cut))
}

/// Runs `work` where it may block.
pub(super) async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AgentError> + Send + 'static,
) -> Result<T, AgentError> {
    spawn_blocking(work).await.map_err(|_| AgentError::Malformed("a working thread ended"))?
}

fn open(path: &Path) -> Result<File, AgentError> {
    let meta = std::fs::metadata(path).map_err(|e| Failure::io("reading", path, e))?;
    if !meta.is_file() {
        let cause = format!("{} is not a file", path.display());
        return Err(Failure::new(FailureKind::InvalidInput, cause).into());
    }
    Ok(File::open(path).map_err(|e| Failure::io("opening", path, e))?)
}

/// As large as the file, within what is read at once: many small files would else spend their time on wiping empty buffers.
fn buffer_for(file: &File) -> Zeroizing<Vec<u8>> {
    let len = file.metadata().map_or(READ_BYTES as u64, |meta| meta.len().saturating_add(1));
    Zeroizing::new(vec![0; len.clamp(READ_BYTES_MIN, READ_BYTES as u64) as usize])
}

fn read(file: &mut File, buffer: &mut [u8], path: &Path) -> Result<usize, AgentError> {
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            other => return Ok(other.map_err(|e| Failure::io("reading", path, e))?),
        }
    }
}

/// Sealed bytes of one piece: the largest that a frame takes.
pub(super) const PIECE_BYTES: usize = 1024 * 1024;
const READ_BYTES: usize = 1024 * 1024;
const READ_BYTES_MIN: u64 = 4096;
/// Pieces between the sealer and the stream.
const PIECES_WAITING: usize = 2;
