//! Frames over an in-memory stream: what is whole passes, everything else is refused where it must be.

use std::time::Duration;

use karute_protocol::limits::{MESSAGE_LEN_MAX, PIECE_LEN_MAX};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

use super::*;

const IDLE: Duration = Duration::from_millis(200);

fn raw(length: u32, code: u8, number: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.push(code);
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn frame(kind: FrameKind, number: u32, payload: Vec<u8>) -> Frame {
    Frame { kind, number: FrameId(number), payload: payload.into() }
}

/// A reader of exactly these bytes and then the end.
async fn reader_of(bytes: &[u8]) -> FrameReader<DuplexStream> {
    let (mut near, far) = duplex(bytes.len().max(1));
    near.write_all(bytes).await.unwrap();
    drop(near);
    FrameReader::new(far)
}

async fn refusal_of(bytes: &[u8]) -> ReadError {
    reader_of(bytes).await.next(IDLE).await.unwrap_err()
}

#[tokio::test]
async fn frames_of_every_size_come_back_as_they_were() {
    let sizes = [0, 1, COALESCE_BYTES - HEAD_LEN, COALESCE_BYTES - HEAD_LEN + 1, PIECE_LEN_MAX];
    let (near, far) = duplex(1000);
    let (outbox, writer) = Outbox::start(FrameWriter::new(near));
    let sending = tokio::spawn(async move {
        for (n, size) in sizes.into_iter().enumerate() {
            outbox.piece(FrameId(n as u32), vec![n as u8; size]).await.unwrap();
        }
        outbox.message(FrameId(u32::MAX), vec![9; MESSAGE_LEN_MAX]).await.unwrap();
    });
    let mut reader = FrameReader::new(far);
    for (n, size) in sizes.into_iter().enumerate() {
        let got = reader.next(IDLE).await.unwrap().unwrap();
        assert_eq!(got, frame(FrameKind::Piece, n as u32, vec![n as u8; size]));
    }
    let got = reader.next(IDLE).await.unwrap().unwrap();
    assert_eq!(got, frame(FrameKind::Message, u32::MAX, vec![9; MESSAGE_LEN_MAX]));
    assert!(reader.next(IDLE).await.unwrap().is_none());
    sending.await.unwrap();
    writer.await.unwrap().unwrap();
}

#[tokio::test]
async fn bytes_are_laid_out_as_the_spec_says() {
    let (near, mut far) = duplex(64);
    let mut writer = FrameWriter::new(near);
    writer.write(&frame(FrameKind::Piece, 0x0102_0304, b"ab".to_vec())).await.unwrap();
    writer.close().await.unwrap();
    let mut bytes = Vec::new();
    far.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, [0, 0, 0, 7, /* type */ 1, /* number */ 1, 2, 3, 4, b'a', b'b']);
}

#[tokio::test]
async fn end_between_frames_is_an_end_and_end_inside_is_not() {
    let whole = raw(7, 0, 1, b"ab");
    for cut in 1..whole.len() {
        assert!(matches!(refusal_of(&whole[..cut]).await, ReadError::Truncated), "cut at {cut}");
    }
    let mut reader = reader_of(&whole).await;
    assert!(reader.next(IDLE).await.unwrap().is_some());
    assert!(reader.next(IDLE).await.unwrap().is_none());
}

#[tokio::test]
async fn wrong_lengths_and_types_are_refused_from_the_head_alone() {
    let refused = async |length: usize, code: u8| match refusal_of(&raw(length as u32, code, 1, b"")).await {
        ReadError::Malformed(why) => why,
        other => panic!("{other}"),
    };
    for length in 0..5 {
        assert_eq!(refused(length, 0).await, FrameError::TooShort);
    }
    assert_eq!(refused(5 + PIECE_LEN_MAX + 1, 1).await, FrameError::TooLong);
    assert_eq!(refused(5 + MESSAGE_LEN_MAX + 1, 0).await, FrameError::TooLong);
    assert_eq!(refused(u32::MAX as usize, 1).await, FrameError::TooLong);
    assert_eq!(refused(5, 2).await, FrameError::UnknownType(2));
    assert_eq!(refused(5, 255).await, FrameError::UnknownType(255));
}

#[tokio::test]
async fn too_long_is_refused_on_the_writing_side_too() {
    let (near, _far) = duplex(64);
    let (outbox, _writer) = Outbox::start(FrameWriter::new(near));
    let refused = outbox.message(FrameId(0), vec![0; MESSAGE_LEN_MAX + 1]).await;
    assert!(matches!(refused, Err(WriteError::TooLong)));
}

#[tokio::test]
async fn silence_is_idle_and_leaves_the_stream_good() {
    let (mut near, far) = duplex(64);
    let mut reader = FrameReader::new(far);
    assert!(matches!(reader.next(IDLE).await, Err(ReadError::Idle)));
    near.write_all(&raw(5, 0, 7, b"")).await.unwrap();
    assert_eq!(reader.next(IDLE).await.unwrap().unwrap().number, FrameId(7));
}

#[tokio::test]
async fn a_frame_that_drips_is_cut_off() {
    let (mut near, far) = duplex(64);
    let mut reader = FrameReader::with_frame_time(far, Duration::from_millis(150));
    let drip = tokio::spawn(async move {
        for byte in raw(105, 0, 1, &[0; 100]) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if near.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    });
    let refused = reader.next(Duration::from_secs(10)).await;
    assert!(matches!(refused, Err(ReadError::Stalled)));
    drip.abort();
}

#[tokio::test]
async fn a_peer_that_does_not_read_stops_the_sender_and_is_cut_off() {
    let (near, far) = duplex(64);
    let (outbox, writer) = Outbox::start(FrameWriter::with_frame_time(near, Duration::from_millis(900)));
    let mut sent = 0;
    while timeout(Duration::from_millis(150), outbox.piece(FrameId(0), vec![0; 1000])).await.is_ok() {
        sent += 1;
    }
    assert_eq!(sent, limits::OUTBOX_FRAMES + 1, "one with the writer, the rest in the queue");
    assert!(matches!(writer.await.unwrap(), Err(WriteError::Stalled)));
    assert!(matches!(outbox.piece(FrameId(0), vec![0]).await, Err(WriteError::Closed)));
    drop(far);
}

#[tokio::test]
async fn dropping_next_midway_loses_nothing() {
    let (mut near, far) = duplex(64);
    let mut reader = FrameReader::new(far);
    let whole = raw(9, 1, 5, b"abcd");
    for byte in &whole[..whole.len() - 1] {
        near.write_all(&[*byte]).await.unwrap();
        let cut_short = timeout(Duration::from_millis(2), reader.next(IDLE)).await;
        assert!(cut_short.is_err());
    }
    near.write_all(&whole[whole.len() - 1..]).await.unwrap();
    assert_eq!(reader.next(IDLE).await.unwrap().unwrap(), frame(FrameKind::Piece, 5, b"abcd".to_vec()));
}
