//! The desk: one thread that judges, stores and signs, and what others ask it with.
//!
//! Requests that wait together are one group, made durable by one sync. A group holds at most one request for each log,
//! so each is judged by what is durable, and no signature leaves before the heads of its group are.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use karute_consent::id::NodeId;
use karute_consent::party::Identity;
use karute_protocol::cosignature::WitnessKey;
use karute_protocol::note::{KeyName, NoteKey};
use karute_protocol::trail::{CheckpointText, Log};
use karute_protocol::witness::{AddCheckpoint, Admitted, Origin, WitnessRefusal, log_key};
use tokio::sync::{mpsc, oneshot, watch};

use super::keys::WitnessKeys;
use super::limits::{GROUP_MAX, KEYS_OF_LOG_MAX, QUEUE_MAX};
use super::record::{HeadRecord, Record, VaultRecord};
use super::store::{Book, OriginHash, SharedBook, Store, lock, read_checkpoint};
use crate::ambient::Ambient;

/// Whose logs a witness cosigns.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Nodes whose logs are taken on; nobody here: every node's.
    nodes: BTreeSet<NodeId>,
    /// Keys of logs that are not karute's, by origin.
    logs: HashMap<KeyName, Vec<NoteKey>>,
    /// Logs and vaults that are taken on.
    origins_max: usize,
}

/// Why a rule cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// An origin of ours is signed by who it names, not by who is configured.
    #[error("an origin that begins with karute/ cannot be configured as another log")]
    OwnOrigin,
    /// One log has more keys than it can need.
    #[error("one log has more than {KEYS_OF_LOG_MAX} keys")]
    Keys,
}

impl Rules {
    /// Takes on logs of these nodes (of all, if there are none) and these other logs, `origins_max` in all.
    pub fn new(nodes: BTreeSet<NodeId>, logs: Vec<NoteKey>, origins_max: usize) -> Result<Self, RulesError> {
        let mut by_origin: HashMap<KeyName, Vec<NoteKey>> = HashMap::new();
        for key in logs {
            if Origin::of(&key.name) != Origin::Foreign {
                return Err(RulesError::OwnOrigin);
            }
            let keys = by_origin.entry(key.name.clone()).or_default();
            keys.push(key);
            if keys.len() > KEYS_OF_LOG_MAX {
                return Err(RulesError::Keys);
            }
        }
        Ok(Self { nodes, logs: by_origin, origins_max })
    }

    fn takes(&self, node: NodeId) -> bool {
        self.nodes.is_empty() || self.nodes.contains(&node)
    }

    /// The keys that may sign for an origin.
    fn keys(&self, origin: &KeyName, book: &Book) -> Vec<NoteKey> {
        let of_node = |log, node| self.takes(node).then(|| log_key(log, node)).flatten().into_iter().collect();
        match Origin::of(origin) {
            Origin::Trail(node) => of_node(Log::Trail, node),
            Origin::Ledger(vault) => {
                book.vault(vault).map_or_else(Vec::new, |known| of_node(Log::Ledger(vault), known.home))
            }
            Origin::Foreign => self.logs.get(origin).cloned().unwrap_or_default(),
            Origin::Unknown => Vec::new(),
        }
    }
}

/// Why the desk does not do what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The protocol says no.
    #[error("refused")]
    Judged(#[source] WitnessRefusal),
    /// The home node is not one whose logs are taken on.
    #[error("the home node is not one of this witness's")]
    NotTaken,
    /// Another authority with the same number was admitted.
    #[error("another authority with the same number was admitted")]
    Contradiction,
    /// The witness takes no more logs.
    #[error("the witness takes no more logs")]
    Full,
    /// Too many requests wait.
    #[error("too many requests wait")]
    Busy,
    /// The store has stopped.
    #[error("the witness has stopped")]
    Stopped,
}

impl Refusal {
    /// The HTTP status code.
    pub fn status(self) -> u16 {
        match self {
            Self::Judged(refusal) => refusal.status(),
            Self::NotTaken | Self::Contradiction => 403,
            Self::Busy | Self::Stopped => 503,
            Self::Full => 507,
        }
    }
}

/// The way to the desk. Clones ask the same one; when all are gone, the desk ends.
#[derive(Clone)]
pub struct Desk {
    orders: mpsc::Sender<Order>,
    book: SharedBook,
    stopped: watch::Receiver<bool>,
    key: WitnessKey,
}

/// Waits for the desk's thread.
pub struct DeskEnding(JoinHandle<()>);

type Answer<T> = oneshot::Sender<Result<T, Refusal>>;

enum Order {
    Add(Box<AddCheckpoint>, Answer<String>),
    Admit(Admitted, Answer<()>),
}

impl Desk {
    /// Starts the desk's thread.
    pub fn start(store: Store, keys: &WitnessKeys, rules: Rules, ambient: Ambient) -> io::Result<(Self, DeskEnding)> {
        let (orders, queue) = mpsc::channel(QUEUE_MAX);
        let (stop, stopped) = watch::channel(false);
        let book = store.book();
        let (identity, name) = (keys.identity(), keys.name().clone());
        let clerk = Clerk { store, identity, name, rules, ambient, stop, book: Arc::clone(&book) };
        let thread = std::thread::Builder::new().name("witness-desk".into()).spawn(move || clerk.run(queue))?;
        Ok((Self { orders, book, stopped, key: keys.key() }, DeskEnding(thread)))
    }

    /// Asks for a cosignature: a signature line with its newline.
    pub async fn add(&self, request: AddCheckpoint) -> Result<String, Refusal> {
        let (answer, waiting) = oneshot::channel();
        self.orders.try_send(Order::Add(Box::new(request), answer)).map_err(not_sent)?;
        waiting.await.unwrap_or(Err(Refusal::Stopped))
    }

    /// Asks to take on the ledger of a vault.
    pub async fn admit(&self, admitted: Admitted) -> Result<(), Refusal> {
        let (answer, waiting) = oneshot::channel();
        self.orders.try_send(Order::Admit(admitted, answer)).map_err(not_sent)?;
        waiting.await.unwrap_or(Err(Refusal::Stopped))
    }

    /// The newest cosigned checkpoint of the log whose origin has this SHA-256; none if it was never cosigned.
    pub fn newest(&self, origin: [u8; 32]) -> io::Result<Option<CheckpointText>> {
        let found = lock(&self.book).newest(OriginHash(origin));
        let Some((file, at, line)) = found else { return Ok(None) };
        let stored = read_checkpoint(&file, at)?;
        // A line over the same head with other extension lines does not stand under this text.
        let renewed = line.and_then(|line| stored.with_lines(&line, &self.key).ok());
        Ok(Some(renewed.unwrap_or(stored)))
    }

    /// Whether the store has stopped.
    pub fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Returns when the store has stopped, or the desk has ended.
    pub async fn until_stopped(&self) {
        // An error means that the thread is gone, which is the same to who waits.
        let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
    }
}

impl DeskEnding {
    /// Waits until every order is answered; all [`Desk`]s must be gone.
    pub fn join(self) {
        // A panic of the thread has been printed, and every request is refused since.
        let _ = self.0.join();
    }
}

fn not_sent(error: mpsc::error::TrySendError<Order>) -> Refusal {
    match error {
        mpsc::error::TrySendError::Full(_) => Refusal::Busy,
        mpsc::error::TrySendError::Closed(_) => Refusal::Stopped,
    }
}

/// The thread's own.
struct Clerk {
    store: Store,
    identity: Identity,
    name: KeyName,
    rules: Rules,
    ambient: Ambient,
    stop: watch::Sender<bool>,
    book: SharedBook,
}

/// What was judged good, and waits to be durable.
enum Done {
    Cosigned(Answer<String>, String),
    Admitted(Answer<()>),
}

impl Clerk {
    fn run(mut self, mut queue: mpsc::Receiver<Order>) {
        let mut held = None;
        while let Some(first) = held.take().or_else(|| queue.blocking_recv()) {
            let (group, next) = gather(first, &mut queue);
            held = next;
            if *self.stop.borrow() {
                group.into_iter().for_each(|order| order.refuse(Refusal::Stopped));
            } else if let Err(error) = self.serve(group) {
                tracing::error!(cause = %error, "the witness's store failed: nothing is signed any more");
                self.stop.send_replace(true);
            }
        }
    }

    /// Judges, makes durable, puts into force, answers. Every order is of another log or vault. After an error all
    /// orders that had to be stored are refused by their answers being dropped.
    fn serve(&mut self, group: Vec<Order>) -> io::Result<()> {
        let (mut records, mut waiting) = (Vec::new(), Vec::new());
        for order in group {
            match order {
                Order::Add(request, answer) => match self.cosign(&request, records.len()) {
                    Err(refusal) => drop(answer.send(Err(refusal))),
                    Ok((record, line)) => {
                        records.extend(record);
                        waiting.push(Done::Cosigned(answer, line));
                    }
                },
                Order::Admit(admitted, answer) => match self.admit(&admitted, records.len()) {
                    Err(refusal) => drop(answer.send(Err(refusal))),
                    Ok(record) => {
                        records.extend(record.map(Record::Vault));
                        waiting.push(Done::Admitted(answer));
                    }
                },
            }
        }
        if !records.is_empty() {
            let places = self.store.append(&records)?;
            let mut book = lock(&self.book);
            records.iter().zip(places).for_each(|(record, at)| book.keep(record, at));
        }
        waiting.into_iter().for_each(Done::answer);
        if self.store.is_mostly_old() { self.store.compact() } else { Ok(()) }
    }

    /// Judges a request and signs; a new head is given to be stored before the line may leave.
    fn cosign(&self, request: &AddCheckpoint, waiting: usize) -> Result<(Option<Record>, String), Refusal> {
        let origin = OriginHash::of(request.origin());
        let mut book = lock(&self.book);
        let known = book.head(origin);
        let judged = request.judge(&self.rules.keys(request.origin(), &book), known).map_err(Refusal::Judged)?;
        if known.is_none() && book.len() + waiting >= self.rules.origins_max {
            return Err(Refusal::Full);
        }
        let head = judged.head();
        let cosigned = judged.cosign(&self.name, &self.identity, self.ambient.now());
        if known == Some(head) {
            book.renew(origin, &cosigned.line);
            return Ok((None, cosigned.line));
        }
        let record = HeadRecord { origin: request.origin().clone(), head, text: cosigned.checkpoint };
        Ok((Some(Record::Head(record)), cosigned.line))
    }

    /// Judges an admission; nothing is to be stored for what is known.
    fn admit(&self, admitted: &Admitted, waiting: usize) -> Result<Option<VaultRecord>, Refusal> {
        if !self.rules.takes(admitted.home) {
            return Err(Refusal::NotTaken);
        }
        let book = lock(&self.book);
        let known = book.vault(admitted.vault);
        match known {
            Some(known) if admitted.contradicts(known.number, known.authority) => Err(Refusal::Contradiction),
            Some(known) if admitted.number() <= known.number => Ok(None),
            None if book.len() + waiting >= self.rules.origins_max => Err(Refusal::Full),
            _ => Ok(Some(VaultRecord {
                vault: admitted.vault,
                home: admitted.home,
                number: admitted.number(),
                authority: admitted.newest(),
            })),
        }
    }
}

impl Order {
    /// What no two orders of a group may share.
    fn subject(&self) -> [u8; 32] {
        match self {
            Self::Add(request, _) => OriginHash::of(request.origin()).0,
            Self::Admit(admitted, _) => *admitted.vault.as_bytes(),
        }
    }

    fn refuse(self, refusal: Refusal) {
        match self {
            Self::Add(_, answer) => drop(answer.send(Err(refusal))),
            Self::Admit(_, answer) => drop(answer.send(Err(refusal))),
        }
    }
}

impl Done {
    /// Who asked may have gone away; what was signed is durable all the same.
    fn answer(self) {
        match self {
            Self::Cosigned(answer, line) => drop(answer.send(Ok(line))),
            Self::Admitted(answer) => drop(answer.send(Ok(()))),
        }
    }
}

/// The orders that wait, up to the first that speaks of the same log or vault as one before it: that one is held.
fn gather(first: Order, queue: &mut mpsc::Receiver<Order>) -> (Vec<Order>, Option<Order>) {
    let mut subjects = HashSet::from([first.subject()]);
    let mut group = vec![first];
    while group.len() < GROUP_MAX {
        let Ok(next) = queue.try_recv() else { break };
        if !subjects.insert(next.subject()) {
            return (group, Some(next));
        }
        group.push(next);
    }
    (group, None)
}

#[cfg(test)]
pub(super) mod tests;
