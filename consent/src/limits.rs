//! Every cap that consent puts on what it reads, in one place.
//!
//! A value above its cap is refused before anything is allocated for it. Lengths are bytes, times are seconds,
//! counts are items.

/// Longest signed statement, envelope included, bytes.
pub const STATEMENT_BYTES_MAX: usize = 64 * 1024;

/// Deepest nesting of arrays and maps in one CBOR item; a bare integer has depth 0.
pub const CBOR_DEPTH_MAX: usize = 16;

/// Most grants in one chain, the root grant counted.
pub const CHAIN_LENGTH_MAX: usize = 8;

/// Most collections named by one scope.
pub const COLLECTIONS_PER_SCOPE_MAX: usize = 64;

/// Most single records named by one scope.
pub const RECORDS_PER_SCOPE_MAX: usize = 4096;

/// Most depositors named by one scope.
pub const DEPOSITORS_PER_SCOPE_MAX: usize = 64;

/// Longest span of months in one range: a hundred and fifty years.
pub const MONTHS_SPAN_MAX: u16 = 1800;

/// Most devices of one vault in force at a time.
pub const DEVICES_MAX: usize = 16;

/// Most hosts of one vault in force at a time.
pub const HOSTS_MAX: usize = 8;

/// Most seconds by which a request's time may differ from the judge's time, either way.
pub const LEEWAY_SECS: u64 = 120;
