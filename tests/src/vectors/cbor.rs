//! CBOR as plain data: what a generator of faults needs and no product code may have. It writes whatever it is told,
//! in the order it is told; it reads leniently. Written from consent/SPEC.md section 1, beside the door of the crates.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A CBOR item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cbor {
    /// An unsigned integer.
    Uint(u64),
    /// The negative integer -1 - n.
    Negative(u64),
    /// A byte string.
    Bytes(Vec<u8>),
    /// A text string.
    Text(String),
    /// An array.
    List(Vec<Cbor>),
    /// A map, in the order in which it is written.
    Map(Vec<(Cbor, Cbor)>),
    /// False or true.
    Bool(bool),
    /// These very bytes, whatever they are.
    Raw(Vec<u8>),
}

/// A map with integer keys: `map! { 1 => value, 2 => value }`.
#[macro_export]
macro_rules! map {
    ($($key:literal => $value:expr),* $(,)?) => {
        $crate::vectors::cbor::Cbor::Map(vec![
            $(($crate::vectors::cbor::Cbor::Uint($key), $crate::vectors::cbor::Cbor::from($value))),*
        ])
    };
}

/// An array: `list![value, value]`.
#[macro_export]
macro_rules! list {
    ($($value:expr),* $(,)?) => {
        $crate::vectors::cbor::Cbor::List(vec![$($crate::vectors::cbor::Cbor::from($value)),*])
    };
}

impl Cbor {
    /// The bytes of this item.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Uint(n) => head(0, *n, out),
            Self::Negative(n) => head(1, *n, out),
            Self::Bytes(bytes) => {
                head(2, bytes.len() as u64, out);
                out.extend(bytes);
            }
            Self::Text(text) => {
                head(3, text.len() as u64, out);
                out.extend(text.as_bytes());
            }
            Self::List(items) => {
                head(4, items.len() as u64, out);
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(pairs) => {
                head(5, pairs.len() as u64, out);
                for (key, value) in pairs {
                    key.write(out);
                    value.write(out);
                }
            }
            Self::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
            Self::Raw(bytes) => out.extend(bytes),
        }
    }

    /// Reads one whole item; the bytes are known to be good.
    pub fn decode(bytes: &[u8]) -> Self {
        karute_consent::encoding::from_bytes(bytes, bytes.len()).expect("good bytes")
    }

    /// The field of a map.
    pub fn field(&self, key: u64) -> &Cbor {
        let Self::Map(pairs) = self else { panic!("not a map") };
        &pairs.iter().find(|(name, _)| *name == Self::Uint(key)).unwrap_or_else(|| panic!("no field {key}")).1
    }

    /// The field of a map, to be changed.
    pub fn field_mut(&mut self, key: u64) -> &mut Cbor {
        let Self::Map(pairs) = self else { panic!("not a map") };
        &mut pairs.iter_mut().find(|(name, _)| *name == Self::Uint(key)).unwrap_or_else(|| panic!("no field {key}")).1
    }

    /// Sets a field where it belongs in the order, or replaces it.
    pub fn set(&mut self, key: u64, value: impl Into<Cbor>) {
        let Self::Map(pairs) = self else { panic!("not a map") };
        pairs.retain(|(name, _)| *name != Self::Uint(key));
        let at = pairs.iter().take_while(|(name, _)| matches!(name, Self::Uint(n) if *n < key)).count();
        pairs.insert(at, (Self::Uint(key), value.into()));
    }

    /// The same map with a field set.
    pub fn with(mut self, key: u64, value: impl Into<Cbor>) -> Self {
        self.set(key, value);
        self
    }

    /// Leaves a field away.
    pub fn leave_away(&mut self, key: u64) {
        let Self::Map(pairs) = self else { panic!("not a map") };
        let before = pairs.len();
        pairs.retain(|(name, _)| *name != Self::Uint(key));
        assert!(pairs.len() < before, "field {key} was there");
    }

    /// The same map with only the fields up to this one.
    pub fn up_to(&self, last: u64) -> Self {
        let Self::Map(pairs) = self else { panic!("not a map") };
        Self::Map(pairs.iter().filter(|(name, _)| matches!(name, Self::Uint(n) if *n <= last)).cloned().collect())
    }

    /// The items of an array, to be changed.
    pub fn items_mut(&mut self) -> &mut Vec<Cbor> {
        let Self::List(items) = self else { panic!("not an array") };
        items
    }

    /// The bytes of a byte string.
    pub fn bytes(&self) -> &[u8] {
        let Self::Bytes(bytes) = self else { panic!("not a byte string") };
        bytes
    }

    /// The bytes of a byte string, to be changed.
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        let Self::Bytes(bytes) = self else { panic!("not a byte string") };
        bytes
    }

    /// The number.
    pub fn number(&self) -> u64 {
        let Self::Uint(number) = self else { panic!("not a number") };
        *number
    }
}

fn head(major: u8, n: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    match n {
        0..=23 => out.push(major | n as u8),
        24..=0xff => out.extend([major | 24, n as u8]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend((n as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend((n as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend(n.to_be_bytes());
        }
    }
}

impl From<u64> for Cbor {
    fn from(number: u64) -> Self {
        Self::Uint(number)
    }
}

impl From<Vec<u8>> for Cbor {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&[u8]> for Cbor {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl<const N: usize> From<[u8; N]> for Cbor {
    fn from(bytes: [u8; N]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<&str> for Cbor {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cbor {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<Cbor>> for Cbor {
    fn from(items: Vec<Cbor>) -> Self {
        Self::List(items)
    }
}

/// For the door of the crates: any item goes through it.
impl Serialize for Cbor {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Uint(n) => to.serialize_u64(*n),
            Self::Negative(n) => match i64::try_from(*n) {
                Ok(n) => to.serialize_i64(-1 - n),
                Err(_) => to.serialize_i128(-1 - i128::from(*n)),
            },
            Self::Bytes(bytes) => to.serialize_bytes(bytes),
            Self::Text(text) => to.serialize_str(text),
            Self::List(items) => {
                let mut list = to.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Map(pairs) => {
                let mut map = to.serialize_map(Some(pairs.len()))?;
                pairs.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
            Self::Bool(value) => to.serialize_bool(*value),
            Self::Raw(_) => Err(serde::ser::Error::custom("raw bytes are written by `encode` alone")),
        }
    }
}

impl<'de> Deserialize<'de> for Cbor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Cbor;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CBOR item")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cbor, E> {
        Ok(Cbor::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cbor, E> {
        Ok(Cbor::Uint(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cbor, E> {
        Ok(u64::try_from(value).map_or_else(|_| Cbor::Negative((-1 - value) as u64), Cbor::Uint))
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<Cbor, E> {
        u64::try_from(-1 - value).map(Cbor::Negative).map_err(|_| E::custom("integer out of range"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cbor, E> {
        Ok(Cbor::Text(text.to_owned()))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Cbor, E> {
        Ok(Cbor::Bytes(bytes.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Cbor, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Cbor::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Cbor, A::Error> {
        let mut map = Vec::new();
        while let Some(pair) = pairs.next_entry()? {
            map.push(pair);
        }
        Ok(Cbor::Map(map))
    }
}
