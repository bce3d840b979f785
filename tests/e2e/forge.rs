//! Tokens put together piece by piece, good ones and others.
//!
//! The keys are those of the core's own tests; they are published and guard nothing. Times are fixed, far in the
//! future or the past, so that the same tokens are made in every run.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!("../../crates/core/src/jose/tests/pem/", $name))
    };
}

pub const ISSUER: &str = "https://login.example.com";
pub const AUDIENCE: &str = "storefront";
pub const SECRET: &[u8] = b"a secret of forty-eight bytes for forged tokens!";
/// PKCS#8 before an Ed25519 seed (RFC 8410 section 7).
const ED25519_PKCS8: &[u8] = &[
    0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
];

/// The algorithms that tokens are made with.
pub const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::HS256,
    Algorithm::RS256,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Makes tokens of one algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forge(pub Algorithm);

/// The members of a JSON object, their values as they are written, which may be no JSON at all.
#[derive(Debug, Clone)]
pub struct Members(Vec<(String, String)>);

impl Members {
    /// The same with this member, in its place where it is there already, else at the end.
    pub fn with(mut self, name: &str, raw: &str) -> Self {
        match self.0.iter_mut().find(|(each, _)| each == name) {
            Some(member) => member.1 = raw.to_owned(),
            None => self.0.push((name.to_owned(), raw.to_owned())),
        }
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|(each, _)| each != name);
        self
    }

    /// The same in the opposite order.
    pub fn reversed(mut self) -> Self {
        self.0.reverse();
        self
    }

    /// The object in JSON.
    pub fn text(&self) -> String {
        let member = |(name, raw): &(String, String)| format!("\"{name}\":{raw}");
        let members: Vec<_> = self.0.iter().map(member).collect();
        format!("{{{}}}", members.join(","))
    }
}

/// The claims of a good token.
pub fn claims() -> Members {
    Members(Vec::new())
        .with("iss", &json!(ISSUER).to_string())
        .with("sub", "\"partner-1\"")
        .with("aud", &json!(AUDIENCE).to_string())
        .with("iat", "1700000000")
        .with("exp", "4000000000")
}

impl Forge {
    /// The name that goes into `alg`.
    pub fn name(self) -> String {
        format!("{:?}", self.0)
    }

    /// The id of the key: one for each key, so that RS256 and PS256 share theirs.
    pub fn kid(self) -> &'static str {
        match self.0 {
            Algorithm::HS256 => "hs",
            Algorithm::ES256 => "p256",
            Algorithm::ES384 => "p384",
            Algorithm::EdDSA => "ed",
            _ => "rsa",
        }
    }

    /// The public key in PEM, which anybody may know; none of a secret.
    pub fn public_pem(self) -> Option<&'static str> {
        Some(match self.0 {
            Algorithm::HS256 => return None,
            Algorithm::ES256 => pem!("p256.pub.pem"),
            Algorithm::ES384 => pem!("p384.pub.pem"),
            Algorithm::EdDSA => pem!("ed25519.pub.pem"),
            _ => pem!("rsa.pub.pem"),
        })
    }

    fn key(self) -> EncodingKey {
        match self.0 {
            Algorithm::HS256 => EncodingKey::from_secret(SECRET),
            Algorithm::ES256 => EncodingKey::from_ec_pem(pem!("p256.pem").as_bytes()).unwrap(),
            Algorithm::ES384 => EncodingKey::from_ec_pem(pem!("p384.pem").as_bytes()).unwrap(),
            Algorithm::EdDSA => EncodingKey::from_ed_pem(pem!("ed25519.pem").as_bytes()).unwrap(),
            _ => EncodingKey::from_rsa_pem(pem!("rsa.pem").as_bytes()).unwrap(),
        }
    }

    /// A key of the same kind that nobody trusts; none on P-384.
    pub fn foreign_key(self) -> Option<EncodingKey> {
        Some(match self.0 {
            Algorithm::HS256 => {
                EncodingKey::from_secret(b"a secret that no verifier shares, of some length")
            }
            Algorithm::ES256 => {
                let pem = xtask::jwt::Key::B.es256_pem();
                EncodingKey::from_ec_pem(pem.as_bytes()).unwrap()
            }
            Algorithm::ES384 => return None,
            Algorithm::EdDSA => EncodingKey::from_ed_der(&[ED25519_PKCS8, &[7; 32]].concat()),
            _ => EncodingKey::from_rsa_pem(pem!("rsa2056.pem").as_bytes()).unwrap(),
        })
    }

    /// The public half, or the secret, as a JWK with `kid` and without `alg`.
    pub fn jwk(self) -> Value {
        let mut jwk = self.jwk_of(&self.key());
        jwk["kid"] = json!(self.kid());
        jwk
    }

    /// A key of this algorithm as a JWK.
    pub fn jwk_of(self, key: &EncodingKey) -> Value {
        let mut jwk = json!(Jwk::from_encoding_key(key, self.0).unwrap());
        jwk.as_object_mut().unwrap().remove("alg");
        jwk
    }

    /// The header of a good token.
    pub fn header(self) -> Members {
        Members(Vec::new())
            .with("alg", &json!(self.name()).to_string())
            .with("typ", "\"JWT\"")
            .with("kid", &json!(self.kid()).to_string())
    }

    /// The signature of this text in base64url.
    pub fn signature(self, text: &str) -> String {
        jsonwebtoken::crypto::sign(text.as_bytes(), &self.key(), self.0).unwrap()
    }

    /// A token of these two segments as they stand, signed.
    pub fn of_segments(self, header: &str, claims: &str) -> String {
        let text = format!("{header}.{claims}");
        format!("{text}.{}", self.signature(&text))
    }

    /// A token of this header and these claims, signed.
    pub fn of_text(self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        self.of_segments(&base64url(header), &base64url(claims))
    }

    pub fn good(self) -> String {
        self.of_text(self.header().text(), claims().text())
    }

    /// A good token but for this member of its header.
    pub fn with_header(self, name: &str, raw: &str) -> String {
        self.of_text(self.header().with(name, raw).text(), claims().text())
    }

    /// A good token but for this claim.
    pub fn with_claim(self, name: &str, raw: &str) -> String {
        self.of_text(self.header().text(), claims().with(name, raw).text())
    }

    /// A token with the good claims, signed with this key of the same algorithm.
    pub fn signed_by(self, header: &Members, key: &EncodingKey) -> String {
        let text = format!(
            "{}.{}",
            base64url(header.text()),
            base64url(claims().text())
        );
        let signature = jsonwebtoken::crypto::sign(text.as_bytes(), key, self.0).unwrap();
        format!("{text}.{signature}")
    }

    /// The three segments of a good token.
    pub fn parts(self) -> [String; 3] {
        let good = self.good();
        let mut parts = good.split('.').map(str::to_owned);
        std::array::from_fn(|_| parts.next().unwrap())
    }
}

/// The trusted keys, each once.
pub fn jwks() -> Value {
    let keys = ALGORITHMS
        .into_iter()
        .filter(|each| *each != Algorithm::PS256);
    json!({"keys": keys.map(|each| Forge(each).jwk()).collect::<Vec<_>>()})
}
