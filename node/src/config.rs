//! Settings from a TOML file. Environment variables and flags are read by the command line, which lets a flag win over
//! the environment and the environment over this file.
//!
//! A key that is not known is refused with its line: a mistyped limit must not be silently ignored.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::cosign::{Pace, WitnessEnd};
use crate::failure::{Failure, FailureKind};
use crate::home::read_bounded;
use crate::witness::limits::ORIGINS_DEFAULT;

/// What a node is told by its file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeConfig {
    /// Multiaddresses to listen on.
    pub listen: Option<Vec<String>>,
    /// Multiaddresses at which others reach this node, if they differ from `listen`.
    pub external: Vec<String>,
    /// Who may make a vault here.
    pub registration: Option<Registration>,
    /// Who cosigns this node's logs.
    pub witnesses: Vec<ChosenWitness>,
    /// The trail is cosigned at most once in so many seconds; 10 when nobody says otherwise.
    pub cosign_every_secs: Option<u64>,
    /// Cosignatures of a ledger that are older than so many seconds are renewed when somebody asks for its heads; 60 when
    /// nobody says otherwise.
    pub ledger_fresh_secs: Option<u64>,
    /// Caps that a custodian may set.
    pub limits: NodeLimits,
}

/// A witness that a custodian chose.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChosenWitness {
    /// Its key as `karute witness init` prints it: name, key id in hex and key in base64, joined by plus signs.
    pub vkey: String,
    /// Where it is asked, such as `https://witness.example`.
    pub url: String,
}

/// Who may make a vault on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Nobody.
    Closed,
    /// Whoever shows the code that `karute node init` printed.
    #[default]
    Code,
}

/// Caps of one node. The protocol's own caps stand above these.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeLimits {
    /// Longest sealed body taken, in bytes.
    pub body_bytes_max: u64,
    /// Uploads under way at once.
    pub uploads_max: usize,
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self { body_bytes_max: 1 << 40, uploads_max: 256 }
    }
}

/// What a witness is told by its file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WitnessRoleConfig {
    /// Address and port to listen on.
    pub listen: String,
    /// The guard's file [default: beside the home folder].
    pub guard: Option<PathBuf>,
    /// Node ids in hex whose logs are taken on; none: those of all nodes.
    pub nodes: Vec<String>,
    /// Verifier keys of logs that are not karute's.
    pub logs: Vec<String>,
    /// Logs and vaults that are taken on.
    pub origins_max: usize,
}

impl Default for WitnessRoleConfig {
    fn default() -> Self {
        let listen = WITNESS_LISTEN_DEFAULT.to_owned();
        Self { listen, guard: None, nodes: Vec::new(), logs: Vec::new(), origins_max: ORIGINS_DEFAULT }
    }
}

/// What an agent is told by its file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentConfig {
    /// Multiaddress of the node, ending in `/p2p/<peer id>`.
    pub node: Option<String>,
    /// The name shown to others.
    pub name: Option<String>,
    /// Verifier keys of the witnesses of a vault that is made.
    pub witnesses: Vec<String>,
    /// How many of them have to sign; a majority, if it is not said.
    pub quorum: Option<u8>,
}

impl NodeConfig {
    /// Reads `path`; without a file, everything has its default.
    pub fn read(path: &ConfigPath) -> Result<Self, Failure> {
        read(path)
    }

    /// The witnesses, each with a key that is one and an address on the web.
    pub fn witness_ends(&self) -> Result<Vec<WitnessEnd>, Failure> {
        let mut ends: Vec<WitnessEnd> = Vec::new();
        for witness in &self.witnesses {
            let end = witness.end()?;
            if ends.iter().any(|other| other.key.party == end.key.party) {
                let cause = format!("the witness {} is there twice", end.key.name);
                return Err(Failure::new(FailureKind::Config, cause).hint("name each witness once"));
            }
            ends.push(end);
        }
        if ends.len() > WITNESSES_MAX {
            let cause = format!("there are {} witnesses, and at most {WITNESSES_MAX} are asked", ends.len());
            return Err(Failure::new(FailureKind::Config, cause).hint("leave some out: a quorum needs only a few"));
        }
        Ok(ends)
    }

    /// How often witnesses are asked.
    pub fn pace(&self) -> Result<Pace, Failure> {
        let usual = Pace::default();
        let secs = |name: &str, set: Option<u64>, usual: u64| match set.unwrap_or(usual) {
            secs @ 1..=PACE_SECS_MAX => Ok(secs),
            _ => Err(Failure::new(FailureKind::Config, format!("{name} must be from 1 to {PACE_SECS_MAX}"))
                .hint(format!("leave it out for the usual {usual} seconds"))),
        };
        let every = secs("cosign_every_secs", self.cosign_every_secs, usual.trail_every.as_secs())?;
        let ledger_fresh_secs = secs("ledger_fresh_secs", self.ledger_fresh_secs, usual.ledger_fresh_secs)?;
        Ok(Pace { trail_every: Duration::from_secs(every), ledger_fresh_secs })
    }

    /// The addresses to listen on.
    pub fn listen_or_default(&self) -> Vec<String> {
        self.listen.clone().unwrap_or_else(|| vec![LISTEN_DEFAULT.to_owned()])
    }

    /// The addresses to tell others.
    pub fn addresses(&self) -> Vec<String> {
        if self.external.is_empty() { self.listen_or_default() } else { self.external.clone() }
    }
}

impl ChosenWitness {
    /// Reads `vkey=URL`, as the command line gives it.
    pub fn from_flag(text: &str) -> Result<Self, String> {
        let at = text.find("=http").ok_or("it must be VKEY=URL, with a URL that begins with http:// or https://")?;
        Ok(Self { vkey: text[..at].to_owned(), url: text[at + 1..].to_owned() })
    }

    fn end(&self) -> Result<WitnessEnd, Failure> {
        let wrong = |cause: String, hint: &str| Failure::new(FailureKind::Config, cause).hint(hint);
        let key = self.vkey.parse().map_err(|_| {
            wrong(
                format!("{:?} is not the key of a witness", self.vkey),
                "copy the line that karute witness init printed",
            )
        })?;
        let url = self.url.trim_end_matches('/');
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let plain = |host: &str| !host.is_empty() && !host.contains(['@', '?', '#', ' ']) && url.len() <= URL_BYTES_MAX;
        if !host.is_some_and(plain) {
            let hint = "write it like https://witness.example or http://127.0.0.1:7500";
            return Err(wrong(format!("{:?} is not the address of a witness", self.url), hint));
        }
        Ok(WitnessEnd { key, url: url.to_owned() })
    }
}

impl WitnessRoleConfig {
    /// Reads `path`; without a file, everything has its default.
    pub fn read(path: &ConfigPath) -> Result<Self, Failure> {
        read(path)
    }

    /// Where the guard of the witness in `home` is: never inside that folder unless somebody says so.
    pub fn guard_of(&self, home: &Path) -> PathBuf {
        let beside = || {
            let whole = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
            // Without a slash at its end, which would put the guard into the folder.
            let mut name = whole.components().collect::<PathBuf>().into_os_string();
            name.push(".guard");
            PathBuf::from(name)
        };
        self.guard.clone().unwrap_or_else(beside)
    }
}

impl AgentConfig {
    /// Reads `path`; without a file, everything has its default.
    pub fn read(path: &ConfigPath) -> Result<Self, Failure> {
        read(path)
    }
}

/// Where a configuration is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigPath {
    /// Named by the person: it must exist.
    Named(PathBuf),
    /// In the home folder: it may be absent.
    InHome(PathBuf),
}

impl ConfigPath {
    /// The file named, or `config.toml` in the home folder.
    pub fn choose(named: Option<&Path>, home: &Path) -> Self {
        match named {
            Some(path) => Self::Named(path.to_owned()),
            None => Self::InHome(home.join("config.toml")),
        }
    }
}

fn read<T: serde::de::DeserializeOwned + Default>(path: &ConfigPath) -> Result<T, Failure> {
    let (ConfigPath::Named(file) | ConfigPath::InHome(file)) = path;
    let bytes = match (read_bounded(file, FILE_BYTES_MAX)?, path) {
        (Some(bytes), _) => bytes,
        (None, ConfigPath::InHome(_)) => return Ok(T::default()),
        (None, ConfigPath::Named(_)) => {
            return Err(Failure::new(FailureKind::Config, format!("there is no file {}", file.display()))
                .hint("check --config or KARUTE_CONFIG"));
        }
    };
    let wrong = |cause: String| {
        Failure::new(FailureKind::Config, cause)
            .during(format!("reading {}", file.display()))
            .hint("correct or remove that line")
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it is not UTF-8 text".to_owned()))?;
    toml::from_str(text).map_err(|e| wrong(e.to_string().trim_end().to_owned()))
}

/// Where a role keeps its folder when nobody says otherwise: the platform's data folder, then `karute/<role>`.
pub fn default_home(role: &str, env: impl Fn(&str) -> Option<String>) -> Result<PathBuf, Failure> {
    let named = |key: &str| env(key).filter(|v| Path::new(v).is_absolute()).map(PathBuf::from);
    let base = named("XDG_DATA_HOME")
        .or_else(|| named("HOME").map(|home| home.join(".local/share")))
        .or_else(|| named("LOCALAPPDATA"))
        .ok_or_else(|| {
            Failure::new(FailureKind::Config, "no data folder: HOME is not set")
                .hint("say where with --home or KARUTE_HOME")
        })?;
    Ok(base.join("karute").join(role))
}

/// Where a node listens when nobody says otherwise.
pub const LISTEN_DEFAULT: &str = "/ip4/0.0.0.0/tcp/7400";
/// Witnesses that a node asks.
pub const WITNESSES_MAX: usize = 16;
/// Longest time between two requests to a witness about a log that somebody looks at, in seconds.
const PACE_SECS_MAX: u64 = 3600;
/// Longest address of a witness, in bytes.
const URL_BYTES_MAX: usize = 1024;
/// Where a witness listens when nobody says otherwise.
pub const WITNESS_LISTEN_DEFAULT: &str = "127.0.0.1:7500";
/// Largest configuration file, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Result<NodeConfig, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, text).unwrap();
        NodeConfig::read(&ConfigPath::Named(path))
    }

    #[test]
    fn a_file_sets_what_it_names_and_the_rest_keeps_its_default() {
        let text = "listen = ['/ip4/127.0.0.1/tcp/1']\nregistration = 'closed'\n[limits]\nuploads_max = 3\n";
        let config = node(text).unwrap();
        assert_eq!(config.listen_or_default(), ["/ip4/127.0.0.1/tcp/1"]);
        assert_eq!(config.registration, Some(Registration::Closed));
        assert_eq!(config.limits.uploads_max, 3);
        assert_eq!(config.limits.body_bytes_max, NodeLimits::default().body_bytes_max);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        for text in ["\n\nlisten_on = 1\n", "\n[limits]\nuploads = 3\n"] {
            let failure = node(text).unwrap_err();
            assert_eq!(failure.kind(), FailureKind::Config);
            assert!(failure.chain().contains("line 3"), "{}", failure.chain());
        }
    }

    #[test]
    fn witnesses_are_named_in_the_file_or_by_flag_and_wrong_ones_are_told() {
        let key = karute_consent::party::Identity::from_seed(&[1; 32]).party();
        let key = karute_protocol::cosignature::WitnessKey { name: "w1".parse().unwrap(), party: key };
        let text = format!("cosign_every_secs = 2\n[[witnesses]]\nvkey = '{key}'\nurl = 'http://127.0.0.1:7500/'\n");
        let config = node(&text).unwrap();
        let ends = config.witness_ends().unwrap();
        assert_eq!((&ends[0].key, ends[0].url.as_str()), (&key, "http://127.0.0.1:7500"));
        assert_eq!(config.pace().unwrap(), Pace { trail_every: Duration::from_secs(2), ..Pace::default() });
        assert_eq!(ChosenWitness::from_flag(&format!("{key}=http://127.0.0.1:7500/")).unwrap(), config.witnesses[0]);
        assert!(ChosenWitness::from_flag("w1").is_err());
        let twice = NodeConfig { witnesses: vec![config.witnesses[0].clone(); 2], ..NodeConfig::default() };
        let bad_key = ChosenWitness { vkey: "w1+00000000+AA".to_owned(), url: "http://h".to_owned() };
        let bad_url = |url: &str| ChosenWitness { vkey: key.to_string(), url: url.to_owned() };
        for one in [bad_key, bad_url("ftp://h"), bad_url("http://"), bad_url("http://me@h"), bad_url("h")] {
            let config = NodeConfig { witnesses: vec![one], ..NodeConfig::default() };
            assert_eq!(config.witness_ends().unwrap_err().kind(), FailureKind::Config);
        }
        assert_eq!(twice.witness_ends().unwrap_err().kind(), FailureKind::Config);
        let never = NodeConfig { cosign_every_secs: Some(0), ..NodeConfig::default() };
        assert_eq!(never.pace().unwrap_err().kind(), FailureKind::Config);
    }

    #[test]
    fn a_named_file_must_exist_and_the_homes_own_need_not() {
        let dir = tempfile::tempdir().unwrap();
        let named = ConfigPath::choose(Some(&dir.path().join("x")), dir.path());
        assert_eq!(NodeConfig::read(&named).unwrap_err().kind(), FailureKind::Config);
        let in_home = ConfigPath::choose(None, dir.path());
        assert_eq!(AgentConfig::read(&in_home).unwrap(), AgentConfig::default());
    }

    #[test]
    fn a_guard_stands_beside_the_folder_however_it_is_written() {
        let config = WitnessRoleConfig::default();
        for home in ["/w/one", "/w/one/", "/w/./one//"] {
            assert_eq!(config.guard_of(Path::new(home)), Path::new("/w/one.guard"), "{home}");
        }
        let named = WitnessRoleConfig { guard: Some("/g".into()), ..config };
        assert_eq!(named.guard_of(Path::new("/w/one")), Path::new("/g"));
    }

    #[test]
    fn the_data_folder_follows_the_platform() {
        let env = |set: &'static [(&str, &str)]| {
            move |key: &str| set.iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned())
        };
        assert_eq!(
            default_home("patient", env(&[("HOME", "/h")])).unwrap(),
            Path::new("/h/.local/share/karute/patient")
        );
        assert_eq!(
            default_home("node", env(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d")])).unwrap(),
            Path::new("/d/karute/node")
        );
        assert_eq!(default_home("node", env(&[])).unwrap_err().kind(), FailureKind::Config);
    }
}
