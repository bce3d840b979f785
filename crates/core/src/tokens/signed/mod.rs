//! Tokens that the gateway signs itself.

mod reuse;

pub use reuse::Reused;

use crate::credentials::Client;
use crate::engine::Gateway;
use crate::expression::{EvaluationError, Expression, Scope, VariableSet};
use crate::host::{Host, Level};
use crate::jose::{Algorithm, PrivateKey};
use crate::observe::Throttle;
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::Duration;

/// The claims that are set by themselves (RFC 7519 §4.1), so that no expression can.
pub const RESERVED: [&str; 6] = ["iss", "aud", "exp", "nbf", "iat", "jti"];

/// The longest token that is signed, in bytes: as long as one that is obtained may be.
const MAX_TOKEN: usize = 16 * 1024;

/// A token that is signed here, and what goes into it.
#[derive(Debug)]
pub struct Signing {
    /// The token's name in the policy.
    pub name: String,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// What signs.
    pub keys: SigningKeys,
    /// `iss`.
    pub issuer: Option<String>,
    /// `aud`; a single one is written as a string. Empty for none.
    pub audience: Vec<String>,
    /// How long it is good, at least a second.
    pub lifetime: Duration,
    /// The header's `typ`.
    pub typ: String,
    /// The other claims.
    pub claims: Option<Expression>,
}

/// What signs.
#[derive(Debug)]
pub enum SigningKeys {
    /// The gateway's own keys: the first that is live signs.
    Own(Vec<PrivateKey>),
    /// The secret of the client that the token is for.
    Client,
}

/// A token that was signed.
#[derive(Clone)]
pub struct Signed {
    /// The token.
    pub value: String,
    /// Its type.
    pub token_type: &'static str,
    /// Its life in seconds.
    pub expires_in: u64,
    /// All of its claims: a JSON object.
    pub claims: Value,
}

/// Tokens aren't shown.
impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({} s)", self.expires_in)
    }
}

/// Why a token can't be signed. None of it is the caller's fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignError {
    /// No key is live now, or the client has no live secret with a `value`.
    NoKey,
    /// The claims could not be evaluated.
    Claims(EvaluationError),
    /// The claims hold one that is set by itself, by its name.
    Reserved(&'static str),
    /// The token would be too long.
    TooLong,
    /// The key could not sign.
    Failed,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => {
                f.write_str("no key is live now, or the client has no live secret with a `value`")
            }
            Self::Claims(error) => write!(f, "the claims can't be evaluated: {error}"),
            Self::Reserved(name) => write!(f, "the claims hold `{name}`, which is set by itself"),
            Self::TooLong => write!(f, "it would be longer than {MAX_TOKEN} bytes"),
            Self::Failed => f.write_str("the key could not sign"),
        }
    }
}

/// What one worker needs to sign.
#[derive(Default)]
pub struct Signer {
    seed: [u8; 32],
    counter: Cell<u64>,
    reused: RefCell<Reused>,
    quiet: Throttle,
}

impl Signer {
    /// A worker's signer. Names of tokens differ between workers by the seed; that nobody can
    /// foresee them rests on the keys.
    pub fn new(host: &impl Host) -> Signer {
        let mut seed = [0; 32];
        host.random(&mut seed);
        Signer {
            seed,
            ..Signer::default()
        }
    }

    /// A name that no other token has.
    fn name(&self, key: &PrivateKey, now: Duration) -> String {
        let count = self.counter.get();
        self.counter.set(count.wrapping_add(1));
        key.name_of(&[
            &self.seed,
            &count.to_le_bytes(),
            &now.as_nanos().to_le_bytes(),
        ])
    }
}

impl Signing {
    /// What the claims' expression uses: these variables must be in the scope.
    pub fn uses(&self) -> VariableSet {
        self.claims
            .as_ref()
            .map(Expression::variables)
            .unwrap_or_default()
    }

    /// The gateway's own keys; none where each client's secret signs.
    pub fn own_keys(&self) -> &[PrivateKey] {
        match &self.keys {
            SigningKeys::Own(keys) => keys,
            SigningKeys::Client => &[],
        }
    }

    /// The key that signs now, and its place among those that could.
    fn key<'k>(
        &'k self,
        client: Option<&'k Client>,
        now: Duration,
    ) -> Result<(usize, &'k PrivateKey), SignError> {
        let keys = match &self.keys {
            SigningKeys::Own(keys) => keys.as_slice(),
            SigningKeys::Client => client.map_or(&[][..], |client| &client.signing_secrets),
        };
        let mut live = keys.iter().enumerate();
        live.find(|(_, key)| key.key().is_live(now))
            .ok_or(SignError::NoKey)
    }

    /// The claims that the policy words.
    fn claims(&self, scope: &Scope) -> Result<Map<String, Value>, SignError> {
        let Some(expression) = &self.claims else {
            return Ok(Map::new());
        };
        let claims = expression.evaluate_object(scope);
        let claims = claims.map_err(SignError::Claims)?;
        match RESERVED.iter().find(|name| claims.contains_key(**name)) {
            Some(name) => Err(SignError::Reserved(name)),
            None => Ok(claims),
        }
    }

    fn sign(
        &self,
        key: &PrivateKey,
        mut claims: Map<String, Value>,
        jti: String,
        now: Duration,
    ) -> Result<Signed, SignError> {
        let expires_in = self.lifetime.as_secs();
        if let Some(issuer) = &self.issuer {
            claims.insert("iss".to_owned(), issuer.as_str().into());
        }
        match self.audience.as_slice() {
            [] => {}
            [one] => drop(claims.insert("aud".to_owned(), one.as_str().into())),
            all => drop(claims.insert("aud".to_owned(), all.into())),
        }
        let now = now.as_secs();
        for (name, time) in [
            ("iat", now),
            ("nbf", now),
            ("exp", now.saturating_add(expires_in)),
        ] {
            claims.insert(name.to_owned(), time.into());
        }
        claims.insert("jti".to_owned(), jti.into());
        let claims = Value::Object(claims);
        let value = key
            .sign_compact(self.algorithm, &self.typ, &claims)
            .ok_or(SignError::Failed)?;
        if value.len() > MAX_TOKEN {
            return Err(SignError::TooLong);
        }
        Ok(Signed {
            value,
            token_type: "Bearer",
            expires_in,
            claims,
        })
    }
}

impl<H: Host> Gateway<H> {
    /// Signs a token, by its index in the policy. `scope` holds what its claims use (see
    /// [`Signing::uses`]); `client` is the one that it is for, where the store knows one.
    ///
    /// # Errors
    /// None of the caller's making; the operator is told in the log.
    pub fn sign_token(
        &self,
        signing: &Signing,
        scope: &Scope,
        client: Option<&Client>,
    ) -> Result<Signed, SignError> {
        self.told(signing, || {
            let now = self.host.now();
            let (_, key) = signing.key(client, now)?;
            let claims = signing.claims(scope)?;
            signing.sign(key, claims, self.signer.name(key, now), now)
        })
    }

    /// Signs an assertion by which this client proves itself to a token endpoint (RFC 7523 §3).
    ///
    /// # Errors
    /// As [`Gateway::sign_token`].
    pub fn sign_assertion(&self, signing: &Signing, client: &str) -> Result<String, SignError> {
        self.told(signing, || {
            let now = self.host.now();
            let (_, key) = signing.key(None, now)?;
            let mut claims = Map::new();
            claims.insert("sub".to_owned(), client.into());
            let signed = signing.sign(key, claims, self.signer.name(key, now), now)?;
            Ok(signed.value)
        })
    }

    fn told<T>(
        &self,
        signing: &Signing,
        sign: impl FnOnce() -> Result<T, SignError>,
    ) -> Result<T, SignError> {
        let signed = sign();
        if let Err(error) = &signed
            && let Some(more) = self.signer.quiet.pass(self.host.now())
        {
            self.host.log(
                Level::Error,
                &format!(
                    "tokens.{}: can't be signed: {error}; {more} more since the last such line",
                    signing.name
                ),
            );
        }
        signed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_signed_up_to_its_bound_and_never_shown() {
        let key = PrivateKey::from_secret(&[7; 32]).unwrap();
        let signing = Signing {
            name: "session".into(),
            algorithm: Algorithm::Hs256,
            keys: SigningKeys::Own(Vec::new()),
            issuer: None,
            audience: Vec::new(),
            lifetime: Duration::from_secs(60),
            typ: "JWT".into(),
            claims: None,
        };
        let sign = |length: usize| {
            let mut claims = Map::new();
            claims.insert("sub".into(), "x".repeat(length).into());
            signing.sign(
                &key,
                claims,
                "name".into(),
                Duration::from_secs(1_700_000_000),
            )
        };
        let short = sign(0).unwrap();
        let shown = format!("{short:?}");
        assert!(
            shown.contains("60") && !shown.contains(&short.value),
            "{shown}"
        );
        let lengths: Vec<usize> = (12_000..12_400)
            .map_while(|length| Some(sign(length).ok()?.value.len()))
            .collect();
        assert_eq!(lengths.last(), Some(&MAX_TOKEN));
        assert_eq!(sign(12_400).err(), Some(SignError::TooLong));
        let told = SignError::TooLong.to_string();
        assert!(told.contains("16384"), "{told}");
    }
}
