//! What anybody can send without a credential. None of it may pass, make a VM fail, or disturb a good request.

use std::fmt::Write as _;

use serde_json::json;
use xtask::client::Answer;
use xtask::jwt;

use crate::config::Listener;
use crate::gateway::{GATEWAY, assert_passed, assert_refused};

const SECRET: &str = "the secret of hostile requests' own token";

const POLICY: &str = r#"
version: 1
authenticators:
  token:
    jwt: {algorithms: [HS256], keys: [{secret: {value: "the secret of hostile requests' own token"}}]}
  query-token:
    jwt:
      algorithms: [HS256]
      keys: [{secret: {value: "the secret of hostile requests' own token"}}]
      from: [{query: access_token}, {cookie: token}]
rules:
  - match: {path: "/private/**"}
    authenticate: token
  - match: {path: "/query/**"}
    authenticate: query-token
  - match: {path: "/host/**", hosts: [api.example.com, "*.shop.example.com"]}
    authenticate: token
  - match: {path: "/public/**"}
    authenticate: none
  - match: {path: "/inside/**"}
    authenticate: none
    authorize: {networks: ["10.0.0.0/8", "2001:db8::/32"]}
  - match: {path: "/here/**"}
    authenticate: none
    authorize: {networks: ["127.0.0.1/32"]}
    upstream: {headers: {x-caller: source.address}}
"#;

pub fn listeners() -> Vec<Listener> {
    let wide = Listener::new("hostile", POLICY)
        .connection_manager("max_request_headers_kb", json!(1024))
        .connection_manager(
            "common_http_protocol_options",
            json!({"max_headers_count": 4000}),
        )
        .with_connect();
    vec![wide]
}

fn token() -> String {
    let claims = json!({"exp": jwt::now().unwrap() + 600});
    jwt::sign_hs256(&claims, SECRET.as_bytes()).unwrap()
}

/// Sends a request with this target and these header lines.
fn raw(method: &str, target: &[u8], headers: &[u8]) -> Answer {
    let request = [
        method.as_bytes(),
        b" ",
        target,
        b" HTTP/1.1\r\nHost: a\r\n",
        headers,
        b"\r\n",
    ]
    .concat();
    let shown = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
    let answer = GATEWAY.client("hostile").raw(&request);
    answer.unwrap_or_else(|error| panic!("{shown}: {error:#}"))
}

/// No VM failed, and a good request still passes on each worker.
#[track_caller]
fn assert_unharmed() {
    GATEWAY.assert_well();
    for mut connection in GATEWAY.connections_on_both_workers("hostile") {
        let answer = connection
            .get("/private/good")
            .bearer(&token())
            .send()
            .unwrap();
        assert_passed(&answer);
    }
}

#[test]
fn header_bytes_that_are_no_utf_8_are_refused_or_ignored() {
    for value in [
        &b"\xff\xfe"[..],
        b"Bearer \xff",
        b"Bearer \xc3\x28.\xa0.\x80",
        b"\x80",
    ] {
        let header = [b"Authorization: ", value, b"\r\n"].concat();
        let answer = raw("GET", b"/private/bytes", &header);
        assert_eq!(answer.status, 401, "{value:?}: {}", answer.text());
        let header = [b"Cookie: token=", value, b"\r\n"].concat();
        assert_eq!(
            raw("GET", b"/query/bytes", &header).status,
            401,
            "{value:?}"
        );
        // Where it says nothing it goes on as it came.
        let header = [
            b"X-Other: ",
            value,
            b"\r\nAuthorization: Bearer ",
            token().as_bytes(),
            b"\r\n",
        ]
        .concat();
        assert_passed(&raw("GET", b"/private/other", &header));
        let header = [b"X-Auth-Client: ", value, b"\r\n"].concat();
        let seen = assert_passed(&raw("GET", b"/public/bytes", &header));
        assert_eq!(seen.header("x-auth-client"), None);
    }
    assert_eq!(GATEWAY.heads("/private/bytes").len(), 0);
    assert_unharmed();
}

#[test]
fn many_headers_are_judged_like_few_and_two_thousand_are_refused() {
    let many = |count: usize| {
        (0..count).fold(String::new(), |mut lines, number| {
            write!(lines, "x-h-{number}: {number}\r\n").unwrap();
            lines
        })
    };
    let answer = raw("GET", b"/private/many", many(900).as_bytes());
    assert_refused(&answer, 401, "credentials_missing");
    let forged = "x_auth_client: admin\r\nX-Auth-Client: admin\r\n";
    let good = format!("{}{forged}Authorization: Bearer {}\r\n", many(900), token());
    let seen = assert_passed(&raw("GET", b"/private/many", good.as_bytes()));
    assert!(seen.headers.iter().all(|(_, value)| value != "admin"));
    assert!(seen.headers.len() >= 900, "{}", seen.headers.len());
    // The same name again and again.
    let same = "x-auth-client: admin\r\n".repeat(900);
    let seen = assert_passed(&raw("GET", b"/public/same", same.as_bytes()));
    assert_eq!(seen.header("x-auth-client"), None);
    let keys = "authorization: Bearer a.b.c\r\n".repeat(900);
    let answer = raw("GET", b"/private/same", keys.as_bytes());
    assert_refused(&answer, 400, "credentials_duplicated");
    // More than the filter looks at: not judged, so not passed either.
    let good = format!("{}Authorization: Bearer {}\r\n", many(2000), token());
    for path in ["/private/too-many", "/public/too-many"] {
        let answer = raw("GET", path.as_bytes(), good.as_bytes());
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert_eq!(GATEWAY.heads(path).len(), 0);
    }
    assert_unharmed();
}

#[test]
fn a_forged_address_opens_nothing() {
    for forged in [
        "X-Forwarded-For: 10.0.0.1\r\n",
        "x-forwarded-for: 10.0.0.1, 10.0.0.2\r\nX-Forwarded-For: 10.0.0.3\r\n",
        "X-Real-IP: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\n",
        "x-envoy-external-address: 10.0.0.1\r\nTrue-Client-IP: 10.0.0.1\r\n",
    ] {
        let answer = raw("GET", b"/inside/x", forged.as_bytes());
        assert_refused(&answer, 403, "network_denied");
        let seen = assert_passed(&raw("GET", b"/here/x", forged.as_bytes()));
        assert_eq!(seen.headers_named("x-caller"), ["127.0.0.1"]);
    }
}

#[test]
fn a_caller_cannot_have_headers_of_the_gateway_dropped_or_added_on_the_way() {
    for connection in [
        "x-caller, x-auth-client",
        "close, X-Caller",
        "keep-alive, authorization",
    ] {
        let headers =
            format!("Connection: {connection}\r\nX-Caller: forged\r\nX_Caller: forged\r\n");
        let seen = assert_passed(&raw("GET", b"/here/connection", headers.as_bytes()));
        assert_eq!(
            seen.headers_named("x-caller"),
            ["127.0.0.1"],
            "{connection}"
        );
        assert_eq!(seen.header("x_caller"), None);
    }
    // After the head nothing of a body counts as a header, trailers included.
    let trailers = b"POST /here/trailers HTTP/1.1\r\nHost: a\r\ntransfer-encoding: chunked\r\n\r\n\
        0\r\nx-caller: forged\r\nx-auth-client: admin\r\n\r\n";
    let seen = assert_passed(&GATEWAY.client("hostile").raw(trailers).unwrap());
    assert_eq!(seen.headers_named("x-caller"), ["127.0.0.1"]);
    assert_eq!(seen.header("x-auth-client"), None);
}

#[test]
fn connect_never_passes() {
    for target in ["a:80", "private.example.com:443", "/private/x", "/public/x"] {
        let answer = raw("CONNECT", target.as_bytes(), b"");
        assert!(
            (400..500).contains(&answer.status),
            "{target}: {}",
            answer.status
        );
    }
    assert!(
        GATEWAY
            .upstream
            .requests()
            .iter()
            .all(|seen| seen.method != "CONNECT")
    );
    assert_unharmed();
}

#[test]
fn paths_that_two_programs_could_read_differently_are_refused() {
    let refused: &[&[u8]] = &[
        b"/public/../private/x",
        b"/public/./x",
        b"/public//x",
        b"//public/x",
        b"/public/x//",
        b"/public/..",
        b"/public/.",
        b"/public/%2e%2e/private/x",
        b"/public/%2E./x",
        b"/public/.%2e",
        b"/public/%2e/x",
        b"/public/..;/private/x",
        b"/public/..;a=b/private/x",
        b"/public/;/x",
        b"/public/a%2fb",
        b"/public/a%2Fb",
        b"/public/a%5cb",
        b"/public/a%5Cb",
        b"/public/a\\b",
        b"/public\\..\\private",
        b"/public/%00",
        b"/public/a%0d%0ab",
        b"/public/a%09b",
        b"/public/%7f",
        b"/public/%c2%85",
        b"/public/%",
        b"/public/%2",
        b"/public/%zz",
        b"/public/%u002e",
        b"/public/%ff",
        b"/public/\xff",
        b"/public/\xc3\xa9",
        b"/public/x#fragment",
        b"/public/%c0%af",
        b"public/x",
        b"*",
        b"?",
    ];
    for path in refused {
        let shown = String::from_utf8_lossy(path).into_owned();
        let answer = raw("GET", path, b"");
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text());
    }
    let odd = |seen: &xtask::server::Received| {
        seen.path.contains("private/x") && seen.path.contains("public")
    };
    assert!(!GATEWAY.upstream.requests().iter().any(odd));
    assert_refused(
        &raw("GET", b"/public/%2e%2e/private/x", b""),
        400,
        "path_invalid",
    );
    assert_refused(&raw("GET", b"/public/a%2fb", b""), 400, "path_invalid");
    assert_unharmed();
}

#[test]
fn what_was_matched_is_what_the_upstream_gets() {
    for (sent, seen) in [
        ("/public/%61%2Db", "/public/a-b"),
        ("/%70ublic/x?y=%41&z=//..", "/public/x?y=%41&z=//.."),
        ("/public/a%20b", "/public/a%20b"),
        ("/public/caf%C3%A9", "/public/caf%C3%A9"),
        ("/public/", "/public/"),
        ("/public?", "/public?"),
    ] {
        let answer = raw("GET", sent.as_bytes(), b"");
        assert_eq!(assert_passed(&answer).path, seen, "{sent}");
    }
    // An encoded letter doesn't hide a private path.
    assert_refused(
        &raw("GET", b"/%70rivate/x", b""),
        401,
        "credentials_missing",
    );
}

#[test]
fn two_authorizations_are_credentials_duplicated() {
    let good = token();
    for headers in [
        format!("Authorization: Bearer {good}\r\nAuthorization: Bearer {good}\r\n"),
        format!("Authorization: Bearer {good}\r\nauthorization: Bearer x.y.z\r\n"),
        format!("Authorization: Basic YTpi\r\nAUTHORIZATION: Bearer {good}\r\n"),
        format!("Authorization: Bearer {good}, Bearer {good}\r\n"),
    ] {
        let answer = raw("GET", b"/private/two", headers.as_bytes());
        assert_refused(&answer, 400, "credentials_duplicated");
    }
    let twice = format!("/query/x?access_token={good}&access_token={good}");
    assert_refused(
        &raw("GET", twice.as_bytes(), b""),
        400,
        "credentials_duplicated",
    );
    let hidden = format!("/query/x?access_token={good}&%61ccess_token=other");
    assert_refused(
        &raw("GET", hidden.as_bytes(), b""),
        400,
        "credentials_duplicated",
    );
    assert_eq!(GATEWAY.heads("/private/two").len(), 0);
}

#[test]
fn an_absolute_target_is_judged_by_its_path() {
    assert_refused(
        &raw("GET", b"http://a/private/x", b""),
        401,
        "credentials_missing",
    );
    assert_passed(&raw("GET", b"http://a/public/x", b""));
    for target in [&b"http://a/public/../private/x"[..], b"http://a//private/x"] {
        assert_eq!(raw("GET", target, b"").status, 400);
    }
    // Its host counts, not the header's.
    let authorization = format!("Authorization: Bearer {}\r\n", token());
    assert_passed(&raw(
        "GET",
        b"http://api.example.com/host/x",
        authorization.as_bytes(),
    ));
    assert_unharmed();
}

#[test]
fn hosts_match_in_any_case_with_port_and_trailing_dot() {
    let ask = |host: &str| {
        let request = GATEWAY.client("hostile").get("/host/x").host(host);
        request.bearer(&token()).send().unwrap()
    };
    for host in [
        "api.example.com",
        "API.Example.COM:8443",
        "api.example.com.",
        "a.b.SHOP.example.com:1",
    ] {
        let answer = ask(host);
        assert_eq!(answer.status, 200, "{host}: {}", answer.text());
    }
    for host in [
        "example.com",
        "xapi.example.com",
        "api.example.com.evil.org",
        "shop.example.com",
        "a",
        "[::1]:80",
    ] {
        assert_refused(&ask(host), 403, "no_rule");
    }
}

#[test]
fn huge_and_deep_tokens_are_malformed() {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let deep = format!(
        "{}.{}.eA",
        encode(r#"{"alg":"HS256"}"#),
        encode(&"[".repeat(4000))
    );
    let deep_header = format!("{}.e30.eA", encode(&r#"{"a":"#.repeat(800)));
    for token in [
        "a".repeat(9000),
        "a".repeat(900_000),
        format!(
            "{}.{}.{}",
            "a".repeat(300_000),
            "b".repeat(300_000),
            "c".repeat(300_000)
        ),
        ".".repeat(500_000),
        deep,
        deep_header,
    ] {
        let header = format!("Authorization: Bearer {token}\r\n");
        let answer = raw("GET", b"/private/huge", header.as_bytes());
        assert_eq!(answer.status, 401, "{}", answer.text());
    }
    let long = format!("/private/{}", "x".repeat(500_000));
    assert_eq!(raw("GET", long.as_bytes(), b"").status, 400);
    assert_eq!(GATEWAY.heads("/private/huge").len(), 0);
    assert_unharmed();
}

#[test]
fn strange_methods_and_old_protocols_are_judged_too() {
    for method in ["TRACE", "PROPFIND", "OPTIONS", "HEAD", "DELETE"] {
        let answer = raw(method, b"/private/method", b"");
        assert!(
            (400..500).contains(&answer.status),
            "{method}: {}",
            answer.status
        );
    }
    let client = GATEWAY.client("hostile");
    for request in [
        &b"GET /private/old HTTP/1.0\r\n\r\n"[..],
        b"GET /private/none HTTP/1.1\r\n\r\n",
    ] {
        let answer = client.raw(request).unwrap();
        assert!((400..500).contains(&answer.status), "{}", answer.status);
    }
    for path in ["/private/method", "/private/old", "/private/none"] {
        assert_eq!(GATEWAY.heads(path).len(), 0, "{path}");
    }
    assert_unharmed();
}
