//! PyJWT, a library that real clients sign and verify tokens with.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::python;

const SIGN: &str = "import json, jwt, sys; a = json.load(sys.stdin); \
    print(json.dumps(jwt.encode(a['claims'], a['key'], algorithm=a['algorithm'], headers=a['headers'])))";

/// The key is a secret, or the key set's one with the token's kid.
const VERIFY: &str = "
import json, jwt, sys
a = json.load(sys.stdin)
key = a['secret']
if a['jwks']:
    kid = jwt.get_unverified_header(a['token'])['kid']
    key = next(k for k in jwt.PyJWKSet.from_dict(a['jwks']).keys if k.key_id == kid)
print(json.dumps(jwt.decode(a['token'], key, algorithms=[a['algorithm']], audience=a['audience'],
    options={'require': ['exp', 'iat']})))";

/// Signs these claims: by `HS256`, … with the secret, or by `ES256`, … with the private key in PEM.
pub fn sign(claims: &Value, algorithm: &str, key: &str, kid: Option<&str>) -> Result<String> {
    let headers = kid.map_or_else(|| json!({}), |kid| json!({"kid": kid}));
    let order = json!({"claims": claims, "key": key, "algorithm": algorithm, "headers": headers});
    let token = python::run(SIGN, &order)?;
    Ok(token.as_str().context("no token")?.to_owned())
}

/// The claims of a token that this secret signed; an error where PyJWT doesn't accept it.
pub fn verify_hs256(token: &str, secret: &str) -> Result<Value> {
    let order = json!({"token": token, "algorithm": "HS256", "secret": secret, "jwks": null, "audience": null});
    python::run(VERIFY, &order).context("PyJWT")
}

/// The claims of an ES256 token for this audience that a key of the set signed; an error where PyJWT doesn't accept
/// it.
pub fn verify_es256(token: &str, jwks: &Value, audience: &str) -> Result<Value> {
    let order = json!({"token": token, "algorithm": "ES256", "secret": null, "jwks": jwks, "audience": audience});
    python::run(VERIFY, &order).context("PyJWT")
}
