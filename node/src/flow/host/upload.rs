//! Body: begins or resumes the upload of a sealed body, and takes its pieces in order, as long as the permit holds.

use std::sync::Arc;

use bytes::Bytes;
use karute_consent::id::RecordId;
use karute_protocol::body::SealedLen;
use karute_protocol::message::{Body, FaultCode, Offset};
use karute_protocol::wire::ByteCount;

use super::Host;
use super::answer::{Answer, Turned, enter};
use super::session::{Context, Open};
use crate::vault::bodies::{UploadError, UploadId};
use crate::vault::{Lease, upload_id};

/// A body that is coming in.
pub(super) struct Upload {
    pub(super) record: RecordId,
    id: UploadId,
    offset: u64,
    answer: Answer,
    /// Entered for each piece: a revocation waits for the one that is being written, and none comes after it.
    lease: Arc<Lease>,
}

/// Begins or resumes; says where the next piece starts.
pub(super) async fn body(cx: &Context, open: &mut Open, answer: &Answer, message: Body) -> Result<(), Turned> {
    let host = &cx.host;
    // Read, verify.
    let Body { run, record, length } = message;
    SealedLen::new(length.0).map_err(|_| Turned::Fault(FaultCode::Malformed))?; // P-15
    // Decide.
    let run = open.runs.get(&run).cloned().ok_or(Turned::Fault(FaultCode::NotInForce))?;
    let inside = host.noted(&cx.session, &run.permit, answer.enter(host, &run.permit)).await?;
    if let Some(row) = host.known(&run.permit, record)? {
        let receipt = Some(host.store.record_receipt(&row)?);
        return answer.send_inside(inside, Offset { offset: length, receipt }).await; // P-31
    }
    if open.uploads.len() >= UPLOADS_MAX {
        return Err(Turned::Fault(FaultCode::Limit));
    }
    // Answer; nothing is committed before the put.
    let id = upload_id(run.permit.vault(), run.permit.party(), record);
    let offset = host.store.begin_upload(id, length.0).await?;
    let lease = answer.lease(host, &run.permit)?;
    open.uploads.insert(answer.number(), Upload { record, id, offset, answer: answer.clone(), lease });
    answer.send_inside(inside, Offset { offset: ByteCount(offset), receipt: None }).await
}

/// Takes a piece at exactly the place where the upload goes on (P-30). A piece of an upload that failed is passed over:
/// it was on its way already.
pub(super) async fn piece(
    cx: &Context,
    open: &mut Open,
    number: crate::frame::FrameId,
    bytes: Bytes,
) -> Result<(), Turned> {
    let Some(upload) = open.uploads.get_mut(&number) else { return Ok(()) };
    let turned = match take(&cx.host, upload, bytes).await {
        Ok(()) => return Ok(()),
        Err(turned) => turned,
    };
    let (answer, lease) = (upload.answer.clone(), upload.lease.clone());
    open.uploads.remove(&number);
    let turned = cx.host.noted(&cx.session, lease.permit(), Err::<(), _>(turned)).await.err().unwrap_or(turned);
    if answer.turn(turned).await { Ok(()) } else { Err(Turned::Gone) }
}

async fn take(host: &Host, upload: &mut Upload, bytes: Bytes) -> Result<(), Turned> {
    let inside = enter(host, &upload.lease)?;
    upload.offset = host.store.append_upload(upload.id, upload.offset, bytes).await?;
    drop(inside);
    Ok(())
}

impl From<UploadError> for Turned {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Length | UploadError::TooMany => Self::Fault(FaultCode::Limit),
            UploadError::NotBegun | UploadError::Offset { .. } | UploadError::Incomplete | UploadError::Changed => {
                Self::Fault(FaultCode::Changed)
            }
            UploadError::Disk(error) => {
                tracing::error!(%error, "a body cannot be stored");
                Self::Fault(FaultCode::Storage)
            }
        }
    }
}

/// Bodies that come in at the same time in one session.
const UPLOADS_MAX: usize = 8;
