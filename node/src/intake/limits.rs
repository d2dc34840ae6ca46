//! Every cap on what intake reads from a file that somebody else made.

/// Bytes read from the start of a file to tell what it is. Longer JSON is kept as opaque JSON.
pub const HEAD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes read from the end of a PDF, where its dates often stand.
pub const TAIL_BYTES_MAX: usize = 64 * 1024;
/// Title, in bytes of UTF-8.
pub const TITLE_BYTES_MAX: usize = 256;
/// Author, in bytes of UTF-8.
pub const AUTHOR_BYTES_MAX: usize = 256;
/// File name, in bytes of UTF-8.
pub const FILE_NAME_BYTES_MAX: usize = 255;
/// Labels on one record.
pub const LABELS_MAX: usize = 16;
/// One label, in bytes of UTF-8.
pub const LABEL_BYTES_MAX: usize = 64;
/// Resources looked at in a FHIR Bundle.
pub const BUNDLE_ENTRIES_MAX: usize = 4096;
/// Data elements looked at in a DICOM header.
pub const DICOM_ELEMENTS_MAX: usize = 65_536;
/// Nesting of DICOM sequences.
pub const DICOM_DEPTH_MAX: usize = 16;
/// Bytes of one DICOM text that are decoded.
pub const DICOM_TEXT_BYTES_MAX: usize = 1024;
/// Lines looked at in a JAHIS text.
pub const JAHIS_LINES_MAX: usize = 10_000;
/// Depth of a folder walk.
pub const WALK_DEPTH_MAX: usize = 32;
/// Files of one walk.
pub const WALK_FILES_MAX: usize = 1_000_000;
