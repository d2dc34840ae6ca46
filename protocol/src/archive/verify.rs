//! Verifying a proof file: everything in it is signed, and everything signed speaks of the same record (P-33).

use karute_consent::id::Digest;
use karute_consent::request::Request;
use karute_consent::statement::{StatementError, Verified};

use super::ProofFile;
use crate::merkle::TreeHead;
use crate::particulars::{LetterError, check_letter};
use crate::record::{Header, HeaderError, Meta, MetaError};
use crate::run::{ReWrap, Run, RunError};
use crate::trail::{EventKind, Outcome, ReceiptError};
use crate::wire::ByteCount;

/// What a good proof file proves.
pub struct Proven {
    /// Signed by the depositor.
    pub header: Verified<Header>,
    /// Signed by the depositor.
    pub run: Verified<Run>,
    /// Signed by a device; whether it was one in force is for the ledger to say.
    pub re_wrap: Option<Verified<ReWrap>>,
    /// Signed by who fetched.
    pub request: Verified<Request>,
    /// What the record is.
    pub meta: Meta,
    /// The host's trail as the receipt's checkpoint has it.
    pub trail: TreeHead,
}

impl ProofFile {
    /// Verifies signatures and receipt, that all of it is about one record, and opens the meta (P-33).
    pub fn verify(&self) -> Result<Proven, ProofError> {
        let header = self.header.clone().verify().map_err(ProofError::Statement)?;
        let run = self.run.clone().verify().map_err(ProofError::Statement)?;
        let re_wrap =
            self.re_wrap.clone().map(|re_wrap| re_wrap.verify()).transpose().map_err(ProofError::Statement)?;
        let request = self.request.clone().verify().map_err(ProofError::Statement)?;
        let trail = self.receipt.verify(self.node).map_err(ProofError::Receipt)?;
        self.check_record(&header, &run, re_wrap.as_ref())?;
        self.check_receipt(&header, &request)?;
        let meta = self.meta.open(&self.meta_key).map_err(ProofError::Meta)?;
        Ok(Proven { header, run, re_wrap, request, meta, trail })
    }

    /// Header, run, re-wrap, meta and place belong together.
    fn check_record(
        &self,
        header: &Verified<Header>,
        run: &Verified<Run>,
        re_wrap: Option<&Verified<ReWrap>>,
    ) -> Result<(), ProofError> {
        Header::check_run(header, run).map_err(ProofError::Header)?; // P-16
        header.payload().check_meta(&self.meta).map_err(ProofError::Header)?; // P-17
        let (mut collection, mut generation) = (run.payload().collection, run.payload().generation);
        if let Some(re_wrap) = re_wrap.map(Verified::payload) {
            re_wrap.check_replaces(run, re_wrap.replaces).map_err(ProofError::ReWrap)?;
            (collection, generation) = (re_wrap.collection, re_wrap.generation);
        }
        let place = (self.vault, self.collection, self.generation);
        if place == (header.payload().vault, collection, generation) { Ok(()) } else { Err(ProofError::OtherRecord) }
    }

    /// The receipt is for this request at this host, and the request for this vault and record.
    fn check_receipt(&self, header: &Verified<Header>, request: &Verified<Request>) -> Result<(), ProofError> {
        let (event, asked) = (&self.receipt.event, request.payload());
        let same = self.receipt.leaf.vault == self.vault
            && asked.vault == self.vault
            && asked.node == self.node
            && matches!(event.kind, EventKind::Read | EventKind::Export)
            && event.request == Some(asked.id)
            && event.party == request.signer()
            && event.chain == asked.chain;
        if !same {
            return Err(ProofError::OtherRequest); // P-33
        }
        check_letter(asked.acting_hash, event.acting.as_ref()).map_err(ProofError::Acting)?; // P-27
        if event.outcome != Outcome(0) || !event.may_be_about(&header.payload().record) {
            return Err(ProofError::OtherRecord); // P-33
        }
        Ok(())
    }
}

impl Proven {
    /// Refuses a file that is not the one that the meta names (P-33); `digest` is the SHA-256 of its bytes.
    pub fn check_file(&self, length: ByteCount, digest: Digest) -> Result<(), ProofError> {
        if (self.meta.length, self.meta.digest) == (length, digest) { Ok(()) } else { Err(ProofError::OtherFile) } // P-33
    }
}

/// Why a proof file proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A statement does not verify.
    #[error("a statement of the proof does not verify")]
    Statement(#[source] StatementError),
    /// The receipt does not verify.
    #[error("receipt of the proof does not verify")]
    Receipt(#[source] ReceiptError),
    /// Header, run and meta do not belong together.
    #[error("header, run and meta of the proof do not belong together")]
    Header(#[source] HeaderError),
    /// The re-wrap is of another run.
    #[error("re-wrap of the proof is of another run")]
    ReWrap(#[source] RunError),
    /// The receipt is for another request, party, vault or host.
    #[error("receipt of the proof is for another request")]
    OtherRequest,
    /// The receipt's acting person is not the request's.
    #[error("acting person of the receipt is not the request's")]
    Acting(#[source] LetterError),
    /// Record or place are others.
    #[error("proof is about another record")]
    OtherRecord,
    /// The meta does not open.
    #[error("meta of the proof does not open")]
    Meta(#[source] MetaError),
    /// The file is not the one that the meta names.
    #[error("file is not the one that the proof is about")]
    OtherFile,
}
