//! Authlib, another library that real clients use, with joserfc, its JOSE half.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::python;

const ASSERT: &str = "
import json, sys
from authlib.oauth2.rfc7523 import private_key_jwt_sign
a = json.load(sys.stdin)
print(json.dumps(private_key_jwt_sign(a['key'], a['client'], a['endpoint'], alg='ES256', header={'kid': a['kid']})))";

const VERIFY: &str = "
import json, sys
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey
a = json.load(sys.stdin)
key = KeySet.import_key_set(a['jwks']) if a['jwks'] else OctKey.import_key(a['secret'])
claims = jwt.decode(a['token'], key, algorithms=[a['algorithm']]).claims
jwt.JWTClaimsRegistry(exp={'essential': True}, iat={'essential': True}).validate(claims)
print(json.dumps(claims))";

/// An assertion by ES256 (RFC 7523) with which Authlib's clients prove themselves to a token endpoint.
pub fn private_key_jwt(client: &str, endpoint: &str, pem: &str, kid: &str) -> Result<String> {
    let order = json!({"client": client, "endpoint": endpoint, "key": pem, "kid": kid});
    let assertion = python::run(ASSERT, &order).context("Authlib")?;
    Ok(assertion.as_str().context("no assertion")?.to_owned())
}

/// The claims of a token that this secret signed; an error where Authlib doesn't accept it.
pub fn verify_hs256(token: &str, secret: &str) -> Result<Value> {
    let order = json!({"token": token, "algorithm": "HS256", "secret": secret, "jwks": null});
    python::run(VERIFY, &order).context("Authlib")
}

/// The claims of an ES256 token that a key of the set signed; an error where Authlib doesn't accept it.
pub fn verify_es256(token: &str, jwks: &Value) -> Result<Value> {
    let order = json!({"token": token, "algorithm": "ES256", "secret": null, "jwks": jwks});
    python::run(VERIFY, &order).context("Authlib")
}
