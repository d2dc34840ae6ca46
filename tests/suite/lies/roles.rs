//! What each party does while it is lied to, and what came of it.

use std::collections::{BTreeMap, BTreeSet};

use karute_consent::id::{CollectionId, RecordId};
use karute_node::agent::error::AgentError;
use karute_node::agent::finding_file::findings;
use karute_node::agent::freshness::VouchedBy;
use karute_node::agent::keep::Keep;
use karute_node::flow::agent::auditing::audit_all;
use karute_node::flow::agent::create::fresh_recovery_code;
use karute_node::flow::agent::receipts::check_receipts;
use karute_node::flow::agent::recover::recover;
use karute_node::net::TransportSeed;
use karute_protocol::finding::{Finding, FindingKind};
use karute_protocol::message::Message;
use karute_protocol::recovery::RecoveryCode;
use karute_tests::liar::Lie;
use karute_tests::world::PatientEnd;

use super::Came;
use super::stage::{Stage, anything, lab};

/// Who is lied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Patient,
    SecondDevice,
    Reader,
    RevokedReader,
    Guardian,
    KnownDepositor,
    NewDepositor,
    Recovering,
}

impl Role {
    /// In the order in which they are lied to: those who change the vault come last.
    pub(super) const ALL: [Role; 8] = [
        Role::Patient,
        Role::SecondDevice,
        Role::Reader,
        Role::RevokedReader,
        Role::Guardian,
        Role::KnownDepositor,
        Role::NewDepositor,
        Role::Recovering,
    ];

    /// The name of the cast.
    pub(super) fn name(self) -> &'static str {
        match self {
            Role::Patient => "hanako",
            Role::SecondDevice => "hanako/tablet",
            Role::Reader => "B",
            Role::RevokedReader => "C",
            Role::Guardian => "guardian",
            Role::KnownDepositor => "A",
            Role::NewDepositor => "D",
            Role::Recovering => "hanako/new",
        }
    }

    pub(super) fn is_patient(self) -> bool {
        matches!(self, Role::Patient | Role::SecondDevice | Role::Recovering)
    }
}

/// How it went.
#[derive(Debug, Default)]
pub(super) struct Went {
    findings: Vec<FindingKind>,
    refused: Vec<&'static str>,
    told: Vec<String>,
    /// It believes what is not so.
    wrong: Vec<String>,
    less: bool,
    vouched: bool,
}

impl Went {
    pub(super) fn came(&self, _: &Stage) -> Came {
        match self {
            Self { wrong, .. } if !wrong.is_empty() => Came::Deceived,
            Self { findings, .. } if !findings.is_empty() => Came::Finding(findings[0]),
            Self { refused, .. } if !refused.is_empty() => Came::Refused(refused[0]),
            Self { told, .. } if !told.is_empty() => Came::Told,
            Self { vouched: true, .. } => Came::Vouched,
            Self { less: true, .. } => Came::Less,
            _ => Came::Harmless,
        }
    }

    fn take<T>(&mut self, result: Result<T, AgentError>) -> Option<T> {
        match result {
            Ok(done) => return Some(done),
            Err(AgentError::Lied { kind, .. }) => self.findings.push(kind),
            Err(other) => self.refused.push(name_of(&other)),
        }
        None
    }

    fn shown(&mut self, listed: impl IntoIterator<Item = RecordId>, truth: &BTreeMap<RecordId, Vec<u8>>) {
        let listed: BTreeSet<RecordId> = listed.into_iter().collect();
        self.less |= !truth.keys().all(|record| listed.contains(record));
    }

    fn got(&mut self, record: RecordId, bytes: &[u8], truth: &BTreeMap<RecordId, Vec<u8>>) {
        if truth.get(&record).is_some_and(|own| own != bytes) {
            self.wrong.push(format!("other bytes of {record}"));
        }
    }
}

/// One word for an error.
fn name_of(error: &AgentError) -> &'static str {
    match error {
        AgentError::Refused => "refused",
        AgentError::Fault(_) => "fault",
        AgentError::Unreachable(_) => "cut",
        AgentError::Malformed(_) => "malformed",
        AgentError::VerificationFailed { what } => Box::leak(format!("{what:?}").into_boxed_str()),
        AgentError::Lied { .. } => "lied",
        AgentError::NotFresh(_) => "not fresh",
        AgentError::Unknown(_) => "unknown",
        AgentError::Impossible(_) => "impossible",
        AgentError::Local(_) => "local",
    }
}

/// A role does what it does; a finding it keeps holds for anybody, and not after a flipped bit.
pub(super) async fn play(stage: &mut Stage, role: Role, lie: Lie) -> Went {
    let asked_before = stage.liar.tape().asked.len();
    let mut went = Went::default();
    match role {
        Role::Patient | Role::SecondDevice => owns(stage, role, &mut went).await,
        Role::Recovering => recovers(stage, &mut went).await,
        Role::Reader | Role::Guardian => reads(stage, role, &mut went).await,
        Role::RevokedReader => tries_to_read(stage, &mut went).await,
        Role::KnownDepositor | Role::NewDepositor => deposits(stage, role, lie, &mut went).await,
    }
    if lie == Lie::ReplaysARequest {
        replays(stage, asked_before, &mut went).await;
    }
    let node = stage.world.node();
    let keep = match role.is_patient() {
        true => stage.world.patient(role.name()).agent.keep(),
        false => stage.world.facility(role.name()).agent.keep(),
    };
    went.findings.iter().for_each(|kind| assert!(kept(keep).contains(kind), "{kind} is kept"));
    for kept in findings(keep).unwrap() {
        assert_eq!(kept.verdict.accused.as_bytes(), node.as_bytes());
    }
    went
}

/// The kinds of the findings kept, each checked as anybody would.
fn kept(keep: &Keep) -> Vec<FindingKind> {
    let check = |(name, bytes): (String, Vec<u8>)| {
        let verdict = Finding::from_bytes(&bytes).unwrap().verify().unwrap();
        // The proof that the host gave stands at the end of an inconsistency: another one that is none either changes nothing.
        let last = if verdict.kind == FindingKind::Inconsistency { 0 } else { bytes.len() - 1 };
        for at in [0, bytes.len() / 4, bytes.len() / 3, last] {
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            let holds = Finding::from_bytes(&bent).is_ok_and(|bent| bent.verify().is_ok());
            assert!(!holds, "{name} holds with byte {at} of {} flipped", bytes.len());
        }
        verdict.kind
    };
    keep.findings().unwrap().into_iter().map(check).collect()
}

/// A device: syncs, lists, reads everything, checks the host.
async fn owns(stage: &mut Stage, role: Role, went: &mut Went) {
    let truth = stage.truth.clone();
    let end = stage.world.patient(role.name());
    let synced = end.syncs().await;
    went.take(synced);
    let listed = end.lists().await;
    let mut known: BTreeSet<RecordId> = truth.keys().copied().collect();
    if let Some(listed) = went.take(listed) {
        let listed: BTreeSet<RecordId> = listed.records.iter().map(|line| line.record).collect();
        went.shown(listed.iter().copied(), &truth);
        known.retain(|record| listed.contains(record));
    }
    for record in &known {
        let bytes = end.reads(*record).await;
        if let Some(bytes) = went.take(bytes) {
            went.got(*record, &bytes, &truth);
        }
    }
    let report = audit_all(&mut end.agent, &mut end.reach).await;
    if let Some(report) = went.take(report) {
        went.findings.extend(report.findings.iter().map(|line| line.verdict.kind));
        went.told.extend(report.complaints.iter().map(ToString::to_string));
    }
}

/// An empty machine with the sheet of paper: takes the vault back, then does as a device does.
async fn recovers(stage: &mut Stage, went: &mut Went) {
    let printed = stage.world.patient("hanako").code.as_ref().expect("it made the vault").to_string();
    let link = stage.link.clone();
    let PatientEnd { agent, reach, .. } = stage.world.patient(Role::Recovering.name());
    let (old, new) = (RecoveryCode::from_text(&printed).unwrap(), fresh_recovery_code(agent.ambient()));
    let recovered = recover(agent, reach, &link, &old, &new).await;
    if went.take(recovered).is_some() {
        owns(stage, Role::Recovering, went).await;
    }
}

/// A holder of a grant: syncs, lists, fetches, checks its receipts.
async fn reads(stage: &mut Stage, role: Role, went: &mut Went) {
    let (vault, truth) = (stage.vault, stage.truth.clone());
    let end = stage.world.facility(role.name());
    let synced = end.syncs(vault).await;
    if let Some(synced) = went.take(synced) {
        went.told.extend(synced.complaints.iter().map(|grant| format!("the keys of {grant} do not hold")));
    }
    let listed = end.lists(vault, anything()).await;
    if let Some(listed) = went.take(listed) {
        went.shown(listed.records.iter().map(|line| line.record), &truth);
    }
    let fetched = end.fetches(vault, anything()).await;
    if let Some(fetched) = went.take(fetched) {
        went.shown(fetched.iter().map(|(record, _)| *record), &truth);
        fetched.iter().for_each(|(record, bytes)| went.got(*record, bytes, &truth));
    }
    checks_receipts(stage, role, went).await;
}

async fn checks_receipts(stage: &mut Stage, role: Role, went: &mut Went) {
    let vault = stage.vault;
    let end = stage.world.facility(role.name());
    let report = check_receipts(&mut end.agent, &mut end.reach, vault).await;
    if let Some(report) = went.take(report) {
        went.findings.extend(report.findings.iter().map(|line| line.verdict.kind));
        went.told.extend(report.complaints.iter().map(ToString::to_string));
    }
}

/// Who has no right any more. What it could read before it may still get of a liar; nothing that was sealed since.
async fn tries_to_read(stage: &mut Stage, went: &mut Went) {
    let (vault, truth, later) = (stage.vault, stage.truth.clone(), stage.later);
    let fetched = stage.world.facility(Role::RevokedReader.name()).fetches(vault, anything()).await;
    if let Some(fetched) = went.take(fetched) {
        fetched.iter().for_each(|(record, bytes)| went.got(*record, bytes, &truth));
        if fetched.iter().any(|(record, _)| *record == later) {
            went.wrong.push("it opened what was sealed after the revocation".to_owned());
        }
    }
}

/// Deposits one record and checks its receipts. Where nothing was refused, it is sealed to keys that no revoked holder has.
async fn deposits(stage: &mut Stage, role: Role, lie: Lie, went: &mut Went) {
    let (vault, generation) = (stage.vault, stage.generation);
    if lie == Lie::ForgetsADeposit {
        let (thrown_away, transport) = (stage.copies_host(None).await, transport_of(stage, role));
        stage.liar.shows_to(&transport, &thrown_away);
        stage.world.facility(role.name()).reach.hang_up();
    }
    let end = stage.world.facility(role.name());
    let file = end.writes(format!("of {}", role.name()).as_bytes(), lab());
    let done = end.deposits_files(vault, vec![file]).await;
    if let Some(done) = went.take(done) {
        let line = &done.records[0];
        let by_host = done.freshness.is_none_or(|fresh| fresh.by == VouchedBy::Host);
        let filed = line.collection == Some(CollectionId::INBOX) || line.generation == generation;
        went.vouched |= by_host && !filed;
        if !filed && !by_host {
            went.wrong.push("it was sealed to keys that a revoked holder has".to_owned());
        }
    }
    if lie == Lie::ForgetsADeposit {
        let own = stage.world.host().clone();
        stage.world.passes(120);
        stage.grows(&own).await;
        stage.liar.shows(&own);
        stage.world.facility(role.name()).reach.hang_up();
    }
    checks_receipts(stage, role, went).await;
}

fn transport_of(stage: &mut Stage, role: Role) -> TransportSeed {
    stage.world.facility(role.name()).agent.transport()
}

/// Every signed request that a party made goes to the true host once more, from another peer id: nobody is served.
async fn replays(stage: &mut Stage, from: usize, went: &mut Went) {
    let asked = stage.liar.tape().asked.split_off(from);
    let mut replayed = 0;
    for message in asked {
        let signed = matches!(
            message,
            Message::Sync(_) | Message::List(_) | Message::Fetch(_) | Message::Audit(_) | Message::Key(_)
        );
        if !signed {
            continue;
        }
        replayed += 1;
        let mut wire = stage.world.wire_of(&TransportSeed::new([77; 32])).await;
        let answered = wire.ask(message.clone()).await;
        if !answered.as_ref().is_some_and(|answered| answered.is_refusal()) {
            went.wrong.push(format!("a replayed request was served: {answered:?}"));
        }
    }
    assert!(replayed > 0, "everybody asks for something");
}
