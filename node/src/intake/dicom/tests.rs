//! DICOM files written with dicom-object, the library that most Rust readers use, and read back here.

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::*;

const EXPLICIT_LE: &str = "1.2.840.10008.1.2.1";

fn file(transfer_syntax: &str, with_sequence: bool) -> Vec<u8> {
    let text = |group, element, vr, value: &str| DataElement::new(Tag(group, element), vr, PrimitiveValue::from(value));
    let mut object = InMemDicomObject::new_empty();
    object.put(text(0x0008, 0x0005, VR::CS, "ISO_IR 192"));
    object.put(text(0x0008, 0x0016, VR::UI, "1.2.840.10008.5.1.4.1.1.2"));
    object.put(text(0x0008, 0x0018, VR::UI, "1.2.3.4"));
    object.put(text(0x0008, 0x0020, VR::DA, "20240301"));
    object.put(text(0x0008, 0x0060, VR::CS, "CT"));
    object.put(text(0x0008, 0x0080, VR::LO, "工業会病院"));
    object.put(text(0x0008, 0x1030, VR::LO, "胸部 CT"));
    object.put(text(0x0010, 0x0010, VR::PN, "Secret^Name"));
    object.put(text(0x0018, 0x0015, VR::CS, "CHEST"));
    if with_sequence {
        let mut item = InMemDicomObject::new_empty();
        item.put(text(0x0008, 0x0060, VR::CS, "MR"));
        let items = DataSetSequence::from(vec![item]);
        object.put(DataElement::new(Tag(0x0008, 0x1032), VR::SQ, items));
    }
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(transfer_syntax)
        .media_storage_sop_class_uid("1.2.840.10008.5.1.4.1.1.2")
        .media_storage_sop_instance_uid("1.2.3.4");
    let mut bytes = Vec::new();
    object.with_meta(meta).unwrap().write_all(&mut bytes).unwrap();
    bytes
}

#[test]
fn every_layout_reads_alike_and_the_patients_name_stays_out() {
    for transfer_syntax in [EXPLICIT_LE, "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"] {
        for with_sequence in [false, true] {
            let found = read(&file(transfer_syntax, with_sequence)).unwrap();
            assert_eq!(found.title.as_deref(), Some("CT 胸部 CT"), "{transfer_syntax} {with_sequence}");
            assert_eq!(found.service_date.unwrap().to_string(), "2024-03-01");
            assert_eq!(found.author.as_deref(), Some("工業会病院"));
            assert_eq!(found.category, Category::Imaging);
        }
    }
}

#[test]
fn a_header_cut_anywhere_or_flipped_anywhere_is_read_without_harm() {
    let bytes = file(EXPLICIT_LE, true);
    for end in 0..bytes.len() {
        assert_eq!(read(&bytes[..end]).is_some(), end >= PREAMBLE_LEN + 4);
    }
    for at in PREAMBLE_LEN + 4..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bad = bytes.clone();
            bad[at] ^= flip;
            assert!(read(&bad).is_some());
        }
    }
}

#[test]
fn an_implicit_data_set_under_an_explicit_name_and_an_old_date_are_read() {
    let mut bytes = vec![0; PREAMBLE_LEN];
    bytes.extend_from_slice(b"DICM\x02\x00\x10\x00UI\x16\x001.2.840.10008.1.2.4.50");
    bytes.extend_from_slice(b"\x08\x00\x20\x00\x0a\x00\x00\x001997.04.24");
    bytes.extend_from_slice(b"\x08\x00\x60\x00\x02\x00\x00\x00CT");
    let found = read(&bytes).unwrap();
    assert_eq!(found.title.as_deref(), Some("CT"));
    assert_eq!(found.service_date.unwrap().to_string(), "1997-04-24");
}

#[test]
fn a_length_of_four_gigabytes_takes_no_memory() {
    let mut bytes = vec![0; PREAMBLE_LEN];
    bytes.extend_from_slice(b"DICM\x08\x00\x05\x00UT\x00\x00\xfe\xff\xff\xff");
    assert_eq!(read(&bytes).unwrap().title, None);
}

#[test]
fn japanese_by_code_extension_is_read_and_video_is_told_apart() {
    let mut bytes = vec![0; PREAMBLE_LEN];
    bytes.extend_from_slice(b"DICM\x02\x00\x10\x00UI\x18\x001.2.840.10008.1.2.4.102\0");
    bytes.extend_from_slice(b"\x08\x00\x05\x00CS\x10\x00\\ISO 2022 IR 87 ");
    bytes.extend_from_slice(b"\x08\x00\x30\x10LO\x0a\x00\x1b$B;3ED\x1b(B");
    let found = read(&bytes).unwrap();
    assert_eq!(found.title.as_deref(), Some("山田"));
    assert_eq!(found.category, Category::Video);
}

#[test]
fn sequences_nested_without_end_are_left() {
    let mut bytes = vec![0; PREAMBLE_LEN];
    bytes.extend_from_slice(b"DICM");
    for _ in 0..1000 {
        bytes.extend_from_slice(b"\x08\x00\x32\x10SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff");
    }
    assert!(read(&bytes).is_some());
}
