//! Receiving one record's body: verified range by range, opened, written to a new file that gets its name at the very end.
//!
//! A thread of its own verifies, opens and writes; at most a few pieces are in memory. After a cut the next range goes on
//! where this one stood.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use karute_protocol::bao::{BodyRef, RangeVerifier};
use karute_protocol::record::FileOpener;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use zeroize::Zeroizing;

use crate::agent::error::{AgentError, Unproven};
use crate::failure::Failure;
use crate::flow::agent::source::Copies;

/// A record's file while it is being received.
pub(super) struct Receiving {
    partial: PathBuf,
    body: BodyRef,
    /// The opener and the file, while no thread has them.
    idle: Option<Opening>,
    /// Sealed bytes that were verified and opened.
    done: u64,
}

struct Opening {
    opener: FileOpener,
    file: File,
}

/// One range on its way: pieces go in, and the thread gives the opener back at the end.
pub(super) struct RangeInFlight {
    to: mpsc::Sender<Bytes>,
    thread: JoinHandle<(Opening, u64, Result<(), AgentError>)>,
}

impl Receiving {
    /// Begins a file beside where it is to stand.
    pub(super) fn begin(target: &Path, body: BodyRef, opener: FileOpener) -> Result<Self, AgentError> {
        let mut partial = target.as_os_str().to_owned();
        partial.push(PARTIAL_ENDING);
        let partial = PathBuf::from(partial);
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600); // a health record is its reader's alone
        let file = options.open(&partial).map_err(|e| Failure::io("making", &partial, e))?;
        Ok(Self { partial, body, idle: Some(Opening { opener, file }), done: 0 })
    }

    /// What is still to come of the sealed body.
    pub(super) fn rest(&self) -> Range<u64> {
        self.done..self.body.len
    }

    /// Begins to receive the encoding of [`Receiving::rest`].
    pub(super) fn start(&mut self) -> Result<RangeInFlight, AgentError> {
        let unproven = |_| AgentError::unproven(Unproven::Body);
        let verifier = RangeVerifier::new(&self.body, self.rest()).map_err(unproven)?;
        let opening = self.idle.take().ok_or(AgentError::unproven(Unproven::Body))?;
        let (to, pieces) = mpsc::channel(PIECES_WAITING);
        let (path, from) = (self.partial.clone(), self.done);
        let thread = spawn_blocking(move || receive(opening, verifier, from, pieces, &path));
        Ok(RangeInFlight { to, thread })
    }

    /// Takes back what a range came to, whole or cut off.
    pub(super) async fn settle(&mut self, range: RangeInFlight) -> Result<(), AgentError> {
        drop(range.to);
        let ended = range.thread.await.map_err(|_| AgentError::Malformed("the receiving thread ended"))?;
        let (opening, done, result) = ended;
        self.idle = Some(opening);
        self.done = done;
        result
    }

    /// Opens a whole body that came in one message.
    pub(super) fn take_inline(&mut self, sealed: &[u8]) -> Result<(), AgentError> {
        let mut whole = karute_protocol::bao::BodyHasher::new();
        whole.update(sealed);
        if whole.finish() != self.body {
            return Err(AgentError::unproven(Unproven::Body));
        }
        let Some(opening) = &mut self.idle else { return Err(AgentError::unproven(Unproven::Body)) };
        let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
        opening.opener.push(sealed, &mut plain).map_err(|_| AgentError::unproven(Unproven::Body))?;
        opening.file.write_all(&plain).map_err(|e| Failure::io("writing", &self.partial, e))?;
        self.done = self.body.len;
        Ok(())
    }

    /// Checks that the file is whole and the one its meta names, and gives it its name.
    pub(super) fn finish(mut self, target: &Path, copies: Copies) -> Result<(), AgentError> {
        let Some(Opening { opener, file }) = self.idle.take() else {
            return Err(AgentError::unproven(Unproven::Body));
        };
        if self.done != self.body.len {
            return Err(AgentError::unproven(Unproven::Body));
        }
        opener.finish().map_err(|_| AgentError::unproven(Unproven::Body))?;
        if copies == Copies::Counted {
            file.sync_all().map_err(|e| Failure::io("writing", &self.partial, e))?;
        }
        fs::rename(&self.partial, target).map_err(|e| Failure::io("writing", target, e))?;
        Ok(())
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        // After a finished file there is nothing of this name; an unfinished one must not stay in the clear.
        let _ = fs::remove_file(&self.partial);
    }
}

impl RangeInFlight {
    /// Hands a piece over; when the thread ended, settling tells why.
    pub(super) async fn give(&self, piece: Bytes) -> bool {
        self.to.send(piece).await.is_ok()
    }
}

/// Verifies, opens and writes until the range or its sender ends.
fn receive(
    mut opening: Opening,
    mut verifier: RangeVerifier,
    from: u64,
    mut pieces: mpsc::Receiver<Bytes>,
    path: &Path,
) -> (Opening, u64, Result<(), AgentError>) {
    let mut done = from;
    while let Some(piece) = pieces.blocking_recv() {
        if let Err(error) = open_piece(&mut opening, &mut verifier, &piece, &mut done, path) {
            return (opening, done, Err(error));
        }
    }
    let whole = verifier.finish().map_err(|_| AgentError::Unreachable(crate::agent::connect::ConnectError::Cut));
    (opening, done, whole)
}

fn open_piece(
    opening: &mut Opening,
    verifier: &mut RangeVerifier,
    mut encoded: &[u8],
    done: &mut u64,
    path: &Path,
) -> Result<(), AgentError> {
    let mut plain = Zeroizing::new(Vec::with_capacity(encoded.len()));
    loop {
        let next = verifier.next_piece(&mut encoded).map_err(|_| AgentError::unproven(Unproven::Body))?;
        let Some(piece) = next else { break };
        if piece.offset != *done {
            return Err(AgentError::unproven(Unproven::Body));
        }
        *done += piece.bytes.len() as u64;
        opening.opener.push(piece.bytes, &mut plain).map_err(|_| AgentError::unproven(Unproven::Body))?;
    }
    opening.file.write_all(&plain).map_err(|e| Failure::io("writing", path, e))?;
    Ok(())
}

/// How the name of an unfinished file ends.
pub(super) const PARTIAL_ENDING: &str = ".partial";
/// Pieces between the stream and the thread.
const PIECES_WAITING: usize = 2;
