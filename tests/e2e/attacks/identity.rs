//! Claims about who is calling that only the gateway may make.

use super::policy::HS;
use super::{Attack, Outcome, get, refused, request};

/// Spellings of the headers that are reserved under this policy.
const NAMES: [&str; 13] = [
    "x-auth-client",
    "X-Auth-Client",
    "X-AUTH-CLIENT",
    "x_auth_client",
    "X_AUTH_Client",
    "x-auth_client",
    "x-auth-tenant",
    "X_Auth_Tenant",
    "x-auth-scopes",
    "X-Auth_Scopes",
    "x-auth-subject",
    "X_AUTH_SUBJECT",
    "x-Auth-Subject",
];

fn stripped(name: String, request: Vec<u8>) -> Attack {
    let outcome = Outcome::Stripped;
    Attack {
        name,
        request,
        outcome,
    }
}

pub fn all() -> Vec<Attack> {
    let bearer = format!("Bearer {}", HS.good());
    let good = ("Authorization", bearer.as_str());
    let mut attacks = Vec::new();
    for name in NAMES {
        attacks.push(refused(
            format!("{name} is no credential"),
            get("/token/x", &[(name, "forged")]),
            401,
            "credentials_missing",
        ));
        attacks.push(stripped(
            format!("{name} beside a good token"),
            get("/token/x", &[(name, "forged"), good]),
        ));
        attacks.push(stripped(
            format!("{name} where all may pass"),
            get("/public/x", &[(name, "forged")]),
        ));
    }
    let many: Vec<_> = NAMES
        .iter()
        .map(|name| (*name, "forged"))
        .chain([good])
        .collect();
    attacks.push(stripped("all at once".to_owned(), get("/token/x", &many)));
    let again: Vec<_> = [("x-auth-client", "forged"); 40]
        .into_iter()
        .chain([good])
        .collect();
    attacks.push(stripped("forty times".to_owned(), get("/token/x", &again)));
    for value in [
        "forged, forged",
        "a\tforged",
        "forged\u{eb}",
        " forged ",
        "forged;x=\"y\"",
    ] {
        attacks.push(stripped(
            format!("value {value:?}"),
            get(
                "/public/x",
                &[("x-auth-client", value), ("x_auth_client", value)],
            ),
        ));
    }
    for connection in [
        "x-auth-client",
        "close, x-auth-client",
        "keep-alive, X_Auth_Client",
    ] {
        attacks.push(stripped(
            format!("Connection: {connection}"),
            get(
                "/token/x",
                &[
                    ("Connection", connection),
                    ("x-auth-client", "forged"),
                    good,
                ],
            ),
        ));
    }
    for (name, path, first) in [
        ("public", "/public/trailers", ""),
        ("token", "/token/trailers", bearer.as_str()),
    ] {
        let headers = [
            ("Authorization", first),
            ("Trailer", "x-auth-client"),
            ("Transfer-Encoding", "chunked"),
        ];
        let head = request("POST", path, &headers);
        let body = b"2\r\nhi\r\n0\r\nx-auth-client: forged\r\nX_Auth_Tenant: forged\r\n\r\n";
        attacks.push(stripped(
            format!("trailers, {name}"),
            [&head[..], body].concat(),
        ));
    }
    for forged in [
        "X-Forwarded-For",
        "X-Real-IP",
        "X-Envoy-External-Address",
        "True-Client-IP",
        "X-Client-IP",
        "CF-Connecting-IP",
        "Forwarded",
    ] {
        let value = if forged == "Forwarded" {
            "for=10.0.0.1"
        } else {
            "10.0.0.1"
        };
        attacks.push(refused(
            format!("{forged} is no address"),
            get("/inside/x", &[(forged, value), good]),
            403,
            "network_denied",
        ));
    }
    attacks.push(refused(
        "a preflight",
        request(
            "OPTIONS",
            "/token/x",
            &[
                ("Origin", "https://a"),
                ("Access-Control-Request-Method", "GET"),
            ],
        ),
        401,
        "credentials_missing",
    ));
    attacks
}
