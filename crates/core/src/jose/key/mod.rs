//! One key that proves signatures, from any of the forms that a policy or a JWKS gives it in.

mod comb;
mod der;
mod ec;
mod ed;
mod hmac;
mod jwk;
mod pem;
mod private;
mod rsa;

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::ec::EcKey;
use self::ed::EdKey;
use self::hmac::HmacKey;
use self::rsa::RsaKey;
use super::verify::HostVerifier;
use super::{Algorithm, Family, KeyError, json};
pub use private::PrivateKey;

/// A secret or a public key, checked when it's made: what is weak or inconsistent never becomes one.
///
/// Secrets are wiped from memory when the key is dropped, and [`fmt::Debug`] shows no key material.
pub struct Key {
    material: Material,
    kid: Option<String>,
    algorithm: Option<Algorithm>,
    not_before: Option<Duration>,
    expires: Option<Duration>,
}

enum Material {
    Secret(Box<HmacKey>),
    Rsa(Box<RsaKey>),
    Ec(Box<EcKey>),
    Ed(Box<EdKey>),
}

impl Key {
    /// A shared secret for HS256, HS384 and HS512.
    ///
    /// # Errors
    /// Where it is shorter than the shortest of their hashes, 32 bytes (RFC 7518 §3.2).
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        HmacKey::new(secret).map(|key| Self::new(Material::Secret(Box::new(key))))
    }

    /// A public key in PEM: SubjectPublicKeyInfo (`PUBLIC KEY`), or the one inside an X.509
    /// certificate (`CERTIFICATE`; of several the first). Of a certificate nothing but the key is
    /// used: neither its dates nor its issuer.
    ///
    /// # Errors
    /// Another kind of PEM, private keys above all; a key that is weak or of an unknown kind.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        pem::parse(text).map(Self::new)
    }

    /// A JWK (RFC 7517): `oct`, `EC` with P-256, P-384, P-521, `RSA`, `OKP` with Ed25519. Its `kid`
    /// and `alg` become the key's.
    ///
    /// # Errors
    /// A key that is weak, inconsistent, of an unknown kind, not meant for checking signatures
    /// (`use`, `key_ops`), bound to an `alg` that it doesn't fit, or a private one.
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        jwk::parse(jwk)
    }

    fn new(material: Material) -> Self {
        Self {
            material,
            kid: None,
            algorithm: None,
            not_before: None,
            expires: None,
        }
    }

    /// Sets the id that a token's `kid` must equal. A key without one is tried whatever the `kid`.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// Binds the key to one algorithm, as a JWK's `alg` does.
    ///
    /// # Errors
    /// Where the key can't be used with it, or is bound to another one.
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Result<Self, KeyError> {
        self.check_usable_with(&[algorithm])?;
        self.algorithm = Some(algorithm);
        Ok(self)
    }

    /// Sets when the key may be used, since 1970: from `not_before` on, until before `expires`.
    #[must_use]
    pub fn with_validity(
        mut self,
        not_before: Option<Duration>,
        expires: Option<Duration>,
    ) -> Self {
        self.not_before = not_before;
        self.expires = expires;
        self
    }

    /// The key's id.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// From when on the key may be used, since 1970.
    pub fn not_before(&self) -> Option<Duration> {
        self.not_before
    }

    /// From when on the key may not be used, since 1970.
    pub fn expires(&self) -> Option<Duration> {
        self.expires
    }

    /// The only algorithm that the key is for, where it is bound to one.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// Whether this is a shared secret, which must never be published.
    pub fn is_secret(&self) -> bool {
        matches!(self.material, Material::Secret(_))
    }

    /// Whether the key may be used at `now`, since 1970.
    pub fn is_live(&self, now: Duration) -> bool {
        self.not_before.is_none_or(|begin| begin <= now) && self.expires.is_none_or(|end| now < end)
    }

    /// Whether signatures of `algorithm` can be proven with this key: by its kind, its curve, the
    /// length of a secret, and the algorithm it is bound to.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        if self.algorithm.is_some_and(|only| only != algorithm) {
            return false;
        }
        match (&self.material, algorithm.family()) {
            (Material::Secret(key), Family::Hmac) => key.len() >= algorithm.hash().size(),
            // RFC 8017 §8.2.1, §9.1.1: the least modulus, 2048 bits, holds every hash and salt.
            (Material::Rsa(_), Family::RsaPkcs1 | Family::RsaPss) => true,
            (Material::Ec(key), Family::Ecdsa) => key.algorithm() == algorithm,
            (Material::Ed(_), Family::EdDsa) => true,
            _ => false,
        }
    }

    /// Checks that the key can be used with at least one of `algorithms`: to be asked when a policy
    /// loads, so that a key which could never prove anything is an error at its place.
    ///
    /// # Errors
    /// None of them fits; the message names what the key is for.
    pub fn check_usable_with(&self, algorithms: &[Algorithm]) -> Result<(), KeyError> {
        if algorithms.iter().any(|algorithm| self.fits(*algorithm)) {
            return Ok(());
        }
        let fitting = |algorithm: &Algorithm| self.fits(*algorithm);
        Err(KeyError::new(format!(
            "{} can be used with {}, but not with {}",
            self.description(),
            names(Algorithm::ALL.into_iter().filter(fitting)),
            names(algorithms.iter().copied()),
        )))
    }

    /// The SHA-256 thumbprint of RFC 7638, in base64url: the same for one key in whatever form.
    pub fn thumbprint(&self) -> String {
        let canonical = match &self.material {
            Material::Secret(key) => key.canonical_jwk(),
            Material::Rsa(key) => key.canonical_jwk().into(),
            Material::Ec(key) => key.canonical_jwk().into(),
            Material::Ed(key) => key.canonical_jwk().into(),
        };
        URL_SAFE_NO_PAD.encode(Sha256::digest(canonical.as_bytes()))
    }

    /// The key as a JWK with the members that it must have, and none about its use. `None` for
    /// a shared secret, which must never be published.
    pub fn to_jwk(&self) -> Option<Value> {
        let canonical = match &self.material {
            Material::Secret(_) => return None,
            Material::Rsa(key) => key.canonical_jwk(),
            Material::Ec(key) => key.canonical_jwk(),
            Material::Ed(key) => key.canonical_jwk(),
        };
        json::object::<Value>(canonical.as_bytes())
            .ok()
            .map(Value::Object)
    }

    /// The key as SubjectPublicKeyInfo in DER (RFC 5280 §4.1). `None` for a shared secret.
    pub fn to_spki(&self) -> Option<Vec<u8>> {
        match &self.material {
            Material::Secret(_) => None,
            Material::Rsa(key) => Some(key.spki().to_vec()),
            Material::Ec(key) => Some(key.spki().to_vec()),
            Material::Ed(key) => key.spki(),
        }
    }

    /// The signature check itself, for a key that fits.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        text: &[u8],
        signature: &[u8],
        host: &dyn HostVerifier,
    ) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        match &self.material {
            Material::Secret(key) => key.verify(algorithm.hash(), text, signature),
            Material::Rsa(key) if algorithm.family() == Family::RsaPss => {
                key.verify_pss(algorithm.hash(), text, signature)
            }
            Material::Rsa(key) => key.verify_pkcs1(algorithm.hash(), text, signature, host),
            Material::Ec(key) => key.verify(text, signature, host),
            Material::Ed(key) => key.verify(text, signature),
        }
    }

    /// An ES256 verdict by each of the ways to it; `None` for other keys.
    #[cfg(test)]
    pub(super) fn verify_both_ways(&self, text: &[u8], signature: &[u8]) -> Option<[bool; 2]> {
        match &self.material {
            Material::Ec(key) => key.verify_both_ways(text, signature),
            _ => None,
        }
    }

    fn description(&self) -> String {
        match &self.material {
            Material::Secret(key) => format!("a secret of {} bytes", key.len()),
            Material::Rsa(key) => format!("an RSA key of {} bits", key.bits()),
            Material::Ec(key) => format!("an EC key on {}", key.curve()),
            Material::Ed(_) => "an Ed25519 key".to_owned(),
        }
    }
}

fn names(algorithms: impl Iterator<Item = Algorithm>) -> String {
    let names: Vec<_> = algorithms.map(Algorithm::name).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("material", &format_args!("{}", self.description()))
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("not_before", &self.not_before)
            .field("expires", &self.expires)
            .finish()
    }
}
