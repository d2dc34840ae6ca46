//! Two swarms over loopback TCP in one process.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, split},
    sync::mpsc,
    time::timeout,
};

use super::*;
use crate::frame::{FrameId, FrameReader, FrameWriter, Outbox};

fn seed(n: u8) -> TransportSeed {
    TransportSeed::new([n; 32])
}

fn loopback() -> Vec<String> {
    vec!["/ip4/127.0.0.1/tcp/0".to_owned()]
}

async fn listener(n: u8) -> (ListenHandle, mpsc::Receiver<Inbound>, String) {
    let (handle, inbound) = Listener::start(&seed(n), &loopback()).await.unwrap();
    let address = handle.addresses()[0].to_string();
    (handle, inbound, address)
}

/// A listener that sends back whatever comes, on every stream.
async fn echo(n: u8) -> (ListenHandle, String) {
    let (handle, mut inbound, address) = listener(n).await;
    tokio::spawn(async move {
        while let Some(Inbound { stream, .. }) = inbound.recv().await {
            tokio::spawn(async move {
                let (mut from, mut to) = split(stream);
                let _ = copy(&mut from, &mut to).await;
                let _ = to.shutdown().await;
            });
        }
    });
    (handle, address)
}

async fn port_of(handle: &ListenHandle) -> u16 {
    let text = handle.addresses()[0].to_string();
    text.split('/').nth(4).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_mebibytes_come_back_as_they_went() {
    let (_handle, address) = echo(1).await;
    // Dialer and connection are dropped at once: a stream holds what it needs.
    let stream = Dialer::new(&seed(2)).unwrap().dial(&address).await.unwrap().open_stream().await.unwrap();
    let (mut back, mut forth) = split(stream);
    let sending = tokio::spawn(async move {
        let mut hash = blake3::Hasher::new();
        for n in 0..64_u8 {
            let piece = vec![n; 1024 * 1024];
            hash.update(&piece);
            forth.write_all(&piece).await.unwrap();
        }
        forth.shutdown().await.unwrap();
        hash.finalize()
    });
    let mut hash = blake3::Hasher::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut total = 0;
    loop {
        let got = back.read(&mut buffer).await.unwrap();
        if got == 0 {
            break;
        }
        hash.update(&buffer[..got]);
        total += got;
    }
    assert_eq!(total, 64 * 1024 * 1024);
    assert_eq!(hash.finalize(), sending.await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_frames_pipelined_on_one_stream_come_in_order() {
    let (_handle, mut inbound, address) = listener(1).await;
    tokio::spawn(async move {
        let Inbound { peer, stream } = inbound.recv().await.unwrap();
        assert_eq!(peer, seed(2).peer_key());
        let (from, to) = split(stream);
        let (outbox, _writer) = Outbox::start(FrameWriter::new(to));
        let mut reader = FrameReader::new(from);
        while let Some(frame) = reader.next(limits::SESSION_IDLE).await.unwrap() {
            outbox.send(frame).await.unwrap();
        }
    });
    let dialer = Dialer::new(&seed(2)).unwrap();
    let connection = dialer.dial(&address).await.unwrap();
    let (from, to) = split(connection.open_stream().await.unwrap());
    let (outbox, writer) = Outbox::start(FrameWriter::new(to));
    let sending = tokio::spawn(async move {
        for n in 0..1000 {
            outbox.message(FrameId(n), n.to_be_bytes().to_vec()).await.unwrap();
        }
    });
    let mut reader = FrameReader::new(from);
    for n in 0..1000_u32 {
        let frame = reader.next(limits::SESSION_IDLE).await.unwrap().unwrap();
        assert_eq!(frame.number, FrameId(n));
        assert_eq!(frame.payload, n.to_be_bytes().to_vec());
    }
    sending.await.unwrap();
    writer.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_streams_all_arrive() {
    let (_handle, address) = echo(1).await;
    let dialer = Dialer::new(&seed(2)).unwrap();
    let connection = dialer.dial(&address).await.unwrap();
    let mut streams = Vec::new();
    for n in 0..48_u8 {
        let connection = connection.clone();
        streams.push(tokio::spawn(async move {
            let mut stream = connection.open_stream().await.unwrap();
            stream.write_all(&[n; 100]).await.unwrap();
            stream.flush().await.unwrap();
            let mut back = [0; 100];
            stream.read_exact(&mut back).await.unwrap();
            assert_eq!(back, [n; 100]);
        }));
    }
    for stream in streams {
        stream.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_full_of_streams_refuses_one_more_and_lives() {
    let (_handle, address) = echo(1).await;
    let connection = Dialer::new(&seed(2)).unwrap().dial(&address).await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..limits::OUTBOUND_STREAMS_MAX {
        streams.push(connection.open_stream().await.unwrap());
    }
    assert!(matches!(connection.open_stream().await, Err(OpenError::Busy)));
    let mut first = streams.swap_remove(0);
    first.write_all(b"x").await.unwrap();
    first.flush().await.unwrap();
    assert_eq!(first.read_u8().await.unwrap(), b'x');
    streams.pop();
    assert!(connection.open_stream().await.is_ok());
}

#[tokio::test]
async fn another_peer_key_at_the_address_is_refused_and_named() {
    let (handle, _inbound, _) = listener(1).await;
    let wrong = format!("127.0.0.1:{}#{}", port_of(&handle).await, seed(9).peer_key());
    let refused = Dialer::new(&seed(2)).unwrap().dial(&wrong).await.err();
    assert!(matches!(refused, Some(DialError::WrongPeer { found }) if found == seed(1).peer_key()), "{refused:?}");
}

#[tokio::test]
async fn the_own_address_is_refused() {
    let (_handle, _inbound, address) = listener(1).await;
    let refused = Dialer::new(&seed(1)).unwrap().dial(&address).await.err();
    assert!(matches!(refused, Some(DialError::Ourselves)), "{refused:?}");
}

#[tokio::test]
async fn nobody_listening_is_refused_and_an_unknown_name_is_unknown() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dialer = Dialer::new(&seed(2)).unwrap();
    let peer = seed(1).peer_key();
    let refused = dialer.dial(&format!("127.0.0.1:{free}#{peer}")).await.err();
    assert!(matches!(refused, Some(DialError::Refused)), "{refused:?}");
    let refused = dialer.dial(&format!("no-such-host.invalid:7400#{peer}")).await.err();
    assert!(matches!(refused, Some(DialError::UnknownHost)), "{refused:?}");
    let refused = dialer.dial("nonsense").await.err();
    assert!(matches!(refused, Some(DialError::Address(AddressError::NoPeer))), "{refused:?}");
}

#[tokio::test]
async fn a_host_name_is_looked_up() {
    let (handle, _inbound, _) = listener(1).await;
    let named = format!("localhost:{}#{}", port_of(&handle).await, seed(1).peer_key());
    let dialer = Dialer::new(&seed(2)).unwrap();
    assert_eq!(dialer.dial(&named).await.unwrap().peer(), handle.peer());
}

#[tokio::test]
async fn something_that_is_no_node_is_told_apart() {
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = other.accept().await {
            let _ = stream.write_all(b"220 mail.example ESMTP\r\n").await;
        }
    });
    let address = format!("127.0.0.1:{port}#{}", seed(1).peer_key());
    let refused = Dialer::new(&seed(2)).unwrap().dial(&address).await.err();
    assert!(matches!(refused, Some(DialError::Handshake)), "{refused:?}");
}

#[tokio::test]
async fn a_port_in_use_is_said_so() {
    let (handle, _inbound, _) = listener(1).await;
    let taken = format!("/ip4/127.0.0.1/tcp/{}", port_of(&handle).await);
    let refused = Listener::start(&seed(3), &[taken]).await.err();
    assert!(matches!(refused, Some(ListenError::PortInUse(_))), "{refused:?}");
    let refused = Listener::start(&seed(3), &["/ip4/192.0.2.77/tcp/7400".to_owned()]).await.err();
    assert!(matches!(refused, Some(ListenError::NotOurs(_))), "{refused:?}");
    for text in ["nonsense", "/dns/example.com/tcp/1", "/ip4/127.0.0.1"] {
        let refused = Listener::start(&seed(3), &[text.to_owned()]).await.err();
        assert!(matches!(refused, Some(ListenError::BadAddress(_))), "{text}: {refused:?}");
    }
    assert!(matches!(Listener::start(&seed(3), &[]).await.err(), Some(ListenError::HowMany)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_peer_gets_no_more_connections_than_its_share() {
    let (_handle, address) = echo(1).await;
    let mut good = Vec::new();
    // Each dialer has the same key and a swarm of its own, so that only the listener's limit is in play.
    for _ in 0..limits::PER_PEER_MAX + 3 {
        let dialer = Dialer::new(&seed(2)).unwrap();
        let Ok(connection) = dialer.dial(&address).await else { continue };
        let Ok(mut stream) = connection.open_stream().await else { continue };
        let mut back = [0; 1];
        let answered = async {
            stream.write_all(b"x").await?;
            stream.flush().await?;
            stream.read_exact(&mut back).await
        };
        if matches!(timeout(Duration::from_secs(5), answered).await, Ok(Ok(_))) {
            good.push((connection, stream));
        }
    }
    assert_eq!(good.len(), limits::PER_PEER_MAX as usize);
    let other = Dialer::new(&seed(5)).unwrap();
    assert!(other.dial(&address).await.unwrap().open_stream().await.is_ok(), "others are not concerned");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_goes_away_midway_is_noticed_by_the_other() {
    let (handle, mut inbound, address) = listener(1).await;
    let dialer = Dialer::new(&seed(2)).unwrap();
    let connection = dialer.dial(&address).await.unwrap();
    let mut stream = connection.open_stream().await.unwrap();
    stream.write_all(&[0, 0, 0, 50, 0]).await.unwrap();
    stream.flush().await.unwrap();
    let mut reader = FrameReader::new(inbound.recv().await.unwrap().stream);
    drop(stream);
    let ended = timeout(Duration::from_secs(5), reader.next(Duration::from_secs(4))).await.unwrap();
    assert!(ended.is_err(), "the stream ended inside a frame");
    let mut stream = connection.open_stream().await.unwrap();
    stream.write_all(b"x").await.unwrap();
    stream.flush().await.unwrap();
    let _held = inbound.recv().await.unwrap();
    timeout(Duration::from_secs(5), handle.end()).await.unwrap();
    let mut rest = Vec::new();
    let ended = timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await.unwrap();
    assert!(ended.is_err() || rest.is_empty());
    let reopened = timeout(Duration::from_secs(5), connection.open_stream()).await.unwrap();
    assert!(matches!(reopened, Err(OpenError::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_stop_listening_open_streams_go_on_and_new_connections_do_not() {
    let (handle, address) = echo(1).await;
    let dialer = Dialer::new(&seed(2)).unwrap();
    let connection = dialer.dial(&address).await.unwrap();
    let mut stream = connection.open_stream().await.unwrap();
    stream.write_all(b"a").await.unwrap();
    stream.flush().await.unwrap();
    stream.read_u8().await.unwrap();
    handle.stop_listening().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    stream.write_all(b"b").await.unwrap();
    stream.flush().await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'b');
    let refused = Dialer::new(&seed(3)).unwrap().dial(&address).await.err();
    assert!(matches!(refused, Some(DialError::Refused)), "{refused:?}");
}

#[test]
fn peer_keys_have_one_spelling_in_bytes() {
    let key = seed(1).peer_key();
    assert_eq!(PeerKey::from_bytes(&key.to_bytes()).unwrap(), key);
    assert!(key.to_string().starts_with("12D3KooW"));
    assert!(PeerKey::from_bytes(b"").is_err());
    assert!(PeerKey::from_bytes(&[key.to_bytes(), vec![0]].concat()).is_err());
}
