//! JSON Web Tokens: which keys may prove one, and what it says about its bearer.

use super::{Authenticator, ClientFacts, ClientKeys, Identity, Need, Proof, Stop, VerifiedToken};
use crate::authorize::is_scope_token;
use crate::credentials::{ExtractError, Source, extract};
use crate::decide::Context;
use crate::expression::{EvaluationError, Expression, Scope, Value, Variable, VariableSet};
use crate::host::Host;
use crate::http::Refusal;
use crate::jose::{Algorithm, ClaimRules, Claims, Compact, KeySet, TokenError, verify};
use crate::observe::Step;
use crate::reply::Reason;
use crate::variables;
use std::rc::Rc;
use std::sync::Arc;

/// A JSON Web Token and what must hold of it.
#[derive(Debug)]
pub struct JwtAuthenticator {
    /// The algorithms that are accepted.
    pub algorithms: Vec<Algorithm>,
    /// The keys that stand in the policy.
    pub keys: KeySet,
    /// The fetched key sets, by index in the policy.
    pub remotes: Vec<usize>,
    /// Instead of both: each client's own keys.
    pub client_keys: Option<Box<ClientKeys>>,
    /// What the claims must be.
    pub rules: ClaimRules,
    /// Where a token may stand.
    pub from: Vec<Source>,
    /// The longest token, in bytes.
    pub max_length: usize,
    /// The client it belongs to.
    pub client: Option<Expression>,
    /// Its scopes; without an expression `scope`, else `scp`.
    pub scopes: Option<Expression>,
    /// Its tenant; without an expression the client's.
    pub tenant: Option<Expression>,
}

pub(super) fn authenticate<H: Host + 'static>(
    context: &Context<'_, H>,
    index: usize,
    authenticator: &Authenticator,
    own: &JwtAuthenticator,
) -> Result<Identity, Stop> {
    let refuse = |reason| Stop::from(authenticator.refuse(reason));
    let query = context.target.query.as_deref();
    let token = match extract(&own.from, context.request, query) {
        Ok(Some(token)) => token,
        Ok(None) => return Err(authenticator.missing().into()),
        Err(ExtractError::Duplicated) => return Err(refuse(Reason::CredentialsDuplicated)),
        Err(ExtractError::Malformed) => return Err(refuse(Reason::TokenMalformed)),
    };
    let verified = &context.gateway.verified;
    let known = verified.get(index, token.as_bytes());
    let known = known.filter(|known| own.still_holds(context, &known.proof));
    let identity = match known.as_deref() {
        Some(VerifiedToken {
            identity: Some(identity),
            ..
        }) => identity.clone(),
        Some(VerifiedToken { claims, .. }) => {
            own.identify(context, claims.clone()).map_err(refuse)?
        }
        None => {
            let (claims, proof) = own.verified_claims(context, authenticator, &token)?;
            let mut identity = own.identify(context, claims.clone()).map_err(refuse)?;
            let fixed = own.identifies_by_claims_alone();
            if fixed {
                identity.made = Some(Rc::default());
            }
            let kept = own.chooses_keys_by_claims_alone() && {
                let identity = fixed.then_some(&identity);
                verified.put(index, token.as_bytes(), proof, &claims, identity)
            };
            // Headers for a next request are made where one can find them.
            identity.made = identity.made.filter(|_| kept);
            identity
        }
    };
    Ok(Identity {
        authorization_verified: own.reads_authorization(context),
        ..identity
    })
}

impl JwtAuthenticator {
    /// The claims of a token that satisfies this authenticator, and what proved it.
    pub(super) fn verified_claims<H: Host + 'static>(
        &self,
        context: &Context<'_, H>,
        authenticator: &Authenticator,
        token: &str,
    ) -> Result<(Rc<Claims>, Proof), Stop> {
        let refuse = |error| Stop::from(authenticator.refuse(reason(error)));
        let compact = Compact::parse(token.as_bytes(), self.max_length).map_err(refuse)?;
        let host = &context.gateway.host;
        host.trace(Step::TokenRead {
            algorithm: compact.algorithm(),
            kid: compact.kid(),
        });
        if !self.algorithms.contains(&compact.algorithm()) {
            return Err(refuse(TokenError::Algorithm));
        }
        let proof = self.prove(context, authenticator, &compact)?;
        host.trace(Step::SignatureProven);
        let claims = compact.claims().map_err(refuse)?;
        self.rules
            .check(compact.typ(), &claims, context.now)
            .map_err(refuse)?;
        let proof = proof.within(self.rules.span(&claims));
        Ok((Rc::new(claims), proof))
    }

    /// Whether what was verified earlier would be verified now.
    pub(super) fn still_holds<H: Host + 'static>(
        &self,
        context: &Context<'_, H>,
        proof: &Proof,
    ) -> bool {
        let keys_stand = proof.remote.is_none_or(|(remote, generation)| {
            let state = context.gateway.keys_at(remote, context.now);
            state.set.is_some() && state.generation == generation
        });
        keys_stand && proof.is_live(context.now)
    }

    /// Whether the same claims tell the same bearer, whatever the request.
    pub fn identifies_by_claims_alone(&self) -> bool {
        depend_on_claims_alone(self.identifying())
    }

    /// Whether the same claims choose the same keys, whatever the request.
    pub(super) fn chooses_keys_by_claims_alone(&self) -> bool {
        depend_on_claims_alone(self.choosing_keys())
    }

    /// The expressions that tell whom a token belongs to.
    fn identifying(&self) -> impl Iterator<Item = &Expression> {
        let own = [&self.client, &self.scopes, &self.tenant];
        own.into_iter().flatten().chain(self.choosing_keys())
    }

    /// The expression that chooses a token's keys, where one does.
    fn choosing_keys(&self) -> impl Iterator<Item = &Expression> {
        self.client_keys.iter().map(|own| &own.client)
    }

    /// Finds a key that proves the signature: among the policy's own first, then among the
    /// fetched sets, which are fetched anew for a `kid` that none of them knows.
    fn prove<H: Host + 'static>(
        &self,
        context: &Context<'_, H>,
        authenticator: &Authenticator,
        compact: &Compact<'_>,
    ) -> Result<Proof, Stop> {
        if let Some(own) = &self.client_keys {
            let proven = own.prove(context, compact);
            return proven.map_err(|error| authenticator.refuse(reason(error)).into());
        }
        let gateway = context.gateway;
        let (mut tried, mut named) = (false, false);
        let mut prover = |keys: &KeySet, remote| {
            let mut candidates = keys.candidates(compact.kid(), compact.algorithm(), context.now);
            candidates
                .find(|key| {
                    tried = true;
                    // A key without an id fits every token: it doesn't make a `kid` known.
                    named |= compact.kid().is_none() || key.kid() == compact.kid();
                    verify(compact, key, &gateway.host)
                })
                .map(|key| Proof::by(key, remote))
        };
        if let Some(proof) = prover(&self.keys, None) {
            return Ok(proof);
        }
        let mut unavailable = false;
        for remote in &self.remotes {
            let state = gateway.keys_at(*remote, context.now);
            match state.set {
                Some(set) => {
                    if let Some(proof) = prover(&set, Some((*remote, state.generation))) {
                        return Ok(proof);
                    }
                }
                None if !self.may_be_ours(compact) => {}
                None if context.answers.has(&Need::Keys(*remote))
                    || !gateway.may_fetch_keys(*remote) =>
                {
                    unavailable = true;
                }
                None => return Err(Stop::Need(Need::Keys(*remote))),
            }
        }
        if !named && self.may_be_ours(compact) {
            let kid = compact.kid().unwrap_or_default();
            for remote in &self.remotes {
                let need = Need::FreshKeys(*remote, kid.to_owned());
                // A set that isn't there was asked for above.
                if gateway.keys_at(*remote, context.now).set.is_some()
                    && gateway.may_refetch_keys(*remote, kid)
                    && !context.answers.has(&need)
                {
                    return Err(Stop::Need(need));
                }
            }
        }
        let refusal = match (unavailable, tried) {
            (true, _) => Refusal::for_now(Reason::KeysUnavailable, 1),
            (false, true) => authenticator.refuse(Reason::TokenSignature),
            (false, false) => authenticator.refuse(Reason::KeyUnknown),
        };
        Err(refusal.into())
    }

    /// Whether fetching keys for this token could help: a token that says itself that it has
    /// another issuer causes no calls.
    fn may_be_ours(&self, compact: &Compact<'_>) -> bool {
        let Some(issuer) = &self.rules.issuer else {
            return true;
        };
        compact
            .claims()
            .is_ok_and(|claims| claims.issuer() == Some(issuer))
    }

    /// What verified claims say about their bearer.
    pub(super) fn identify<H: Host + 'static>(
        &self,
        context: &Context<'_, H>,
        claims: Rc<Claims>,
    ) -> Result<Identity, Reason> {
        let mut identity = Identity {
            claims: Some(claims),
            is_token: true,
            ..Identity::default()
        };
        // What chose the key says the same of the claims now that they are proven.
        let own = self.client_keys.as_ref().map(|own| &own.client);
        let client = self.client.as_ref().or(own);
        let expressions = [client, self.scopes.as_ref(), self.tenant.as_ref()];
        let mut scope = Scope::new();
        let uses = variables::used(expressions.into_iter().flatten());
        if !uses.is_empty() {
            variables::of_request(context, uses, &mut scope);
            identity.set_variables(uses, &mut scope);
        }
        if let Some(expression) = client {
            let id = text(expression.evaluate_text(&scope)).ok_or(Reason::TokenClient)?;
            let (_, client) = context
                .gateway
                .policy
                .clients
                .find(&id)
                .filter(|(_, client)| client.enabled)
                .ok_or(Reason::TokenClient)?;
            identity.tenant = client.tenant.clone();
            identity.client = Some(ClientFacts::from(client));
        }
        if let Some(expression) = &self.tenant {
            let tenant = text(expression.evaluate_text(&scope)).ok_or(Reason::TokenClaims)?;
            identity.tenant = Some(tenant.as_ref().into());
        }
        identity.scopes = match &self.scopes {
            Some(expression) => expression
                .evaluate_text_list(&scope)
                .map(|scopes| scope_tokens(scopes.iter().map(|scope| &**scope)))
                .unwrap_or_default(),
            None => identity
                .claims
                .as_deref()
                .map(scopes_of)
                .unwrap_or_default(),
        };
        // What a client says of itself under its own key gives it no more than it has.
        if let (Some(_), None, Some(client)) = (own, &self.scopes, &identity.client) {
            let scopes = identity.scopes.iter();
            identity.scopes = scopes
                .filter(|scope| client.scopes.contains(scope))
                .cloned()
                .collect();
        }
        Ok(identity)
    }

    /// Whether the token that was found stands in `Authorization`.
    fn reads_authorization<H>(&self, context: &Context<'_, H>) -> bool {
        if let [Source::Header { name, .. }] = self.from.as_slice() {
            return name == "authorization";
        }
        self.from.iter().any(|source| {
            matches!(source, Source::Header { name, .. } if name == "authorization")
                && matches!(
                    extract(std::slice::from_ref(source), context.request, None),
                    Ok(Some(_))
                )
        })
    }
}

/// Whether expressions give the same for the same claims, whatever the request.
fn depend_on_claims_alone<'e>(expressions: impl Iterator<Item = &'e Expression>) -> bool {
    let claims = VariableSet::of(&[Variable::Claims]);
    variables::used(expressions).union(claims) == claims
}

/// The scopes by the names in use: `scope` (RFC 8693 §4.2), else `scp`.
fn scopes_of(claims: &Claims) -> Rc<[String]> {
    match claims.get("scope").or_else(|| claims.get("scp")) {
        Some(Value::String(text)) => scope_tokens(text.split_ascii_whitespace()),
        Some(Value::List(items)) => scope_tokens(items.iter().filter_map(Value::as_text)),
        _ => Rc::new([]),
    }
}

/// Those that are scope tokens (RFC 6749 §3.3): one with a space in it would be two to
/// whoever reads the list.
fn scope_tokens<'s>(scopes: impl Iterator<Item = &'s str>) -> Rc<[String]> {
    scopes
        .filter(|scope| is_scope_token(scope))
        .map(str::to_owned)
        .collect()
}

/// A text that isn't empty.
pub(super) fn text(evaluated: Result<Arc<str>, EvaluationError>) -> Option<Arc<str>> {
    evaluated.ok().filter(|text| !text.is_empty())
}

fn reason(error: TokenError) -> Reason {
    match error {
        TokenError::Malformed | TokenError::TooLong => Reason::TokenMalformed,
        TokenError::Algorithm => Reason::TokenAlgorithm,
        TokenError::KeyUnknown => Reason::KeyUnknown,
        TokenError::Signature => Reason::TokenSignature,
        TokenError::Expired => Reason::TokenExpired,
        TokenError::NotYetValid => Reason::TokenNotYetValid,
        TokenError::Lifetime => Reason::TokenLifetime,
        TokenError::Issuer => Reason::TokenIssuer,
        TokenError::Audience => Reason::TokenAudience,
        TokenError::Claims => Reason::TokenClaims,
        TokenError::Type => Reason::TokenType,
    }
}
