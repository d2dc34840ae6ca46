//! The recovery code: 32 random bytes on paper that lead back to a vault when every device is gone.
//!
//! It derives the key that the roots are sealed to and the next identity key. Whoever reads it has the vault; it is
//! shown once and kept nowhere.

use data_encoding::Encoding;
use karute_consent::party::Identity;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::hpke::{SealingSecret, Suite};
use crate::label::{SECRET_LEN, expand};

/// A recovery code. Not printable by accident: [`RecoveryCode::to_text`] is the one way out.
pub struct RecoveryCode(Zeroizing<[u8; SECRET_LEN]>);

impl RecoveryCode {
    /// Takes over 32 random bytes.
    pub fn new(bytes: Zeroizing<[u8; SECRET_LEN]>) -> Self {
        Self(bytes)
    }

    /// The private key that root packages are sealed to.
    pub fn sealing_secret(&self) -> SealingSecret {
        SealingSecret::new(Suite::XWing, expand(&self.0, "recovery-seal", &[]))
    }

    /// The next identity key, which charter or authority committed to.
    pub fn next_identity(&self) -> Identity {
        Identity::from_seed(&expand(&self.0, "recovery-identity", &[]))
    }

    /// The code as it is printed: `karute-recovery-1-` and groups of four.
    pub fn to_text(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new([&self.0[..], &check_of(&self.0)].concat());
        let coded = Zeroizing::new(base32().encode(&bytes));
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 2 * coded.len()));
        text.push_str(PREFIX);
        for (at, letter) in coded.chars().enumerate() {
            if at > 0 && at % GROUP_LEN == 0 {
                text.push('-');
            }
            text.push(letter);
        }
        text
    }

    /// Reads a printed code; case, white space and `-` do not matter.
    pub fn from_text(text: &str) -> Result<Self, RecoveryCodeError> {
        let letters = text.chars().filter(|letter| !letter.is_ascii_whitespace() && *letter != '-');
        let plain: Zeroizing<String> = Zeroizing::new(letters.map(|letter| letter.to_ascii_lowercase()).collect());
        let coded = plain.strip_prefix(PLAIN_PREFIX).ok_or(RecoveryCodeError::NotACode)?;
        if coded.len() != CODED_LEN {
            return Err(RecoveryCodeError::WrongLength); // P-04
        }
        let bytes = base32().decode(coded.as_bytes()).map(Zeroizing::new).map_err(|_| RecoveryCodeError::NotBase32)?;
        let (secret, check) = bytes.split_first_chunk::<SECRET_LEN>().ok_or(RecoveryCodeError::WrongLength)?;
        if !bool::from(check_of(secret)[..].ct_eq(check)) {
            return Err(RecoveryCodeError::WrongCheck); // P-04
        }
        Ok(Self(Zeroizing::new(*secret)))
    }
}

/// The first 4 bytes of `H("karute-v1/recovery-check" || 0x00 || c)`.
fn check_of(secret: &[u8; SECRET_LEN]) -> [u8; CHECK_LEN] {
    let digest = Sha256::new().chain_update(b"karute-v1/recovery-check\0").chain_update(secret).finalize();
    let mut check = [0; CHECK_LEN];
    check.copy_from_slice(&digest[..CHECK_LEN]);
    check
}

/// RFC 4648 base32 in lower case without padding.
fn base32() -> Encoding {
    let mut form = data_encoding::Specification::new();
    form.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    form.encoding().expect("32 different letters are a base32 alphabet")
}

/// Why a text is no recovery code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryCodeError {
    /// It does not begin as recovery codes of this version do.
    #[error("not a recovery code of version 1")]
    NotACode,
    /// Letters are missing or too many (P-04).
    #[error("recovery code has the wrong length")]
    WrongLength,
    /// A letter that no code has, or a last letter that none can end with.
    #[error("recovery code has a letter that does not belong there")]
    NotBase32,
    /// A letter is wrong or two are exchanged (P-04).
    #[error("recovery code is mistyped")]
    WrongCheck,
}

const PREFIX: &str = "karute-recovery-1-";
const PLAIN_PREFIX: &str = "karuterecovery1";
const GROUP_LEN: usize = 4;
const CHECK_LEN: usize = 4;
/// Letters for secret and check: 288 bits in groups of 5.
const CODED_LEN: usize = 58;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(byte: u8) -> RecoveryCode {
        RecoveryCode::new(Zeroizing::new([byte; 32]))
    }

    #[test]
    fn a_code_is_read_back_as_people_type_it() {
        let text = code(7).to_text();
        assert!(text.starts_with("karute-recovery-1-a4dq-ob"), "{}", *text);
        let typed = [text.to_string(), text.to_uppercase(), text.replace('-', " "), text.replace('-', "")];
        for typed in typed {
            assert_eq!(*RecoveryCode::from_text(&typed).ok().unwrap().0, [7; 32], "{typed}");
        }
    }

    #[test]
    fn a_mistyped_code_is_refused() {
        let text = code(7).to_text();
        let refused = |text: &str| RecoveryCode::from_text(text).err().unwrap();
        assert_eq!(refused(&text[1..]), RecoveryCodeError::NotACode);
        assert_eq!(refused(&text.replace("-1-", "-2-")), RecoveryCodeError::NotACode);
        assert_eq!(refused(&text[..text.len() - 1]), RecoveryCodeError::WrongLength);
        assert_eq!(refused(&format!("{}a", *text)), RecoveryCodeError::WrongLength);
        assert_eq!(refused(&text.replacen("a4", "a1", 1)), RecoveryCodeError::NotBase32);
        assert_eq!(refused(&text.replacen("a4dq", "a4qd", 1)), RecoveryCodeError::WrongCheck);
    }

    #[test]
    fn sealing_key_and_identity_are_secrets_of_their_own() {
        assert_ne!(**code(7).sealing_secret().bytes(), *code(7).next_identity().to_seed());
        assert_ne!(code(7).next_identity().key(), code(8).next_identity().key());
    }

    proptest! {
        #[test]
        fn any_code_reads_back_and_any_wrong_letter_is_noticed(
            secret: [u8; 32], at in 0..58usize, letter in "[a-z2-7]"
        ) {
            let text = RecoveryCode::new(Zeroizing::new(secret)).to_text();
            let back = RecoveryCode::from_text(&text).map(|code| *code.0);
            prop_assert_eq!(back, Ok(secret));
            let at = PREFIX.len() + at + at / GROUP_LEN;
            let mut wrong = text.to_string();
            wrong.replace_range(at..at + 1, &letter);
            let same = wrong == *text;
            prop_assert_eq!(RecoveryCode::from_text(&wrong).is_ok(), same);
        }
    }
}
