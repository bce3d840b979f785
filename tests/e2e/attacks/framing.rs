//! Requests whose end two programs could see in different places. Envoy refuses them before the filter is asked;
//! all of them carry a good token, so that it is their framing that they fail by.

use super::policy::HS;
use super::{Attack, Outcome};

/// What somebody would like to have the upstream see.
const SMUGGLED: &str = "GET /public/forged HTTP/1.1\r\nHost: acme.example.com\r\n\r\n";

pub fn all() -> Vec<Attack> {
    let good = format!("Authorization: Bearer {}\r\n", HS.good());
    let post = |headers: &str, body: &str| {
        format!("POST /token/x HTTP/1.1\r\nHost: acme.example.com\r\n{good}{headers}\r\n{body}")
    };
    let start = |line: &str| format!("{line}\r\nHost: acme.example.com\r\n{good}\r\n");
    let cases = [
        (
            "length and chunked",
            post(
                "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                &format!("0\r\n\r\n{SMUGGLED}"),
            ),
        ),
        (
            "chunked and length",
            post(
                "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
                &format!("0\r\n\r\n{SMUGGLED}"),
            ),
        ),
        (
            "two lengths",
            post("Content-Length: 0\r\nContent-Length: 4\r\n", SMUGGLED),
        ),
        (
            "a list of lengths",
            post("Content-Length: 0, 4\r\n", SMUGGLED),
        ),
        ("a negative length", post("Content-Length: -1\r\n", "")),
        ("a length with a sign", post("Content-Length: +0\r\n", "")),
        ("a length in hex", post("Content-Length: 0x0\r\n", "")),
        (
            "a length beyond 64 bits",
            post("Content-Length: 99999999999999999999\r\n", ""),
        ),
        (
            "a length that is a word",
            post("Content-Length: ten\r\n", ""),
        ),
        (
            "an unknown coding",
            post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        ),
        (
            "identity",
            post("Transfer-Encoding: identity\r\nContent-Length: 0\r\n", ""),
        ),
        (
            "chunked not last",
            post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
        ),
        (
            "chunked twice",
            post(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
        ),
        (
            "a blank before the colon",
            post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        ),
        ("NUL in a value", post("X-A: a\0b\r\n", "")),
        (
            "a carriage return in a name",
            post("X-Auth\r-Client: forged\r\n", ""),
        ),
        ("NUL in a name", post("X-\0A: a\r\n", "")),
        ("a name with a blank", post("X A: a\r\n", "")),
        ("an empty name", post(": a\r\n", "")),
        ("a line without a colon", post("X-A\r\n", "")),
        ("a name with a bracket", post("X(A): a\r\n", "")),
        ("a name that is no ASCII", post("X-\u{e4}: a\r\n", "")),
        ("a pseudo-header", post(":path: /public/forged\r\n", "")),
        ("a second host", post("Host: evil.org\r\n", "")),
        ("HTTP/0.9", "GET /token/x\r\n\r\n".to_owned()),
        ("HTTP/3.0", start("GET /token/x HTTP/3.0")),
        ("HTTP/1.x", start("GET /token/x HTTP/1.x")),
        ("http/1.1", start("GET /token/x http/1.1")),
        ("a blank in the target", start("GET /token/x y HTTP/1.1")),
        ("no target", start("GET  HTTP/1.1")),
        ("a method with a slash", start("GE/T /token/x HTTP/1.1")),
        ("a method with a colon", start("GET: /token/x HTTP/1.1")),
        ("no host", format!("GET /token/x HTTP/1.1\r\n{good}\r\n")),
        (
            "CONNECT",
            format!(
                "CONNECT acme.example.com:443 HTTP/1.1\r\nHost: acme.example.com:443\r\n{good}\r\n"
            ),
        ),
        ("CONNECT with a path", start("CONNECT /token/x HTTP/1.1")),
        (
            "TLS instead of HTTP",
            "\u{16}\u{3}\u{1}\0\u{5}hello\r\n\r\n".to_owned(),
        ),
        (
            "a line break before the method",
            format!("\0\r\n{}", start("GET /token/x HTTP/1.1")),
        ),
    ];
    // These Envoy reads as RFC 9112 sections 2.2, 3 and 5.2 allow, and passes on what it read.
    let harmless = [
        ("a folded line", post("X-A: a\r\n X-Auth-Client: a\r\n", "")),
        (
            "a folded coding",
            post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
        ),
        (
            "a carriage return in a value",
            post("X-A: a\rX-Auth-Client: a\r\n", ""),
        ),
        (
            "a folded identity",
            post("X-Auth-Client:\r\n forged\r\n", ""),
        ),
        ("a tab after the method", start("GET\t/token/x HTTP/1.1")),
    ];
    let all = |cases: &[(&str, String)], outcome| {
        let attack = |(name, request): &(&str, String)| Attack {
            name: (*name).to_owned(),
            request: request.clone().into_bytes(),
            outcome,
        };
        cases.iter().map(attack).collect::<Vec<_>>()
    };
    [
        all(&cases, Outcome::NoRequest),
        all(&harmless, Outcome::Stripped),
    ]
    .concat()
}
