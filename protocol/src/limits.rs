//! Every cap of this crate. A decoder refuses what lies above; relations between caps are checked at compile time.

pub use karute_consent::limits::{APPEND_ITEMS_MAX, ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX};

/// Bytes of plaintext in one HPKE seal (a key package with a few thousand entries fits).
pub const SEAL_PLAIN_LEN_MAX: usize = 256 * 1024;

/// Bytes of ciphertext in one HPKE seal: the plaintext and one AES-GCM tag.
pub const SEAL_CIPHER_LEN_MAX: usize = SEAL_PLAIN_LEN_MAX + crate::aead::TAG_LEN;

/// Bytes of one sealed body: 1 TiB.
pub const BODY_SEALED_LEN_MAX: u64 = 1 << 40;

/// Bytes of one body before padding; half of the sealed cap, so that neither padding nor chunk tags can pass it.
pub const BODY_LEN_MAX: u64 = BODY_SEALED_LEN_MAX / 2;

/// Leaves of one Merkle log.
pub const TREE_SIZE_MAX: u64 = 1 << 48;

/// Hashes in one inclusion or consistency proof: the depth of the largest tree, and one.
pub const PROOF_LEN_MAX: usize = 49;

/// Bytes of one signed note, signatures included.
pub const NOTE_LEN_MAX: usize = 64 * 1024;

/// Signature lines of one note (the note format asks for at least 16).
pub const NOTE_SIGNATURES_MAX: usize = 32;

/// Bytes of a note key name or a checkpoint origin.
pub const NOTE_NAME_LEN_MAX: usize = 255;

/// Bytes of one note signature after its key id; a post-quantum one has up to nearly 5000.
pub const NOTE_SIGNATURE_LEN_MAX: usize = 8 * 1024;

/// Bytes of one message, tag included.
pub const MESSAGE_LEN_MAX: usize = 256 * 1024;

/// Bytes of one piece of a body.
pub const PIECE_LEN_MAX: usize = 1024 * 1024;

/// Messages of one session that are not answered yet.
pub const IN_FLIGHT_MAX: usize = 64;

/// Versions that a hello names.
pub const VERSIONS_MAX: usize = 16;

/// Checkpoints in a hello or its answer.
pub const HEADS_MAX: usize = 8;

/// Earlier sizes of the trail that a client can ask consistency proofs from.
pub const HEAD_SIZES_MAX: usize = 64;

/// Bytes of a registration code.
pub const REGISTRATION_LEN_MAX: usize = 64;

/// Re-wraps in one message.
pub const RE_WRAPS_MAX: usize = 64;

/// Bytes of a sealed meta.
pub const META_SEALED_LEN_MAX: usize = 3584;

/// Bytes of a sealed body that stands inside a message.
pub const INLINE_BODY_LEN_MAX: usize = 64 * 1024;

/// Labels of one meta.
pub const LABELS_MAX: usize = 16;

/// Bytes of the consent text in the particulars of a grant.
pub const CONSENT_TEXT_LEN_MAX: usize = 4096;

/// Bytes of a language tag.
pub const LANGUAGE_LEN_MAX: usize = 35;

/// Bytes of a proof file.
pub const PROOF_FILE_LEN_MAX: usize = 512 * 1024;

/// Bytes of a finding, evidence included: the ids of the longest list take most of it.
pub const FINDING_LEN_MAX: usize = 4 * 1024 * 1024;

/// Bytes of a vault link.
pub const VAULT_LINK_LEN_MAX: usize = 2048;

/// Items of one key package. As many of the largest kind fit into one attachment: see below.
pub const PACKAGE_ITEMS_MAX: usize = 700;

/// Bytes that one item of a package takes at most: a record with both keys.
pub const PACKAGE_ITEM_LEN_MAX: usize = 91;

/// Record ids in one event.
pub const EVENT_RECORDS_MAX: usize = 64;

/// Asks that wait in the mailbox of a vault.
pub const ASKS_WAITING_MAX: usize = 64;

/// Asks of one sender that wait in the mailbox of a vault.
pub const ASKS_OF_SENDER_MAX: usize = 4;

/// Records of one answer to a list.
pub const LIST_RECORDS_MAX: u64 = 100_000;

/// Hashes in the proof of a request to a witness (tlog-witness allows no more).
pub const WITNESS_PROOF_LEN_MAX: usize = 63;

/// Bytes of a request to a witness: a note, the proof lines and the old size.
pub const ADD_CHECKPOINT_LEN_MAX: usize = NOTE_LEN_MAX + 4096;

/// Bytes of what a vault is admitted by at a witness.
pub const ADMISSION_LEN_MAX: usize = 1024 * 1024;

/// Authorities in what a vault is admitted by.
pub const ADMISSION_AUTHORITIES_MAX: usize = 256;

/// Seconds for which a witnessed ledger head may name the key of a deposit of normal sensitivity.
pub const FRESH_SECS_MAX: u64 = 86_400;

/// The same for a kind that is sensitive.
pub const FRESH_SENSITIVE_SECS_MAX: u64 = 900;

/// Seconds between a depositor's clock and the host's word on its newest head, where there are no witnesses.
pub const HOST_WORD_SECS_MAX: u64 = 120;

const _: () = assert!(1 << (PROOF_LEN_MAX - 1) >= TREE_SIZE_MAX as u128);
const _: () = assert!(BODY_SEALED_LEN_MAX < 1 << 52, "the chunked encryption format ends at 4 PiB");
const _: () = assert!(NOTE_SIGNATURES_MAX >= 16);
const _: () = assert!(34 * LIST_RECORDS_MAX as usize + 256 * 1024 <= FINDING_LEN_MAX, "a list's ids fit a finding");
const _: () = assert!(ADD_CHECKPOINT_LEN_MAX >= NOTE_LEN_MAX + 45 * WITNESS_PROOF_LEN_MAX + 26);
/// Bytes around the items of a package and their ciphertext: map and array heads, encapsulated key, tag.
const PACKAGE_AROUND_LEN: usize = 1_200;
const _: () = assert!(PACKAGE_ITEMS_MAX * PACKAGE_ITEM_LEN_MAX + PACKAGE_AROUND_LEN <= ATTACHMENT_BYTES_MAX);
