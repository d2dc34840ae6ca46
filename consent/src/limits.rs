//! Every cap that consent puts on what it reads, in one place (SPEC section 14).
//!
//! A value above its cap is refused before anything is allocated for it. Lengths are bytes, times are seconds,
//! counts are items.

/// Longest signed statement, envelope included, where its type has no lower cap.
pub const STATEMENT_BYTES_MAX: usize = 65_536;
/// Longest signed card.
pub const CARD_BYTES_MAX: usize = 16_384;
/// Longest signed ledger entry.
pub const ENTRY_BYTES_MAX: usize = 1_024;
/// Longest signed request.
pub const REQUEST_BYTES_MAX: usize = 32_768;
/// Longest signed revocation.
pub const REVOCATION_BYTES_MAX: usize = 1_024;
/// Longest signed ask.
pub const ASK_BYTES_MAX: usize = 16_384;

/// Deepest nesting of arrays and maps in one CBOR item; a bare integer has depth 0.
pub const CBOR_DEPTH_MAX: usize = 16;

/// Longest name in a card or of a witness.
pub const NAME_BYTES_MAX: usize = 128;
/// Longest evidence in a card.
pub const EVIDENCE_BYTES_MAX: usize = 8_192;
/// Most addresses of one party or host.
pub const ADDRESSES_MAX: usize = 4;
/// Longest address.
pub const ADDRESS_BYTES_MAX: usize = 256;

/// Most witnesses of a vault.
pub const WITNESSES_MAX: usize = 8;
/// Most devices of one vault in force at a time.
pub const DEVICES_MAX: usize = 16;
/// Most hosts of one vault in force at a time.
pub const HOSTS_MAX: usize = 8;

/// Most entries of one ledger.
pub const LEDGER_ENTRIES_MAX: u64 = 65_536;
/// Places at the end of a ledger that only authorities take.
pub const LEDGER_ENTRIES_OF_AUTHORITIES: u64 = 1_024;
/// Places before those that neither grants nor erasures take.
pub const LEDGER_ENTRIES_OF_ENDINGS: u64 = 8_192;
/// Most grants below one grant without parent.
pub const GRANTS_BELOW_MAX: usize = 256;
/// Most items that are appended as one.
pub const APPEND_ITEMS_MAX: usize = 16;
/// Most attachments of one item.
pub const ATTACHMENTS_MAX: usize = 66;
/// Longest attachment.
pub const ATTACHMENT_BYTES_MAX: usize = 65_536;

/// Most collections in a directory, and most named by one scope.
pub const COLLECTIONS_MAX: usize = 64;
/// Most months that a directory has keys for.
pub const DIRECTORY_MONTHS_MAX: u16 = 24;
/// Most single records named by one scope or selector.
pub const RECORDS_PER_SCOPE_MAX: usize = 512;
/// Most depositors named by one scope.
pub const DEPOSITORS_PER_SCOPE_MAX: usize = 64;

/// Most uses that a grant can give.
pub const USES_MAX: u32 = 1_000_000;
/// Deepest delegation below a grant.
pub const DELEGATION_DEPTH_MAX: u8 = 4;
/// Most grants in one chain: the root grant and its deepest delegation.
pub const CHAIN_LENGTH_MAX: usize = 5;
/// Longest validity of a grant: 366 days.
pub const VALIDITY_SECS_MAX: u64 = 366 * 86_400;
/// Most days that an ask can ask for.
pub const ASK_DAYS_MAX: u16 = 366;
/// Most kinds of data that an ask can name.
pub const ASK_CATEGORIES_MAX: usize = 32;
/// Longest note in an ask.
pub const NOTE_BYTES_MAX: usize = 512;

/// Most packages of one rotation.
pub const ROTATION_PACKAGES_MAX: usize = 256;
/// Most records of one erasure or withdrawal.
pub const RECORDS_PER_ERASURE_MAX: usize = 256;
/// Most events of one erasure.
pub const EVENTS_PER_ERASURE_MAX: usize = 256;

/// Longest PeerId.
pub const PEER_BYTES_MAX: usize = 64;
/// Most seconds by which a request's time may differ from the host's, either way, and by which the host's clock
/// may be behind what it committed.
pub const SKEW_SECS_MAX: u64 = 120;
/// Longest time after which a request can be resumed: 24 hours.
pub const RESUME_SECS_MAX: u64 = 86_400;
