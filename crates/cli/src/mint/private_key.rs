//! Keys that sign: secrets, and private keys in PEM or as JWK.

use crate::input::{read_text, shown};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward_core::jose::{Algorithm, Family};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::Value;
use std::path::Path;

/// Object identifiers in DER: id-ecPublicKey, P-256, P-384, Ed25519 (RFC 5480, RFC 8410).
const EC_PUBLIC_KEY: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x06, 5, 0x2b, 0x81, 4, 0, 0x22];
const ED25519: &[u8] = &[0x06, 3, 0x2b, 0x65, 0x70];
/// Tags of ASN.1.
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// A key, and what it may sign with.
pub struct Signer {
    /// The key.
    pub key: EncodingKey,
    algorithms: Vec<Algorithm>,
    kid: Option<String>,
}

impl Signer {
    /// A shared secret.
    pub fn of_secret(secret: &[u8], kid: Option<&str>) -> Signer {
        Signer {
            key: EncodingKey::from_secret(secret),
            algorithms: of_family(&[Family::Hmac]),
            kid: kid.map(str::to_owned),
        }
    }

    /// Reads a private key.
    pub fn read(file: &Path) -> Result<Signer, String> {
        let text = read_text(file)?;
        let signer = match serde_json::from_str::<Value>(&text) {
            Ok(jwk) => of_jwk(&jwk),
            Err(_) => of_pem(&text),
        };
        signer.ok_or_else(|| {
            format!(
                "{}: expected a private key: RSA, P-256, P-384 or Ed25519, in PEM (PKCS#8) or as a JWK",
                shown(file)
            )
        })
    }

    /// A private key in PEM.
    pub fn of_pem(text: &str) -> Option<Signer> {
        of_pem(text)
    }

    /// A private key as a JWK.
    pub fn of_jwk(jwk: &Value) -> Option<Signer> {
        of_jwk(jwk)
    }

    /// The public key as a JWK, with its `kid`; `None` for a secret.
    pub fn public_jwk(&self) -> Option<Value> {
        let algorithm = self.algorithms.first()?;
        if algorithm.family() == Family::Hmac {
            return None;
        }
        let name = algorithm.name().parse().ok()?;
        let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&self.key, name).ok()?;
        let mut jwk = serde_json::to_value(jwk).ok()?;
        if let (Some(jwk), Some(kid)) = (jwk.as_object_mut(), &self.kid) {
            jwk.insert("kid".to_owned(), kid.as_str().into());
        }
        // An RSA key signs with six algorithms: the set doesn't bind it to the first.
        jwk.as_object_mut()?.remove("alg");
        Some(jwk)
    }

    /// The same key under this `kid`.
    pub fn with_kid(self, kid: &str) -> Signer {
        Signer {
            kid: Some(kid.to_owned()),
            ..self
        }
    }

    /// The header of a token that this key signs.
    pub fn header(&self, wanted: Option<Algorithm>) -> Result<Header, String> {
        let names = || {
            let names: Vec<&str> = self.algorithms.iter().map(|one| one.name()).collect();
            names.join(", ")
        };
        let algorithm = match wanted {
            Some(wanted) if !self.algorithms.contains(&wanted) => {
                return Err(format!("this key signs {}, not {}", names(), wanted.name()));
            }
            Some(wanted) => wanted,
            None => *self.algorithms.first().ok_or("this key signs nothing")?,
        };
        let algorithm = algorithm
            .name()
            .parse()
            .map_err(|_| format!("{} can't be signed here", algorithm.name()))?;
        Ok(Header {
            kid: self.kid.clone(),
            ..Header::new(algorithm)
        })
    }
}

fn of_family(families: &[Family]) -> Vec<Algorithm> {
    let all = Algorithm::ALL.into_iter();
    all.filter(|algorithm| families.contains(&algorithm.family()))
        .collect()
}

fn of_pem(text: &str) -> Option<Signer> {
    let signer = |key, algorithms| Signer {
        key,
        algorithms,
        kid: None,
    };
    // A public key would be taken here, and fail only when it signs.
    if !text.contains("PRIVATE KEY-----") {
        return None;
    }
    if let Ok(key) = EncodingKey::from_rsa_pem(text.as_bytes()) {
        return Some(signer(key, of_family(&[Family::RsaPkcs1, Family::RsaPss])));
    }
    if let Ok(key) = EncodingKey::from_ec_pem(text.as_bytes()) {
        let curve = [Algorithm::Es256, Algorithm::Es384].into_iter();
        let fits = curve.filter(|algorithm| signs(&key, *algorithm)).collect();
        return Some(signer(key, fits));
    }
    let key = EncodingKey::from_ed_pem(text.as_bytes()).ok()?;
    Some(signer(key, vec![Algorithm::EdDsa]))
}

/// The curve of a PEM key shows only when it is used.
fn signs(key: &EncodingKey, algorithm: Algorithm) -> bool {
    let Ok(algorithm) = algorithm.name().parse() else {
        return false;
    };
    jsonwebtoken::encode(&Header::new(algorithm), &serde_json::Map::new(), key).is_ok()
}

fn of_jwk(jwk: &Value) -> Option<Signer> {
    let text = |name| jwk.get(name).and_then(Value::as_str);
    let bytes = |name| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    let (key, algorithms) = match (text("kty")?, text("crv")) {
        ("oct", _) => (
            EncodingKey::from_secret(&bytes("k")?),
            of_family(&[Family::Hmac]),
        ),
        ("RSA", _) => {
            // RSAPrivateKey (RFC 8017 appendix A.1.2).
            let mut parts = vec![integer(&[0])];
            for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
                parts.push(integer(&bytes(name)?));
            }
            let key = EncodingKey::from_rsa_der(&tagged(SEQUENCE, &parts.concat()));
            (key, of_family(&[Family::RsaPkcs1, Family::RsaPss]))
        }
        ("EC", Some(curve)) => {
            let (oid, algorithm) = match curve {
                "P-256" => (P256, Algorithm::Es256),
                "P-384" => (P384, Algorithm::Es384),
                _ => return None,
            };
            // ECPrivateKey (RFC 5915 §3).
            let parts = [integer(&[1]), tagged(OCTETS, &bytes("d")?)];
            let inner = tagged(SEQUENCE, &parts.concat());
            let der = pkcs8(&[EC_PUBLIC_KEY, oid].concat(), &inner);
            (EncodingKey::from_ec_der(&der), vec![algorithm])
        }
        ("OKP", Some("Ed25519")) => {
            let der = pkcs8(ED25519, &tagged(OCTETS, &bytes("d")?));
            (EncodingKey::from_ed_der(&der), vec![Algorithm::EdDsa])
        }
        _ => return None,
    };
    let only: Option<Algorithm> = text("alg").and_then(|name| name.parse().ok());
    Some(Signer {
        key,
        algorithms: algorithms
            .into_iter()
            .filter(|algorithm| only.is_none_or(|only| only == *algorithm))
            .collect(),
        kid: text("kid").map(str::to_owned),
    })
}

/// PrivateKeyInfo (RFC 5208 §5).
fn pkcs8(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let parts = [
        integer(&[0]),
        tagged(SEQUENCE, algorithm),
        tagged(OCTETS, key),
    ];
    tagged(SEQUENCE, &parts.concat())
}

/// An unsigned integer: a leading bit of one would make it negative.
fn integer(bytes: &[u8]) -> Vec<u8> {
    match bytes.first() {
        Some(first) if *first >= 0x80 => tagged(INTEGER, &[&[0], bytes].concat()),
        _ => tagged(INTEGER, bytes),
    }
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let length = match (content.len(), u8::try_from(significant.len())) {
        (0..128, _) => vec![content.len() as u8],
        (_, Ok(count)) => [&[0x80 | count], significant.as_slice()].concat(),
        (_, Err(_)) => Vec::new(),
    };
    [&[tag], length.as_slice(), content].concat()
}
