//! One request's head.

use super::Headers;
use crate::route::{Target, TargetError};
use std::borrow::Cow;

/// A request's head: all that a decision may look at. It owns its data, so that it can
/// outlive the proxy's callback while a callout runs.
#[derive(Debug, Clone)]
pub struct Request {
    /// Every header pair, pseudo-headers included.
    pub headers: Headers,
    /// The caller's address as the proxy trusts it, without the port; asked for only where
    /// the policy needs it (see [`crate::policy::Policy::needs_source`]).
    pub source_address: Option<String>,
}

impl Request {
    /// The method; empty where there is none.
    pub fn method(&self) -> &str {
        self.text(":method")
    }

    /// The host in lower case, without port and trailing dot.
    ///
    /// `None` where it is missing or no host at all: text that two programs could read
    /// differently (user information, lists, empty labels) must not choose a rule or a tenant.
    pub fn host(&self) -> Option<Cow<'_, str>> {
        let authority = match self.text(":authority") {
            "" => self.text("host"),
            authority => authority,
        };
        normalise_host(authority)
    }

    /// The request target, taken apart and normalised.
    pub fn target(&self) -> Result<Target, TargetError> {
        Target::parse(self.headers.first(":path").unwrap_or_default())
    }

    /// The raw request target; empty where there is none.
    pub fn raw_target(&self) -> &[u8] {
        self.headers.first(":path").unwrap_or_default()
    }

    /// Whether the caller speaks gRPC and so wants its errors as grpc-status.
    pub fn is_grpc(&self) -> bool {
        self.headers
            .first("content-type")
            .is_some_and(|media| media.starts_with(b"application/grpc"))
    }

    /// Whether this is a CORS preflight (Fetch standard, "CORS-preflight request").
    pub fn is_preflight(&self) -> bool {
        self.method() == "OPTIONS"
            && self.headers.first("origin").is_some()
            && self
                .headers
                .first("access-control-request-method")
                .is_some()
    }

    /// The method of the request that a preflight asks for.
    pub fn requested_method(&self) -> &str {
        self.text("access-control-request-method")
    }

    fn text(&self, name: &str) -> &str {
        self.headers
            .first(name)
            .and_then(|value| std::str::from_utf8(value).ok())
            .unwrap_or_default()
    }
}

/// The longest name of a host (RFC 1035 §2.3.4), and one.
const MAX_HOST: usize = 254;

/// The most digits of a port.
const MAX_PORT: usize = 5;

/// The form in which hosts are compared, see [`Request::host`].
pub fn normalise_host(authority: &str) -> Option<Cow<'_, str>> {
    if let Some(host) = plain_host(authority) {
        return Some(Cow::Borrowed(host));
    }
    // An IPv6 literal keeps its brackets, so its colons are no port.
    let bytes = authority.as_bytes();
    let name_end = memchr::memrchr(b']', bytes).map_or(0, |bracket| bracket + 1);
    let (host, port) = match memchr::memchr(b':', bytes.get(name_end..)?) {
        Some(colon) => authority.split_at_checked(name_end + colon)?,
        None => (authority, ""),
    };
    let digits = port.strip_prefix(':').unwrap_or("0");
    if digits.len() > MAX_PORT
        || digits.is_empty()
        || !digits.bytes().all(|digit| digit.is_ascii_digit())
    {
        return None;
    }
    if let Some(address) = host.strip_prefix('[') {
        let address: std::net::Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]").into());
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    // In bytes, since searching text for a letter costs more than all the rest here.
    let is_label = |label: &[u8]| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.iter().all(plain)
    };
    let mut labels = host.as_bytes().split(|byte| *byte == b'.');
    let named = host.len() < MAX_HOST && labels.all(is_label);
    named.then(|| host.to_ascii_lowercase().into())
}

/// The host of an authority that is written in its form already, as most are: one pass over its
/// bytes. `None` where there is more to look at.
fn plain_host(authority: &str) -> Option<&str> {
    let mut end = authority.len();
    let mut in_label = false;
    for (at, byte) in authority.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => in_label = true,
            b'.' if in_label => in_label = false,
            b':' => {
                end = at;
                break;
            }
            _ => return None,
        }
    }
    let (host, port) = authority.split_at_checked(end)?;
    let plain_port = match port.as_bytes() {
        [] => true,
        [_, digits @ ..] => {
            (1..=MAX_PORT).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
        }
    };
    (in_label && plain_port && host.len() < MAX_HOST).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_compare_in_lower_case_without_port_and_trailing_dot() {
        for (authority, host) in [
            ("api.example.com", "api.example.com"),
            ("API.Example.COM:8443", "api.example.com"),
            ("api.example.com.", "api.example.com"),
            ("api.example.com.:80", "api.example.com"),
            ("localhost", "localhost"),
            ("my_service:80", "my_service"),
            ("api.example.com:00000", "api.example.com"),
            ("10.0.0.1:80", "10.0.0.1"),
            ("[2001:DB8::1]:80", "[2001:db8::1]"),
            ("[2001:db8:0:0::1]", "[2001:db8::1]"),
        ] {
            assert_eq!(
                normalise_host(authority).as_deref(),
                Some(host),
                "{authority}"
            );
        }
    }

    /// Capitals take the long way through: both ways must tell the same.
    #[test]
    fn a_host_is_the_same_in_either_letter_case() {
        let mut texts = vec![String::new()];
        let mut hosts = 0;
        for _ in 0..5 {
            let longer = |text: &String| {
                ["a", "9", ".", "-", "_", ":", "[", "]"].map(|letter| format!("{text}{letter}"))
            };
            texts = texts.iter().flat_map(longer).collect();
            for text in &texts {
                for authority in [format!("a{text}"), format!("{text}a"), format!("a.b{text}")] {
                    let capital = authority.to_ascii_uppercase();
                    let host = normalise_host(&authority);
                    assert_eq!(host, normalise_host(&capital), "{authority}");
                    hosts += usize::from(host.is_some());
                }
            }
        }
        assert!(hosts > 10_000, "{hosts}");
    }

    #[test]
    fn what_could_be_read_as_two_hosts_is_none() {
        let long = "a.".repeat(128);
        for authority in [
            "",
            ".",
            ":80",
            ".example.com",
            "a..b",
            "a.b..",
            "user@a.b",
            "acme.x@globex.b",
            "a.b,c.d",
            "a.b, c.d",
            "a.b:x",
            "a.b:",
            "a.b:80:80",
            "a.b:123456",
            "a b",
            "a/b",
            "a.b:x@c.d",
            "[::1",
            "[x]",
            "[::1]x",
            "[::1]:x",
            "::1",
            "a%2eb",
            "a\tb",
            long.as_str(),
        ] {
            assert_eq!(normalise_host(authority), None, "{authority:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_read_as_nothing() {
        let request = Request {
            headers: Headers::from_pairs([(&b":method"[..], &b"\xff\xfe"[..])]),
            source_address: None,
        };
        assert_eq!(request.method(), "");
        assert_eq!(request.host(), None);
        assert!(request.target().is_err());
    }
}
