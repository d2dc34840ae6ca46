//! Settling with a host: its signed word on its newest heads is compared with everything that is held of its logs (P-48).
//!
//! After each reading of a ledger the host is asked for its heads under a fresh nonce. A log that got shorter, that has
//! two roots for one size or that does not show that it only grew ends the deed, and what the host signed becomes a
//! finding. What it tells of other nodes is compared too; there a contradiction is kept as evidence and the deed goes on,
//! since this host has done nothing wrong.

use std::collections::BTreeSet;

use karute_consent::id::{NodeId, VaultId};
use karute_consent::request::Head;
use karute_consent::statement::Unverified;
use karute_consent::time::Timestamp;
use karute_consent::vault::WitnessSet;
use karute_protocol::cosignature::{WitnessKey, witnessed};
use karute_protocol::finding::{Finding, NotAFinding, SignedHead};
use karute_protocol::limits::HOST_WORD_SECS_MAX;
use karute_protocol::merkle::{TreeHead, verify_consistency};
use karute_protocol::message::{Heads, HeadsFound, Message};
use karute_protocol::trail::{CheckpointText, HeadNonce, Log, ProofHashes, Receipt, SignedTreeHead};

use crate::agent::error::{AgentError, Unproven};
use crate::agent::finding_file::keep_finding;
use crate::agent::heads::{LedgerSeen, Shown, TrailSeen, Word};
use crate::agent::keep::Keep;
use crate::agent::view::VaultView;
use crate::flow::agent::pull::NotPulled;
use crate::flow::agent::session::Session;

/// A ledger as far as it is accepted.
pub(super) struct Accepted {
    vault: VaultId,
    head: TreeHead,
    checkpoint: CheckpointText,
    witnesses: WitnessSet,
}

/// What the host said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// The ledger grew since it was read.
    pub(super) grown: bool,
    /// The host's clock, if it is too far from the own one to be believed.
    pub(super) clock_off_secs: Option<u64>,
}

impl Accepted {
    /// The newest accepted head of a ledger; there is none before the first reading.
    pub(super) fn of(view: &VaultView) -> Result<Option<Self>, AgentError> {
        let Some((head, checkpoint)) = view.head().zip(view.checkpoint()) else { return Ok(None) };
        let witnesses = view.state()?.witness_set();
        Ok(Some(Self { vault: view.vault(), head: tree_head(head), checkpoint: checkpoint.clone(), witnesses }))
    }
}

/// Asks the host for its heads and compares them with what is held. `ledger` is asked about where a request about its
/// vault was permitted in this session.
pub(super) async fn settle(
    session: &mut Session,
    keep: &mut Keep,
    ledger: Option<&Accepted>,
) -> Result<Settled, AgentError> {
    let (node, now) = (session.node(), keep.ambient().now());
    for told in session.take_told() {
        listen(keep, node, &told, now)?;
    }
    let nonce = HeadNonce::from_bytes(keep.ambient().entropy());
    let sizes = sizes_to_prove(keep.heads().trail(node));
    let asked = Heads { nonce, vault: ledger.map(|ledger| ledger.vault), sizes: sizes.clone() };
    let Message::HeadsFound(found) = session.ask(asked).await? else {
        return Err(AgentError::Malformed("answer to heads"));
    };
    let time = settle_trail(keep, node, &found, nonce, &sizes)?;
    let grown = match ledger {
        Some(ledger) => settle_ledger(keep, node, &found, nonce, ledger)?,
        None => false,
    };
    keep.save_heads()?;
    let off = time.abs_diff(now);
    Ok(Settled { grown, clock_off_secs: (off > HOST_WORD_SECS_MAX).then_some(off) })
}

/// The sizes of everything held of a trail: the host has to show that its newest head extends each.
fn sizes_to_prove(seen: Option<&TrailSeen>) -> BTreeSet<u64> {
    seen.into_iter().flat_map(TrailSeen::signed).map(|(head, _)| head.size).filter(|size| *size > 0).collect()
}

/// Takes the host's newest head of its trail, if it extends everything that is held of it.
fn settle_trail(
    keep: &mut Keep,
    node: NodeId,
    found: &HeadsFound,
    nonce: HeadNonce,
    sizes: &BTreeSet<u64>,
) -> Result<Timestamp, AgentError> {
    let word = verified(&found.trail, Log::Trail, node, nonce)?;
    if found.proofs.len() != sizes.len() {
        return Err(AgentError::Malformed("proofs of heads"));
    }
    let proofs: Vec<(u64, &ProofHashes)> = sizes.iter().copied().zip(&found.proofs).collect();
    let seen = keep.heads().trail(node).cloned();
    for (held, signed) in seen.iter().flat_map(TrailSeen::signed) {
        let proof = proofs.iter().find(|(size, _)| *size == held.size).map(|(_, proof)| (*proof).clone());
        let newest = word.head();
        if held.size > newest.size {
            let before = seen.as_ref().and_then(TrailSeen::word);
            return Err(shrunk(keep, node, before, &word, Unproven::ShorterTrail));
        }
        check_grown(keep, node, (held, signed), &word, proof.unwrap_or_default())?;
    }
    let checkpoint = trail_checkpoint(keep, node, found, &word, seen.as_ref())?;
    let (said, now) = (word.time(), keep.ambient().now());
    let proven = checkpoint.head() == word.head() || sizes.contains(&checkpoint.head().size);
    keep.heads_mut().accept(node, word, proven.then(|| checkpoint.clone()), now);
    if !proven {
        keep.heads_mut().hear(node, checkpoint, now);
    }
    Ok(said)
}

/// The checkpoint that came with a trail's head, if it contradicts neither that head nor one that is held.
fn trail_checkpoint(
    keep: &mut Keep,
    node: NodeId,
    found: &HeadsFound,
    word: &Word,
    seen: Option<&TrailSeen>,
) -> Result<Shown, AgentError> {
    let text = &found.trail_checkpoint;
    let head = text.verify(Log::Trail, node).map_err(|_| AgentError::unproven(Unproven::Checkpoint))?;
    let signed = SignedHead::Checkpoint(text.clone());
    let other = match head.size == word.head().size && head.root != word.head().root {
        true => Some(SignedHead::TreeHead(word.statement().clone())),
        false => seen.and_then(|seen| seen.conflicting(&head)),
    };
    if let Some(other) = other {
        return Err(convict(keep, Finding::equivocation(node, signed, other), Unproven::Checkpoint));
    }
    if head.size > word.head().size {
        return Err(AgentError::unproven(Unproven::ShorterTrail));
    }
    Ok(Shown::new(head, text))
}

/// Takes the host's newest head of a ledger, with its cosignatures, if it does not go back. Tells whether it grew.
fn settle_ledger(
    keep: &mut Keep,
    node: NodeId,
    found: &HeadsFound,
    nonce: HeadNonce,
    ledger: &Accepted,
) -> Result<bool, AgentError> {
    let (Some(statement), Some(text)) = (&found.ledger, &found.ledger_checkpoint) else {
        return Err(AgentError::Malformed("heads without the ledger"));
    };
    let log = Log::Ledger(ledger.vault);
    let word = verified(statement, log, node, nonce)?;
    let shown = text.verify(log, node).map_err(|_| AgentError::unproven(Unproven::Checkpoint))?;
    let newest = word.head();
    let seen = keep.ledger_seen(ledger.vault)?;
    let accepted = (ledger.head, SignedHead::Checkpoint(ledger.checkpoint.clone()));
    let before = seen.word.as_ref().map(|word| (word.head(), SignedHead::TreeHead(word.statement().clone())));
    for (held, signed) in std::iter::once(accepted).chain(before).chain([(shown, SignedHead::Checkpoint(text.clone()))])
    {
        if held.size > newest.size {
            return Err(shrunk(keep, node, seen.word.as_ref(), &word, Unproven::OlderHead));
        }
        if held.size == newest.size && held.root != newest.root {
            let finding = Finding::equivocation(node, signed, SignedHead::TreeHead(statement.clone()));
            return Err(convict(keep, finding, Unproven::OlderHead));
        }
    }
    if shown != newest {
        return Err(AgentError::unproven(Unproven::Checkpoint));
    }
    let held = seen.checkpoint.filter(|held| held.head() == newest);
    let joined = join(text, held.as_ref().map(Shown::text), &ledger.witnesses)?;
    let seen = LedgerSeen { word: Some(word), checkpoint: Some(Shown::new(newest, &joined)) };
    keep.put_ledger_seen(ledger.vault, &seen)?;
    Ok(newest.size > ledger.head.size)
}

/// A checkpoint with the newest line of each witness of the set, from it or from one of the same head held before. A line
/// of a witness that does not verify makes all of it refused (P-44).
fn join(text: &CheckpointText, held: Option<&CheckpointText>, set: &WitnessSet) -> Result<CheckpointText, AgentError> {
    let refused = |_| AgentError::unproven(Unproven::Cosignature);
    witnessed(text, set).map_err(refused)?;
    let mut joined = text.clone();
    let Some((held, (_, lines))) = held.and_then(|held| Some((held, held.0.split_once("\n\n")?))) else {
        return Ok(joined);
    };
    for key in set.witnesses.iter().filter_map(|witness| WitnessKey::try_from(witness).ok()) {
        if held.cosignature_of(&key).map_err(refused)?.is_some() {
            joined = joined.with_lines(lines, &key).map_err(refused)?;
        }
    }
    Ok(joined)
}

/// A tree head that the host signed just now, about this log.
fn verified(
    statement: &Unverified<SignedTreeHead>,
    log: Log,
    node: NodeId,
    nonce: HeadNonce,
) -> Result<Word, AgentError> {
    let said = SignedTreeHead::verify(statement.clone(), log, node);
    let said = said.map_err(|_| AgentError::unproven(Unproven::TreeHead))?.into_payload();
    match said.nonce == nonce {
        true => Ok(Word::new(&said, statement.clone())),
        false => Err(AgentError::unproven(Unproven::TreeHead)),
    }
}

/// Whether the newest head of a trail extends one that is held and is not greater.
fn check_grown(
    keep: &mut Keep,
    node: NodeId,
    (held, signed): (TreeHead, SignedHead),
    word: &Word,
    proof: ProofHashes,
) -> Result<(), AgentError> {
    let newest = SignedHead::TreeHead(word.statement().clone());
    let finding = match held.size == word.head().size {
        true if held.root == word.head().root => return Ok(()),
        true => Finding::equivocation(node, signed, newest),
        false if verify_consistency(&held, &word.head(), &proof).is_ok() => return Ok(()),
        false => Finding::inconsistency(node, signed, newest, proof),
    };
    Err(convict(keep, finding, Unproven::Proof))
}

/// A log is shorter than it was: a finding, if the host signed the longer one with an earlier time, or gave a receipt for
/// an event that is not there any more.
fn shrunk(keep: &mut Keep, node: NodeId, before: Option<&Word>, now: &Word, otherwise: Unproven) -> AgentError {
    let longer = before.filter(|before| before.head().size > now.head().size);
    let by_word = longer.and_then(|a| Finding::rollback(node, a.statement().clone(), now.statement().clone()).ok());
    let finding = by_word.or_else(|| {
        let receipts = keep.receipts::<Receipt>().ok()?;
        let beyond = receipts.into_iter().filter(|receipt| receipt.index.0 >= now.head().size);
        let mut found = beyond.map(|receipt| Finding::rollback_of_event(node, receipt, now.statement().clone()));
        found.find_map(Result::ok)
    });
    match finding {
        Some(finding) => convict(keep, Ok(finding), otherwise),
        None => AgentError::unproven(otherwise),
    }
}

/// What a host told of a trail, be it its own. What it signed wrongly is passed over: anybody could have made it up.
fn listen(keep: &mut Keep, host: NodeId, told: &CheckpointText, now: Timestamp) -> Result<(), AgentError> {
    let Some(node) = trail_of(told) else { return Ok(()) };
    let Ok(head) = told.verify(Log::Trail, node) else { return Ok(()) };
    let other = keep.heads().trail(node).and_then(|seen| seen.conflicting(&head));
    keep.heads_mut().hear(node, Shown::new(head, told), now);
    let Some(other) = other else { return Ok(()) };
    let finding = Finding::equivocation(node, other, SignedHead::Checkpoint(told.clone()));
    let lied = convict(keep, finding, Unproven::Checkpoint);
    if node == host { Err(lied) } else { Ok(()) }
}

/// The node that a checkpoint says it is of.
fn trail_of(text: &CheckpointText) -> Option<NodeId> {
    text.0.lines().next()?.strip_prefix("karute/trail/")?.parse().ok()
}

/// What to make of a ledger that could not be read: its host's signatures, if they convict it.
pub(super) async fn refused_ledger(
    session: &mut Session,
    keep: &mut Keep,
    accepted: Option<&Accepted>,
    not: NotPulled,
) -> AgentError {
    match (not, accepted) {
        (NotPulled::OtherLedger { signed, read }, Some(ledger)) => {
            other_ledger(session, keep, ledger, (&signed, read)).await
        }
        (not, _) => not.into(),
    }
}

/// What to make of a ledger that does not extend the accepted one: the host's signatures, if they convict it.
async fn other_ledger(
    session: &mut Session,
    keep: &mut Keep,
    ledger: &Accepted,
    (signed, read): (&CheckpointText, Head),
) -> AgentError {
    let node = session.node();
    let older = AgentError::unproven(Unproven::OlderHead);
    let Ok(head) = signed.verify(Log::Ledger(ledger.vault), node) else { return older };
    let (a, b) = (SignedHead::Checkpoint(ledger.checkpoint.clone()), SignedHead::Checkpoint(signed.clone()));
    if head.size < ledger.head.size {
        // The checkpoint has no time; a tree head has one, and what was signed with a later time convicts.
        return settle(session, keep, Some(ledger)).await.err().unwrap_or(older);
    }
    let finding = match head.size == ledger.head.size {
        true => Finding::equivocation(node, a, b),
        // Every entry was read and leads to what it signed, and not by way of what it had signed before.
        false if head == tree_head(read) => Finding::inconsistency(node, a, b, Vec::new()),
        false => return older,
    };
    convict(keep, finding, Unproven::OlderHead)
}

/// Keeps a finding and says so; what is none is only told.
pub(super) fn convict(keep: &mut Keep, finding: Result<Finding, NotAFinding>, otherwise: Unproven) -> AgentError {
    let Ok(finding) = finding else { return AgentError::unproven(otherwise) };
    match keep_finding(keep, &finding) {
        Ok(file) => AgentError::Lied { kind: finding.kind(), accused: finding.accused(), file },
        Err(error) => error,
    }
}

pub(super) fn tree_head(head: Head) -> TreeHead {
    TreeHead { size: head.size, root: head.root.into() }
}
