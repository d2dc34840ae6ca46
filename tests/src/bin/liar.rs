//! A node that lies, with the keys and the store of a real one: `liar --home FOLDER --passphrase-file FILE --lie NAME
//! [--snapshot FOLDER]`, or `liar --list`.
//!
//! It listens where the node listens. `--snapshot` is an older copy of the node's folder: most lies then serve it in the
//! place of the newer one. It prints one line when it listens, as `karute node run --json` does, and ends when it is killed.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use karute_node::ambient::Ambient;
use karute_node::config::{ConfigPath, NodeConfig};
use karute_node::cosign::{Connect, MemoryWitnesses, Pace, Witnesses};
use karute_node::failure::Failure;
use karute_node::flow::host::{Host, Registration, keep_cosigned};
use karute_node::net::{Listener, PeerKey};
use karute_node::node_keys::NodeKeys;
use karute_node::passphrase::Passphrase;
use karute_tests::liar::copy::open_host;
use karute_tests::liar::{Liar, Lie};

/// What was asked for.
struct Asked {
    home: PathBuf,
    passphrase: PathBuf,
    lie: Lie,
    snapshot: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words == ["--list"] {
        Lie::ALL.iter().filter(|lie| lie.needs_no_past()).for_each(|lie| println!("{lie:34} {}", lie.line()));
        return ExitCode::SUCCESS;
    }
    let Some(asked) = Asked::read(&words) else {
        eprintln!("usage: liar --home FOLDER --passphrase-file FILE --lie NAME [--snapshot FOLDER] | liar --list");
        return ExitCode::from(2);
    };
    match run(asked).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("liar: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Asked {
    fn read(words: &[String]) -> Option<Self> {
        let (mut home, mut passphrase, mut lie, mut snapshot) = (None, None, None, None);
        for pair in words.chunks(2) {
            let [name, value] = pair else { return None };
            match name.as_str() {
                "--home" => home = Some(PathBuf::from(value)),
                "--passphrase-file" => passphrase = Some(PathBuf::from(value)),
                "--lie" => lie = Some(value.parse().ok()?),
                "--snapshot" => snapshot = Some(PathBuf::from(value)),
                _ => return None,
            }
        }
        let lie = lie.filter(|lie: &Lie| lie.needs_no_past())?;
        Some(Self { home: home?, passphrase: passphrase?, lie, snapshot })
    }
}

async fn run(asked: Asked) -> Result<(), Box<dyn Error>> {
    let passphrase = Passphrase::from_file(&asked.passphrase).map_err(plain)?;
    let keys = NodeKeys::open(&asked.home, &passphrase).map_err(plain)?;
    let config = NodeConfig::read(&ConfigPath::InHome(asked.home.join("config.toml"))).map_err(plain)?;
    let open = |folder: &Path| -> Result<Arc<Host>, Box<dyn Error>> {
        // It asks no witness: of one it would hear that its store is an old copy, and stop.
        let witnesses = Witnesses::new(Vec::new(), Connect::memory(MemoryWitnesses::default()), Pace::default());
        let registration = Registration::Code(keys.registration_code());
        let host = open_host(&store_of(folder), &keys.log(), Ambient::system(), registration, witnesses)?;
        tokio::spawn(keep_cosigned(host.clone()));
        Ok(host)
    };
    let shown = open(asked.snapshot.as_deref().unwrap_or(&asked.home))?;
    let liar = Liar::new(keys.log(), shown);
    liar.lies(asked.lie);
    // A fork has two branches: who comes first is shown the newer folder from then on.
    let mut other = match asked.lie == Lie::ForksTheLog && asked.snapshot.is_some() {
        true => Some(open(&asked.home)?),
        false => None,
    };
    let (listening, mut arriving) = Listener::start(&keys.transport(), &config.listen_or_default()).await?;
    let addresses: Vec<String> = listening.addresses().iter().map(ToString::to_string).collect();
    println!("{}", serde_json::json!({ "event": "running", "lie": asked.lie.name(), "addresses": addresses }));
    while let Some(arrived) = arriving.recv().await {
        let peer: PeerKey = arrived.peer;
        if let Some(other) = other.take() {
            liar.shows_to_peer(peer, &other);
        }
        tokio::spawn(liar.clone().serve(peer, arrived.stream));
    }
    Ok(())
}

/// A failure in one line.
fn plain(failure: Failure) -> String {
    failure.chain().to_string()
}

/// The store in a node's folder, or the folder itself if it is one.
fn store_of(folder: &Path) -> PathBuf {
    let store = folder.join("store");
    if store.is_dir() { store } else { folder.to_owned() }
}
