//! What comes over a stream: frames, split at any place, and the messages in them.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;

use karute_node::frame::{FrameReader, ReadError};
use karute_protocol::merkle::{TreeHash, TreeHead};
use karute_protocol::message::Message;
use karute_protocol::message::frame::{FrameHead, HEAD_LEN, encode_frame};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime::Runtime;

use super::source::Source;

/// A message: tag and map.
pub fn message(data: &[u8]) {
    if let Ok(message) = Message::decode(data) {
        assert_eq!(message.tag(), data[0]);
        assert_eq!(message.encode().as_deref(), Ok(data), "one spelling");
        verify(&message);
    }
}

/// What a message brings with it that can be checked without knowing more: it ends, and what nobody signed is refused.
fn verify(message: &Message) {
    let head = TreeHead { size: 1 << 20, root: TreeHash([7; 32]) };
    match message {
        Message::TrailItem(item) => assert!(item.verify(&head).is_err(), "nobody knows a log with this root"),
        Message::News(news) => assert!(news.item.verify(&head).is_err()),
        Message::Tombstone(tombstone) => {
            let _ = tombstone.removal(super::ledgers::vault());
        }
        Message::Item(item) => {
            let _ = item.open();
        }
        _ => {}
    }
}

/// Frames: how the stream is split, then the stream. What the reader gives out is what a plain reading of the whole
/// stream gives, whatever the splits.
pub fn frame(data: &[u8]) {
    let mut source = Source::new(data);
    let cuts: Vec<usize> = source.take(8).iter().map(|byte| usize::from(*byte)).collect();
    let stream = source.rest();
    let (expected, whole) = plain_reading(stream);
    let reader = FrameReader::new(Pieces { rest: stream.to_vec(), cuts: cuts.into() });
    let found = RUNTIME.block_on(read_all(reader, expected.len() + 1));
    let ended = found.1;
    assert_eq!(found.0, expected, "the same frames, whatever the splits");
    match ended {
        None => assert!(whole, "the stream ended between two frames"),
        Some(ReadError::Truncated | ReadError::Malformed(_)) => assert!(!whole),
        Some(other) => panic!("nothing else can happen to bytes at hand: {other}"),
    }
}

/// The frames of a stream, encoded again, until something is none; whether that was its end.
fn plain_reading(stream: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let (mut rest, mut frames) = (stream, Vec::new());
    while let Some(head) = rest.first_chunk::<HEAD_LEN>() {
        let Ok(head) = FrameHead::decode(head) else { return (frames, false) };
        assert_eq!(&head.encode()[..], &rest[..HEAD_LEN], "one spelling of a head");
        let Some(frame) = rest.get(..HEAD_LEN + head.payload_len()) else { return (frames, false) };
        rest = &rest[frame.len()..];
        frames.push(frame.to_vec());
    }
    (frames, rest.is_empty())
}

async fn read_all(mut reader: FrameReader<Pieces>, most: usize) -> (Vec<Vec<u8>>, Option<ReadError>) {
    let mut frames = Vec::new();
    for _ in 0..most {
        match reader.next(Duration::from_secs(60)).await {
            Ok(Some(frame)) => {
                frames.push(encode_frame(frame.kind, frame.number, &frame.payload).expect("it was within its limit"));
            }
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error)),
        }
    }
    panic!("more frames than the stream has");
}

/// A stream that gives a few bytes at a time.
struct Pieces {
    rest: Vec<u8>,
    cuts: VecDeque<usize>,
}

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let cut = self.cuts.pop_front().unwrap_or(7);
        self.cuts.push_back(cut);
        let len = (cut + 1).min(self.rest.len()).min(to.remaining());
        let tail = self.rest.split_off(len);
        to.put_slice(&self.rest);
        self.rest = tail;
        Poll::Ready(Ok(()))
    }
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime of one thread")
});
