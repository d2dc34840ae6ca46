//! Kinds.
use super::Check;
pub(super) const CHECKS: &[(&str, Check)] = &[];
