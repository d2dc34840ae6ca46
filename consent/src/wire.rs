//! Closed sets: enums with fixed numbers on the wire and fixed words in text.
//!
//! A number is never used again for something else. An unknown number is refused.

/// A word that is none of a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of the known words")]
pub struct UnknownWord;

/// Makes an enum whose values have a number on the wire (an unsigned integer) and a word in text.
#[macro_export]
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$value_meta:meta])* $value:ident = $number:literal $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$value_meta])* $value = $number,)+
        }

        impl $name {
            /// All values, by number.
            pub const ALL: &'static [Self] = &[$(Self::$value),+];

            /// The number on the wire.
            pub const fn number(self) -> u8 {
                self as u8
            }

            /// The value with this number on the wire.
            pub fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$value),)+
                    _ => None,
                }
            }

            /// The word in text.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::wire::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.word() == text).ok_or($crate::wire::UnknownWord)
            }
        }

        impl $crate::id::serde_of_consent::Serialize for $name {
            fn serialize<S: $crate::id::serde_of_consent::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_u8(self.number())
            }
        }

        impl<'de> $crate::id::serde_of_consent::Deserialize<'de> for $name {
            fn deserialize<D: $crate::id::serde_of_consent::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let number = <u64 as $crate::id::serde_of_consent::Deserialize>::deserialize(from)?;
                u8::try_from(number).ok().and_then(Self::from_number).ok_or_else($crate::encoding::bad_value)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::encoding::{Fault, from_bytes, to_bytes};
    use crate::purpose::Purpose;

    #[test]
    fn every_value_reads_back_from_number_and_word() {
        for purpose in Purpose::ALL {
            let bytes = to_bytes(purpose).expect("encodes");
            assert_eq!(bytes, [purpose.number()]);
            assert_eq!(from_bytes::<Purpose>(&bytes, 1), Ok(*purpose));
            assert_eq!(purpose.word().parse(), Ok(*purpose));
        }
    }

    #[test]
    fn an_unknown_number_is_refused() {
        for number in [&[0][..], &[8], &[0x18, 0x63], &[0x19, 0x01, 0x01]] {
            assert_eq!(from_bytes::<Purpose>(number, 9).map_err(|e| e.fault), Err(Fault::BadValue));
        }
        assert_eq!(from_bytes::<Purpose>(&[0x41, 0x01], 9).map_err(|e| e.fault), Err(Fault::WrongShape));
        assert!("treat".parse::<Purpose>().is_err());
    }
}
