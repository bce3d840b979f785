//! Networks in CIDR notation (RFC 4632, RFC 4291 §2.3).

use std::net::IpAddr;
use std::str::FromStr;

/// A network: an address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: u128,
    mask: u128,
}

/// What is wrong with a network, and the mend.
pub type NetworkError = &'static str;

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Network, NetworkError> {
        const FORM: NetworkError = "a network is an address, or an address, `/` and the number of \
             leading bits, as in 10.0.0.0/8 or 2001:db8::/32";
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| FORM)?;
        let bits: u32 = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) => length
                .parse()
                .ok()
                .filter(|length| *length <= bits)
                .ok_or(FORM)?,
            None => bits,
        };
        let mask = u128::MAX.checked_shl(bits - length).unwrap_or(0);
        // IPv4 lives in the mapped range, so its upper 96 bits always count.
        let mask = if bits == 32 {
            mask | u128::MAX << 32
        } else {
            mask
        };
        let address = number(address);
        if address & mask != address {
            return Err(
                "the address has bits set beyond the network's length; write it without them",
            );
        }
        Ok(Network { address, mask })
    }
}

/// Whether an address, without port, lies in one of the networks. What is no address lies
/// in none.
pub fn contains(networks: &[Network], address: Option<&str>) -> bool {
    address
        .and_then(|text| text.trim_matches(['[', ']']).parse::<IpAddr>().ok())
        .map(number)
        .is_some_and(|address| {
            networks
                .iter()
                .any(|network| address & network.mask == network.address)
        })
}

/// IPv4 as IPv4-mapped IPv6: a proxy that listens on `::` shows it so.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_inside_or_outside() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.0/8", "::10.1.2.3", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "[2001:db8:1::1]", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "1.2.3.4", true),
            ("10.0.0.0/8", "10.1", false),
            ("10.0.0.0/8", "", false),
        ] {
            let networks = [network.parse().unwrap()];
            assert_eq!(
                contains(&networks, Some(address)),
                inside,
                "{network} {address}"
            );
        }
        assert!(!contains(&["10.0.0.0/8".parse().unwrap()], None));
    }

    #[test]
    fn broken_networks_are_refused() {
        for text in [
            "",
            "10",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.1/8",
            "::1/64",
            "x/8",
            "10.0.0.0/",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
