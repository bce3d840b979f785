//! Scenario 1 with other places for the pair, other ways to ask, and replies of another shape.

use jsonwebtoken::Algorithm;
use serde_json::json;
use xtask::jwt::Key;

use crate::client_exchange::{PATH, SECRET, order, party};
use crate::exchange_replies;
use crate::gateway::{GATEWAY, asked, assert_passed, assert_refused};

#[test]
fn a_token_that_names_another_client_is_refused() {
    let endpoint = GATEWAY.endpoint("exchange-impostor");
    endpoint.set_client("impostor", &[SECRET]);
    let claims = json!({"client_id": "somebody-else", "token_use": "access",
        "iss": endpoint.issuer(), "exp": xtask::jwt::now().unwrap() + 600});
    let token = xtask::jwt::sign(&claims, Algorithm::RS256, Key::A).unwrap();
    endpoint.next(exchange_replies::json(
        &json!({"access_token": token, "token_type": "Bearer"}),
    ));
    let answer = order(&GATEWAY.client("exchange-impostor"), "impostor", SECRET);
    assert_refused(&answer, 401, "token_claims");
}

#[test]
fn a_pair_in_basic_authorization_becomes_a_token() {
    use base64::Engine as _;
    let (client, endpoint) = party("exchange-basic", &["basic-client"]);
    let basic = |pair: &str| {
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        let request = client
            .get(PATH)
            .header("Authorization", format!("basic {encoded}"));
        request.send().unwrap()
    };
    let seen = assert_passed(&basic(&format!("basic-client:{SECRET}")));
    let [bearer] = seen.headers_named("authorization")[..] else {
        panic!("{:?}", seen.headers)
    };
    assert!(bearer.starts_with("Bearer eyJ"), "{bearer}");
    let request = &endpoint.token_requests()[0].received;
    assert!(request.body.as_deref().unwrap().contains("scope=orders"));
    let refused = basic("basic-client:guess");
    assert_refused(&refused, 401, "exchange_refused");
    let missing = client.get(PATH).send().unwrap();
    assert_refused(&missing, 401, "credentials_missing");
    let challenge = missing.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Basic realm=\"api\""), "{challenge}");
    for pair in ["no-colon", ""] {
        let status = basic(pair).status;
        assert!((400..=401).contains(&status), "{pair:?}: {status}");
    }
}

#[test]
fn the_endpoint_is_asked_the_way_it_wants() {
    for (name, id, content_type) in [
        (
            "exchange-post",
            "poster",
            "application/x-www-form-urlencoded",
        ),
        ("exchange-json", "json-poster", "application/json"),
    ] {
        let (client, endpoint) = party(name, &[id]);
        assert_passed(&order(&client, id, SECRET));
        let requests = endpoint.token_requests();
        let request = requests
            .iter()
            .find(|request| request.client_id.as_deref() == Some(id))
            .unwrap();
        assert_eq!(request.received.header("content-type"), Some(content_type));
        assert_eq!(request.received.header("authorization"), None);
        assert_refused(&order(&client, id, "guess"), 401, "exchange_refused");
    }
}

#[test]
fn an_endpoint_of_its_own_shape_is_read_by_pointers() {
    let (client, endpoint) = party("exchange-pointers", &["pointers"]);
    let claims = json!({"client_id": "pointers", "token_use": "access", "iss": endpoint.issuer(),
        "exp": xtask::jwt::now().unwrap() + 600});
    let token = xtask::jwt::sign(&claims, Algorithm::ES256, Key::A).unwrap();
    endpoint.next(exchange_replies::json(
        &json!({"data": {"accessToken": token, "expiresIn": "600", "type": "Bearer"}}),
    ));
    let seen = assert_passed(&order(&client, "pointers", SECRET));
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Bearer {token}").as_str())
    );
    assert_passed(&order(&client, "pointers", SECRET));
    assert_eq!(asked(endpoint, "pointers"), 1);
}
