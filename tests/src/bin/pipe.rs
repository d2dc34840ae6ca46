//! A plain pipe into a node, for peers that speak the messages but not libp2p: `pipe ADDRESS SEED`.
//!
//! Dials the node with the transport key of SEED (64 hex digits) and joins one stream to standard input and output. The
//! first line of output is the PeerId of this end in hex; what follows is what the node sends. It understands nothing of
//! what it carries.

use std::error::Error;
use std::io::{Read, Write};
use std::process::ExitCode;

use karute_consent::id::Digest;
use karute_node::net::{Dialer, TransportSeed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, seed] = arguments.as_slice() else {
        eprintln!("usage: pipe ADDRESS SEED");
        return ExitCode::from(2);
    };
    match carry(address, seed).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pipe: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn carry(address: &str, seed: &str) -> Result<(), Box<dyn Error>> {
    let seed: Digest = seed.parse()?;
    let dialer = Dialer::new(&TransportSeed::new(*seed.as_bytes()))?;
    let peer: String = dialer.peer().to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let connection = dialer.dial(address).await?;
    let (mut from_node, mut to_node) = tokio::io::split(connection.open_stream().await?);
    let mut output = std::io::stdout();
    writeln!(output, "{peer}")?;
    output.flush()?;
    let (sender, mut typed) = mpsc::channel(PIECES_MAX);
    std::thread::spawn(move || read_input(&sender));
    let into = async {
        while let Some(piece) = typed.recv().await {
            to_node.write_all(&piece).await?;
            to_node.flush().await?;
        }
        to_node.shutdown().await
    };
    let out = async {
        let mut piece = vec![0; PIECE_LEN];
        loop {
            match from_node.read(&mut piece).await? {
                0 => return Ok::<_, std::io::Error>(()),
                len => output.write_all(&piece[..len])?,
            }
            output.flush()?;
        }
    };
    tokio::select! {
        ended = out => ended?,
        ended = into => ended?,
    }
    Ok(())
}

/// Hands on what comes in, until it ends or nobody takes it.
fn read_input(to: &mpsc::Sender<Vec<u8>>) {
    let mut input = std::io::stdin().lock();
    let mut piece = vec![0; PIECE_LEN];
    while let Ok(len) = input.read(&mut piece) {
        if len == 0 || to.blocking_send(piece[..len].to_vec()).is_err() {
            return;
        }
    }
}

/// Pieces that wait at most.
const PIECES_MAX: usize = 16;
/// Bytes carried at a time.
const PIECE_LEN: usize = 65_536;
