//! Random requests, byte by byte, against a policy whose every rule needs a credential.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::engine::Decision;
use doorward_core::http::{Headers, Request, Verdict};
use serde_json::json;
use support::jwt::{forged, hs256};
use support::*;

const SECRET: &str = "a-secret-of-thirty-two-bytes-yes";

fn policy() -> String {
    format!(
        r#"
version: 1
clients: [{{id: acme, api_keys: [{{sha256: "{}"}}]}}]
authenticators:
  key: {{api_key: {{from: [{{header: x-api-key}}, {{query: key}}, {{cookie: key}}], require_tenant: "request.host.split('.')[0]"}}}}
  token:
    jwt:
      algorithms: [HS256, ES256]
      keys: [{{secret: {{value: {SECRET}}}}}, {{remote: {{cluster: idp, url: "http://idp/keys"}}}}]
      from: [{{header: authorization, scheme: Bearer}}, {{query: token}}, {{cookie: token}}]
      issuer: https://idp.example.com
      client: claims.client_id + request.headers["x-a"]
      tenant: request.query.tenant
  pair: {{client_credentials: {{from: {{basic: true}}, exchange: idp, verify: token}}}}
  pair-in-headers: {{client_credentials: {{from: {{id: {{query: id}}, secret: {{cookie: secret}}}}, exchange: idp}}}}
tokens:
  idp: {{exchange: {{cluster: idp, url: "http://idp/token"}}}}
rules:
  - {{match: {{path: "/v1/{{name}}/**", hosts: ["*.example.com"]}}, authenticate: {{any: [token, pair]}}, authorize: {{bind: {{name: claims.name}}}}}}
  - {{match: {{path: /fold/**, ignore_case: true, methods: [GET, POST]}}, authenticate: {{all: [key, {{any: [token, pair-in-headers]}}]}}}}
  - {{match: {{path: /net/**}}, authenticate: key, authorize: {{networks: ["10.0.0.0/8"]}}}}
  - {{match: {{path: /**}}, authenticate: {{any: [key, token, pair, pair-in-headers]}}, errors: {{body: '{{"path": request.path, "q": request.query, "h": request.headers}}'}}}}
"#,
        digest("nobody-sends-this")
    )
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) as usize % bound
    }

    fn pick<'t, T: ?Sized>(&mut self, items: &[&'t T]) -> &'t T {
        items[self.below(items.len())]
    }

    fn bytes(&mut self, longest: usize) -> Vec<u8> {
        (0..self.below(longest))
            .map(|_| self.below(256) as u8)
            .collect()
    }

    /// Pieces that mean something, with random bytes among them.
    fn text(&mut self, pieces: &[&str]) -> Vec<u8> {
        let mut text = Vec::new();
        for _ in 0..self.below(8) {
            match self.below(6) {
                0 => text.extend(self.bytes(4)),
                _ => text.extend(self.pick(pieces).as_bytes()),
            }
        }
        text
    }
}

#[test]
fn nothing_without_a_credential_passes_and_nothing_panics() {
    let claims = json!({"iss": "https://idp.example.com", "exp": START + 60, "name": "x"});
    let token = hs256("another-secret-of-thirty-two-byte", &claims);
    let forged = forged(&hs256(SECRET, &claims));
    let over = hs256(
        SECRET,
        &json!({"iss": "https://idp.example.com", "exp": START - 60}),
    );
    let none = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlLmNvbSJ9.";
    let targets = [
        "/", "/v1", "/fold", "/FOLD", "/net", "/x", "?", "&", "=", "key=", "token=", "%", "%2e",
        "%2f", "%00", "..", ";", "//", "#", "\\", "tenant=a", "id=a", &token,
    ];
    let values = [
        "Bearer ",
        "Basic ",
        "bearer",
        ",",
        ";",
        " ",
        "=",
        "\t",
        "key=",
        "token=",
        "secret=s",
        "%41",
        "aWQ6c2VjcmV0",
        "x",
        ".",
        "e30",
        &token,
        &forged,
        &over,
        none,
    ];
    let whole = [
        "Basic aWQ6c2VjcmV0".to_owned(),
        format!("Bearer {token}"),
        format!("Bearer {forged}"),
        format!("Bearer {over}"),
        format!("token={token}; secret=s"),
        "secret=s".to_owned(),
        "application/grpc".to_owned(),
    ];
    let names = [
        "authorization",
        "Authorization",
        "x-api-key",
        "X-API-KEY",
        "x_api_key",
        "cookie",
        "Cookie",
        "x-auth-client",
        "x-a",
        "content-type",
        "origin",
        "access-control-request-method",
        "host",
        "x-request-id",
        "",
    ];
    let hosts = [
        "a.example.com",
        "A.EXAMPLE.COM:1",
        "[::1]:80",
        ":",
        ".",
        "]",
        "[",
        "",
    ];
    let methods = ["GET", "POST", "OPTIONS", "CONNECT", "get", ""];
    let mut random = Random(START);
    let proxy = Proxy::new(1, &policy());
    let mut waiting = 0;
    for number in 0..20_000 {
        let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        if random.below(20) > 0 {
            pairs.push((b":method".to_vec(), random.pick(&methods).into()));
        }
        for _ in 0..[1, 1, 1, 1, 1, 1, 1, 1, 0, 2][random.below(10)] {
            let mut target = random
                .pick(&["/", "/v1/x/", "/fold/x", "/x?id=a&x=", ""])
                .as_bytes()
                .to_vec();
            if random.below(2) > 0 {
                target.extend(random.text(&targets));
            }
            pairs.push((b":path".to_vec(), target));
        }
        let host = match random.below(3) {
            0 => random.pick(&hosts),
            _ => "api.example.com",
        };
        pairs.push((b":authority".to_vec(), host.into()));
        for _ in 0..random.below(6) {
            let name = match random.below(10) {
                0 => random.bytes(12),
                _ => random.pick(&names).into(),
            };
            let value = match random.below(2) {
                0 => whole[random.below(whole.len())].clone().into_bytes(),
                _ => random.text(&values),
            };
            pairs.push((name, value));
        }
        let source_address = match random.below(3) {
            0 => None,
            1 => Some(String::from_utf8_lossy(&random.bytes(8)).into_owned()),
            _ => Some("10.0.0.1".to_owned()),
        };
        let request = Request {
            headers: Headers::from_pairs(pairs.clone()),
            source_address,
        };
        match proxy.workers[0].decide(number, request) {
            Decision::Now(verdict) => assert!(matches!(verdict, Verdict::Refuse(_)), "{pairs:?}"),
            Decision::Later => waiting += 1,
            Decision::NeedsBody => panic!("no rule reads a body"),
        }
        let mut verdicts = proxy.workers[0].turn();
        for call in proxy.calls() {
            let body = String::from_utf8_lossy(&random.bytes(60)).into_owned();
            let status = [200, 401, 500, 0][random.below(4)];
            proxy.world.now.set(proxy.world.now.get() + seconds(1));
            verdicts.extend(proxy.answer_raw(&call, reply(status, &body)));
        }
        proxy.workers[0].tick();
        verdicts.extend(proxy.workers[0].turn());
        for (_, verdict) in verdicts {
            assert!(matches!(verdict, Verdict::Refuse(_)), "{pairs:?}");
        }
    }
    // Some of them got as far as a callout.
    assert!(waiting > 50, "{waiting}");
}

#[test]
fn header_maps_that_lie_about_their_lengths_are_read_or_refused() {
    let mut random = Random(7);
    for _ in 0..20_000 {
        let mut bytes = random.bytes(80);
        if let Some(first) = bytes.first_chunk_mut::<4>() {
            *first = (random.below(5) as u32).to_le_bytes();
        }
        if let Some(headers) = Headers::from_wire(bytes) {
            assert!(headers.iter().count() == headers.len());
        }
    }
}
