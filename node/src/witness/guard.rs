//! The guard: a counter in a second place, by which a witness notices that its store is older than what it signed.
//!
//! The number of the newest record is written and synced here after the store is synced, and before a signature for that
//! record leaves. A store that does not reach the guard's number has forgotten something that was signed. Two slots are
//! written in turn, each with a checksum: a torn write leaves the other one, whose number is lower and still true.
//!
//! Slot: `karute-witness-guard-1\0\0` ‖ witness key 32 ‖ number u64 ‖ CRC32C of all before. Slots are 512 bytes apart.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use karute_consent::id::PartyKey;

use crate::home::sync_parent;

/// An open guard.
pub struct Guard {
    file: File,
    key: PartyKey,
    number: u64,
    /// Which slot is written next: not the one that holds `number`.
    next: u64,
}

/// Why a guard is not one of this witness.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// There is no file.
    #[error("there is no guard")]
    Absent,
    /// It was made for another key.
    #[error("the guard is another witness's")]
    OtherWitness,
    /// No slot of it can be read.
    #[error("the guard is damaged")]
    Damaged,
    /// It has counted already, and is asked to begin.
    #[error("the guard has counted to {0} already")]
    InUse(u64),
    /// The disk did not do as asked.
    #[error("the guard's file cannot be read or written")]
    Disk(#[source] io::Error),
}

impl Guard {
    /// Makes the guard of a new witness. One that is there is taken over only if nothing was ever signed under it.
    pub fn create(path: &Path, key: PartyKey) -> Result<Self, GuardError> {
        match Self::read(path) {
            Err(GuardError::Absent) => {}
            Err(other) => return Err(other),
            Ok((_, 0, _)) => {}
            Ok((_, number, _)) => return Err(GuardError::InUse(number)),
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(path);
        let mut guard = Self { file: file.map_err(GuardError::Disk)?, key, number: 0, next: 0 };
        guard.advance(0).and_then(|()| guard.advance(0)).map_err(GuardError::Disk)?;
        sync_parent(path).map_err(GuardError::Disk)?;
        Ok(guard)
    }

    /// Opens the guard of this witness.
    pub fn open(path: &Path, key: PartyKey) -> Result<Self, GuardError> {
        let (slot, number, owner) = Self::read(path)?;
        if owner != key {
            return Err(GuardError::OtherWitness);
        }
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(GuardError::Disk)?;
        Ok(Self { file, key, number, next: (slot + 1) % SLOTS })
    }

    /// The slot with the greatest number, that number, and whose it is; changes nothing.
    pub fn read(path: &Path) -> Result<(u64, u64, PartyKey), GuardError> {
        let file = File::open(path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => GuardError::Absent,
            _ => GuardError::Disk(e),
        })?;
        let mut best = None;
        for slot in 0..SLOTS {
            let mut bytes = [0; SLOT_LEN];
            match file.read_exact_at(&mut bytes, slot * SLOT_STEP) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => continue,
                Err(e) => return Err(GuardError::Disk(e)),
            }
            let Some((key, number)) = read_slot(&bytes) else { continue };
            if best.is_none_or(|(_, known, _)| number >= known) {
                best = Some((slot, number, key));
            }
        }
        best.ok_or(GuardError::Damaged)
    }

    /// The number of the newest record under which something was signed.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Writes and syncs a number. After an error nothing is known, and nothing may be signed.
    pub fn advance(&mut self, number: u64) -> io::Result<()> {
        self.file.write_all_at(&write_slot(&self.key, number), self.next * SLOT_STEP)?;
        self.file.sync_data()?;
        self.number = number;
        self.next = (self.next + 1) % SLOTS;
        Ok(())
    }

    /// A guard that cannot be written.
    #[cfg(test)]
    pub(super) fn read_only(path: &Path, key: PartyKey) -> Self {
        let guard = Self::open(path, key).ok().unwrap();
        Self { file: File::open(path).unwrap(), ..guard }
    }
}

fn write_slot(key: &PartyKey, number: u64) -> [u8; SLOT_LEN] {
    let mut slot = [0; SLOT_LEN];
    slot[..24].copy_from_slice(MARK);
    slot[24..56].copy_from_slice(key.as_bytes());
    slot[56..64].copy_from_slice(&number.to_be_bytes());
    let check = crc32c::crc32c(&slot[..64]);
    slot[64..].copy_from_slice(&check.to_be_bytes());
    slot
}

fn read_slot(slot: &[u8; SLOT_LEN]) -> Option<(PartyKey, u64)> {
    let (mark, rest) = slot.split_first_chunk::<24>()?;
    let (key, rest) = rest.split_first_chunk::<32>()?;
    let (number, check) = rest.split_first_chunk::<8>()?;
    let whole = mark == MARK && crc32c::crc32c(&slot[..64]).to_be_bytes() == check;
    whole.then(|| (PartyKey::from_bytes(*key), u64::from_be_bytes(*number)))
}

const MARK: &[u8; 24] = b"karute-witness-guard-1\0\0";
const SLOTS: u64 = 2;
/// Two slots never share a sector of the disk.
const SLOT_STEP: u64 = 512;
const SLOT_LEN: usize = 68;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: PartyKey = PartyKey::from_bytes([7; 32]);

    #[test]
    fn a_guard_remembers_the_last_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.guard");
        let mut guard = Guard::create(&path, KEY).unwrap();
        for number in [1, 2, 5, 9] {
            guard.advance(number).unwrap();
            assert_eq!(Guard::open(&path, KEY).unwrap().number(), number);
        }
        let mut again = Guard::open(&path, KEY).unwrap();
        again.advance(10).unwrap();
        assert_eq!(Guard::open(&path, KEY).unwrap().number(), 10);
        assert!(matches!(Guard::create(&path, KEY), Err(GuardError::InUse(10))));
    }

    #[test]
    fn a_torn_write_leaves_the_number_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.guard");
        let mut guard = Guard::create(&path, KEY).unwrap();
        guard.advance(3).unwrap();
        let before = std::fs::read(&path).unwrap();
        guard.advance(4).unwrap();
        let after = std::fs::read(&path).unwrap();
        for cut in 0..after.len() {
            let torn = [&after[..cut], &before[cut..]].concat();
            std::fs::write(&path, torn).unwrap();
            let number = Guard::open(&path, KEY).unwrap().number();
            assert!(number == 3 || number == 4, "{cut}: {number}");
        }
    }

    #[test]
    fn an_absent_damaged_or_foreign_guard_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.guard");
        assert!(matches!(Guard::open(&path, KEY), Err(GuardError::Absent)));
        Guard::create(&path, KEY).unwrap();
        let other = PartyKey::from_bytes([8; 32]);
        assert!(matches!(Guard::open(&path, other), Err(GuardError::OtherWitness)));
        assert!(Guard::create(&path, other).is_ok(), "nothing was signed under it yet");
        std::fs::write(&path, [0; 600]).unwrap();
        assert!(matches!(Guard::open(&path, KEY), Err(GuardError::Damaged)));
        assert!(matches!(Guard::create(&path, KEY), Err(GuardError::Damaged)));
    }
}
