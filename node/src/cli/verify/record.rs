//! `karute verify record`: a fetched file against the proof beside it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use karute_consent::id::{Digest, NodeId};
use karute_protocol::archive::{ProofFile, Proven};
use karute_protocol::limits::PROOF_FILE_LEN_MAX;
use karute_protocol::wire::ByteCount;
use serde_json::json;
use sha2::Digest as _;

use super::{read, unproven};
use crate::cli::frame::Frame;
use crate::cli::moment;
use crate::cli::output::size;
use crate::failure::{Failure, FailureKind};

/// Check a fetched file against its proof: who deposited it, under which request it was read
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  karute verify record records/ct.dcm
  karute verify record ct.dcm --proof ct.dcm.proof --node 5f3a...")]
pub(super) struct RecordArgs {
    /// The file
    file: PathBuf,
    /// Its proof [default: the file's name and .proof]
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    /// The node that must have vouched for it, by its id
    #[arg(long, value_name = "NODE")]
    node: Option<NodeId>,
}

impl RecordArgs {
    pub(super) fn run(self, frame: &Frame) -> Result<(), Failure> {
        let path = self.proof.unwrap_or_else(|| {
            let mut name = self.file.clone().into_os_string();
            name.push(".proof");
            PathBuf::from(name)
        });
        let proof = ProofFile::from_bytes(&read(&path, PROOF_FILE_LEN_MAX)?).map_err(|e| unproven(&path, e))?;
        if self.node.is_some_and(|node| node != proof.node) {
            return Err(Failure::new(FailureKind::Verification, format!("the proof is of node {}", proof.node)));
        }
        let proven = proof.verify().map_err(|e| unproven(&path, e))?;
        let (length, digest) = digest(&self.file)?;
        proven.check_file(ByteCount(length), digest).map_err(|e| unproven(&self.file, e))?;
        show(&proof, &proven, frame)
    }
}

fn show(proof: &ProofFile, proven: &Proven, frame: &Frame) -> Result<(), Failure> {
    let (header, request) = (proven.header.payload(), proven.request.payload());
    let shown = json!({
        "good": true, "vault": proof.vault.to_string(), "record": header.record.to_string(), "title": proven.meta.title,
        "digest": proven.meta.digest.to_string(), "depositor": proven.header.signer().to_string(),
        "sealed_at": header.time.secs(), "reader": proven.request.signer().to_string(), "purpose": request.purpose.word(),
        "read_at": proof.receipt.leaf.time.secs(), "node": proof.node.to_string(), "number": proof.receipt.leaf.number.0,
    });
    frame.show(&shown, || {
        format!(
            "good: the file is byte for byte the one that was deposited\n\
             title      {}  ({})\nrecord     {}\nvault      {}\ndeposited  by {}, {} UTC by its clock\n\
             read       by {}, {} UTC, purpose {}\nvouched    by node {}, number {} in the vault's trail\n\n\
             Whether these keys are who you think is for their cards to show; whether a grant was in force is for the ledger.",
            proven.meta.title,
            size(proven.meta.length.0),
            header.record,
            proof.vault,
            proven.header.signer(),
            moment::minute(header.time),
            proven.request.signer(),
            moment::minute(proof.receipt.leaf.time),
            request.purpose,
            proof.node,
            proof.receipt.leaf.number.0,
        )
    })
}

fn digest(path: &Path) -> Result<(u64, Digest), Failure> {
    let failed = |e| Failure::io("reading", path, e);
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = sha2::Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut length = 0;
    loop {
        let got = file.read(&mut buffer).map_err(failed)?;
        if got == 0 {
            return Ok((length, Digest::from_bytes(hash.finalize().into())));
        }
        hash.update(&buffer[..got]);
        length += got as u64;
    }
}

const BUFFER_BYTES: usize = 256 * 1024;
