//! Addresses of nodes: where to connect, and which peer key must answer there.
//!
//! Two spellings. Long: `/ip4/192.0.2.1/tcp/7400/p2p/12D3KooW…` (also ip6, dns, dns4, dns6, and `udp/…/quic-v1` with
//! the feature `quic`). Short: `host:port#12D3KooW…`. An address without a peer key is refused: nobody would notice
//! who answers.

use std::{fmt, net::IpAddr, str::FromStr};

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use thiserror::Error;
use tokio::{net::lookup_host, time::timeout};

use super::{PeerKey, limits, outbound::DialError};

/// Where a node is and who must answer there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeAddress {
    host: Host,
    transport: Transport,
    port: u16,
    peer: PeerKey,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Host {
    Ip(IpAddr),
    Name(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Transport {
    Tcp,
    Quic,
}

/// Why a text is no address of a node.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    /// Neither spelling.
    #[error("not an address; write host:port#peer-id or /ip4/…/tcp/…/p2p/…")]
    NotAnAddress,
    /// The peer id is missing.
    #[error("the address names no peer id; `karute node status` on that node prints the whole address")]
    NoPeer,
    /// The peer id is misspelt.
    #[error("the peer id in the address is misspelt; copy the whole address again")]
    BadPeer,
    /// The port is missing or zero.
    #[error("the address names no port")]
    NoPort,
    /// Neither TCP nor QUIC.
    #[error("the address uses a transport this build does not speak; use tcp")]
    UnknownTransport,
}

impl NodeAddress {
    /// The peer key that must answer.
    pub fn peer(&self) -> PeerKey {
        self.peer
    }

    pub(super) fn of_listener(listening: &Multiaddr, peer: PeerKey) -> Option<Self> {
        Self::from_parts(listening, Some(peer)).ok()
    }

    /// The addresses to dial, host names looked up.
    pub(super) async fn resolve(&self) -> Result<Vec<Multiaddr>, DialError> {
        let ips: Vec<IpAddr> = match &self.host {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => timeout(limits::RESOLVE_TIME, lookup_host((name.as_str(), self.port)))
                .await
                .map_err(|_| DialError::UnknownHost)?
                .map_err(|_| DialError::UnknownHost)?
                .map(|found| found.ip())
                .take(limits::RESOLVED_MAX)
                .collect(),
        };
        if ips.is_empty() {
            return Err(DialError::UnknownHost);
        }
        Ok(ips.into_iter().map(|ip| self.dialable(ip)).collect())
    }

    fn dialable(&self, ip: IpAddr) -> Multiaddr {
        let start = Multiaddr::from(ip);
        match self.transport {
            Transport::Tcp => start.with(Protocol::Tcp(self.port)),
            Transport::Quic => start.with(Protocol::Udp(self.port)).with(Protocol::QuicV1),
        }
    }

    fn from_parts(address: &Multiaddr, known: Option<PeerKey>) -> Result<Self, AddressError> {
        let mut parts = address.iter();
        let host = match parts.next() {
            Some(Protocol::Ip4(ip)) => Host::Ip(ip.into()),
            Some(Protocol::Ip6(ip)) => Host::Ip(ip.into()),
            Some(Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name)) => Host::Name(name.into_owned()),
            _ => return Err(AddressError::NotAnAddress),
        };
        let (transport, port) = match parts.next() {
            Some(Protocol::Tcp(port)) => (Transport::Tcp, port),
            Some(Protocol::Udp(port)) if cfg!(feature = "quic") => match parts.next() {
                Some(Protocol::QuicV1) => (Transport::Quic, port),
                _ => return Err(AddressError::UnknownTransport),
            },
            Some(Protocol::P2p(_)) | None => return Err(AddressError::NoPort),
            Some(_) => return Err(AddressError::UnknownTransport),
        };
        if port == 0 {
            return Err(AddressError::NoPort);
        }
        let peer = match (parts.next(), known) {
            (Some(Protocol::P2p(peer)), _) => PeerKey(peer),
            (None, Some(peer)) => peer,
            (None, None) => return Err(AddressError::NoPeer),
            (Some(_), _) => return Err(AddressError::UnknownTransport),
        };
        match parts.next() {
            None => Ok(Self { host, transport, port, peer }),
            Some(_) => Err(AddressError::UnknownTransport),
        }
    }

    fn from_short(text: &str) -> Result<Self, AddressError> {
        let (place, peer) = text.split_once('#').ok_or(AddressError::NoPeer)?;
        let peer = PeerId::from_str(peer).map(PeerKey).map_err(|_| AddressError::BadPeer)?;
        let (host, port) = place.rsplit_once(':').ok_or(AddressError::NoPort)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(AddressError::NoPort)?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let host = match bare.parse() {
            Ok(ip) => Host::Ip(ip),
            Err(_) if is_host_name(host) => Host::Name(host.to_owned()),
            Err(_) => return Err(AddressError::NotAnAddress),
        };
        Ok(Self { host, transport: Transport::Tcp, port, peer })
    }
}

impl FromStr for NodeAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if !text.starts_with('/') {
            return Self::from_short(text);
        }
        if let Some((_, peer)) = text.rsplit_once("/p2p/") {
            PeerId::from_str(peer).map_err(|_| AddressError::BadPeer)?;
        }
        let address = Multiaddr::from_str(text).map_err(|_| AddressError::NotAnAddress)?;
        Self::from_parts(&address, None)
    }
}

/// The long spelling.
impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V4(ip)) => write!(f, "/ip4/{ip}")?,
            Host::Ip(IpAddr::V6(ip)) => write!(f, "/ip6/{ip}")?,
            Host::Name(name) => write!(f, "/dns/{name}")?,
        }
        match self.transport {
            Transport::Tcp => write!(f, "/tcp/{}", self.port)?,
            Transport::Quic => write!(f, "/udp/{}/quic-v1", self.port)?,
        }
        write!(f, "/p2p/{}", self.peer)
    }
}

fn is_host_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    !text.is_empty() && text.len() <= HOST_NAME_BYTES_MAX && text.chars().all(allowed)
}

/// RFC 1035.
const HOST_NAME_BYTES_MAX: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::TransportSeed;

    fn peer() -> PeerKey {
        TransportSeed::new([7; 32]).peer_key()
    }

    #[test]
    fn both_spellings_mean_the_same() {
        for (short, long) in [
            ("192.0.2.1:7400", "/ip4/192.0.2.1/tcp/7400"),
            ("[2001:db8::1]:7400", "/ip6/2001:db8::1/tcp/7400"),
            ("node.example:7400", "/dns/node.example/tcp/7400"),
        ] {
            let short: NodeAddress = format!("{short}#{}", peer()).parse().unwrap();
            let long: NodeAddress = format!("{long}/p2p/{}", peer()).parse().unwrap();
            assert_eq!(short, long);
            assert_eq!(long.to_string().parse::<NodeAddress>().unwrap(), long);
            assert_eq!(long.peer(), peer());
        }
    }

    #[test]
    fn each_fault_has_its_own_name() {
        let p = peer();
        for (text, fault) in [
            (String::new(), AddressError::NoPeer),
            ("/ip4/192.0.2.1/tcp/7400".into(), AddressError::NoPeer),
            ("192.0.2.1:7400".into(), AddressError::NoPeer),
            ("192.0.2.1:7400#12D3KooWnonsense0".into(), AddressError::BadPeer),
            ("/ip4/192.0.2.1/tcp/7400/p2p/12D3KooW0".into(), AddressError::BadPeer),
            (format!("/ip4/192.0.2.1/p2p/{p}"), AddressError::NoPort),
            (format!("192.0.2.1#{p}"), AddressError::NoPort),
            (format!("192.0.2.1:0#{p}"), AddressError::NoPort),
            (format!("192.0.2.1:70000#{p}"), AddressError::NoPort),
            (format!("a b:7400#{p}"), AddressError::NotAnAddress),
            (format!("/nonsense/1/p2p/{p}"), AddressError::NotAnAddress),
            (format!("/ip4/192.0.2.1/tcp/1/ws/p2p/{p}"), AddressError::UnknownTransport),
            (format!("/ip4/192.0.2.1/tcp/1/p2p/{p}/p2p-circuit"), AddressError::BadPeer),
        ] {
            assert_eq!(text.parse::<NodeAddress>().unwrap_err(), fault, "{text}");
        }
    }
}
