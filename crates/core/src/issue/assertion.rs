//! A client's assertion (RFC 7523 §3): a JWT that the client signed to prove who it is.

use super::Proven;
use super::replay::Use;
use crate::credentials::{Client, ClientIndex, proving_key};
use crate::decide::Context;
use crate::expression::Value;
use crate::host::Host;
use crate::jose::{Algorithm, ClaimRules, Claims, Compact, DEFAULT_MAX_TOKEN_LEN, Key, TokenError};
use crate::observe::Step;
use crate::reply::Reason;

/// What must hold of an assertion.
#[derive(Debug)]
pub struct AssertionRules {
    /// The algorithms that are accepted.
    pub algorithms: Vec<Algorithm>,
    /// Audience, times and lifetime. `exp` is always required.
    pub claims: ClaimRules,
    /// Whether an assertion without `jti` is refused; else it isn't looked at twice.
    pub jti_required: bool,
    /// For each algorithm the client with the most keys for it. A signature that there is no key
    /// for is checked with those: so a client that doesn't exist takes as long as one that does.
    pub decoys: Vec<(Algorithm, ClientIndex)>,
}

impl AssertionRules {
    /// The client that an assertion proves, with the use that is to be written down.
    ///
    /// `id` is the client's id where the request says it beside the assertion.
    ///
    /// # Errors
    /// What is wrong with it. Nothing that it says is judged before its signature, but for
    /// the client, whose keys are the ones that count.
    pub fn prove<'g, H: Host>(
        &self,
        context: &Context<'g, H>,
        id: Option<&str>,
        assertion: &str,
    ) -> Result<Proven<'g>, Reason> {
        let host = &context.gateway.host;
        let compact =
            Compact::parse(assertion.as_bytes(), DEFAULT_MAX_TOKEN_LEN).map_err(reason)?;
        host.trace(Step::TokenRead {
            algorithm: compact.algorithm(),
            kid: compact.kid(),
        });
        if !self.algorithms.contains(&compact.algorithm()) {
            return Err(Reason::AssertionAlgorithm);
        }
        let claims = compact.claims().map_err(reason)?;
        let id = id.or_else(|| claims.subject()).unwrap_or_default();
        let (client, key) = self.proving_key(context, id, &compact)?;
        host.trace(Step::SignatureProven);
        if claims.issuer() != Some(id) || claims.subject() != Some(id) {
            return Err(Reason::AssertionIssuer);
        }
        self.claims
            .check(compact.typ(), &claims, context.now)
            .map_err(reason)?;
        if claims.issued_at().is_none() {
            return Err(Reason::AssertionClaims);
        }
        let used = self.used(id, key, &claims)?;
        Ok(Proven { client, used })
    }

    /// The client of this id and its key that proves the signature.
    fn proving_key<'g, H: Host>(
        &self,
        context: &Context<'g, H>,
        id: &str,
        compact: &Compact<'_>,
    ) -> Result<(&'g Client, &'g Key), Reason> {
        let gateway = context.gateway;
        let clients = &gateway.policy.clients;
        let found = clients.find(id).map(|(_, client)| client);
        let algorithm = compact.algorithm();
        let decoy = self.decoys.iter().find(|(other, _)| *other == algorithm);
        let decoy = decoy.and_then(|(_, client)| clients.get(*client));
        match (
            found,
            proving_key(found, decoy, compact, context.now, &gateway.host),
        ) {
            (Some(client), Ok(key)) => Ok((client, key)),
            (None, _) => Err(Reason::AssertionClient),
            (Some(_), Err(false)) => Err(Reason::AssertionKey),
            (Some(_), Err(true)) => Err(Reason::AssertionSignature),
        }
    }

    /// The use that must be new; `None` where nothing tells one assertion from another.
    fn used(&self, id: &str, key: &Key, claims: &Claims) -> Result<Option<Use>, Reason> {
        let jti = match claims.get("jti") {
            None if self.jti_required => return Err(Reason::AssertionClaims),
            None => return Ok(None),
            Some(Value::String(jti)) if !jti.is_empty() => jti,
            Some(_) => return Err(Reason::AssertionClaims),
        };
        let end = claims.expires().ok_or(Reason::AssertionClaims)?;
        let end = end.saturating_add(self.claims.leeway);
        Ok(Some(Use::new(id, &key.thumbprint(), jti, end)))
    }
}

/// What the operator is told of a token's fault, where the token is an assertion.
fn reason(error: TokenError) -> Reason {
    match error {
        TokenError::Malformed | TokenError::TooLong => Reason::AssertionMalformed,
        TokenError::Algorithm => Reason::AssertionAlgorithm,
        TokenError::KeyUnknown => Reason::AssertionKey,
        TokenError::Signature => Reason::AssertionSignature,
        TokenError::Expired => Reason::AssertionExpired,
        TokenError::NotYetValid => Reason::AssertionNotYetValid,
        TokenError::Lifetime => Reason::AssertionLifetime,
        TokenError::Issuer => Reason::AssertionIssuer,
        TokenError::Audience => Reason::AssertionAudience,
        TokenError::Claims | TokenError::Type => Reason::AssertionClaims,
    }
}
