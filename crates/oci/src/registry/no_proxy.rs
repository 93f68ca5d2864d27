//! Which hosts are reached without a proxy, as curl and Go read `NO_PROXY`.

use std::net::IpAddr;

/// The hosts that are reached without a proxy.
#[derive(Debug, Clone, Default)]
pub struct NoProxy(Vec<Entry>);

#[derive(Debug, Clone)]
enum Entry {
    /// `*`
    All,
    /// A network such as `10.0.0.0/8`, or an address, which is a network of one; with a port, if one is given.
    Network(IpAddr, u8, Option<u16>),
    /// A domain with its subdomains; with a port, if one is given.
    Domain(String, Option<u16>),
}

impl NoProxy {
    /// Parses a list separated by commas or spaces: domains, each with its subdomains and with or without `.` or `*.` in
    /// front, addresses, and networks such as `10.0.0.0/8`. A domain or an address may have a port, which must then be
    /// that of the request. `*` stands for every host. What is none of these matches no host.
    pub fn parse(list: &str) -> Self {
        let entries = list.split([',', ' ', '\t', '\n']);
        let entries = entries.map(str::trim).filter(|entry| !entry.is_empty());
        Self(entries.map(Entry::parse).collect())
    }

    /// Returns whether a host, which may have a port, is reached without a proxy. The default port is 443.
    pub fn matches(&self, host: &str) -> bool {
        let (name, port) = split_port(host);
        let port = port.unwrap_or(443);
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let address: Option<IpAddr> = name.parse().ok();
        self.0.iter().any(|entry| match entry {
            Entry::All => true,
            Entry::Network(network, length, only) => {
                only.is_none_or(|only| only == port)
                    && address.is_some_and(|address| is_within(address, *network, *length))
            }
            Entry::Domain(domain, only) => {
                only.is_none_or(|only| only == port)
                    && name.strip_suffix(domain.as_str()).is_some_and(|rest| {
                        address.is_none() && (rest.is_empty() || rest.ends_with('.'))
                    })
            }
        })
    }
}

impl Entry {
    fn parse(entry: &str) -> Self {
        if entry == "*" {
            return Self::All;
        }
        let network = entry.split_once('/').and_then(|(address, length)| {
            let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
            let length: u8 = length.parse().ok()?;
            (length <= bits(address)).then_some(Self::Network(address, length, None))
        });
        if let Some(network) = network {
            return network;
        }
        let (name, port) = split_port(entry);
        if let Ok(address) = name.parse::<IpAddr>() {
            return Self::Network(address, bits(address), port);
        }
        let name = name.strip_prefix('*').unwrap_or(name);
        let name = name.trim_matches('.').to_ascii_lowercase();
        Self::Domain(name, port)
    }
}

/// Splits `name:port`; an IPv6 address has brackets when it has a port, and is returned without them.
fn split_port(host: &str) -> (&str, Option<u16>) {
    if host.parse::<IpAddr>().is_ok() {
        return (host, None);
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (host, None),
        },
        None => (host, None),
    };
    let inner = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    (inner.unwrap_or(name), port)
}

fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn is_within(address: IpAddr, network: IpAddr, length: u8) -> bool {
    let (address, network, width) = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => (
            u128::from(u32::from(address)),
            u128::from(u32::from(network)),
            32,
        ),
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            (u128::from(address), u128::from(network), 128)
        }
        _ => return false,
    };
    let shift = width - u32::from(length);
    // A shift by the whole width is the network of all addresses.
    address.checked_shr(shift).unwrap_or(0) == network.checked_shr(shift).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::NoProxy;

    #[test]
    fn every_form_that_curl_and_go_understand_matches() {
        for (list, host) in [
            ("*", "r.example"),
            ("r.example", "r.example"),
            ("r.example", "R.Example:5000"),
            ("example", "r.example"),
            (".example", "r.example"),
            ("*.example", "r.example"),
            ("a.b, r.example ,c", "r.example"),
            ("a.b r.example", "r.example"),
            ("r.example:5000", "r.example:5000"),
            ("r.example:443", "r.example"),
            ("10.0.0.0/8", "10.1.2.3:5000"),
            ("0.0.0.0/0", "10.1.2.3"),
            ("10.1.2.3", "10.1.2.3:5000"),
            ("10.1.2.3:5000", "10.1.2.3:5000"),
            ("fd00::/8", "[fd00::1]:5000"),
            ("[fd00::1]:5000", "[fd00::1]:5000"),
            ("fd00::1", "[fd00::1]"),
            ("::/0", "[fd00::1]"),
            ("r.example.", "r.example"),
        ] {
            assert!(NoProxy::parse(list).matches(host), "{list} {host}");
        }
    }

    #[test]
    fn other_hosts_are_reached_through_the_proxy() {
        for (list, host) in [
            ("", "r.example"),
            (" , ", "r.example"),
            ("example", "notexample"),
            ("r.example", "example"),
            ("r.example:5000", "r.example"),
            ("10.0.0.0/8", "11.0.0.1"),
            ("10.0.0.0/33", "10.0.0.1"),
            ("10.0.0.0/8", "10.example"),
            ("1.2.3", "10.1.2.3"),
            ("fd00::/8", "10.0.0.1"),
            ("10.0.0.0/8", "[fd00::1]"),
        ] {
            assert!(!NoProxy::parse(list).matches(host), "{list} {host}");
        }
    }
}
