//! `doorward mint`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong panics"
)]

mod common;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{Scratch, doorward, output, repository};
use doorward_core::jose::{Compact, DEFAULT_MAX_TOKEN_LEN, Key, NoHost, verify};
use serde_json::{Value, json};

const POLICY: &str = "tests/agreement/policy.yaml";
const ENVIRONMENT: &str = "tests/agreement/policy.env";

fn part(token: &str, number: usize) -> Value {
    let part = token.trim().split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn mint(arguments: &[&str]) -> String {
    let (policy, environment) = (repository(POLICY), repository(ENVIRONMENT));
    let mut all = vec!["mint", "--policy", &policy, "--env-file", &environment];
    all.extend(arguments);
    output(&all, "")
}

#[test]
fn a_token_passes_the_authenticator_that_it_is_made_for() {
    let token = mint(&[
        "--authenticator",
        "partner",
        "--claims",
        r#"{"tenant": "acme", "scope": "a"}"#,
    ]);
    assert_eq!(
        part(&token, 0),
        json!({"typ": "JWT", "alg": "HS256", "kid": "k1"})
    );
    let claims = part(&token, 1);
    assert_eq!(claims["iss"], "https://login.example.com");
    assert_eq!(claims["aud"], "storefront");
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(life, 3600);
    let (policy, environment) = (repository(POLICY), repository(ENVIRONMENT));
    let run = doorward(
        &[
            "explain",
            "--policy",
            &policy,
            "--env-file",
            &environment,
            "--request",
            "GET /partner/a",
            "--token",
            "@-",
        ],
        &token,
    );
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn demanded_claims_are_filled_in_and_can_be_overruled() {
    let token = mint(&[
        "--authenticator",
        "demanding",
        "--at",
        "2026-01-01T00:00:00Z",
        "--expires",
        "10m",
    ]);
    assert_eq!(part(&token, 0)["typ"], "at+jwt");
    let claims = part(&token, 1);
    assert_eq!(
        (&claims["token_use"], &claims["exp"]),
        (&json!("access"), &json!(1_767_226_200))
    );
    let claims = r#"{"token_use": "id", "exp": null, "iat": 5}"#;
    let scratch = Scratch::new("mint-claims");
    let file = format!("@{}", scratch.write("claims.json", claims));
    for given in [claims, &file] {
        let token = mint(&["--authenticator", "demanding", "--claims", given]);
        let claims = part(&token, 1);
        assert_eq!(
            (&claims["token_use"], &claims["exp"], &claims["iat"]),
            (&json!("id"), &Value::Null, &json!(5))
        );
    }
}

#[test]
fn private_keys_sign_in_pem_and_as_jwk() {
    let scratch = Scratch::new("mint-keys");
    let pem = |name: &str| repository(&format!("crates/core/src/jose/tests/pem/{name}.pem"));
    for (name, algorithm) in [
        ("rsa", "RS256"),
        ("rsa", "PS384"),
        ("p256", "ES256"),
        ("p384", "ES384"),
        ("ed25519", "EdDSA"),
    ] {
        let token = output(&["mint", "--key", &pem(name), "--algorithm", algorithm], "");
        assert_eq!(part(&token, 0)["alg"], algorithm);
        let public = std::fs::read_to_string(pem(&format!("{name}.pub"))).unwrap();
        assert!(
            proves(&token, &Key::from_pem(&public).unwrap()),
            "{name} {algorithm}"
        );
        // The default is what the key is for.
        output(&["mint", "--key", &pem(name)], "");
    }
    for (private, public, algorithm) in private_jwks() {
        let file = scratch.write("key.json", &private.to_string());
        let token = output(&["mint", "--key", &file], "");
        assert_eq!(part(&token, 0)["alg"], algorithm);
        assert_eq!(part(&token, 0)["kid"], "k1");
        assert!(
            proves(&token, &Key::from_jwk(&public).unwrap()),
            "{algorithm}"
        );
    }
}

#[test]
fn the_keys_of_tokens_that_the_gateway_signs_sign_and_a_clients_token_names_it() {
    for (example, authenticator, more, kid, claim) in [
        (
            "signed-assertion",
            "session-token",
            None,
            json!("s-2026-11"),
            None,
        ),
        (
            "key-and-token",
            "session-token",
            None,
            json!("s-2026-11"),
            None,
        ),
        (
            "client-signed",
            "client-token",
            Some("acme"),
            json!(null),
            Some("acme"),
        ),
    ] {
        let file = |name: &str| repository(&format!("examples/{example}/{name}"));
        let (policy, environment) = (file("policy.yaml"), file("policy.env"));
        let mut arguments = vec!["mint", "--policy", &policy, "--env-file", &environment];
        arguments.extend(["--authenticator", authenticator]);
        arguments.extend(more.iter().flat_map(|client| ["--client", *client]));
        let token = output(&arguments, "");
        assert_eq!(part(&token, 0)["kid"], kid, "{example}");
        assert_eq!(part(&token, 1)["clientName"], json!(claim), "{example}");
    }
}

fn proves(token: &str, key: &Key) -> bool {
    let compact = Compact::parse(token.trim().as_bytes(), DEFAULT_MAX_TOKEN_LEN).unwrap();
    verify(&compact, key, &NoHost)
}

/// Private keys, their public halves and algorithms: RFC 8037 appendix A.1, RFC 7517
/// appendix A.2.
fn private_jwks() -> Vec<(Value, Value, &'static str)> {
    let ed = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k1",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let ec = json!({"kty": "EC", "crv": "P-256", "kid": "k1",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"});
    let with = |public: &Value, d: &str| {
        let mut private = public.clone();
        private["d"] = d.into();
        private
    };
    vec![
        (
            with(&ed, "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"),
            ed,
            "EdDSA",
        ),
        (
            with(&ec, "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"),
            ec,
            "ES256",
        ),
    ]
}

#[test]
fn what_cannot_be_signed_is_told() {
    let (policy, environment) = (repository(POLICY), repository(ENVIRONMENT));
    let key = repository("crates/core/src/jose/tests/pem/rsa.pem");
    let public = repository("crates/core/src/jose/tests/pem/rsa.pub.pem");
    let of = |name| {
        vec![
            "mint",
            "--policy",
            &policy,
            "--env-file",
            &environment,
            "--authenticator",
            name,
        ]
    };
    for (arguments, named) in [
        (of("partnr"), "did you mean \"partner\"?"),
        (of("supplier-key"), "no jwt authenticator"),
        (of("public-key"), "--key"),
        (
            [of("partner"), vec!["--client", "nobody"]].concat(),
            "nobody",
        ),
        (
            [of("partner"), vec!["--client", "supplier-7"]].concat(),
            "no secret",
        ),
        ([of("partner"), vec!["--claims", "[]"]].concat(), "--claims"),
        (vec!["mint", "--key", &public], "private key"),
        (
            vec!["mint", "--key", &key, "--algorithm", "ES256"],
            "not ES256",
        ),
        (vec!["mint"], "--policy"),
        (
            vec!["mint", "--policy", &policy, "--authenticator", "partner"],
            "PARTNER_SECRET",
        ),
    ] {
        let run = doorward(&arguments, "");
        assert_eq!(run.code, 2, "{arguments:?}");
        assert!(run.stderr.contains(named), "{arguments:?} {}", run.stderr);
    }
}
