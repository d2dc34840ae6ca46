//! Settings from a TOML file. Environment variables and flags are read by the command line, which lets a flag win over
//! the environment and the environment over this file.
//!
//! A key that is not known is refused with its line: a mistyped limit must not be silently ignored.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::{Failure, FailureKind};
use crate::home::read_bounded;

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
    /// Caps that a custodian may set.
    pub limits: NodeLimits,
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

/// What an agent is told by its file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentConfig {
    /// Multiaddress of the node, ending in `/p2p/<peer id>`.
    pub node: Option<String>,
    /// The name shown to others.
    pub name: Option<String>,
}

impl NodeConfig {
    /// Reads `path`; without a file, everything has its default.
    pub fn read(path: &ConfigPath) -> Result<Self, Failure> {
        read(path)
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
    fn a_named_file_must_exist_and_the_homes_own_need_not() {
        let dir = tempfile::tempdir().unwrap();
        let named = ConfigPath::choose(Some(&dir.path().join("x")), dir.path());
        assert_eq!(NodeConfig::read(&named).unwrap_err().kind(), FailureKind::Config);
        let in_home = ConfigPath::choose(None, dir.path());
        assert_eq!(AgentConfig::read(&in_home).unwrap(), AgentConfig::default());
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
