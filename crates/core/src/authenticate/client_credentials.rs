//! A caller's id and secret, exchanged for a token.

use super::{Authenticator, ClientFacts, Identity, Need, Stop};
use crate::credentials::{ExtractError, Source, extract, read_basic};
use crate::decide::Context;
use crate::expression::{self, Scope, Variable};
use crate::host::Host;
use crate::http::Refusal;
use crate::lookup::{self, Outcome};
use crate::observe::{Demand, Step};
use crate::policy::document::Secret;
use crate::reply::Reason;
use crate::tokens::{Bearer, Failed, Failure, Held, Lookup, Pair, Verified};
use crate::variables;
use serde_json::Value;
use std::rc::Rc;

/// A caller's id and secret, exchanged for a token.
#[derive(Debug)]
pub struct ClientCredentials {
    /// Where the pair is.
    pub from: PairSource,
    /// The token endpoint, by index in the policy.
    pub exchange: usize,
    /// The jwt authenticator that the token must satisfy, by index in the policy.
    pub verify: Option<usize>,
    /// The claim that must equal the id presented.
    pub client_claim: Option<String>,
    /// What the database knows of the client.
    pub lookup: Option<lookup::Lookup>,
}

/// Where a pair is.
#[derive(Debug)]
pub enum PairSource {
    /// In two places.
    Parts {
        /// The id's.
        id: Source,
        /// The secret's.
        secret: Source,
    },
    /// HTTP Basic in `Authorization`.
    Basic,
}

pub(super) fn authenticate<H: Host + 'static>(
    context: &Context<'_, H>,
    index: usize,
    authenticator: &Authenticator,
    own: &ClientCredentials,
) -> Result<Identity, Stop> {
    let pair = match presented(context, &own.from) {
        Ok(Some(pair)) => pair,
        Ok(None) => return Err(authenticator.missing().into()),
        Err(reason) => return Err(authenticator.refuse(reason).into()),
    };
    let told = with_body(context, own.exchange, pair)
        .and_then(|pair| Ok((exchanged(context, own.exchange, &pair)?, pair)));
    let (held, pair) = told.map_err(|stop| match stop {
        Stop::Refuse(refusal) => Stop::Refuse(authenticator.challenge(refusal, true)),
        need => need,
    })?;
    let mut identity = identified(context, index, authenticator, own, &pair, &held)?;
    identity.exchanged = Some(held);
    if let Some(lookup) = &own.lookup {
        identity.metadata = Some(looked_up(context, index, lookup, &identity)?);
    }
    Ok(identity)
}

/// What to do about a token that doesn't satisfy its authenticator. One that was held may be
/// older than the keys: another is asked for at once. Where that one is no better, the pair
/// is refused, and nobody asks for another for a while.
fn another_token<H: Host + 'static>(
    context: &Context<'_, H>,
    index: usize,
    own: &ClientCredentials,
    pair: &Pair,
    held: &Held,
    refusal: Refusal,
) -> Stop {
    let gateway = context.gateway;
    if context.answers.token(own.exchange, pair).is_some() {
        gateway.dislike_tokens(own.exchange, pair, index);
    } else if !gateway.dislikes_tokens(own.exchange, pair, index) {
        gateway.discard_token(held);
        return Stop::Need(Need::Token(own.exchange, pair.clone()));
    }
    refusal.into()
}

/// The database's word about a client, if it lets the client in.
fn looked_up<H: Host + 'static>(
    context: &Context<'_, H>,
    index: usize,
    lookup: &lookup::Lookup,
    identity: &Identity,
) -> Result<Rc<Value>, Stop> {
    let unavailable = || Stop::from(Refusal::for_now(Reason::LookupUnavailable, 1));
    let uses = variables::used([&lookup.url].into_iter().chain(&lookup.allow_if));
    let mut scope = Scope::new();
    variables::of_request(context, uses, &mut scope);
    identity.set_variables(uses, &mut scope);
    let url = lookup
        .url
        .evaluate_text(&scope)
        .map_err(|_| unavailable())?;
    let told = context.answers.lookup(index, &url);
    // The database just said no: the client's token is let go. Not whenever it is remembered,
    // or each of such a client's requests would be another call of the token endpoint.
    let gone = identity.exchanged.as_ref().filter(|_| told.is_some());
    let refuse = |reason| {
        if let Some(held) = gone {
            context.gateway.discard_token(held);
        }
        Err(Refusal::of(reason).into())
    };
    let metadata = match told.or_else(|| context.gateway.known_lookup(index, &url)) {
        Some(Outcome::Found(metadata)) => metadata,
        Some(Outcome::Unknown) => return refuse(Reason::LookupUnknown),
        Some(Outcome::Unavailable) => return Err(unavailable()),
        None => return Err(Stop::Need(Need::Lookup(index, url.to_string()))),
    };
    if let Some(condition) = &lookup.allow_if {
        scope.set(Variable::Metadata, expression::Value::from_json(&metadata));
        let holds = condition.evaluate_condition(&scope).unwrap_or(false);
        let host = &context.gateway.host;
        host.trace(Step::Judged(Demand::LookupCondition, holds));
        if !holds {
            return refuse(Reason::LookupDenied);
        }
    }
    Ok(metadata)
}

/// The pair in a request; `None` where a part is missing.
fn presented<H>(context: &Context<'_, H>, from: &PairSource) -> Result<Option<Pair>, Reason> {
    let query = context.target.query.as_deref();
    let read = |source: &Source| {
        extract(std::slice::from_ref(source), context.request, query).map_err(reason)
    };
    match from {
        PairSource::Parts { id, secret } => {
            let (Some(id), Some(secret)) = (read(id)?, read(secret)?) else {
                return Ok(None);
            };
            Pair::new(&id, &secret)
                .map(Some)
                .ok_or(Reason::ClientMalformed)
        }
        PairSource::Basic => {
            let source = Source::Header {
                name: "authorization".to_owned(),
                scheme: Some("Basic".to_owned()),
            };
            let Some(credential) = read(&source)? else {
                return Ok(None);
            };
            let basic = read_basic(&credential).map_err(reason)?;
            Pair::new(&basic.id, basic.secret.expose())
                .map(Some)
                .ok_or(Reason::ClientMalformed)
        }
    }
}

fn reason(error: ExtractError) -> Reason {
    match error {
        ExtractError::Duplicated => Reason::CredentialsDuplicated,
        ExtractError::Malformed => Reason::ClientMalformed,
    }
}

/// The pair with the body to ask with, where that is made of the request.
pub fn with_body<H: Host + 'static>(
    context: &Context<'_, H>,
    exchange: usize,
    pair: Pair,
) -> Result<Pair, Stop> {
    let settings = context.gateway.policy.exchanges.get(exchange);
    let Some(settings) = settings.filter(|settings| settings.reads_request()) else {
        return Ok(pair);
    };
    let mut scope = Scope::new();
    variables::of_request(context, settings.uses(), &mut scope);
    let body = settings.body(&pair, scope);
    let body = body.map_err(|_| Refusal::for_now(Reason::ExchangeUnevaluable, 1))?;
    Ok(Pair {
        body: Some(Box::new(Secret::from(body))),
        ..pair
    })
}

/// The token for a pair, as far as it is known.
pub fn exchanged<H: Host + 'static>(
    context: &Context<'_, H>,
    exchange: usize,
    pair: &Pair,
) -> Result<Rc<Held>, Stop> {
    if let Some(outcome) = context.answers.token(exchange, pair) {
        return outcome.map_err(|failed| refusal(&failed, context).into());
    }
    match context.gateway.look_up_token(exchange, pair, context.now) {
        Lookup::Found(held) => Ok(held),
        Lookup::Failed(failed) => Err(refusal(&failed, context).into()),
        Lookup::Unknown => Err(Stop::Need(Need::Token(exchange, pair.clone()))),
    }
}

fn refusal<H: Host + 'static>(failed: &Failed, context: &Context<'_, H>) -> Refusal {
    let seconds = failed.end.saturating_sub(context.gateway.host.now());
    // A wait rounded down would be a try too early.
    let seconds = seconds.as_secs() + u64::from(seconds.subsec_nanos() > 0);
    let wait = |reason| Refusal::for_now(reason, seconds.max(1));
    match failed.failure {
        Failure::Refused => Refusal::of(Reason::ExchangeRefused),
        Failure::Limited => wait(Reason::ExchangeLimited),
        Failure::Unavailable => wait(Reason::ExchangeUnavailable),
        Failure::Unusable => wait(Reason::ExchangeReply),
        Failure::Unreachable => wait(Reason::ExchangeUnreachable),
        Failure::TimedOut => wait(Reason::ExchangeTimeout),
    }
}

/// Who calls with a token, once it satisfies `verify`, which alone judges it: what its claims mean
/// may depend on the request. A held token's signature is checked once for each key that proves
/// it.
fn identified<H: Host + 'static>(
    context: &Context<'_, H>,
    index: usize,
    authenticator: &Authenticator,
    own: &ClientCredentials,
    pair: &Pair,
    held: &Rc<Held>,
) -> Result<Identity, Stop> {
    let bare = &context.gateway.tokens.bare_client;
    let Some(verify) = own.verify else {
        return named(
            own,
            pair,
            Identity {
                is_token: true,
                scopes: bare.scopes.clone(),
                ..Identity::default()
            },
            false,
            bare,
        )
        .ok_or_else(|| {
            let refusal = authenticator.refuse(Reason::TokenClaims);
            another_token(context, index, own, pair, held, refusal)
        });
    };
    let policy = &context.gateway.policy;
    let Some(Authenticator::Jwt(jwt)) = policy.authenticators.get(verify) else {
        return Err(Refusal::of(Reason::Internal).into());
    };
    let known = held
        .verified_by(index)
        .filter(|known| jwt.still_holds(context, &known.proof));
    if let Some(identity) = known.as_ref().and_then(|known| held.bearer(known, bare)) {
        return Ok(identity);
    }
    let known = known.and_then(|known| Some((known.claims.clone()?, known.proof)));
    let remembered = known.is_some();
    let (claims, proof) = match known {
        Some(known) => known,
        None => match jwt.verified_claims(context, authenticator, &held.token) {
            Ok(verified) => verified,
            // What is unavailable may come by itself.
            Err(Stop::Refuse(refusal)) if refusal.reason.public().status < 500 => {
                return Err(another_token(context, index, own, pair, held, refusal));
            }
            Err(stop) => return Err(stop),
        },
    };
    let identity = jwt.identify(context, claims.clone());
    let tells_tenant = jwt.tenant.is_some();
    let mut identity = identity.map(|identity| named(own, pair, identity, tells_tenant, bare));
    let mut bearer = None;
    if let Ok(Some(identity)) = &mut identity
        && jwt.identifies_by_claims_alone()
    {
        // What a database says may change from request to request.
        identity.made = own.lookup.is_none().then(Rc::default);
        bearer = Some(Bearer::of(identity, bare));
    }
    if !remembered && jwt.chooses_keys_by_claims_alone() {
        let asked = bearer.is_none() || policy.keeps_claims();
        held.remember(Verified {
            authenticator: index,
            proof,
            claims: asked.then_some(claims),
            bearer,
        });
        context.gateway.weigh_token(held);
    }
    match identity {
        Ok(Some(identity)) => Ok(identity),
        Ok(None) => {
            let refusal = authenticator.refuse(Reason::TokenClaims);
            Err(another_token(context, index, own, pair, held, refusal))
        }
        Err(reason) => Err(authenticator.refuse(reason).into()),
    }
}

/// The bearer of a token that was obtained with a pair; `None` where the token is somebody
/// else's. The tenant may be the token's own word, or that of the client that it names.
fn named(
    own: &ClientCredentials,
    pair: &Pair,
    mut identity: Identity,
    token_tells_tenant: bool,
    bare: &ClientFacts,
) -> Option<Identity> {
    if let Some(claim) = &own.client_claim {
        let claims = identity.claims.as_deref();
        let named = claims.and_then(|claims| claims.get(claim));
        if named.and_then(expression::Value::as_text) != Some(&*pair.id) {
            return None;
        }
    }
    // `verify` may name a client of the store, but it is the pair that says who calls.
    let is_pairs = |client: &ClientFacts| *client.id == *pair.id;
    if !identity.client.as_ref().is_some_and(is_pairs) {
        identity.client = Some(ClientFacts {
            id: pair.id.clone(),
            ..bare.clone()
        });
        if !token_tells_tenant {
            identity.tenant = None;
        }
    }
    Some(identity)
}
