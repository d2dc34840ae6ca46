//! Kinds of data: what a collection holds. A host never learns them; patients and holders do.

use serde_indexed::{DeserializeIndexed, SerializeIndexed};

crate::wire_enum! {
    /// A category of health data (C-55).
    Category {
        /// Prescriptions.
        Prescription = 1 "prescription",
        /// What a pharmacy handed out.
        Dispensing = 2 "dispensing",
        /// Laboratory results.
        Lab = 3 "lab",
        /// Images and their reports.
        Imaging = 4 "imaging",
        /// Diagnoses.
        Diagnosis = 5 "diagnosis",
        /// Allergies.
        Allergy = 6 "allergy",
        /// Vital signs.
        Vital = 7 "vital",
        /// Health check-ups.
        Checkup = 8 "checkup",
        /// Immunisations.
        Immunisation = 9 "immunisation",
        /// Maternal and child health.
        MaternalChild = 10 "maternal-child",
        /// Referral letters.
        Referral = 11 "referral",
        /// Long-term and nursing care.
        Care = 12 "care",
        /// Dental care.
        Dental = 13 "dental",
        /// Any other document.
        Document = 14 "document",
        /// Video.
        Video = 15 "video",
    }
}

crate::wire_enum! {
    /// How careful to be with a collection (C-55).
    Sensitivity {
        /// As any health data.
        Normal = 1 "normal",
        /// What a patient would want to share with fewer: psychiatry, infections, genetics.
        Sensitive = 2 "sensitive",
    }
}

/// A kind of data: what a collection is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeIndexed, DeserializeIndexed)]
pub struct Kind {
    /// The category.
    #[serde(index = 1)]
    pub category: Category,
    /// The sensitivity.
    #[serde(index = 2)]
    pub sensitivity: Sensitivity,
}
