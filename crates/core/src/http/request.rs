//! One request's head.

use super::Headers;
use crate::route::{Target, TargetError};

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

    /// The host in lower case, without port and trailing dot; empty where there is none.
    pub fn host(&self) -> String {
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

    fn text(&self, name: &str) -> &str {
        self.headers
            .first(name)
            .and_then(|value| std::str::from_utf8(value).ok())
            .unwrap_or_default()
    }
}

fn normalise_host(authority: &str) -> String {
    // An IPv6 literal keeps its brackets, so its colons are no port.
    let name_end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let host = match authority.get(name_end..).and_then(|rest| rest.find(':')) {
        Some(colon) => authority.get(..name_end + colon).unwrap_or_default(),
        None => authority,
    };
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
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
            ("[2001:DB8::1]:80", "[2001:db8::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("", ""),
            (":80", ""),
        ] {
            assert_eq!(normalise_host(authority), host, "{authority}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_read_as_nothing() {
        let request = Request {
            headers: Headers::from_pairs([(&b":method"[..], &b"\xff\xfe"[..])]),
            source_address: None,
        };
        assert_eq!(request.method(), "");
        assert_eq!(request.host(), "");
        assert!(request.target().is_err());
    }
}
