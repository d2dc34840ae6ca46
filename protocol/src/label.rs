//! Labels: every derived key and every seal is made under a name of its own and version 1 (SPEC section 1).

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of every derived secret but ids and salts.
pub const SECRET_LEN: usize = 32;

/// HKDF-Expand with SHA-256: `key` is 32 uniformly random bytes, `context` the concatenation of its parts.
pub(crate) fn expand<const N: usize>(key: &[u8; SECRET_LEN], label: &str, context: &[&[u8]]) -> Zeroizing<[u8; N]> {
    let mut info: Vec<&[u8]> = vec![VERSION, label.as_bytes(), &[0]];
    info.extend_from_slice(context);
    let mut out = Zeroizing::new([0; N]);
    Hkdf::<Sha256>::from_prk(key)
        .expect("32 bytes are as many as a SHA-256 hash has")
        .expand_multi_info(&info, &mut out[..])
        .expect("a few dozen bytes are fewer than 255 blocks of SHA-256");
    out
}

/// What a seal is bound to: `"karute-v1/hpke/" || label || 0x00 || context`.
pub(crate) fn seal_info(label: &str, context: &[&[u8]]) -> Vec<u8> {
    let mut info = [VERSION, b"hpke/", label.as_bytes(), &[0]].concat();
    context.iter().for_each(|part| info.extend_from_slice(part));
    info
}

const VERSION: &[u8] = b"karute-v1/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_version_label_zero_and_context() {
        assert_eq!(seal_info("run", &[b"ab", b"c"]), b"karute-v1/hpke/run\0abc");
    }

    #[test]
    fn expand_is_hkdf_expand_with_one_block() {
        // One block of HKDF-Expand is HMAC(prk, info || 0x01).
        use hmac::{Hmac, KeyInit, Mac};
        let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
        mac.update(b"karute-v1/epoch\0context\x01");
        let expected: [u8; 32] = mac.finalize().into_bytes().into();
        assert_eq!(*expand::<32>(&[7; 32], "epoch", &[b"con", b"text"]), expected);
    }

    #[test]
    fn another_label_or_context_is_another_key() {
        let one = expand::<32>(&[7; 32], "tree-0", &[]);
        assert_ne!(*one, *expand::<32>(&[7; 32], "tree-1", &[]));
        assert_ne!(*one, *expand::<32>(&[7; 32], "tree-0", &[b"x"]));
        assert_ne!(*one, *expand::<32>(&[8; 32], "tree-0", &[]));
    }
}
