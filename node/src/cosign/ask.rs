//! One witness asked about one head of one log: the request, and what to do about an answer that is not yes.
//!
//! 409 names the size that the witness knows, and the proof begins there; 404 and 403 for a ledger mean that the
//! witness has not been told which node signs it, and it is told. Each of these is done once.

use karute_consent::id::{Seq, VaultId};
use karute_consent::ledger::{LedgerState, Subject};
use karute_consent::time::Timestamp;
use karute_protocol::cosignature::CosignatureError;
use karute_protocol::merkle::TreeHead;
use karute_protocol::trail::{CheckpointText, Log};
use karute_protocol::wire::Octets;
use karute_protocol::witness::{AddCheckpoint, Admission};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{NoAnswer, WitnessEnd, Witnesses};
use crate::vault::{ReadError, Store};

/// A head of a log of this node, to be cosigned.
#[derive(Clone)]
pub struct Question {
    /// Has the proofs.
    pub store: Store,
    /// Which log.
    pub log: Log,
    /// What of it.
    pub head: TreeHead,
    /// The same, signed by this node alone.
    pub text: CheckpointText,
}

/// Why a witness did not cosign.
#[derive(Debug, Error)]
pub enum AskError {
    /// It gave no answer.
    #[error("the witness {0}")]
    NoAnswer(#[from] NoAnswer),
    /// It answered with another status than one that has a remedy.
    #[error("the witness answered with status {0}")]
    Status(u16),
    /// It knows more of this log than it was shown, or another one.
    #[error("the witness holds a head of {0} leaves that the one it was shown does not lead from")]
    OtherHead(u64),
    /// It does not take the vault.
    #[error("the witness does not admit the vault (status {0})")]
    NotAdmitted(u16),
    /// Its answer is no cosignature that verifies (P-44).
    #[error("the witness's cosignature does not verify")]
    Cosignature(#[source] CosignatureError),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    /// The log is not one that can be shown to a witness.
    #[error("the log cannot be shown to a witness")]
    NotShown,
}

/// What came instead of a cosignature.
#[derive(Debug)]
pub struct NotCosigned {
    /// Why.
    pub error: AskError,
    /// The checkpoint that the witness holds, where it does not fit to this log: not verified.
    pub held: Option<CheckpointText>,
}

impl Witnesses {
    /// Asks a witness that is thought to know the log up to `known`. Gives the checkpoint with its cosignature.
    pub async fn ask(
        &self,
        end: &WitnessEnd,
        question: &Question,
        known: u64,
        now: Timestamp,
    ) -> Result<CheckpointText, NotCosigned> {
        let asked = self.ask_until_answered(end, question, known).await;
        self.note(end, now, asked.as_ref().err());
        let error = match asked {
            Ok(text) => return Ok(text),
            Err(error) => error,
        };
        let held = match &error {
            AskError::OtherHead(_) | AskError::Status(STATUS_UNPROCESSABLE) => {
                self.held(end, question.log, question).await
            }
            _ => None,
        };
        Err(NotCosigned { error, held })
    }

    async fn ask_until_answered(
        &self,
        end: &WitnessEnd,
        question: &Question,
        known: u64,
    ) -> Result<CheckpointText, AskError> {
        let mut old = known.min(question.head.size);
        let (mut resized, mut admitted) = (0, false);
        loop {
            let body = question.body(old)?;
            let answered = self.connect.post(&end.url, "/add-checkpoint", body).await?;
            match (answered.status, question.log) {
                (200, _) => {
                    let lines = str::from_utf8(&answered.body).map_err(|_| NoAnswer::Malformed)?;
                    return question.text.with_lines(lines, &end.key).map_err(AskError::Cosignature);
                }
                (STATUS_CONFLICT, _) if resized < RESIZED_MAX => {
                    let size = read_size(&answered.body).ok_or(NoAnswer::Malformed)?;
                    if size > question.head.size || size == old {
                        return Err(AskError::OtherHead(size));
                    }
                    (old, resized) = (size, resized + 1);
                }
                (STATUS_UNKNOWN | STATUS_FORBIDDEN, Log::Ledger(vault)) if !admitted => {
                    let body = question.admission(vault)?;
                    match self.connect.post(&end.url, "/karute/admit", body).await?.status {
                        200 => admitted = true,
                        status => return Err(AskError::NotAdmitted(status)),
                    }
                }
                (status, _) => return Err(AskError::Status(status)),
            }
        }
    }

    /// The checkpoint that a witness holds of a log.
    async fn held(&self, end: &WitnessEnd, log: Log, question: &Question) -> Option<CheckpointText> {
        let origin = log.origin(question.store.node());
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(origin.as_str()));
        let answered = self.connect.get(&end.url, &format!("/{hash}/checkpoint")).await.ok()?;
        let text = (answered.status == 200).then(|| String::from_utf8(answered.body).ok())??;
        Some(CheckpointText(text))
    }
}

impl Question {
    fn body(&self, old: u64) -> Result<Vec<u8>, AskError> {
        let proof = self.store.consistency(self.log, old, self.head.size)?;
        let asked = AddCheckpoint::new(old, proof, &self.text).map_err(|_| AskError::NotShown)?;
        Ok(asked.to_bytes())
    }

    /// The charter and every authority of a vault.
    fn admission(&self, vault: VaultId) -> Result<Vec<u8>, AskError> {
        let state = self.store.ledger(vault)?.ok_or(AskError::NotShown)?;
        let charter = self.statement(&state, Seq::FIRST)?;
        let is_authority = |seq: &u64| matches!(state.subject(Seq(*seq)), Some(Subject::Authority));
        let authorities = (0..state.size()).filter(is_authority).map(|seq| self.statement(&state, Seq(seq)));
        let admission = Admission { charter, authorities: authorities.collect::<Result<_, _>>()? };
        admission.to_bytes().map_err(|_| AskError::NotShown)
    }

    fn statement(&self, state: &LedgerState, seq: Seq) -> Result<Octets, AskError> {
        let item = self.store.item(state.vault(), seq, 0)?.ok_or(AskError::NotShown)?;
        Ok(Octets(item.body.ok_or(AskError::NotShown)?))
    }
}

/// A size as 409 names it: decimal digits and a newline.
fn read_size(body: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(body).ok()?.strip_suffix('\n')?;
    let size: u64 = digits.parse().ok()?;
    (size.to_string() == digits).then_some(size)
}

const STATUS_FORBIDDEN: u16 = 403;
const STATUS_UNKNOWN: u16 = 404;
const STATUS_CONFLICT: u16 = 409;
const STATUS_UNPROCESSABLE: u16 = 422;
/// Times that a witness may name another size in one exchange; others may be asking it for the same log.
const RESIZED_MAX: u32 = 2;
