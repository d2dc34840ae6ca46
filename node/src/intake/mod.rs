//! Files from outside become records: what a file is, and the title, day, author and category it is filed under.
//!
//! The parsers read formats that others write. They are bounded (`limits.rs`), take no memory on a file's word, and never
//! fail: what they do not understand is kept as opaque bytes. The bytes themselves are deposited exactly as they came.

pub mod date;
pub mod detect;
pub mod limits;
pub mod walk;

mod dicom;
mod fhir;
mod iso2022;
mod jahis;
mod pdf;
mod text;

use karute_consent::category::Category;

pub use date::ServiceDate;
pub use detect::{examine, look};
pub use walk::walk;

/// What is known about a file before it is sealed. Every text keeps within the limits of a record's meta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intake {
    /// Its format.
    pub kind: Kind,
    /// Its media type.
    pub media_type: String,
    /// One line that names it; never empty.
    pub title: String,
    /// The day of the service, where the file says it.
    pub service_date: Option<ServiceDate>,
    /// Who made it: the facility where it is named, else the person.
    pub author: Option<String>,
    /// What it is about.
    pub category: Category,
    /// Tags that say how it may be shown, sorted.
    pub labels: Vec<String>,
    /// The file's own name.
    pub file_name: Option<String>,
    /// Its length in bytes.
    pub length: u64,
}

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// FHIR R4 in JSON.
    Fhir,
    /// A DICOM file.
    Dicom,
    /// A JAHIS text.
    Jahis,
    /// A PDF.
    Pdf,
    /// Anything else.
    Opaque,
}

impl Kind {
    /// The name shown in tables and in `--json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fhir => "fhir",
            Self::Dicom => "dicom",
            Self::Jahis => "jahis",
            Self::Pdf => "pdf",
            Self::Opaque => "opaque",
        }
    }
}

/// What a parser read, before it is cut to the limits.
struct Found {
    kind: Kind,
    media_type: String,
    title: Option<String>,
    service_date: Option<ServiceDate>,
    author: Option<String>,
    category: Category,
    labels: Vec<String>,
}

impl Found {
    fn new(kind: Kind, media_type: &str, category: Category) -> Self {
        Self {
            kind,
            media_type: media_type.to_owned(),
            title: None,
            service_date: None,
            author: None,
            category,
            labels: Vec::new(),
        }
    }

    fn titled(mut self, title: &str) -> Self {
        self.title = Some(title.to_owned());
        self
    }
}

#[cfg(test)]
mod samples;
