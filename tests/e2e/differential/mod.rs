//! Doorward beside Envoy's own `jwt_authn`, with the same keys, issuer and audience, on the same tokens.
//!
//! Neither is the judge of the other: what must become of a token is said by its [family](families) and the section
//! of an RFC that it names. Doorward must do exactly that. Where `jwt_authn` does something else, [`native`] says so,
//! token for token, so that the list can't grow stale.

mod claims_families;
mod families;
mod header_families;
pub mod native;
mod signature_families;

use std::collections::BTreeMap;

use serde_json::json;
use xtask::client::{Client, Connection};
use xtask::envoy::{Envoy, Options};

use crate::config::{self, Listener};
use crate::forge::{ALGORITHMS, AUDIENCE, Forge, ISSUER, jwks};
use crate::gateway::own_envoy;
pub use families::Expected;

/// Both filters, with the clock skew that Doorward has by default.
fn listeners() -> [Listener; 2] {
    let names: Vec<_> = ALGORITHMS.iter().map(|each| Forge(*each).name()).collect();
    let policy = json!({
        "version": 1,
        "authenticators": {"token": {"jwt": {
            "algorithms": names, "issuer": ISSUER, "audience": AUDIENCE, "keys": [{"jwks": jwks()}],
        }}},
        "rules": [{"match": {"path": "/**"}, "authenticate": "token"}],
    });
    let provider = json!({
        "issuer": ISSUER, "audiences": [AUDIENCE], "local_jwks": {"inline_string": jwks().to_string()},
        "clock_skew_seconds": 30, "require_expiration": true, "forward": true,
    });
    let native = json!({"name": "envoy.filters.http.jwt_authn", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"provider": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "provider"}}],
    }});
    [
        Listener::new("doorward", policy.to_string()),
        Listener::other_filter("native", native),
    ]
    .map(|listener| listener.answering(200))
}

/// A connection that is opened anew where the server closed it.
struct Asking {
    client: Client,
    connection: Option<Connection>,
}

impl Asking {
    fn new(envoy: &Envoy, listener: &str) -> Self {
        let client = Client::new(envoy.address_of(listener).unwrap());
        Self {
            client,
            connection: None,
        }
    }

    /// Whether this token opens the door.
    fn accepts(&mut self, token: &str) -> bool {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.client.connect().unwrap(),
        };
        let answer = connection.get("/x").bearer(token).send();
        let answer = answer.unwrap_or_else(|error| panic!("{token:?}: {error:#}"));
        let status = answer.status;
        assert!(
            matches!(status, 200 | 400 | 401 | 403),
            "{token:?}: {status} {}",
            answer.text()
        );
        let closes = answer
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if !closes {
            self.connection = Some(connection);
        }
        status == 200
    }
}

/// One family's tokens, counted.
pub struct Row {
    pub name: &'static str,
    pub source: &'static str,
    pub expected: Expected,
    /// How many tokens there are.
    pub tokens: usize,
    /// How many of them `jwt_authn` accepted.
    pub native_accepted: usize,
}

impl Row {
    /// How many tokens `jwt_authn` judged otherwise than the RFCs ask.
    pub fn native_wrong(&self) -> usize {
        match self.expected {
            Expected::Accept => self.tokens - self.native_accepted,
            Expected::Refuse => self.native_accepted,
            Expected::Open(_) => 0,
        }
    }
}

/// Asks both about every token. What Doorward judged otherwise than expected is told, token by token.
pub fn run() -> (Vec<Row>, Vec<String>) {
    let _turn = own_envoy();
    let envoy = Envoy::start(&config::envoy(&listeners(), &[]), Options::default()).unwrap();
    let (mut doorward, mut native) = (
        Asking::new(&envoy, "doorward"),
        Asking::new(&envoy, "native"),
    );
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for family in families::all() {
        let mut row = Row {
            name: family.name,
            source: family.source,
            expected: family.expected,
            tokens: 0,
            native_accepted: 0,
        };
        for algorithm in ALGORITHMS {
            for token in (family.tokens)(Forge(algorithm)) {
                row.tokens += 1;
                row.native_accepted += usize::from(native.accepts(&token));
                if doorward.accepts(&token) != (family.expected == Expected::Accept) {
                    wrong.push(format!("{}, {algorithm:?}: {token}", family.name));
                }
            }
        }
        rows.push(row);
    }
    assert_eq!(envoy.wasm_failures().unwrap(), []);
    (rows, wrong)
}

#[test]
fn doorward_does_what_the_rfcs_say_and_native_jwt_authn_differs_only_as_documented() {
    let (rows, wrong) = run();
    assert!(
        wrong.is_empty(),
        "Doorward, {} tokens:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let names: BTreeMap<_, _> = rows.iter().map(|row| (row.name, row.tokens)).collect();
    assert_eq!(names.len(), rows.len(), "a name twice");
    assert!(rows.iter().all(|row| row.tokens > 0));
    let found: Vec<_> = rows
        .iter()
        .filter(|row| row.native_wrong() > 0)
        .map(|row| (row.name, row.native_wrong()))
        .collect();
    let documented: Vec<_> = native::DEVIATIONS
        .iter()
        .map(|each| (each.family, each.tokens))
        .collect();
    assert_eq!(found, documented);
    let tokens: usize = rows.iter().map(|row| row.tokens).sum();
    assert!(tokens >= 4000, "{tokens} tokens");
}
