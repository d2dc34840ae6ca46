//! DICOM: the few header elements that name and file a record.
//!
//! Own bounded reading instead of a DICOM library: a library takes memory for the length that an element claims before
//! reading it (up to 4 GiB here), and decodes only the first value of Specific Character Set. This walks the bytes at
//! hand, takes nothing, and stops at the first thing it does not understand; what was read so far stands.

use super::date::ServiceDate;
use super::iso2022;
use super::limits::{DICOM_DEPTH_MAX, DICOM_ELEMENTS_MAX, DICOM_TEXT_BYTES_MAX};
use super::{Category, Found, Kind};

/// Reads the start of a file; `None` if it is not DICOM.
pub(super) fn read(head: &[u8]) -> Option<Found> {
    let after_mark = head.get(PREAMBLE_LEN..)?.strip_prefix(b"DICM")?;
    let mut header = Header::default();
    let data = walk(after_mark, Syntax::EXPLICIT, Part::Meta, &mut header);
    let syntax = trimmed(header.transfer_syntax);
    if let Some(mut known) = Syntax::of(syntax) {
        // Some writers name an explicit syntax and write an implicit one: no value representation, no letters there.
        known.implicit |= data.get(4..6).is_some_and(|vr| !vr.iter().all(u8::is_ascii_uppercase));
        walk(data, known, Part::Data, &mut header);
    }
    Some(header.found(is_video(syntax)))
}

#[derive(Default)]
struct Header<'a> {
    transfer_syntax: &'a [u8],
    character_sets: &'a [u8],
    class: &'a [u8],
    study_date: &'a [u8],
    content_date: &'a [u8],
    modality: &'a [u8],
    institution: &'a [u8],
    study: &'a [u8],
    series: &'a [u8],
    body_part: &'a [u8],
}

impl<'a> Header<'a> {
    fn keep(&mut self, tag: Tag, value: &'a [u8]) {
        let place = match tag {
            (0x0002, 0x0010) => &mut self.transfer_syntax,
            (0x0002, 0x0002) | (0x0008, 0x0016) => &mut self.class,
            (0x0008, 0x0005) => &mut self.character_sets,
            (0x0008, 0x0020) => &mut self.study_date,
            (0x0008, 0x0023) => &mut self.content_date,
            (0x0008, 0x0060) => &mut self.modality,
            (0x0008, 0x0080) => &mut self.institution,
            (0x0008, 0x1030) => &mut self.study,
            (0x0008, 0x103E) => &mut self.series,
            (0x0018, 0x0015) => &mut self.body_part,
            _ => return,
        };
        *place = value;
    }

    fn found(&self, video: bool) -> Found {
        let names = String::from_utf8_lossy(self.character_sets);
        let sets: Vec<&str> = names.split('\\').map(|name| name.trim_matches([' ', '\0'])).collect();
        let text = |value: &[u8]| {
            let value = &value[..value.len().min(DICOM_TEXT_BYTES_MAX)];
            let text = iso2022::decode(value, &sets);
            let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
            (!text.is_empty()).then(|| text.to_owned())
        };
        let described = text(self.study).or_else(|| text(self.series)).or_else(|| text(self.body_part));
        let title: Vec<String> = text(self.modality).into_iter().chain(described).collect();
        // YYYYMMDD; before DICOM 3 it was YYYY.MM.DD.
        let day = |value: &[u8]| {
            let text = std::str::from_utf8(trimmed(value)).ok()?;
            ServiceDate::from_compact(&text.replace('.', ""))
        };
        let video = video || VIDEO_CLASSES.contains(&trimmed(self.class));
        Found {
            title: (!title.is_empty()).then(|| title.join(" ")),
            service_date: day(self.study_date).or_else(|| day(self.content_date)),
            author: text(self.institution),
            ..Found::new(Kind::Dicom, "application/dicom", if video { Category::Video } else { Category::Imaging })
        }
    }
}

type Tag = (u16, u16);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Group 2, always explicit and little-endian.
    Meta,
    /// What follows, up to the last element of interest.
    Data,
}

#[derive(Clone, Copy)]
struct Syntax {
    implicit: bool,
    big_endian: bool,
}

impl Syntax {
    const EXPLICIT: Self = Self { implicit: false, big_endian: false };

    /// The layout of a transfer syntax; `None` for a deflated data set, which is not read.
    fn of(uid: &[u8]) -> Option<Self> {
        match uid {
            b"1.2.840.10008.1.2" => Some(Self { implicit: true, big_endian: false }),
            b"1.2.840.10008.1.2.2" => Some(Self { implicit: false, big_endian: true }),
            b"1.2.840.10008.1.2.1.99" | b"1.2.840.10008.1.2.4.95" | b"1.2.840.10008.1.2.4.205" => None,
            _ => Some(Self::EXPLICIT),
        }
    }

    fn u16(self, bytes: &[u8]) -> Option<u16> {
        let two = *bytes.first_chunk()?;
        Some(if self.big_endian { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
    }

    fn u32(self, bytes: &[u8]) -> Option<u32> {
        let four = *bytes.first_chunk()?;
        Some(if self.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    }
}

/// Keeps the elements of one part and gives what follows it.
fn walk<'a>(mut rest: &'a [u8], syntax: Syntax, part: Part, header: &mut Header<'a>) -> &'a [u8] {
    // One flag for each open sequence or item of undefined length: whether its inside is implicit.
    let mut open: Vec<bool> = Vec::new();
    for _ in 0..DICOM_ELEMENTS_MAX {
        let implicit = open.last().copied().unwrap_or(syntax.implicit);
        let Some(element) = Element::read(rest, Syntax { implicit, ..syntax }) else { break };
        let past = match part {
            Part::Meta => element.tag.0 != 0x0002,
            Part::Data => open.is_empty() && element.tag > LAST_OF_INTEREST,
        };
        if past {
            break;
        }
        rest = element.after;
        match (element.tag, element.length) {
            ((0xFFFE, 0xE00D | 0xE0DD), _) => drop(open.pop()),
            (_, UNDEFINED) if open.len() < DICOM_DEPTH_MAX => open.push(implicit || &element.vr == b"UN"),
            (_, UNDEFINED) => break,
            (tag, length) => {
                let Some((value, after)) = rest.split_at_checked(length as usize) else { break };
                rest = after;
                if open.is_empty() {
                    header.keep(tag, value);
                }
            }
        }
    }
    rest
}

struct Element<'a> {
    tag: Tag,
    /// Blank in an implicit data set and in item marks.
    vr: [u8; 2],
    length: u32,
    after: &'a [u8],
}

impl<'a> Element<'a> {
    fn read(bytes: &'a [u8], syntax: Syntax) -> Option<Self> {
        let tag = (syntax.u16(bytes)?, syntax.u16(bytes.get(2..)?)?);
        let rest = bytes.get(4..)?;
        if syntax.implicit || tag.0 == 0xFFFE {
            return Some(Self { tag, vr: *b"  ", length: syntax.u32(rest)?, after: rest.get(4..)? });
        }
        let vr: [u8; 2] = *rest.first_chunk()?;
        if LONG_VRS.contains(&&vr) {
            return Some(Self { tag, vr, length: syntax.u32(rest.get(4..)?)?, after: rest.get(8..)? });
        }
        if !vr.iter().all(u8::is_ascii_uppercase) {
            return None;
        }
        Some(Self { tag, vr, length: u32::from(syntax.u16(rest.get(2..)?)?), after: rest.get(4..)? })
    }
}

fn trimmed(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|b| !matches!(b, b' ' | 0)).map_or(0, |at| at + 1);
    value[..end].trim_ascii_start()
}

fn is_video(transfer_syntax: &[u8]) -> bool {
    let Some(last) = transfer_syntax.strip_prefix(b"1.2.840.10008.1.2.4.") else { return false };
    matches!(last.get(..3), Some(b"100" | b"101" | b"102" | b"103" | b"104" | b"105" | b"106" | b"107" | b"108"))
}

const PREAMBLE_LEN: usize = 128;
const UNDEFINED: u32 = u32::MAX;
/// Body Part Examined.
const LAST_OF_INTEREST: Tag = (0x0018, 0x0015);
/// Value representations whose explicit length has four bytes after two unused ones.
const LONG_VRS: [&[u8; 2]; 13] =
    [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"];
/// Video endoscopic, microscopic and photographic images.
const VIDEO_CLASSES: [&[u8]; 3] =
    [b"1.2.840.10008.5.1.4.1.1.77.1.1.1", b"1.2.840.10008.5.1.4.1.1.77.1.2.1", b"1.2.840.10008.5.1.4.1.1.77.1.4.1"];

#[cfg(test)]
mod tests;
