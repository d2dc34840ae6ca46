//! What lies between an agent and the host: it cuts streams after so many bytes, or changes the host's frames. The agent
//! knows nothing of it.

use std::sync::{Arc, Mutex};

use karute_node::agent::connect::{Connect, MemoryConnect, MemoryInbound, Stream};
use karute_node::flow::agent::reach::Reach;
use karute_node::frame::{Frame, FrameReader, FrameWriter};
use karute_node::net::TransportSeed;
use karute_tests::world::{ADDRESS, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, split};
use tokio::sync::mpsc;

/// Where a stream is cut: after so many bytes towards the host, or from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Up(usize),
    Down(usize),
}

/// What passed on all streams so far.
#[derive(Clone, Default)]
pub(super) struct Passed {
    pub(super) up: Arc<Mutex<Vec<u8>>>,
    pub(super) down: Arc<Mutex<Vec<u8>>>,
}

impl Passed {
    /// Where the frames end that went to the host, in bytes from the beginning.
    pub(super) fn ends_up(&self) -> Vec<usize> {
        ends(&self.up.lock().unwrap())
    }

    /// Where the frames end that came from the host.
    pub(super) fn ends_down(&self) -> Vec<usize> {
        ends(&self.down.lock().unwrap())
    }
}

fn ends(bytes: &[u8]) -> Vec<usize> {
    let (mut at, mut found) = (0, Vec::new());
    while let Some(head) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        at += 4 + u32::from_be_bytes(*head) as usize;
        found.push(at);
    }
    found
}

/// A way to the host whose first streams are cut; those after the last cut are whole.
pub(super) fn cutting(world: &World, transport: &TransportSeed, cuts: Vec<Cut>) -> (Reach, Passed) {
    let passed = Passed::default();
    let (seen, mut cuts) = (passed.clone(), cuts.into_iter());
    let reach = between(world, transport, move |agent, host| {
        let cut = cuts.next();
        tokio::spawn(relay(agent, host, cut, seen.clone()));
    });
    (reach, passed)
}

/// A way to the host on which each frame of the host becomes those that `change` makes of it.
pub(super) fn rewriting<C>(world: &World, transport: &TransportSeed, change: C) -> Reach
where
    C: FnMut(Frame) -> Vec<Frame> + Send + 'static,
{
    let change = Arc::new(Mutex::new(change));
    between(world, transport, move |agent, host| {
        tokio::spawn(rewrite(agent, host, change.clone()));
    })
}

/// A way to the host that hands both ends of each stream to `join`.
fn between(
    world: &World,
    transport: &TransportSeed,
    mut join: impl FnMut(DuplexStream, Box<dyn Stream>) + Send + 'static,
) -> Reach {
    let (accept, mut inbound) = mpsc::channel::<MemoryInbound>(16);
    let onward: Connect = world.connect_of(transport);
    tokio::spawn(async move {
        while let Some(MemoryInbound { stream, .. }) = inbound.recv().await {
            let Ok(line) = onward.open(&[ADDRESS.to_owned()]).await else { return };
            join(stream, line.stream);
        }
    });
    let peer = transport.peer_key().to_bytes();
    Reach::new(Connect::Memory(MemoryConnect::new(peer).with_host(ADDRESS, accept)))
}

/// Copies both ways until one way has passed its number of bytes; then both ends are dropped.
async fn relay(agent: DuplexStream, host: Box<dyn Stream>, cut: Option<Cut>, seen: Passed) {
    let (from_agent, to_agent) = split(agent);
    let (from_host, to_host) = split(host);
    let (up, down) = match cut {
        Some(Cut::Up(bytes)) => (bytes, usize::MAX),
        Some(Cut::Down(bytes)) => (usize::MAX, bytes),
        None => (usize::MAX, usize::MAX),
    };
    tokio::select! {
        () = copy(from_agent, to_host, up, seen.up) => {}
        () = copy(from_host, to_agent, down, seen.down) => {}
    }
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut left: usize,
    seen: Arc<Mutex<Vec<u8>>>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while left > 0 {
        let Ok(got @ 1..) = from.read(&mut buffer).await else { return };
        let sent = got.min(left);
        left -= sent;
        seen.lock().unwrap().extend_from_slice(&buffer[..sent]);
        if to.write_all(&buffer[..sent]).await.is_err() {
            return;
        }
    }
}

async fn rewrite<C>(agent: DuplexStream, host: Box<dyn Stream>, change: Arc<Mutex<C>>)
where
    C: FnMut(Frame) -> Vec<Frame> + Send,
{
    let (from_agent, to_agent) = split(agent);
    let (from_host, to_host) = split(host);
    let downwards = async move {
        let (mut reader, mut writer) = (FrameReader::new(from_host), FrameWriter::new(to_agent));
        while let Ok(Some(frame)) = reader.next(std::time::Duration::from_secs(60)).await {
            let changed = (*change.lock().unwrap())(frame);
            for frame in changed {
                if writer.write(&frame).await.is_err() || writer.flush().await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = copy(from_agent, to_host, usize::MAX, Arc::default()) => {}
        () = downwards => {}
    }
}
