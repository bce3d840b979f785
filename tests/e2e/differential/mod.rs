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

use std::collections::BTreeSet;

use serde_json::json;
use xtask::client::{Client, Connection};
use xtask::envoy::{Envoy, Options};

use crate::config::{self, Listener};
use crate::forge::{ALGORITHMS, AUDIENCE, Forge, ISSUER, jwks};
use crate::gateway::own_envoy;
pub use families::{Expected, Family};

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

/// All families, and how many tokens each has.
pub fn families() -> Vec<(Family, usize)> {
    let count = |family: Family| {
        let tokens = |algorithm| (family.tokens)(Forge(algorithm)).len();
        let tokens = ALGORITHMS.into_iter().map(tokens).sum();
        (family, tokens)
    };
    families::all().into_iter().map(count).collect()
}

#[test]
fn doorward_does_what_the_rfcs_say_and_native_jwt_authn_differs_only_as_documented() {
    let _turn = own_envoy();
    let envoy = Envoy::start(&config::envoy(&listeners(), &[]), Options::default()).unwrap();
    let (mut doorward, mut native) = (
        Asking::new(&envoy, "doorward"),
        Asking::new(&envoy, "native"),
    );
    let (mut names, mut count) = (BTreeSet::new(), 0);
    let (mut wrong, mut deviations, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for family in families::all() {
        assert!(names.insert(family.name), "{} twice", family.name);
        let (mut tokens, mut accepted) = (0, 0);
        for algorithm in ALGORITHMS {
            for token in (family.tokens)(Forge(algorithm)) {
                tokens += 1;
                accepted += usize::from(native.accepts(&token));
                if doorward.accepts(&token) != (family.expected == Expected::Accept) {
                    wrong.push(format!("{}, {algorithm:?}: {token}", family.name));
                }
            }
        }
        match family.expected {
            Expected::Accept => deviations.push((family.name, tokens - accepted)),
            Expected::Refuse => deviations.push((family.name, accepted)),
            Expected::Open(_) => open.push((family.name, accepted)),
        }
        assert!(tokens > 0, "{} is empty", family.name);
        count += tokens;
    }
    assert!(
        wrong.is_empty(),
        "Doorward, {} tokens:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    deviations.retain(|(_, tokens)| *tokens > 0);
    let documented: Vec<_> = native::DEVIATIONS
        .iter()
        .map(|each| (each.family, each.tokens))
        .collect();
    assert_eq!(deviations, documented);
    assert_eq!(open, native::OPEN);
    assert!(count >= 4000, "{count} tokens");
    assert_eq!(envoy.wasm_failures().unwrap(), []);
}
