//! How a client proves itself to a token endpoint, read strictly: in the one place where the
//! policy has it stand, and nothing anywhere else.

use crate::jwt;
use crate::plan::OWN;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use testhost::Callout;

/// The type of an assertion that is a JWT (RFC 7523 §2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long before its use an assertion may have been made.
const FRESH: u64 = 2;

/// The pair that a call shows, or what is wrong with it.
pub fn shown(
    call: &Callout,
    auth: &str,
    now: Duration,
    used: &mut BTreeSet<String>,
) -> Result<(String, String), String> {
    let kind = call.header("content-type").unwrap_or_default();
    let mut fields = match (auth, kind.as_str()) {
        ("client_secret_json", "application/json") => object(&call.text())?,
        ("client_secret_json", _) => return Err(format!("a body of type {kind:?}")),
        (_, "application/x-www-form-urlencoded") => form(&call.text())?,
        _ => return Err(format!("a body of type {kind:?}")),
    };
    let mut take = |name: &str| fields.remove(name).ok_or(format!("no {name}"));
    if take("grant_type")? != "client_credentials" {
        return Err("another grant_type".to_owned());
    }
    let header = call.header("authorization");
    if auth != "client_secret_basic" && header.is_some() {
        return Err("an authorization header".to_owned());
    }
    let pair = match auth {
        "client_secret_basic" => basic(&header.unwrap_or_default())?,
        "private_key_jwt" => {
            let id = take("client_id")?;
            if take("client_assertion_type")? != ASSERTION_TYPE {
                return Err("another client_assertion_type".to_owned());
            }
            let url = format!("https://idp.example.com{}", call.path());
            assertion(&take("client_assertion")?, &id, &url, now, used)?;
            // It proves as much as the secret would.
            (id, OWN.1.to_owned())
        }
        _ => (take("client_id")?, take("client_secret")?),
    };
    let more: Vec<&String> = fields.keys().collect();
    match more.is_empty() {
        true => Ok(pair),
        false => Err(format!("the fields {more:?} beside it")),
    }
}

/// Both parts are form-encoded first (RFC 6749 §2.3.1).
fn basic(header: &str) -> Result<(String, String), String> {
    let coded = header.strip_prefix("Basic ").and_then(|coded| {
        let text = STANDARD.decode(coded).ok()?;
        String::from_utf8(text).ok()
    });
    let text = coded.ok_or(format!("authorization: {header}"))?;
    let (id, secret) = text.split_once(':').ok_or("no colon in it")?;
    Ok((decoded(id)?, decoded(secret)?))
}

fn form(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut fields = BTreeMap::new();
    for field in text.split('&') {
        let (name, value) = field
            .split_once('=')
            .ok_or(format!("the field {field:?}"))?;
        if fields.insert(decoded(name)?, decoded(value)?).is_some() {
            return Err(format!("{name} twice"));
        }
    }
    Ok(fields)
}

fn decoded(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*+%".contains(&byte);
    if !text.bytes().all(plain) {
        return Err(format!("{text:?} is not encoded"));
    }
    let spaced = text.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8();
    text.map(|text| text.into_owned())
        .map_err(|_| "no UTF-8".to_owned())
}

fn object(text: &str) -> Result<BTreeMap<String, String>, String> {
    serde_json::from_str(text).map_err(|error| format!("{error} in {text}"))
}

/// Whether an assertion was made for this call, by the gateway, and never used before.
fn assertion(
    text: &str,
    id: &str,
    url: &str,
    now: Duration,
    used: &mut BTreeSet<String>,
) -> Result<(), String> {
    let (header, mut claims) = jwt::verified(jwt::OWN, text).ok_or("a forged assertion")?;
    if header["alg"] != "ES256" || header["kid"] != "own" {
        return Err(format!("an assertion with the header {header}"));
    }
    let mut number = |name: &str| claims[name].take().as_u64().unwrap_or_default();
    let (iat, nbf, exp, now) = (number("iat"), number("nbf"), number("exp"), now.as_secs());
    let made = iat..=iat + FRESH;
    if nbf != iat || exp != iat + 60 || !made.contains(&now) {
        return Err(format!(
            "an assertion from {iat} or {nbf} to {exp}, at {now}"
        ));
    }
    let Value::String(jti) = claims["jti"].take() else {
        return Err("an assertion without jti".to_owned());
    };
    let rest = json!({
        "iss": id, "sub": id, "aud": url,
        "iat": null, "nbf": null, "exp": null, "jti": null,
    });
    if claims != rest {
        return Err(format!("an assertion that says {claims}"));
    }
    match used.insert(jti) {
        true => Ok(()),
        false => Err("an assertion that was used before".to_owned()),
    }
}
