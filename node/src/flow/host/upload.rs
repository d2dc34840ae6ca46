//! Body: begins or resumes the upload of a sealed body, and takes its pieces in order.

use bytes::Bytes;
use karute_consent::id::RecordId;
use karute_protocol::body::SealedLen;
use karute_protocol::message::{Body, FaultCode, Offset};
use karute_protocol::wire::ByteCount;

use super::answer::{Answer, Turned};
use super::session::{Context, Open};
use crate::vault::bodies::{UploadError, UploadId};
use crate::vault::upload_id;

/// A body that is coming in.
pub(super) struct Upload {
    pub(super) record: RecordId,
    id: UploadId,
    offset: u64,
    answer: Answer,
}

/// Begins or resumes; says where the next piece starts.
pub(super) async fn body(cx: &Context, open: &mut Open, answer: &Answer, message: Body) -> Result<(), Turned> {
    let host = &cx.host;
    // Read, verify.
    let Body { run, record, length } = message;
    SealedLen::new(length.0).map_err(|_| Turned::Fault(FaultCode::Malformed))?; // P-15
    // Decide.
    let run = open.runs.get(&run).cloned().ok_or(Turned::Fault(FaultCode::NotInForce))?;
    host.answered(&cx.session, &run.permit, host.still(&run.permit)).await?;
    if let Some(row) = host.known(&run.permit, record)? {
        let receipt = Some(host.store.record_receipt(&row)?);
        return answer.send(Offset { offset: length, receipt }).await; // P-31
    }
    if open.uploads.len() >= UPLOADS_MAX {
        return Err(Turned::Fault(FaultCode::Limit));
    }
    // Answer; nothing is committed before the put.
    let id = upload_id(run.permit.vault(), run.permit.party(), record);
    let offset = host.store.begin_upload(id, length.0).await?;
    open.uploads.insert(answer.number(), Upload { record, id, offset, answer: answer.clone() });
    answer.send(Offset { offset: ByteCount(offset), receipt: None }).await
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
    match cx.host.store.append_upload(upload.id, upload.offset, bytes).await {
        Ok(next) => {
            upload.offset = next;
            Ok(())
        }
        Err(error) => {
            let answer = upload.answer.clone();
            open.uploads.remove(&number);
            if answer.turn(error.into()).await { Ok(()) } else { Err(Turned::Gone) }
        }
    }
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
