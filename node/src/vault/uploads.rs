//! Bodies on their way in: the blocking work is done off the runtime's own threads.

use karute_consent::id::{Digest, PartyKey, RecordId, VaultId};
use karute_consent::tree::digest_of;
use karute_protocol::bao::BodyRoot;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::bodies::{Bodies, UploadError, UploadId};
use super::store::Store;

/// Where the key commitment stands in a sealed body: bytes 24 to 55.
const COMMITMENT_AT: u64 = 24;

/// Names an upload: one depositor's body of one record.
pub fn upload_id(vault: VaultId, depositor: PartyKey, record: RecordId) -> UploadId {
    let digest = digest_of(&[b"karute-upload-v1\0", vault.as_bytes(), depositor.as_bytes(), record.as_bytes()]);
    UploadId(*digest.as_bytes())
}

impl Store {
    /// Begins or resumes an upload of `length` bytes. Returns where it goes on.
    pub async fn begin_upload(&self, id: UploadId, length: u64) -> Result<u64, UploadError> {
        self.off_thread(move |bodies| bodies.open_partial(id, length)).await
    }

    /// Appends a piece at exactly the place where the upload goes on. Returns the next place.
    pub async fn append_upload(
        &self,
        id: UploadId,
        offset: u64,
        piece: impl AsRef<[u8]> + Send + 'static,
    ) -> Result<u64, UploadError> {
        self.off_thread(move |bodies| bodies.append(id, offset, piece.as_ref())).await
    }

    /// The key commitment in an upload, once that much has come.
    pub async fn upload_commitment(&self, id: UploadId) -> Result<Digest, UploadError> {
        self.off_thread(move |bodies| {
            let mut commitment = [0; Digest::LEN];
            let file = bodies.partial(id)?;
            file.read_exact_at(&mut commitment, COMMITMENT_AT).map_err(|_| UploadError::Incomplete)?;
            Ok(Digest::from_bytes(commitment))
        })
        .await
    }

    /// Puts a complete upload into its place, durably; a record that names it may be committed then.
    pub async fn finish_upload(&self, id: UploadId, root: BodyRoot) -> Result<(), UploadError> {
        self.off_thread(move |bodies| bodies.finish(id, root)).await
    }

    /// Whether a body is in its place.
    pub fn holds_body(&self, root: BodyRoot) -> bool {
        self.inner.bodies.holds(root)
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        deed: impl FnOnce(Arc<Bodies>) -> Result<T, UploadError> + Send + 'static,
    ) -> Result<T, UploadError> {
        let bodies = Arc::clone(&self.inner.bodies);
        let done = tokio::task::spawn_blocking(move || deed(bodies)).await;
        done.unwrap_or_else(|stopped| Err(UploadError::Disk(std::io::Error::other(stopped))))
    }
}
