//! How a witness answered last, for whoever asks how the witnesses are.

use karute_consent::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AskError, WitnessEnd};

/// One witness as it was lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessNote {
    /// Its name.
    pub name: String,
    /// Where it is asked.
    pub url: String,
    /// Cosignatures that it gave since the node started.
    pub cosigned: u64,
    /// Times that it gave none.
    pub failed: u64,
    /// When it cosigned last, in seconds since 1970.
    pub cosigned_at: Option<u64>,
    /// Why it gave none when it was asked last; nothing once it has cosigned again.
    pub error: Option<String>,
}

impl WitnessNote {
    pub(super) fn of(end: &WitnessEnd) -> Self {
        let (name, url) = (end.key.name.to_string(), end.url.clone());
        Self { name, url, cosigned: 0, failed: 0, cosigned_at: None, error: None }
    }

    pub(super) fn add(&mut self, now: Timestamp, error: Option<&AskError>) {
        self.error = error.map(ToString::to_string);
        match error {
            Some(_) => self.failed += 1,
            None => (self.cosigned, self.cosigned_at) = (self.cosigned + 1, Some(now.secs())),
        }
    }
}
