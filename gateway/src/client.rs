//! Where a request comes from: the other end of its connection, or, behind proxies that
//! are trusted by configuration, the address that the last of them saw.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

/// Where proxies write whom they speak for, each at the end.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Most entries of that header that are looked at, from its end.
const HOPS: usize = 16;

/// A network out of `10.0.0.0/8` or a single address.
#[must_use]
pub fn parse_network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// An address in that header: alone, or with its port, as some proxies write it.
fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop.trim_ascii()).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse().ok();
    address.or_else(|| text.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))
}

/// Some networks.
pub(crate) struct Networks(Vec<IpNet>);

impl Networks {
    /// Texts that are no networks contain nobody.
    pub(crate) fn new(networks: &[String]) -> Self {
        Self(networks.iter().filter_map(|text| parse_network(text)).collect())
    }

    /// Whether an address is in one of them.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The proxies that may say for whom they speak.
pub(crate) struct Proxies(Networks);

impl Proxies {
    pub(crate) fn new(networks: &[String]) -> Self {
        Self(Networks::new(networks))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.contains(address)
    }

    /// The client behind `peer`: going back from the end of the chain, the first address
    /// that is not a trusted proxy. What lies before it could be invented.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let mut client = peer;
        // As bytes: what somebody sent at the beginning of a line, whatever it is, must not
        // hide what our proxy has written at its end.
        let lines = headers.get_all(FORWARDED_FOR).iter().rev().map(HeaderValue::as_bytes);
        let hops = lines.flat_map(|line| line.rsplit(|byte| *byte == b',')).take(HOPS);
        for hop in hops {
            // One that cannot be read was not written by a proxy of ours.
            let Some(address) = parse_hop(hop) else { break };
            client = address;
            if !self.trusts(address) {
                break;
            }
        }
        client
    }

    /// The same where the proxies' own requests do not count: `None` if one of them is all that
    /// is known, as it named nobody, or nobody who can be believed.
    pub(crate) fn stranger(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        Some(self.client(peer, headers)).filter(|client| !self.trusts(*client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let trusted: Vec<String> = trusted.iter().map(|text| (*text).to_owned()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        Proxies::new(&trusted).client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let forged = ["198.51.100.7"];
        assert_eq!(client(&[], "192.0.2.1", &forged), "192.0.2.1");
        assert_eq!(client(&["10.0.0.0/8"], "192.0.2.1", &forged), "192.0.2.1");
        assert_eq!(client(&["192.0.2.1"], "192.0.2.1", &forged), "198.51.100.7");
        assert_eq!(client(&["192.0.2.1"], "::ffff:192.0.2.1", &forged), "198.51.100.7");
    }

    #[test]
    fn the_last_stranger_of_the_chain_is_the_client() {
        let trusted = ["10.0.0.0/8"];
        let of = |lines: &[&str]| client(&trusted, "10.0.0.1", lines);
        assert_eq!(of(&["1.1.1.1, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(of(&["1.1.1.1", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(of(&["198.51.100.7, nonsense, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(of(&[]), "10.0.0.1");
        assert_eq!(of(&["1.1.1.1", &["10.0.0.3"; 40].join(", ")]), "10.0.0.3");
        assert_eq!(of(&["2001:db8::7"]), "2001:db8::7");
    }

    #[test]
    fn nothing_that_a_client_sends_hides_what_the_proxy_adds() {
        let of = |lines: &[&str]| client(&["10.0.0.0/8"], "10.0.0.1", lines);
        assert_eq!(of(&["\u{fc}, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(of(&["1.1.1.1, \u{fc}", "198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(of(&["198.51.100.7, \u{fc}, 10.0.0.2"]), "10.0.0.2", "as for any nonsense");
        assert_eq!(of(&["198.51.100.7, \u{fc}"]), "10.0.0.1");
    }

    #[test]
    fn an_address_may_have_its_port() {
        let of = |line: &str| client(&["10.0.0.0/8"], "10.0.0.1", &[line]);
        assert_eq!(of("198.51.100.7:4711, 10.0.0.2:80"), "198.51.100.7");
        assert_eq!(of("[2001:db8::7]:4711"), "2001:db8::7");
        assert_eq!(of("[2001:db8::7]"), "2001:db8::7");
        for wrong in ["198.51.100.7:", "[198.51.100.7", "198.51.100.7:99999", "x:80"] {
            assert_eq!(of(wrong), "10.0.0.1", "{wrong}");
        }
    }
}
