//! One key that signs, from any of the forms that a policy gives it in.

mod jwk;
mod pem;
mod rsa;

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey as EdSigner;
use p256::ecdsa::SigningKey as P256Signer;
use p256::ecdsa::signature::Signer;
use p384::ecdsa::SigningKey as P384Signer;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use self::rsa::RsaPrivate;
use super::ec::{Curve, EcKey};
use super::ed::EdKey;
use super::rsa::RsaKey;
use super::{Algorithm, Family, Key, KeyError, Material};

/// A secret or a private key, checked when it's made, with the half of it that verifies.
///
/// It signs with HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384 and EdDSA. ES512 and the
/// PSS algorithms are verified only: hardly an issuer uses them, and PSS needs randomness that a
/// host may not have.
///
/// Secrets are wiped from memory when the key is dropped, and [`fmt::Debug`] shows no key material.
pub struct PrivateKey {
    private: Private,
    key: Key,
    /// What names of tokens are derived from: known to whoever has the key, and to nobody else.
    names: Zeroizing<[u8; 32]>,
}

enum Private {
    /// The secret is in the verifying half.
    Secret,
    Rsa(Box<RsaPrivate>),
    P256(Box<P256Signer>),
    P384(Box<P384Signer>),
    Ed(Box<EdSigner>),
}

impl PrivateKey {
    /// A shared secret for HS256, HS384 and HS512.
    ///
    /// # Errors
    /// As [`Key::from_secret`].
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        Key::from_secret(secret).map(|key| Self::new(Private::Secret, key, secret))
    }

    /// A private key in PEM (RFC 7468): PKCS#8 (`PRIVATE KEY`), SEC 1 (`EC PRIVATE KEY`) or PKCS#1
    /// (`RSA PRIVATE KEY`), not encrypted. Blocks before it, such as `EC PARAMETERS`, are skipped.
    ///
    /// # Errors
    /// Another kind of PEM, a public key above all; a key that is weak, of an unknown kind, or
    /// whose parts don't belong together.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        pem::parse(text)
    }

    /// A private JWK: `oct`, `RSA`, `EC` with P-256 or P-384, `OKP` with Ed25519.
    /// Its `kid` and `alg` become the key's.
    ///
    /// # Errors
    /// As [`Key::from_jwk`], a public key, and one whose halves don't belong together.
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        jwk::parse(jwk)
    }

    fn new(private: Private, key: Key, secret: &[u8]) -> Self {
        let names = Sha256::new()
            .chain_update(b"doorward token names")
            .chain_update(secret);
        Self {
            private,
            key,
            names: Zeroizing::new(names.finalize().into()),
        }
    }

    /// From a private number, as long as the curve's coordinates (RFC 5915 §3).
    fn from_scalar(curve: Curve, scalar: &[u8]) -> Result<Self, KeyError> {
        let wrong = |_| KeyError::new("the private number is none of its curve");
        let (private, point) = match curve {
            Curve::P256 => {
                let signer = P256Signer::from_slice(scalar).map_err(wrong)?;
                let point = signer.verifying_key().to_sec1_point(false);
                (Private::P256(Box::new(signer)), point.as_bytes().to_vec())
            }
            Curve::P384 => {
                let signer = P384Signer::from_slice(scalar).map_err(wrong)?;
                let point = signer.verifying_key().to_sec1_point(false);
                (Private::P384(Box::new(signer)), point.as_bytes().to_vec())
            }
            Curve::P521 => {
                return Err(KeyError::new(
                    "a key on P-521 can't sign here; take one on P-256 (ES256) or P-384 (ES384)",
                ));
            }
        };
        let key = Key::new(Material::Ec(Box::new(EcKey::from_sec1(curve, &point)?)));
        Ok(Self::new(private, key, scalar))
    }

    /// From the 32 bytes of an Ed25519 private key (RFC 8032 §5.1.5).
    fn from_seed(seed: &[u8]) -> Result<Self, KeyError> {
        let seed = seed
            .try_into()
            .map_err(|_| KeyError::new("an Ed25519 key has 32 bytes, this one hasn't"))?;
        let signer = EdSigner::from_bytes(seed);
        let key = EdKey::new(signer.verifying_key().as_bytes())?;
        let key = Key::new(Material::Ed(Box::new(key)));
        Ok(Self::new(Private::Ed(Box::new(signer)), key, seed))
    }

    /// From modulus, public and private exponent, big-endian.
    fn from_rsa(modulus: &[u8], exponent: &[u8], private: &[u8]) -> Result<Self, KeyError> {
        let public = RsaKey::new(modulus, exponent)?;
        let signer = RsaPrivate::new(private, &public)?;
        let key = Key::new(Material::Rsa(Box::new(public)));
        Ok(Self::new(Private::Rsa(Box::new(signer)), key, private))
    }

    /// Sets the id that goes into the header of what it signs.
    #[must_use]
    pub fn with_kid(self, kid: impl Into<String>) -> Self {
        Self {
            key: self.key.with_kid(kid),
            ..self
        }
    }

    /// Sets when it may sign, since 1970: from `not_before` on, until before `expires`.
    #[must_use]
    pub fn with_validity(self, not_before: Option<Duration>, expires: Option<Duration>) -> Self {
        Self {
            key: self.key.with_validity(not_before, expires),
            ..self
        }
    }

    /// The half that verifies, with the key's id and times.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The half that verifies, as a key of its own that outlives the signing one by `grace`: a
    /// token that was signed in the last moment is accepted for its whole life. It has no
    /// beginning: what another worker signs by a clock that is ahead is good too.
    ///
    /// # Errors
    /// None in practice: what was checked once is checked again.
    pub fn verifying(&self, grace: Duration) -> Result<Key, KeyError> {
        let key = match (&self.key.material, self.key.to_jwk()) {
            (Material::Secret(secret), _) => Key::from_secret(secret.bytes())?,
            (_, Some(jwk)) => Key::from_jwk(&jwk)?,
            (_, None) => return Err(KeyError::new("the key has no public half")),
        };
        Ok(Key {
            kid: self.key.kid.clone(),
            algorithm: self.key.algorithm,
            expires: self.key.expires.map(|end| end.saturating_add(grace)),
            ..key
        })
    }

    /// Checks that the key signs with `algorithm`: to be asked when a policy loads.
    ///
    /// # Errors
    /// It doesn't; the message tells what does.
    pub fn check_signs(&self, algorithm: Algorithm) -> Result<(), KeyError> {
        check_signable(algorithm)?;
        self.key.check_usable_with(&[algorithm])
    }

    /// A signature in the form that a JWS carries (RFC 7518 §3). `None` where the key doesn't sign
    /// with `algorithm`, or where a fault spoiled an RSA signature, which might tell of the key.
    pub fn sign(&self, algorithm: Algorithm, text: &[u8]) -> Option<Vec<u8>> {
        self.check_signs(algorithm).ok()?;
        match (&self.private, &self.key.material) {
            (Private::Secret, Material::Secret(key)) => key.sign(algorithm.hash(), text),
            (Private::Rsa(private), Material::Rsa(key)) => {
                private.sign_pkcs1(key, algorithm.hash(), text)
            }
            // Deterministic (RFC 6979): a nonce would only be as good as the host's randomness.
            (Private::P256(signer), _) => {
                let signature: p256::ecdsa::Signature = signer.try_sign(text).ok()?;
                Some(signature.to_bytes().to_vec())
            }
            (Private::P384(signer), _) => {
                let signature: p384::ecdsa::Signature = signer.try_sign(text).ok()?;
                Some(signature.to_bytes().to_vec())
            }
            (Private::Ed(signer), _) => Some(signer.try_sign(text).ok()?.to_bytes().to_vec()),
            _ => None,
        }
    }

    /// A token in the compact serialization (RFC 7515 §7.1), with `alg`, `typ` and the key's `kid`
    /// in its header. `None` as with [`Self::sign`].
    pub fn sign_compact(&self, algorithm: Algorithm, typ: &str, claims: &Value) -> Option<String> {
        let mut header = Map::new();
        header.insert("alg".to_owned(), algorithm.name().into());
        header.insert("typ".to_owned(), typ.into());
        if let Some(kid) = self.key.kid() {
            header.insert("kid".to_owned(), kid.into());
        }
        let mut token = String::new();
        URL_SAFE_NO_PAD.encode_string(Value::Object(header).to_string(), &mut token);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
        let signature = self.sign(algorithm, token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Some(token)
    }

    /// A name of 128 bits in base64url for what `parts` tell apart. Without the key it can't be
    /// foreseen, whatever is known of the parts.
    pub fn name_of(&self, parts: &[&[u8]]) -> String {
        let mut hash = Sha256::new_with_prefix(self.names.as_slice());
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        // Half of a digest tells too little to go on hashing from.
        URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default())
    }
}

/// Whether anything here signs with `algorithm`.
fn check_signable(algorithm: Algorithm) -> Result<(), KeyError> {
    match (algorithm.family(), algorithm) {
        (Family::RsaPss, _) | (_, Algorithm::Es512) => Err(KeyError::new(format!(
            "{algorithm} is verified here, but not signed; \
             sign with ES256, ES384, EdDSA, RS256, RS384, RS512, HS256, HS384 or HS512"
        ))),
        _ => Ok(()),
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PrivateKey").field(&self.key).finish()
    }
}
