//! Attach: takes an attachment that a later append names by its hash.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use karute_consent::id::Digest;
use karute_consent::limits::ATTACHMENTS_MAX;
use karute_consent::tree::digest_of;
use karute_protocol::message::{Attach, Done, FaultCode};
use serde_bytes::ByteBuf;

use super::answer::{Answer, Turned};
use super::session::Context;

/// Attachments of one session, by SHA-256, until an append that names them is committed. Locked for a look only.
#[derive(Default)]
pub(super) struct Attachments(Mutex<HashMap<Digest, Vec<u8>>>);

/// Keeps the attachment for the session.
pub(super) async fn attach(cx: &Context, answer: &Answer, message: Attach) -> Result<(), Turned> {
    // Read, verify: its length was checked with the message. Decide: there is room.
    cx.session.attachments.keep(message.bytes.into_vec())?;
    // Answer; nothing is committed before the append.
    answer.send(Done { receipt: None }).await
}

impl Attachments {
    /// The attachment with this hash.
    pub(super) fn find(&self, hash: &Digest) -> Option<ByteBuf> {
        self.held().get(hash).cloned().map(ByteBuf::from)
    }

    /// Drops what was appended.
    pub(super) fn forget(&self, hashes: &[Digest]) {
        let mut held = self.held();
        for hash in hashes {
            held.remove(hash);
        }
    }

    fn keep(&self, bytes: Vec<u8>) -> Result<(), Turned> {
        let hash = digest_of(&[&bytes]);
        let mut held = self.held();
        if held.len() >= ATTACHMENTS_MAX && !held.contains_key(&hash) {
            return Err(Turned::Fault(FaultCode::Limit));
        }
        held.insert(hash, bytes);
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Digest, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
