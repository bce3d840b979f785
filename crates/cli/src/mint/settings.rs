//! What a policy's authenticator demands of a token.

use super::policy_json;
use super::private_key::Signer;
use crate::input::Variables;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use doorward_core::jose::Algorithm;
use doorward_core::policy::document::suggest;
use serde_json::{Map, Value, json};

/// One jwt authenticator, as far as minting needs it.
#[derive(Default)]
pub struct Settings {
    /// The claims that it demands.
    pub claims: Map<String, Value>,
    /// The `typ` that it demands.
    pub typ: Option<String>,
    jwt: Value,
    /// The keys that sign the tokens that are its keys, too (`keys: [{token: …}]`).
    signing: Vec<Value>,
    clients: Value,
}

impl Settings {
    /// Reads the policy.
    pub fn of(policy: &[u8], variables: &Variables, name: &str) -> Result<Settings, String> {
        let mut policy = policy_json(policy, variables)?;
        let jwts: Vec<&str> = policy
            .get("authenticators")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter(|(_, authenticator)| authenticator.get("jwt").is_some())
            .map(|(name, _)| name.as_str())
            .collect();
        if !jwts.contains(&name) {
            let hint = match suggest(name, jwts.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("there are: {}", jwts.join(", ")),
            };
            return Err(format!("no jwt authenticator is called \"{name}\"; {hint}"));
        }
        let jwt = policy
            .pointer_mut(&format!(
                "/authenticators/{}/jwt",
                name.replace('~', "~0").replace('/', "~1")
            ))
            .map(Value::take)
            .unwrap_or_default();
        let mut claims = Map::new();
        let first = |key: &str| one_or_many(jwt.get(key)).first().copied().cloned();
        for (claim, value) in [
            ("iss", jwt.get("issuer").cloned()),
            ("aud", first("audience")),
        ] {
            claims.extend(value.map(|value| (claim.to_owned(), value)));
        }
        if let Some(demanded) = jwt.get("claims").and_then(Value::as_object) {
            claims.extend(demanded.clone());
        }
        let named = one_or_many(jwt.get("keys")).into_iter();
        let named = named.filter_map(|key| key.get("token")?.as_str());
        let signing = named.flat_map(|name| {
            let token = policy.get("tokens").and_then(|tokens| tokens.get(name));
            one_or_many(token.and_then(|token| token.get("sign")?.get("keys")))
        });
        Ok(Settings {
            signing: signing.cloned().collect(),
            typ: first("typ").and_then(|typ| typ.as_str().map(str::to_owned)),
            claims,
            clients: policy.get("clients").cloned().unwrap_or_default(),
            jwt,
        })
    }

    /// The algorithm, where the policy leaves no choice.
    pub fn algorithm(&self) -> Option<Algorithm> {
        match one_or_many(self.jwt.get("algorithms")).as_slice() {
            [only] => only.as_str()?.parse().ok(),
            _ => None,
        }
    }

    /// The key that signs: the client's secret, the authenticator's first, or that of a token
    /// whose keys the authenticator takes. A token of a client also names it, where the policy
    /// says in which claim.
    pub fn signer(&mut self, client: Option<&str>) -> Result<Signer, String> {
        if let Some(id) = client {
            if let Some(claim) = self.client_claim() {
                self.claims.insert(claim, id.into());
            }
            let clients = one_or_many(Some(&self.clients));
            let found = clients.iter().find(|one| one.get("id") == Some(&json!(id)));
            let found = found.ok_or_else(|| format!("no client is called \"{id}\""))?;
            let values = one_or_many(found.get("secrets")).into_iter();
            let value = values
                .filter_map(|secret| secret.get("value")?.as_str())
                .next();
            let value = value.ok_or_else(|| {
                format!("the client \"{id}\" has no secret with a `value`; give --key")
            })?;
            return Ok(Signer::of_secret(value.as_bytes(), None));
        }
        for key in one_or_many(self.jwt.get("keys")) {
            if let Some(secret) = key.get("secret").and_then(secret_bytes) {
                let kid = key.get("kid").and_then(Value::as_str);
                return Ok(Signer::of_secret(&secret, kid));
            }
        }
        for key in &self.signing {
            let kid = key.get("kid").and_then(Value::as_str);
            let pem = key.get("pem").and_then(Value::as_str);
            let secret = key.get("secret").and_then(secret_bytes);
            let signer = match (key.get("jwk"), pem, secret) {
                (Some(jwk), _, _) => Signer::of_jwk(jwk),
                (_, Some(pem), _) => Signer::of_pem(pem),
                (_, _, secret) => secret.map(|secret| Signer::of_secret(&secret, None)),
            };
            if let Some(signer) = signer {
                return Ok(match kid {
                    Some(kid) => signer.with_kid(kid),
                    None => signer,
                });
            }
        }
        Err("this authenticator has no secret of its own: give the private key by --key, or the client whose secret signs by --client".to_owned())
    }
}

impl Settings {
    /// The claim that names the client whose key counts, where `keys.client` is as simple as
    /// `claims.client_id`.
    fn client_claim(&self) -> Option<String> {
        let expression = self.jwt.get("keys")?.get("client")?.as_str()?;
        let claim = expression.trim().strip_prefix("claims.")?;
        let simple = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        claim.chars().all(simple).then(|| claim.to_owned())
    }
}

fn secret_bytes(secret: &Value) -> Option<Vec<u8>> {
    let member = |name| secret.get(name).and_then(Value::as_str);
    if let Some(text) = member("value") {
        return Some(text.as_bytes().to_vec());
    }
    if let Some(text) = member("base64") {
        return STANDARD.decode(text).ok();
    }
    if let Some(text) = member("base64url") {
        return URL_SAFE_NO_PAD.decode(text).ok();
    }
    let hex = member("hex")?;
    let digits: Option<Vec<u32>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
    let bytes = digits?;
    let pairs = bytes.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    pairs.collect()
}

fn one_or_many(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
    }
}
