//! The agreement table: one list of requests and what must come of them, for
//! `doorward explain` (crates/cli/tests/agreement.rs) and for the filter in Envoy
//! (tests/e2e/agreement.rs).
//!
//! Both include this file by its path. The table is read with the core's own reader, so a
//! mistake in it is told with its line.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward_core::policy::document::{self, Json};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The policy.
pub const POLICY: &str = include_str!("policy.yaml");
/// Its environment, a NAME=VALUE on each line.
pub const ENVIRONMENT: &str = include_str!("policy.env");
const REQUESTS: &str = include_str!("requests.yaml");

/// The whole table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Tokens by name, to be signed anew for each run; `{{name}}` stands for one.
    pub tokens: BTreeMap<String, Token>,
    /// What the servers behind the policy's calls answer.
    pub servers: Vec<Server>,
    /// The requests.
    pub requests: Vec<Row>,
}

/// A token to sign.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// partner, stranger (another secret), es, rs, es-stranger.
    pub key: String,
    /// The algorithm that signs. Default: HS256, ES256 or RS256, by the key.
    pub algorithm: Option<String>,
    /// Members of the header beside `alg`; also `alg` itself, to lie about it.
    pub header: Option<Json>,
    /// The claims.
    pub claims: Option<Json>,
    /// The payload's own text, where it is to be no proper JSON.
    pub payload: Option<String>,
    /// Seconds from now to `exp`. Default: 300.
    pub expires: Option<i64>,
    /// Seconds from now to `iat`. Default: no `iat`.
    pub issued: Option<i64>,
    /// Seconds from now to `nbf`. Default: no `nbf`.
    pub begins: Option<i64>,
    /// true: no `exp`.
    pub endless: Option<bool>,
    /// Put behind the finished token.
    pub tail: Option<String>,
}

/// What one server answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "each of the two judges uses a part of it")]
pub struct Server {
    /// The path at which it is asked; its query doesn't count.
    pub path: String,
    /// The kind and the name by which `doorward explain` takes the answer: `jwks` and a
    /// URL, `exchange` and a token, `lookup` and an authenticator.
    pub explain: [String; 2],
    /// The status. Default: 200.
    pub status: Option<u64>,
    /// The body; `{{name}}` stands for a token, `{{jwks}}` for the set with the key `es`.
    pub body: Option<String>,
}

/// A request and what must come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What it shows.
    pub name: String,
    /// Method and target.
    pub request: String,
    /// The host. Default: acme.example.com.
    pub host: Option<String>,
    /// Headers, each `name: value`.
    #[serde(default)]
    pub headers: Vec<String>,
    /// The token in `Authorization: Bearer`.
    pub token: Option<String>,
    /// The request's body. Default: none.
    pub data: Option<String>,
    /// true: the gateway answers with a token itself.
    pub issues: Option<bool>,
    /// The caller's address. Default: 127.0.0.1.
    pub source: Option<String>,
    /// How often it is sent; the last one counts. Default: once.
    pub repeat: Option<u64>,
    /// The detailed reason of the refusal; left out, it goes on.
    pub reason: Option<String>,
    /// The status. Default: 200, or the reason's.
    pub status: Option<u64>,
    /// Headers of the answer that must be so; `*` for any value, null for none.
    #[serde(default)]
    pub answer: BTreeMap<String, Option<String>>,
    /// The answer's whole body.
    pub body: Option<String>,
    /// Headers that the upstream must see so, `:path` included; null for none.
    #[serde(default)]
    pub upstream: BTreeMap<String, Option<String>>,
}

/// Reads the table. It panics on a mistake in it: this is a test.
pub fn read() -> Table {
    let told = |problems: Vec<document::Problem>| -> String {
        let lines = problems
            .iter()
            .map(|problem| format!("\n  requests.yaml: {problem}"));
        lines.collect()
    };
    let node = document::read(REQUESTS.as_bytes()).map_err(told);
    let table = node.and_then(|node| document::decode(&node, &|_| None).map_err(told));
    table.unwrap_or_else(|told| panic!("{told}"))
}

/// The environment's variables.
pub fn environment() -> Vec<(&'static str, &'static str)> {
    let lines = ENVIRONMENT.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).collect()
}

impl Table {
    /// Every token, signed for this time in seconds since the epoch.
    pub fn sign(&self, now: i64) -> BTreeMap<String, String> {
        let tokens = self.tokens.iter();
        tokens
            .map(|(name, token)| (name.clone(), token.sign(now)))
            .collect()
    }
}

/// A text with its tokens put in; `{{long}}` is more than a body may have.
pub fn fill(text: &str, tokens: &BTreeMap<String, String>) -> String {
    let mut filled = text.to_owned();
    while let Some((before, rest)) = filled.split_once("{{") {
        let (name, after) = rest.split_once("}}").expect("{{ without }}");
        let value = match name {
            "jwks" => jwks(),
            "long" => " ".repeat(17 * 1024),
            name => tokens
                .get(name)
                .unwrap_or_else(|| panic!("no token is called {name}"))
                .clone(),
        };
        filled = format!("{before}{value}{after}");
    }
    filled
}

fn jwks() -> String {
    let key = EncodingKey::from_ec_pem(ES).unwrap();
    let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
    let mut jwk = json!(jwk);
    jwk["kid"] = "es".into();
    json!({"keys": [jwk]}).to_string()
}

const ES: &[u8] = include_bytes!("../../crates/xtask/testdata/es256-a.pem");
const ES_STRANGER: &[u8] = include_bytes!("../../crates/xtask/testdata/es256-b.pem");
const RS: &[u8] = include_bytes!("../../crates/xtask/testdata/rs256-a.pem");

impl Token {
    fn sign(&self, now: i64) -> String {
        let secret = |name: &str| {
            let found = environment().into_iter().find(|(other, _)| *other == name);
            EncodingKey::from_secret(found.unwrap().1.as_bytes())
        };
        let (key, algorithm) = match self.key.as_str() {
            "partner" => (secret("PARTNER_SECRET"), Algorithm::HS256),
            "stranger" => (secret("GATEWAY_SECRET"), Algorithm::HS256),
            "es" => (EncodingKey::from_ec_pem(ES).unwrap(), Algorithm::ES256),
            "es-stranger" => (
                EncodingKey::from_ec_pem(ES_STRANGER).unwrap(),
                Algorithm::ES256,
            ),
            "rs" => (EncodingKey::from_rsa_pem(RS).unwrap(), Algorithm::RS256),
            other => panic!("no key is called {other}"),
        };
        let algorithm = match &self.algorithm {
            Some(name) => name.parse().unwrap(),
            None => algorithm,
        };
        let mut header = json!({"alg": algorithm});
        extend(&mut header, self.header.as_ref());
        let mut claims = json!({});
        if self.endless != Some(true) {
            claims["exp"] = (now + self.expires.unwrap_or(300)).into();
        }
        for (name, offset) in [("iat", self.issued), ("nbf", self.begins)] {
            if let Some(offset) = offset {
                claims[name] = (now + offset).into();
            }
        }
        extend(&mut claims, self.claims.as_ref());
        let payload = self.payload.clone().unwrap_or_else(|| claims.to_string());
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(payload)
        );
        let signature = jsonwebtoken::crypto::sign(text.as_bytes(), &key, algorithm).unwrap();
        format!(
            "{text}.{signature}{}",
            self.tail.as_deref().unwrap_or_default()
        )
    }
}

fn extend(object: &mut Value, more: Option<&Json>) {
    let none = Map::new();
    let more = more
        .and_then(|more| more.value().as_object())
        .unwrap_or(&none);
    object.as_object_mut().unwrap().extend(more.clone());
}
