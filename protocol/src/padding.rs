//! Padmé: a length says little more than its order of magnitude.
//!
//! A plaintext of length L gets zero bytes at its end up to a length whose binary form has only its first
//! log2(log2 L) + 1 bits set below the leading one (Nikitin and others, "Reducing Metadata Leakage from Encrypted Files
//! and Communication with PURBs", 2019). At most 12 % is added, and less the longer the plaintext. The true
//! length travels sealed; who opens cuts to it and refuses anything but zeros behind it.

/// The length in bytes that a plaintext of `len` bytes is padded to; never below [`PADDED_LEN_MIN`].
///
/// Lengths so near to 2^64 that the result would not fit stay as they are; `limits` ends far below.
pub const fn padded_len(len: u64) -> u64 {
    if len <= PADDED_LEN_MIN {
        return PADDED_LEN_MIN;
    }
    let exponent = len.ilog2();
    let kept_bits = exponent.ilog2() + 1;
    let mask = (1u64 << (exponent - kept_bits)) - 1;
    match len.checked_add(mask) {
        Some(sum) => sum & !mask,
        None => len,
    }
}

/// Whether some plaintext is padded to `len` bytes (P-15).
pub const fn is_padded_len(len: u64) -> bool {
    padded_len(len) == len
}

/// The zero bytes that follow a plaintext of `len` bytes, in pieces of at most 16 KiB.
pub fn padding_of(len: u64) -> impl Iterator<Item = &'static [u8]> {
    let mut left = padded_len(len) - len;
    std::iter::from_fn(move || {
        let piece = left.min(ZEROS.len() as u64) as usize;
        left -= piece as u64;
        (piece > 0).then(|| &ZEROS[..piece])
    })
}

/// Cuts a stream of padded plaintext down to its true length (P-19).
#[derive(Debug)]
pub struct Unpadder {
    true_left: u64,
    padding_left: u64,
}

impl Unpadder {
    /// For a plaintext of `true_len` bytes that arrives as `padded` bytes; refuses if these two do not belong together.
    pub fn new(true_len: u64, padded: u64) -> Result<Self, PaddingError> {
        if padded_len(true_len) != padded {
            return Err(PaddingError::WrongLength { true_len, padded });
        }
        Ok(Self { true_left: true_len, padding_left: padded - true_len })
    }

    /// Takes the next padded bytes and returns those of them that are not padding.
    pub fn cut<'b>(&mut self, padded: &'b [u8]) -> Result<&'b [u8], PaddingError> {
        let keep = self.true_left.min(padded.len() as u64) as usize;
        let (kept, padding) = padded.split_at(keep);
        if padding.len() as u64 > self.padding_left {
            return Err(PaddingError::TooLong);
        }
        if padding.iter().any(|byte| *byte != 0) {
            return Err(PaddingError::NotZero);
        }
        self.true_left -= keep as u64;
        self.padding_left -= padding.len() as u64;
        Ok(kept)
    }

    /// Refuses if bytes are still missing.
    pub fn finish(self) -> Result<(), PaddingError> {
        if self.true_left + self.padding_left > 0 {
            return Err(PaddingError::TooShort);
        }
        Ok(())
    }
}

/// `plaintext` with its padding behind it.
pub fn pad(mut plaintext: Vec<u8>) -> Vec<u8> {
    plaintext.resize(padded_len(plaintext.len() as u64) as usize, 0);
    plaintext
}

/// The first `true_len` bytes of `padded`, once the rest is known to be its padding.
pub fn unpad(padded: &[u8], true_len: u64) -> Result<&[u8], PaddingError> {
    let mut unpadder = Unpadder::new(true_len, padded.len() as u64)?;
    let plaintext = unpadder.cut(padded)?;
    unpadder.finish()?;
    Ok(plaintext)
}

/// Why padded bytes are not those of a plaintext of the stated length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaddingError {
    /// A plaintext of this length is not padded to that length.
    #[error("{true_len} bytes are not padded to {padded} bytes")]
    WrongLength {
        /// Bytes of plaintext as stated.
        true_len: u64,
        /// Bytes with padding.
        padded: u64,
    },
    /// Something stands where only zeros may.
    #[error("padding is not zero")]
    NotZero,
    /// More bytes came than plaintext and padding have.
    #[error("bytes follow the padding")]
    TooLong,
    /// The stream ended inside plaintext or padding.
    #[error("padded plaintext ended early")]
    TooShort,
}

/// No padded plaintext is shorter, in bytes.
pub const PADDED_LEN_MIN: u64 = 256;

static ZEROS: [u8; 16 * 1024] = [0; 16 * 1024];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_lengths() {
        // length, exponent E, kept bits S, step 2^(E-S): worked out by hand from the paper's definition.
        for (len, padded) in [
            (0, 256),
            (1, 256),
            (256, 256),
            (257, 272),   // E = 8, S = 4, step 16
            (511, 512),   // E = 8
            (513, 544),   // E = 9, S = 4, step 32
            (1000, 1024), // E = 9
            (65_535, 65_536),
            (65_537, 67_584),       // E = 16, S = 5, step 2048
            (1_000_000, 1_015_808), // E = 19, S = 5, step 16384
            (1 << 40, 1 << 40),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(padded_len(len), padded, "{len}");
        }
    }

    #[test]
    fn what_is_cut_off_must_be_zero_and_whole() {
        let padded = pad(vec![7; 300]);
        assert_eq!(padded.len(), 304);
        assert_eq!(unpad(&padded, 300), Ok(&[7; 300][..]));
        let mut marked = padded.clone();
        marked[303] = 1;
        assert_eq!(unpad(&marked, 300), Err(PaddingError::NotZero));
        assert_eq!(unpad(&padded, 299), Err(PaddingError::NotZero));
        let stated = PaddingError::WrongLength { true_len: 260, padded: 304 };
        assert_eq!(unpad(&padded, 260), Err(stated));

        let mut short = Unpadder::new(300, 304).unwrap();
        short.cut(&padded[..302]).unwrap();
        assert_eq!(short.finish(), Err(PaddingError::TooShort));
        let mut long = Unpadder::new(300, 304).unwrap();
        long.cut(&padded).unwrap();
        assert_eq!(long.cut(&[0]), Err(PaddingError::TooLong));
    }

    proptest! {
        #[test]
        fn overhead_is_small_and_the_map_only_grows(len in 257u64..1 << 50) {
            let padded = padded_len(len);
            prop_assert!(padded >= len);
            prop_assert!((padded - len) * 100 <= len * 12);
            prop_assert!(is_padded_len(padded));
            prop_assert_eq!(is_padded_len(len), padded == len);
            prop_assert!(padded_len(len + 1) >= padded);
        }

        #[test]
        fn streamed_padding_is_what_the_cutter_expects(len in 0u64..70_000, step in 1usize..5000) {
            let padding: Vec<u8> = padding_of(len).flatten().copied().collect();
            let whole = [vec![9; len as usize], padding].concat();
            let mut unpadder = Unpadder::new(len, whole.len() as u64).unwrap();
            let mut kept = 0;
            for piece in whole.chunks(step) {
                kept += unpadder.cut(piece).unwrap().len();
            }
            unpadder.finish().unwrap();
            prop_assert_eq!(kept as u64, len);
        }
    }
}
