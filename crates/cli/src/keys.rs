//! Public keys in all the forms that people have them in.

use crate::input::{read_text, shown};
use doorward_core::jose::Key;
use serde_json::Value;
use std::path::Path;

const END: &str = "-----END";

/// The public keys of a file: PEM blocks (`PUBLIC KEY`, `CERTIFICATE`), a JWK, or a JWKS.
///
/// # Errors
/// What holds none, and the first key that the gateway would refuse.
pub fn read_keys(path: &Path) -> Result<Vec<Key>, String> {
    let text = read_text(path)?;
    let at = |error: String| format!("{}: {error}", shown(path));
    let keys = match serde_json::from_str::<Value>(&text) {
        Ok(value) => json_keys(&value),
        Err(_) => pem_blocks(&text)
            .map(|block| Key::from_pem(block).map_err(|error| error.to_string()))
            .collect(),
    };
    let keys: Vec<Key> = keys.map_err(at)?;
    match keys.is_empty() {
        true => Err(at(
            "there is no key in it: give PEM (PUBLIC KEY, CERTIFICATE), a JWK or a JWKS".to_owned(),
        )),
        false => Ok(keys),
    }
}

fn json_keys(value: &Value) -> Result<Vec<Key>, String> {
    let keys = match value.get("keys").and_then(Value::as_array) {
        Some(keys) => keys.as_slice(),
        None => std::slice::from_ref(value),
    };
    let key = |jwk| Key::from_jwk(jwk).map_err(|error| error.to_string());
    keys.iter().map(key).collect()
}

/// Each block to the end of its last line.
fn pem_blocks(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.find(END)?;
        let line_end = rest.get(end..)?.find('\n');
        let (block, after) = rest.split_at(line_end.map_or(rest.len(), |line| end + line + 1));
        rest = after;
        Some(block)
    })
}

/// The key as OpenSSH writes it before its base64 (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709
/// §4).
pub fn openssh(jwk: &Value) -> Option<Vec<u8>> {
    let member = |name| decode(jwk.get(name)?.as_str()?);
    let mut wire = Vec::new();
    match jwk.get("kty")?.as_str()? {
        "RSA" => {
            string(&mut wire, b"ssh-rsa")?;
            integer(&mut wire, &member("e")?)?;
            integer(&mut wire, &member("n")?)?;
        }
        "EC" => {
            let curve = match jwk.get("crv")?.as_str()? {
                "P-256" => "nistp256",
                "P-384" => "nistp384",
                "P-521" => "nistp521",
                _ => return None,
            };
            string(&mut wire, format!("ecdsa-sha2-{curve}").as_bytes())?;
            string(&mut wire, curve.as_bytes())?;
            string(&mut wire, &[vec![4], member("x")?, member("y")?].concat())?;
        }
        "OKP" => {
            string(&mut wire, b"ssh-ed25519")?;
            string(&mut wire, &member("x")?)?;
        }
        _ => return None,
    }
    Some(wire)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(text)
        .ok()
}

fn string(wire: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    wire.extend(u32::try_from(bytes.len()).ok()?.to_be_bytes());
    wire.extend(bytes);
    Some(())
}

/// `mpint` (RFC 4251 §5): a leading bit of one would make it negative.
fn integer(wire: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    match bytes.first() {
        Some(first) if *first >= 0x80 => string(wire, &[&[0], bytes].concat()),
        _ => string(wire, bytes),
    }
}
