//! Paths, methods and hosts that hide what they mean.

use super::policy::HS;
use super::{Attack, Outcome, get, refused, request};

pub fn all() -> Vec<Attack> {
    [paths(), rules(), hosts()].into_iter().flatten().collect()
}

fn paths() -> Vec<Attack> {
    let mut attacks = Vec::new();
    let bearer = format!("Bearer {}", HS.good());
    let odd: &[&[u8]] = &[
        b"/public/../token/x",
        b"/public/./x",
        b"/public/..",
        b"/public/.",
        b"/public//x",
        b"//public/x",
        b"/public/x//",
        b"/public/%2e%2e/token/x",
        b"/public/%2E%2E/token/x",
        b"/public/%2e./token/x",
        b"/public/.%2e/token/x",
        b"/public/%2e/x",
        b"/public/%252e%252e/token/x",
        b"/public/%252e/token/x",
        b"/public/..%2ftoken/x",
        b"/public/%2e%2e%2ftoken/x",
        b"/public/..%5ctoken/x",
        b"/public/..%252ftoken/x",
        b"/public/..%c0%af/token/x",
        b"/public/%c0%ae%c0%ae/token/x",
        b"/public/..;/token/x",
        b"/public/..;a=b/token/x",
        b"/public/.;/x",
        b"/public/;/x",
        b"/public/%2e%2e;/token/x",
        b"/public/..%3b/token/x",
        b"/public/..%00/token/x",
        b"/public/%00",
        b"/public/x%00.html",
        b"/public/%0a",
        b"/public/x%0d%0aX-Forged:%20forged",
        b"/public/%09",
        b"/public/%7f",
        b"/public/%c2%85",
        b"/public/a%2fb",
        b"/public/a%2Fb",
        b"/public/a%5cb",
        b"/public/a\\b",
        b"/public/..\\token\\x",
        b"\\public\\x",
        b"/public\\..\\token",
        b"/public/%",
        b"/public/%2",
        b"/public/%zz",
        b"/public/%u002e%u002e/x",
        b"/public/%ff",
        b"/public/\xff",
        b"/public/\xc3\xa9",
        b"/public/x#y",
        b"/public/#/../token/x",
        b"/public/...",
        b"/public/.. /token/x",
        b"/public/..%20/token/x",
        b"/public/%2e%2e%2e",
        b"/public/%252f..%252ftoken",
        b"/public/%255c..%255ctoken",
        b"/public/%2500",
        b"public/x",
        b"*",
        b"?",
        b"http://acme.example.com/public/../token/x",
        b"http://acme.example.com//token/x",
        b"http://acme.example.com/public/%2e%2e/token/x",
    ];
    for path in odd {
        let shown = String::from_utf8_lossy(path);
        for headers in [&[][..], &[("Authorization", bearer.as_str())]] {
            // Bytes that HTTP doesn't allow in a target are refused by Envoy, all others by the filter.
            attacks.push(Attack {
                name: format!("path {shown}, {} credentials", headers.len()),
                request: get(path, headers),
                outcome: Outcome::NoRequest,
            });
        }
    }
    for (name, path) in [
        ("dot segments", "/public/../token/x"),
        ("encoded dots", "/public/%2e%2e/token/x"),
        ("dots encoded twice", "/public/%252e%252e/token/x"),
        ("an encoded slash", "/public/a%2fb"),
        ("an encoded backslash", "/public/a%5cb"),
        ("a parameter behind dots", "/public/..;/token/x"),
        ("an empty segment", "/public//x"),
        ("half an escape", "/public/%2"),
        ("overlong UTF-8", "/public/%c0%af"),
        ("an encoded line break", "/public/%0a"),
    ] {
        attacks.push(refused(
            format!("path, told: {name}"),
            get(path, &[]),
            400,
            "path_invalid",
        ));
    }
    attacks
}

fn rules() -> Vec<Attack> {
    let mut attacks = Vec::new();
    let bearer = format!("Bearer {}", HS.good());
    let good = [("Authorization", bearer.as_str())];
    for path in [
        "/token/x",
        "/token",
        "/token/",
        "/%74oken/x",
        "/token;a=b/x",
        "/token/x;a=b",
        "/token/public/x",
        "/tok%65n/x?/public/x",
        "http://acme.example.com/token/x",
        "/token/x?public",
    ] {
        attacks.push(refused(
            format!("{path} without credentials"),
            get(path, &[]),
            401,
            "credentials_missing",
        ));
    }
    for path in [
        "/",
        "/token%3Bx/y",
        "/Token/x",
        "/TOKEN/x",
        "/tokens/x",
        "/token-2/x",
        "/tokenx",
        "/publicx/y",
        "/public-2",
        "/PUBLIC/x",
        "/x/public/y",
        "/%2574oken/x",
        "/of",
    ] {
        attacks.push(refused(
            format!("no rule for {path}"),
            get(path, &good),
            403,
            "no_rule",
        ));
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"] {
        attacks.push(refused(
            format!("{method} where GET is"),
            request(method, "/reading/x", &good),
            403,
            "no_rule",
        ));
    }
    for method in ["GET2", "get", "gET"] {
        attacks.push(Attack {
            name: format!("{method}, which is no method"),
            request: request(method, "/reading/x", &good),
            outcome: Outcome::NoRequest,
        });
    }
    for header in [
        "X-HTTP-Method-Override",
        "X-Method-Override",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Forwarded-Prefix",
        "X-Forwarded-Uri",
        "X-Envoy-Original-Path",
    ] {
        let value = if header.contains("Method") {
            "GET"
        } else {
            "/public/x"
        };
        attacks.push(refused(
            format!("{header} opens nothing"),
            request(
                "POST",
                "/token/x",
                &[(header, value), ("Content-Length", "0")],
            ),
            401,
            "credentials_missing",
        ));
    }
    for path in [
        "/of/admin/x",
        "/of/Partner-1/x",
        "/of/partner-1%20x/x",
        "/of/partner-2/partner-1",
        "/of/%70artner-1x/y",
        "/of/partner/x",
    ] {
        attacks.push(refused(
            format!("bound: {path}"),
            get(path, &good),
            403,
            "binding_mismatch",
        ));
    }
    attacks
}

fn hosts() -> Vec<Attack> {
    let mut attacks = Vec::new();
    let bearer = format!("Bearer {}", HS.good());
    for host in [
        "example.com",
        "shop.example.com",
        "xapi.example.com",
        "api.example.com.evil.org",
        "api.example.org",
        "a",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "[::1]:443",
        "[::ffff:127.0.0.1]:80",
        "evil.org:443",
        "api-example.com",
        "xshop.example.com",
        "a.shop.example.com.evil.org",
        "api.example.com-",
    ] {
        attacks.push(refused(
            format!("host {host}"),
            get("/host/x", &[("Host", host), ("Authorization", &bearer)]),
            403,
            "no_rule",
        ));
    }
    for host in [
        "api.example.com@evil.org",
        "evil.org@api.example.com",
        "user:x@api.example.com",
        "api.example.com, evil.org",
        "api.example.com,evil.org",
        "api.example.com:80:80",
        "api.example.com:x",
        "api.example.com:-1",
        "api.example.com/x",
        "api.example.com?x",
        "api.example.com#x",
        "api.example.com\\x",
        "api..example.com",
        ".api.example.com",
        "api.example.com..",
        "[::1",
        "::1",
        "[]",
        "[x]",
        "api .example.com",
        "api%2eexample.com",
        "api.ex\u{e4}mple.com",
        "http://api.example.com",
    ] {
        attacks.push(Attack {
            name: format!("host {host}"),
            request: get("/host/x", &[("Host", host), ("Authorization", &bearer)]),
            outcome: Outcome::NoRequest,
        });
    }
    for target in [
        "http://evil.org/host/x",
        "http://api.example.com@evil.org/host/x",
        "http://evil.org#api.example.com/host/x",
        "ftp://api.example.com/host/x",
        "//api.example.com/host/x",
    ] {
        attacks.push(Attack {
            name: format!("target {target}"),
            request: get(
                target,
                &[("Host", "api.example.com"), ("Authorization", &bearer)],
            ),
            outcome: Outcome::NoRequest,
        });
    }
    for (name, headers) in [
        (
            "X-Forwarded-Host",
            [
                ("Host", "evil.org"),
                ("X-Forwarded-Host", "api.example.com"),
            ],
        ),
        (
            "Forwarded",
            [("Host", "evil.org"), ("Forwarded", "host=api.example.com")],
        ),
        (
            "X-Host",
            [("Host", "evil.org"), ("X-Host", "api.example.com")],
        ),
    ] {
        let headers = [&headers[..], &[("Authorization", bearer.as_str())]].concat();
        attacks.push(refused(
            format!("{name} doesn't count"),
            get("/host/x", &headers),
            403,
            "no_rule",
        ));
    }
    attacks
}
