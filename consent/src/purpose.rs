//! What a party wants data for: a closed set of HL7 v3 PurposeOfUse codes.
//!
//! The node can compare a purpose with a grant; that the stated purpose is the true one is a promise, with evidence.

crate::wire_enum! {
    /// A purpose of use, with its HL7 v3 code.
    Purpose {
        /// Treatment.
        Treatment = 1 "TREAT",
        /// Emergency treatment.
        EmergencyTreatment = 2 "ETREAT",
        /// Healthcare research.
        Research = 3 "HRESCH",
        /// Public health.
        PublicHealth = 4 "PUBHLTH",
        /// Healthcare payment.
        Payment = 5 "HPAYMT",
        /// At the patient's request.
        PatientRequest = 6 "PATRQT",
        /// At the family's request.
        FamilyRequest = 7 "FAMRQT",
    }
}
