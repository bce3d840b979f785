//! npm's `openid-client` asks our token endpoints: it finds them by our metadata and verifies by our keys.

use serde_json::json;
use xtask::demo::signed_assertion::{CLIENT_KID, CLIENT_PEM};
use xtask::jwt::Key;
use xtask::openid_client::{self, Party};
use xtask::{authlib, pyjwt};

use crate::config::Listener;
use crate::gateway::{GATEWAY, assert_passed};

const LISTENER: &str = "oauth-clients";
/// Characters that forms and Basic treat specially.
const SECRET: &str = "s3cr:t/% +&=\u{e9}";
const CLIENT: &str = "app: 7/\u{e9}";

/// An issuer for each way to authenticate: a metadata document names one token endpoint.
pub fn listeners() -> Vec<Listener> {
    let ways = [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
    ];
    let token = |way: &str| {
        format!(
            "  {way}:
    sign:
      algorithm: ES256
      keys: [{{kid: {way}, pem: {}}}]
      issuer: https://login.example.com/{way}
      audience: [api]
      lifetime: 10m
      claims: '{{\"sub\": client.id}}'
",
            json!(Key::A.es256_pem())
        )
    };
    let rules = |way: &str| {
        let assertion = match way {
            "private_key_jwt" => format!(
                "assertion: {{algorithms: [ES256], audience: https://login.example.com/{way}, max_lifetime: 1h, jti: required}}"
            ),
            _ => String::new(),
        };
        format!(
            "  - match: {{path: /{way}/token, methods: [POST]}}
    issue:
      token: {way}
      client_auth: {way}
      request: {{form: true}}
      {assertion}
  - {{match: {{path: /.well-known/oauth-authorization-server/{way}}}, publish_keys: {way}}}
  - {{match: {{path: /{way}/.well-known/openid-configuration}}, publish_keys: {way}}}
  - {{match: {{path: /{way}/jwks.json}}, publish_keys: {way}}}
  - {{match: {{path: /{way}/api}}, authenticate: {way}}}
"
        )
    };
    let authenticator = |way: &str| {
        format!(
            "  {way}: {{jwt: {{algorithms: [ES256], issuer: https://login.example.com/{way}, audience: api, keys: [{{token: {way}}}], client: claims.sub}}}}\n"
        )
    };
    let policy = format!(
        "version: 1
clients:
  - id: {}
    secrets: [{{value: {}}}]
    public_keys: [{{kid: {}, pem: {}}}]
authenticators:
{}tokens:
{}rules:
{}",
        json!(CLIENT),
        json!(SECRET),
        json!(CLIENT_KID),
        json!(include_str!(
            "../../examples/signed-assertion/demo-keys/app-7.pub.pem"
        )),
        ways.map(authenticator).concat(),
        ways.map(token).concat(),
        ways.map(rules).concat(),
    );
    vec![Listener::new(LISTENER, policy).stop_iteration()]
}

fn party<'a>(issuer: &'a str, algorithm: &'a str, auth: &'a str) -> Party<'a> {
    Party {
        issuer,
        algorithm,
        client: CLIENT,
        auth,
        secret: SECRET,
        key: CLIENT_PEM,
        kid: CLIENT_KID,
    }
}

/// The client finds everything by the issuer's name, gets a token, verifies it, and the token opens the API.
fn assert_served(way: &str) {
    let address = GATEWAY.envoy.address_of(LISTENER).unwrap();
    let issuer = format!("https://login.example.com/{way}");
    for algorithm in ["oauth2", "oidc"] {
        let granted = openid_client::grant(address, &party(&issuer, algorithm, way)).unwrap();
        for (name, value) in [
            ("issuer", json!(issuer)),
            ("token_endpoint", json!(format!("{issuer}/token"))),
            ("jwks_uri", json!(format!("{issuer}/jwks.json"))),
            ("token_endpoint_auth_methods_supported", json!([way])),
        ] {
            assert_eq!(granted.metadata[name], value, "{}", granted.metadata);
        }
        assert_eq!(granted.claims["sub"], CLIENT);
        let path = format!("/{way}/api");
        let request = GATEWAY.client(LISTENER).get(&path);
        assert_passed(&request.bearer(&granted.token).send().unwrap());
    }
    // What proves nobody gets nothing, and openid-client reads the error, or the challenge that goes with Basic.
    let other = Party {
        secret: "guess",
        key: Key::B.es256_pem(),
        ..party(&issuer, "oauth2", way)
    };
    let error = openid_client::grant(address, &other)
        .unwrap_err()
        .to_string();
    let expected = if way == "client_secret_basic" {
        "WWW-Authenticate"
    } else {
        "invalid_client"
    };
    assert!(error.contains(expected), "{error}");
    GATEWAY.assert_well();
}

#[test]
fn openid_client_gets_and_verifies_a_token_by_client_secret_basic() {
    assert_served("client_secret_basic");
}

#[test]
fn openid_client_gets_and_verifies_a_token_by_client_secret_post() {
    assert_served("client_secret_post");
}

#[test]
fn openid_client_gets_and_verifies_a_token_by_private_key_jwt() {
    assert_served("private_key_jwt");
}

#[test]
fn authlib_proves_itself_by_an_assertion_in_a_form() {
    let issuer = "https://login.example.com/private_key_jwt";
    let assertion = authlib::private_key_jwt(CLIENT, issuer, CLIENT_PEM, CLIENT_KID).unwrap();
    let body = format!(
        "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={assertion}"
    );
    let ask = || {
        let request = GATEWAY.client(LISTENER).post("/private_key_jwt/token");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(body.clone()).send().unwrap()
    };
    let answer = ask();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let jwks = GATEWAY
        .client(LISTENER)
        .get("/private_key_jwt/jwks.json")
        .send()
        .unwrap();
    let jwks = jwks.json().unwrap();
    let token = answer.at("/access_token").as_str().unwrap().to_owned();
    assert_eq!(authlib::verify_es256(&token, &jwks).unwrap()["sub"], CLIENT);
    assert_eq!(
        pyjwt::verify_es256(&token, &jwks, "api").unwrap()["sub"],
        CLIENT
    );
    // Once is enough.
    assert_eq!(ask().status, 401);
}
