//! Every cap of the journal.

/// Longest payload of one frame, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// Most frames in one batch.
pub const BATCH_FRAMES_MAX: usize = 4096;
/// Longest batch, headers included, in bytes. One append with all the attachments that a session may keep fits.
pub const BATCH_BYTES_MAX: usize = 6 << 20;
/// Most payloads that one batch may erase.
pub const BATCH_ERASURES_MAX: usize = 4096;
/// Batches that may wait for the writer.
pub const QUEUE_BATCHES_MAX: usize = 1024;
/// Bytes that may wait for the writer.
pub const QUEUE_BYTES_MAX: usize = 32 << 20;
/// Bytes after which a group commit takes no further batch.
pub const GROUP_BYTES: usize = 8 << 20;
/// Length at which a new segment begins, in bytes.
pub const SEGMENT_BYTES: u64 = 64 << 20;

const _: () = assert!(PAYLOAD_BYTES_MAX < BATCH_BYTES_MAX && BATCH_BYTES_MAX <= QUEUE_BYTES_MAX);
const _: () = assert!(BATCH_ERASURES_MAX * 24 <= PAYLOAD_BYTES_MAX);
