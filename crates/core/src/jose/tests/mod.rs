//! The room as a whole: against the RFCs' examples, another implementation, and forgers.
//!
//! The keys in `pem/` were made with openssl for these tests and guard nothing.

mod keys;
mod oracle;
mod rfc;
mod signing;
mod tokens;
mod wycheproof;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

use super::*;

const SECRET: &[u8] = b"a secret of sixty-four bytes, which is as long as SHA-512's hash";

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn parse(token: &str) -> Result<Compact<'_>, TokenError> {
    Compact::parse(token.as_bytes(), DEFAULT_MAX_TOKEN_LEN)
}

/// As the room's own, and for ES256 both ways there must agree: with a table of the key and without.
fn verify_signature(
    algorithm: Algorithm,
    key: &Key,
    text: &[u8],
    signature: &[u8],
    host: &dyn HostVerifier,
) -> bool {
    if let Some(ways) = key.verify_both_ways(text, signature)
        && key.fits(algorithm)
    {
        let verdict = super::verify_signature(algorithm, key, text, signature, &NoHost);
        assert_eq!(ways, [verdict, verdict]);
    }
    super::verify_signature(algorithm, key, text, signature, host)
}

fn verify(compact: &Compact<'_>, key: &Key, host: &dyn HostVerifier) -> bool {
    let (text, signature) = (compact.signing_input(), compact.signature());
    verify_signature(compact.algorithm(), key, text, signature, host)
}

/// Whether a token would pass, all in all.
fn accepts(token: &[u8], key: &Key) -> bool {
    Compact::parse(token, DEFAULT_MAX_TOKEN_LEN)
        .is_ok_and(|compact| verify(&compact, key, &NoHost) && compact.claims().is_ok())
}

/// The public half of the key that [`sign`] uses.
fn key(algorithm: Algorithm) -> Key {
    let pem = match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
            return Key::from_secret(SECRET).unwrap();
        }
        Algorithm::Es256 => include_str!("pem/p256.pub.pem"),
        Algorithm::Es384 => include_str!("pem/p384.pub.pem"),
        Algorithm::Es512 => {
            let point = *p521_key().verifying_key();
            let point = point.to_sec1_point(false);
            let (x, y) = (base64url(point.x().unwrap()), base64url(point.y().unwrap()));
            return Key::from_jwk(&json!({"kty": "EC", "crv": "P-521", "x": x, "y": y})).unwrap();
        }
        Algorithm::EdDsa => include_str!("pem/ed25519.pub.pem"),
        _ => include_str!("pem/rsa.pub.pem"),
    };
    Key::from_pem(pem).unwrap()
}

fn p521_key() -> p521::ecdsa::SigningKey {
    p521::ecdsa::SigningKey::from_slice(&[[0].as_slice(), &[7; 65]].concat()).unwrap()
}

/// A token signed by `jsonwebtoken`, or by `p521` where that knows no such algorithm.
fn sign(algorithm: Algorithm, header: &Value, claims: &Value) -> String {
    sign_text(algorithm, &header.to_string(), &claims.to_string())
}

fn sign_text(algorithm: Algorithm, header: &str, claims: &str) -> String {
    let text = format!("{}.{}", base64url(header), base64url(claims));
    let key = match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => EncodingKey::from_secret(SECRET),
        Algorithm::Es256 => EncodingKey::from_ec_pem(include_bytes!("pem/p256.pem")).unwrap(),
        Algorithm::Es384 => EncodingKey::from_ec_pem(include_bytes!("pem/p384.pem")).unwrap(),
        Algorithm::Es512 => {
            use p521::ecdsa::signature::Signer;
            let signature: p521::ecdsa::Signature = p521_key().sign(text.as_bytes());
            return format!("{text}.{}", base64url(signature.to_bytes()));
        }
        Algorithm::EdDsa => EncodingKey::from_ed_pem(include_bytes!("pem/ed25519.pem")).unwrap(),
        _ => EncodingKey::from_rsa_pem(include_bytes!("pem/rsa.pem")).unwrap(),
    };
    let algorithm = algorithm.name().parse().unwrap();
    let signature = jsonwebtoken::crypto::sign(text.as_bytes(), &key, algorithm).unwrap();
    format!("{text}.{signature}")
}

/// What became of vectors.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    accepted: usize,
    refused: usize,
    /// Of those their key itself is refused.
    key_refused: usize,
}

/// What `vectors.csv`, from which `docs/conformance.md` is made, says of these vectors.
fn documented(source: &str, algorithms: &str) -> Count {
    let rows = include_str!("vectors.csv").lines().skip(1);
    let mut rows = rows.map(|row| row.split(',').collect::<Vec<_>>());
    let row = rows.find(|row| row[..2] == [source, algorithms]);
    let row = row.unwrap_or_else(|| panic!("vectors.csv has no {source},{algorithms}"));
    let number = |column: usize| row[column].parse().unwrap();
    Count {
        accepted: number(2),
        refused: number(3),
        key_refused: number(4),
    }
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

/// A number in `size` bytes, whatever zeros it began with.
fn padded(bytes: &[u8], size: usize) -> Vec<u8> {
    let bytes = trimmed(bytes);
    [&vec![0; size - bytes.len()], bytes].concat()
}
