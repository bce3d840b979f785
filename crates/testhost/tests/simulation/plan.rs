//! What a world's policy says: a family of policies that differ in what is worth differing.

use crate::dice::Dice;
use crate::jwt;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How many clients there are.
pub const CLIENTS: u64 = 3;
/// The id and the secret with which the gateway itself asks for a token.
pub const OWN: (&str, &str) = ("gateway", "own: +%&=secret");
/// The time at which the first client's second key ends, since the start.
pub const KEY_ENDS: Duration = Duration::from_secs(20);

/// How a secret may be shown to the token endpoint.
const SECRET_AUTH: [&str; 3] = [
    "client_secret_basic",
    "client_secret_post",
    "client_secret_json",
];

/// One policy. Times are in milliseconds where they aren't durations.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Stands in every URL, so that each call tells which policy it was made for.
    pub version: u32,
    pub timeout: Duration,
    pub attempts: usize,
    pub base: u64,
    pub max: u64,
    pub failures: usize,
    pub open: Duration,
    pub cache_failures: Duration,
    pub refresh_before: Duration,
    pub verify: bool,
    /// How long an answer of the database is kept.
    pub lookup: Option<Duration>,
    /// Calls a minute.
    pub limit: usize,
    pub refresh_keys: Duration,
    /// How callers' pairs are shown to the token endpoint, and how the gateway's own is.
    pub auth: &'static str,
    pub own_auth: &'static str,
}

/// A secret of a client at the token endpoint, with all that must be encoded there.
pub fn secret(number: u64) -> String {
    format!("s{number} +%:&=\"/")
}

impl Plan {
    pub fn throw(dice: &mut Dice, version: u32) -> Plan {
        let seconds = Duration::from_secs;
        Plan {
            version,
            timeout: Duration::from_millis(dice.between(5, 25) * 100),
            // All tries fit into the 15 seconds that trying may take.
            attempts: dice.between(1, 3) as usize,
            base: dice.pick(&[50, 200, 500]),
            max: dice.pick(&[500, 1000]),
            failures: dice.between(1, 5) as usize,
            open: seconds(dice.between(2, 15)),
            cache_failures: seconds(dice.between(1, 8)),
            refresh_before: seconds(dice.between(1, 40)),
            verify: dice.chance(40),
            lookup: dice.chance(40).then(|| seconds(dice.between(1, 20))),
            limit: dice.between(2, 6) as usize,
            refresh_keys: seconds(dice.between(2, 20)),
            auth: dice.pick(&SECRET_AUTH),
            own_auth: match dice.chance(25) {
                true => "private_key_jwt",
                false => dice.pick(&SECRET_AUTH),
            },
        }
    }

    /// How long an exchange may take with all its tries and the waits between them.
    pub fn longest(&self) -> Duration {
        let tries = u32::try_from(self.attempts).unwrap();
        self.timeout * tries + Duration::from_millis(self.max) * (tries - 1)
    }

    /// The policy's text.
    pub fn yaml(&self) -> String {
        let Plan {
            version,
            attempts,
            base,
            max,
            failures,
            limit,
            auth,
            ..
        } = self;
        let timeout = self.timeout.as_millis();
        let [open, cache_failures, refresh_before, refresh_keys] = [
            self.open,
            self.cache_failures,
            self.refresh_before,
            self.refresh_keys,
        ]
        .map(|time| time.as_secs());
        let clients: String = (0..CLIENTS).map(client).collect();
        let verify = match self.verify {
            true => "verify: idp-token, client_claim: client_id, ",
            false => "",
        };
        let lookup = self.lookup.map_or_else(String::new, |cache| {
            let url = format!("http://registry/v{version}/clients/");
            let cache = cache.as_secs();
            format!(
                r#"lookup: {{cluster: registry, url: "'{url}' + url_encode(client.id)", cache: {cache}s, allow_if: metadata.enabled == true}}, "#
            )
        });
        let resilience = format!(
            "timeout: {timeout}ms, retry: {{attempts: {attempts}, base: {base}ms, max: {max}ms}}, \
             breaker: {{failures: {failures}, open: {open}s}}, cache_failures: {cache_failures}s, \
             refresh_before: {refresh_before}s"
        );
        let own = self.own();
        format!(
            r#"
version: 1
clients:
{clients}
authenticators:
  pair: {{client_credentials: {{from: {{id: {{header: x-client-id}}, secret: {{header: x-client-secret}}}}, {verify}{lookup}exchange: idp}}}}
  idp-token: {{jwt: {{algorithms: [ES256], issuer: https://idp.example.com, keys: [{{remote: {{cluster: keys, url: "https://idp.example.com/keys/{version}", refresh: {refresh_keys}s}}}}]}}}}
  key: {{api_key: {{from: [{{header: x-api-key}}]}}}}
  session: {{jwt: {{algorithms: [HS256], issuer: https://gw.example.com, client: claims.sub, keys: [{{token: session}}], from: [{{header: x-session}}]}}}}
tokens:
  idp: {{exchange: {{cluster: idp, url: "https://idp.example.com/token/{version}", auth: {auth}, {resilience}}}}}
  own: {{exchange: {{cluster: idp, url: "https://idp.example.com/own/{version}", {own}, {resilience}}}}}
  session: {{sign: {{algorithm: HS256, keys: [{{secret: {{value: a-secret-of-the-gateway-with-more-than-32-bytes}}}}], issuer: https://gw.example.com, lifetime: 20s, claims: '{{"sub": client.id}}'}}}}
rules:
  - {{match: {{path: "/pair/**"}}, authenticate: pair}}
  - {{match: {{path: "/jwt/**"}}, authenticate: idp-token, upstream: {{headers: {{x-user: claims.sub}}}}}}
  - {{match: {{path: "/key/**"}}, authenticate: key}}
  - {{match: {{path: "/any/**"}}, authenticate: {{any: [key, pair]}}}}
  - {{match: {{path: "/all/**"}}, authenticate: {{all: [key, pair]}}}}
  - {{match: {{path: "/own/**"}}, authenticate: key, upstream: {{authorization: own}}}}
  - {{match: {{path: "/session/**"}}, authenticate: session}}
  - {{match: {{path: "/limited/**"}}, authenticate: key, limit: {{per: client.id, rate: {limit}/m}}}}
  - {{match: {{path: /login, methods: [POST]}}, issue: {{token: session, client_auth: client_secret_post, request: {{client_id: /id, client_secret: /secret}}}}}}
  - {{match: {{path: "/open/**"}}, authenticate: none}}
"#
        )
    }

    /// The gateway's own client, and how it proves itself.
    fn own(&self) -> String {
        let ((id, secret), auth) = (OWN, self.own_auth);
        match auth {
            "private_key_jwt" => format!(
                "client: {{id: {id}}}, auth: {auth}, assertion: {{algorithm: ES256, key: {{jwk: {}}}, kid: own, lifetime: 1m}}",
                jwt::private_jwk(jwt::OWN)
            ),
            _ => format!("client: {{id: {id}, secret: {secret:?}}}, auth: {auth}"),
        }
    }
}

/// A client of the store, with the API keys `key-N` (good), `ending-N` and `revoked-N`.
fn client(number: u64) -> String {
    let ends = KEY_ENDS.as_secs();
    let digest = |text: String| {
        let bytes = Sha256::digest(text);
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    format!(
        "  - id: shop-{number}\n    secrets: [{{sha256: {}}}]\n    api_keys: [{{sha256: {}}}, {{sha256: {}, expires: 2026-11-21T12:00:{ends:02}Z}}, {{sha256: {}, revoked: true}}]\n",
        digest(login_secret(number)),
        digest(format!("key-{number}")),
        digest(format!("ending-{number}")),
        digest(format!("revoked-{number}")),
    )
}

/// With what a client of the store gets a session.
pub fn login_secret(number: u64) -> String {
    format!("login-{number}")
}
