//! Every cap of a witness.

use std::time::Duration;

use karute_protocol::limits::{ADD_CHECKPOINT_LEN_MAX, ADMISSION_LEN_MAX, NOTE_LEN_MAX};

/// Logs that a witness takes on when its configuration does not say.
pub const ORIGINS_DEFAULT: usize = 1_000_000;

/// Connections at once; more wait until one ends.
pub const CONNECTIONS_MAX: usize = 1024;

/// How long a connection may be silent between two requests.
pub const IDLE: Duration = Duration::from_secs(60);

/// How long one request may take from its first byte to the first byte of its answer.
pub const REQUEST: Duration = Duration::from_secs(20);

/// How long requests under way are waited for when the witness is told to end.
pub const CLOSING: Duration = Duration::from_secs(5);

/// Bytes of the body of a request to cosign.
pub const ADD_BYTES_MAX: usize = ADD_CHECKPOINT_LEN_MAX;

/// Bytes of the body of a request to admit a vault.
pub const ADMIT_BYTES_MAX: usize = ADMISSION_LEN_MAX;

/// Requests to admit that are read at once: each may take [`ADMIT_BYTES_MAX`] of memory.
pub const ADMITTING_MAX: usize = 32;

/// Requests that wait for the one thread that signs.
pub const QUEUE_MAX: usize = 1024;

/// Requests that are made durable with one sync.
pub const GROUP_MAX: usize = 256;

/// Bytes of one stored record after its head.
pub const RECORD_BYTES_MAX: u32 = NOTE_LEN_MAX as u32;

/// A store is not written anew before it has this many bytes.
pub const COMPACT_BYTES_MIN: u64 = 64 * 1024 * 1024;

/// A store is written anew when it has more than this many times the bytes of what is in force.
pub const COMPACT_FACTOR: u64 = 4;

/// Keys of one log that is not karute's.
pub const KEYS_OF_LOG_MAX: usize = 4;
