//! Text that people carry, and files of settings: codes, links, keys, addresses, configuration.

use std::fmt::{Debug, Display};
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::LazyLock;

use karute_consent::encoding::{from_bytes, to_bytes};
use karute_consent::id::{CollectionId, PartyKey, VaultId};
use karute_consent::time::Month;
use karute_node::agent::heads::{LedgerSeen, SeenHeads};
use karute_node::agent::link::{JoinText, VaultLink};
use karute_node::agent::view::{VaultView, ViewAtRest};
use karute_node::config::{AgentConfig, ConfigPath, NodeConfig};
use karute_node::flow::agent::requests::read_ask;
use karute_node::keystore::Keystore;
use karute_node::net::{NodeAddress, PeerKey};
use karute_node::passphrase::Passphrase;
use karute_protocol::archive;
use karute_protocol::recovery::RecoveryCode;
use zeroize::Zeroizing;

use super::evidence::spelled_once;
use super::source::Source;

/// A recovery code as somebody types it.
pub fn recovery_code(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(code) = RecoveryCode::from_text(text) else { return };
    let printed = code.to_text();
    let plain = |text: &str| {
        text.chars().filter(|c| !c.is_ascii_whitespace() && *c != '-').collect::<String>().to_ascii_lowercase()
    };
    assert_eq!(plain(&printed), plain(text), "one spelling but for groups, spaces and case");
    assert!(RecoveryCode::from_text(&printed).is_ok());
}

/// Links, keys, ids and addresses as text.
pub fn text(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(link) = archive::VaultLink::from_text(text) {
        assert_eq!(link.to_text().as_deref(), Ok(text.trim()), "one spelling");
    }
    if let Ok(ask) = archive::ask_from_text(text)
        && let Ok(ask) = ask.verify()
    {
        assert_eq!(archive::ask_to_text(&ask), text.trim());
        assert!(read_ask(text).is_ok());
    }
    reads_back::<VaultLink>(text, text.trim());
    reads_back::<JoinText>(text, text.trim());
    reads_back::<VaultId>(text, text);
    reads_back::<CollectionId>(text, text);
    reads_back::<Month>(text, text);
    for_each_spelling::<PartyKey>(text);
    for_each_spelling::<NodeAddress>(text);
    if let Ok(peer) = PeerKey::from_bytes(data) {
        assert_eq!(peer.to_bytes(), data, "one spelling");
    }
}

/// A text that has one spelling.
fn reads_back<T: FromStr + Display>(text: &str, spelling: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), spelling, "one spelling");
    }
}

/// A text that may be written in more ways than one, all of which mean the same.
fn for_each_spelling<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let again = value.to_string().parse::<T>().ok();
        assert_eq!(again.as_ref(), Some(&value), "what is printed means what was read");
    }
}

/// The files of settings.
pub fn config(data: &[u8]) {
    let path = write("config.toml", data);
    let path = ConfigPath::Named(path);
    if let Ok(config) = NodeConfig::read(&path) {
        assert!(!config.addresses().is_empty() || config.listen.is_some());
    }
    let _ = AgentConfig::read(&path);
}

/// A party's copy of a ledger, and the heads that it saw, as they lie at rest.
pub fn agent_state(data: &[u8]) {
    spelled_once::<LedgerSeen>(data);
    spelled_once::<SeenHeads>(data);
    let Ok(rest) = from_bytes::<ViewAtRest>(data, data.len()) else { return };
    assert_eq!(to_bytes(&rest).as_deref(), Ok(data), "one spelling");
    let vault = super::ledgers::vault();
    if let Ok(view) = VaultView::from_rest(vault, rest) {
        assert_eq!(to_bytes(&view.at_rest()).as_deref(), Ok(data), "at rest again it is the same");
        assert_eq!(view.head().map(|head| head.size).unwrap_or(0), view.size());
    }
}

/// A file of keys. Costs that are allowed and dear are left out: they take the time that they are meant to take.
pub fn keystore(data: &[u8]) {
    let mut source = Source::new(data.get(MAGIC_LEN..).unwrap_or_default());
    let mut number = || u64::from(source.short()) << 16 | u64::from(source.short());
    let (memory_kib, passes, lanes) = (number(), number(), number());
    if memory_kib * passes.max(1) > 512 && memory_kib <= 1 << 20 && passes <= 16 && lanes <= 4 {
        return;
    }
    let path = write("keys", data);
    let passphrase = Passphrase::new(Zeroizing::new("correct horse battery staple".to_owned()));
    let Ok(passphrase) = passphrase else { panic!("a long passphrase is taken") };
    assert!(Keystore::open(&path, &passphrase).is_err(), "nobody sealed it under this passphrase");
}

/// `karute-keys` and the version.
const MAGIC_LEN: usize = 12;

/// Writes a file where this process keeps its own.
fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.path().join(format!("{:?}-{name}", std::thread::current().id()));
    fs::write(&path, bytes).expect("a folder in memory has room");
    path
}

/// A folder in memory, where there is one.
pub(super) fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("karute-fuzz-").tempdir_in("/dev/shm");
    folder.or_else(|_| tempfile::tempdir()).expect("a folder for files of this process")
}

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(folder);
