//! The store: what a witness signed last for each log, append-only, one sync for a group of requests.
//!
//! A record is durable before the signature in it leaves, and the guard is advanced in between (P-45). At the start the
//! records are read up to the first that is not whole. If that is at or behind the guard's number, what follows was never
//! acknowledged and is cut; before it, something that was signed is missing, and the witness refuses to start. Any error
//! while writing or syncing stops the witness for good: what a failed sync left on the disk is unknown.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use karute_consent::id::{PartyKey, VaultId};
use karute_consent::time::Timestamp;
use karute_protocol::cosignature::WitnessKey;
use karute_protocol::merkle::TreeHead;
use karute_protocol::note::KeyName;
use karute_protocol::trail::CheckpointText;
use sha2::{Digest, Sha256};

use super::guard::{Guard, GuardError};
use super::limits::{COMPACT_BYTES_MIN, COMPACT_FACTOR};
use super::record::{HEAD_LEN, HeadRecord, MARK_LEN, Next, Record, VaultRecord, mark, read_next};
use crate::failure::Failure;
use crate::home::{sync_parent, write_atomic};

/// SHA-256 of an origin: how a log is named in an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct OriginHash(pub(super) [u8; 32]);

impl OriginHash {
    pub(super) fn of(origin: &KeyName) -> Self {
        Self(Sha256::digest(origin.as_str()).into())
    }
}

/// The store of one witness, open for writing. One thread owns it; others read its `Book`.
pub struct Store {
    path: PathBuf,
    key: PartyKey,
    guard: Guard,
    /// Bytes of the file up to the last record that is durable.
    len: u64,
    /// Number of the newest record.
    number: u64,
    book: SharedBook,
}

/// What is in force, shared by the one writer with who answers questions.
pub(super) type SharedBook = Arc<Mutex<Book>>;

/// What a witness signed last, and for whom.
pub(super) struct Book {
    file: Arc<File>,
    heads: HashMap<OriginHash, Entry>,
    vaults: HashMap<VaultId, (VaultRecord, Place)>,
    /// Bytes of the records that are in force.
    live_bytes: u64,
}

/// The newest head of one log.
struct Entry {
    head: TreeHead,
    at: Place,
    /// The newest line for the same head, which only memory holds.
    line: Option<Box<str>>,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    offset: u64,
    bytes: u32,
}

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk did not do as asked.
    #[error("the store cannot be read or written")]
    Disk(#[source] io::Error),
    /// The file is absent or too short to be one.
    #[error("there is no store")]
    Absent,
    /// The file is no store, or another witness's.
    #[error("this is not the store of this witness")]
    NotOurs,
    /// Records that were signed cannot be read.
    #[error("the store is damaged at byte {offset}, before record {guard} that was signed")]
    Damaged {
        /// Where the first record begins that cannot be read.
        offset: u64,
        /// The number that the guard holds.
        guard: u64,
    },
    /// The store is older than what was signed.
    #[error("the store ends at record {store}, but record {guard} was signed")]
    Behind {
        /// The last record in the store.
        store: u64,
        /// The number that the guard holds.
        guard: u64,
    },
    /// The guard refuses.
    #[error("the guard does not vouch for the store")]
    Guard(#[source] GuardError),
}

/// What stands in a store, for who only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Logs that were cosigned.
    pub origins: usize,
    /// Vaults that were admitted.
    pub vaults: usize,
    /// When the newest stored head was cosigned.
    pub last: Option<Timestamp>,
}

impl Store {
    /// Makes the empty store of a new witness.
    pub fn create(folder: &Path, key: PartyKey) -> Result<(), Failure> {
        write_atomic(&folder.join(FILE_NAME), &mark(&key))
    }

    /// Opens the store under its guard, cuts a torn tail, and writes it anew if most of it is out of date.
    pub fn open(folder: &Path, key: PartyKey, guard: Guard) -> Result<Self, OpenError> {
        let path = folder.join(FILE_NAME);
        let file = open_file(&path)?;
        let read = read_all(&file, &key)?;
        let whole = file.metadata().map_err(OpenError::Disk)?.len();
        if read.number < guard.number() {
            let (store, guard) = (read.number, guard.number());
            return Err(match read.len < whole {
                true => OpenError::Damaged { offset: read.len, guard },
                false => OpenError::Behind { store, guard },
            });
        }
        if read.len < whole {
            file.set_len(read.len).and_then(|()| file.sync_all()).map_err(OpenError::Disk)?;
        }
        let Found { heads, vaults, live_bytes, len, number, .. } = read;
        let book = Book { file: Arc::new(file), heads, vaults, live_bytes };
        let mut store = Self { path, key, guard, len, number, book: Arc::new(Mutex::new(book)) };
        if store.is_mostly_old() {
            store.compact().map_err(OpenError::Disk)?;
        }
        Ok(store)
    }

    /// Looks at the store in a folder that may be in use; changes nothing.
    pub fn survey(folder: &Path, key: &WitnessKey) -> Result<Survey, OpenError> {
        let file = File::open(folder.join(FILE_NAME)).map_err(absent_or_disk)?;
        let read = read_all(&file, &key.party.key())?;
        let last = read.last.and_then(|text| text.cosignature_of(key).ok().flatten());
        Ok(Survey { origins: read.heads.len(), vaults: read.vaults.len(), last })
    }

    pub(super) fn book(&self) -> SharedBook {
        Arc::clone(&self.book)
    }

    /// Makes records durable, then the guard. They are in force only when they were [kept](Book::keep).
    pub(super) fn append(&mut self, records: &[Record]) -> io::Result<Vec<Place>> {
        let (mut bytes, mut places, mut number) = (Vec::new(), Vec::with_capacity(records.len()), self.number);
        for record in records {
            let offset = self.len + bytes.len() as u64;
            number += 1;
            record.write(number, &mut bytes);
            places.push(Place { offset, bytes: (self.len + bytes.len() as u64 - offset) as u32 });
        }
        let file = Arc::clone(&lock(&self.book).file);
        file.write_all_at(&bytes, self.len)?;
        file.sync_data()?;
        self.guard.advance(number)?;
        self.len += bytes.len() as u64;
        self.number = number;
        Ok(places)
    }

    /// Whether writing the store anew is worth its time.
    pub(super) fn is_mostly_old(&self) -> bool {
        self.len > COMPACT_BYTES_MIN && self.len / COMPACT_FACTOR > lock(&self.book).live_bytes
    }

    /// Writes a new file of what is in force, syncs it, and puts it in the place of the old one.
    pub(super) fn compact(&mut self) -> io::Result<()> {
        let partial = self.path.with_extension("partial");
        let mut options = OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.read(true).write(true).create(true).truncate(true).open(&partial)?;
        let mut book = lock(&self.book);
        let places = book.places();
        let mut moved = HashMap::with_capacity(places.len());
        let mut buffer = mark(&self.key).to_vec();
        let mut written = 0;
        for place in places {
            moved.insert(place.offset, written + buffer.len() as u64);
            let from = buffer.len();
            buffer.resize(from + place.bytes as usize, 0);
            book.file.read_exact_at(&mut buffer[from..], place.offset)?;
            if buffer.len() >= COPY_BYTES {
                file.write_all_at(&buffer, written)?;
                written += buffer.len() as u64;
                buffer.clear();
            }
        }
        file.write_all_at(&buffer, written)?;
        file.sync_all()?;
        fs::rename(&partial, &self.path)?;
        sync_parent(&self.path)?;
        self.len = written + buffer.len() as u64;
        book.file = Arc::new(file);
        book.move_to(&moved);
        Ok(())
    }
}

impl Book {
    /// The head that was signed last for a log.
    pub(super) fn head(&self, origin: OriginHash) -> Option<TreeHead> {
        self.heads.get(&origin).map(|entry| entry.head)
    }

    /// Who signs for the ledger of a vault.
    pub(super) fn vault(&self, vault: VaultId) -> Option<VaultRecord> {
        self.vaults.get(&vault).map(|(record, _)| *record)
    }

    /// Logs and vaults together.
    pub(super) fn len(&self) -> usize {
        self.heads.len() + self.vaults.len()
    }

    /// Puts a durable record into force.
    pub(super) fn keep(&mut self, record: &Record, at: Place) {
        let old = match record {
            Record::Head(HeadRecord { origin, head, .. }) => {
                let entry = Entry { head: *head, at, line: None };
                self.heads.insert(OriginHash::of(origin), entry).map(|entry| entry.at)
            }
            Record::Vault(record) => self.vaults.insert(record.vault, (*record, at)).map(|(_, at)| at),
        };
        self.live_bytes += u64::from(at.bytes);
        self.live_bytes -= old.map_or(0, |old| u64::from(old.bytes));
    }

    /// Remembers a newer line for the head that is in force.
    pub(super) fn renew(&mut self, origin: OriginHash, line: &str) {
        if let Some(entry) = self.heads.get_mut(&origin) {
            entry.line = Some(line.into());
        }
    }

    /// Where the newest checkpoint of a log stands, and a newer line for it.
    pub(super) fn newest(&self, origin: OriginHash) -> Option<(Arc<File>, Place, Option<Box<str>>)> {
        let entry = self.heads.get(&origin)?;
        Some((Arc::clone(&self.file), entry.at, entry.line.clone()))
    }

    /// Of everything in force, in the order of the file, which is that of the numbers.
    fn places(&self) -> Vec<Place> {
        let heads = self.heads.values().map(|entry| entry.at);
        let mut places: Vec<_> = heads.chain(self.vaults.values().map(|(_, at)| *at)).collect();
        places.sort_unstable_by_key(|place| place.offset);
        places
    }

    fn move_to(&mut self, moved: &HashMap<u64, u64>) {
        let heads = self.heads.values_mut().map(|entry| &mut entry.at);
        for place in heads.chain(self.vaults.values_mut().map(|(_, at)| at)) {
            if let Some(offset) = moved.get(&place.offset) {
                place.offset = *offset;
            }
        }
    }
}

/// The checkpoint at a place. The file may be replaced meanwhile; the one that was open stays readable.
pub(super) fn read_checkpoint(file: &File, at: Place) -> io::Result<CheckpointText> {
    let mut bytes = vec![0; at.bytes as usize - HEAD_LEN];
    file.read_exact_at(&mut bytes, at.offset + HEAD_LEN as u64)?;
    String::from_utf8(bytes).map(CheckpointText).map_err(|_| io::ErrorKind::InvalidData.into())
}

pub(super) fn lock(book: &SharedBook) -> MutexGuard<'_, Book> {
    // What a thread that panicked leaves is whole: every change is one insertion.
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was read from a store: all whole records from its beginning.
struct Found {
    heads: HashMap<OriginHash, Entry>,
    vaults: HashMap<VaultId, (VaultRecord, Place)>,
    live_bytes: u64,
    len: u64,
    number: u64,
    last: Option<CheckpointText>,
}

fn read_all(file: &File, key: &PartyKey) -> Result<Found, OpenError> {
    let mut from = BufReader::with_capacity(COPY_BYTES, file);
    from.seek(SeekFrom::Start(0)).map_err(OpenError::Disk)?;
    let mut begin = Vec::with_capacity(MARK_LEN);
    from.by_ref().take(MARK_LEN as u64).read_to_end(&mut begin).map_err(OpenError::Disk)?;
    if begin != mark(key) {
        return Err(OpenError::NotOurs);
    }
    let file = Arc::new(file.try_clone().map_err(OpenError::Disk)?);
    let mut book = Book { file, heads: HashMap::new(), vaults: HashMap::new(), live_bytes: 0 };
    let (mut len, mut number, mut last) = (MARK_LEN as u64, 0, None);
    while let Next::Record(record, next, bytes) = read_next(&mut from).map_err(OpenError::Disk)? {
        if next <= number {
            break; // not what this program writes: as good as no record
        }
        book.keep(&record, Place { offset: len, bytes: bytes as u32 });
        (len, number) = (len + bytes, next);
        if let Record::Head(head) = record {
            last = Some(head.text);
        }
    }
    let Book { heads, vaults, live_bytes, .. } = book;
    Ok(Found { heads, vaults, live_bytes, len, number, last })
}

fn open_file(path: &Path) -> Result<File, OpenError> {
    OpenOptions::new().read(true).write(true).open(path).map_err(absent_or_disk)
}

fn absent_or_disk(error: io::Error) -> OpenError {
    if error.kind() == io::ErrorKind::NotFound { OpenError::Absent } else { OpenError::Disk(error) }
}

pub(super) const FILE_NAME: &str = "signed";
/// Bytes that are read or written at once.
const COPY_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests;
