//! The head that the upstream gets: without what a caller must not say, with what the gateway
//! says of the caller.

use crate::authenticate::{Identity, MadeHeaders, Stop, exchanged, with_body};
use crate::decide::Context;
use crate::engine::Gateway;
use crate::expression::Scope;
use crate::host::Host;
use crate::http::{Forward, ReadyHeaders, Refusal, Request};
use crate::policy::{Authenticate, Authorization, HeaderValue, Rule};
use crate::reply::Reason;
use crate::route::Target;
use crate::tokens::Held;
use std::rc::Rc;

/// The head that the upstream gets.
pub fn forward<H: Host + 'static>(
    context: &Context<'_, H>,
    rule: &Rule,
    identity: &Identity,
    scope: &Scope,
) -> Result<Forward, Stop> {
    let policy = &context.gateway.policy;
    let mut forward = without_credentials(context.gateway, context.request, context.target, rule);
    let bearer = match rule.upstream.authorization {
        Authorization::Inject(exchange) => Some(own_token(context, exchange)?),
        Authorization::Keep => identity.exchanged.clone(),
        Authorization::Remove | Authorization::Sign(_) => None,
    };
    forward.injected = bearer.as_ref().map(|held| held.tag());
    let signed = match rule.upstream.authorization {
        Authorization::Sign(index) => Some(signed_token(context, index, identity, scope)?),
        _ => None,
    };
    match signed
        .as_deref()
        .or(bearer.as_ref().map(|held| held.token.as_str()))
    {
        Some(token) => {
            let value = ["Bearer ", token].concat().into_bytes();
            forward.set.push(("authorization".to_owned(), value));
        }
        None if rule.upstream.authorization == Authorization::Keep
            && identity.authorization_verified =>
        {
            forward
                .remove
                .retain(|name| !name.eq_ignore_ascii_case(b"authorization"));
        }
        None => {}
    }
    let identity_headers = policy
        .identity
        .iter()
        .filter(|_| rule.authenticate != Authenticate::Public);
    let headers = identity_headers.chain(&rule.upstream.headers);
    match identity
        .made
        .as_ref()
        .filter(|_| rule.headers_tell_identity_alone)
    {
        Some(made) => forward.ready = Some(ready_headers(context, made, identity, scope, headers)?),
        None => forward.set.extend(headers_of(identity, scope, headers)?),
    }
    // What is set replaces every header of its name, so it needs no removing.
    let mut remove = std::mem::take(&mut forward.remove);
    remove.retain(|name| !forward.to_set().any(|(other, _)| name == other));
    if remove.len() > 1 {
        remove.sort_unstable();
        remove.dedup();
    }
    forward.remove = remove;
    Ok(forward)
}

/// Headers as they were made for an earlier request of the same caller, else as they are made
/// now.
fn ready_headers<'r, H: Host>(
    context: &Context<'_, H>,
    made: &MadeHeaders,
    identity: &Identity,
    scope: &Scope,
    headers: impl Iterator<Item = &'r (String, HeaderValue)>,
) -> Result<ReadyHeaders, Refusal> {
    if let Some(ready) = made.get(context.rule) {
        return Ok(ready);
    }
    let ready = ReadyHeaders::of(&headers_of(identity, scope, headers)?);
    made.put(context.rule, &ready);
    if let Some(held) = &identity.exchanged {
        context.gateway.weigh_token(held);
    }
    Ok(ready)
}

/// A head without the credentials that this policy reads.
pub fn without_credentials<H>(
    gateway: &Gateway<H>,
    request: &Request,
    target: &Target,
    rule: &Rule,
) -> Forward {
    let places = &gateway.policy.places;
    let mut forward = without_identity(gateway, request, target);
    if rule.authenticate != Authenticate::Public {
        let kept = &rule.upstream.keep;
        places.strip_headers(request, kept, &mut forward);
        let query = target.query.as_deref();
        if let Some(rest) = query.and_then(|query| places.strip_query(query, kept)) {
            let rest = (!rest.is_empty()).then_some(rest.as_slice());
            set_path(&mut forward, &target.path, rest);
        }
    }
    // Where the upstream takes this header for the gateway's word, nobody else's goes there.
    if rule.upstream.authorization != Authorization::Keep {
        forward.remove.push(b"authorization".to_vec());
    }
    forward
}

/// A head with nothing in it that a caller could pass for the gateway's word.
pub fn without_identity<H>(gateway: &Gateway<H>, request: &Request, target: &Target) -> Forward {
    let mut forward = Forward::default();
    let reserved = gateway.policy.reserved_in(&request.headers);
    forward.remove.extend(reserved.map(<[u8]>::to_vec));
    if target.rewritten {
        set_path(&mut forward, &target.path, target.query.as_deref());
    }
    forward
}

fn set_path(forward: &mut Forward, path: &str, query: Option<&[u8]>) {
    let mut target = path.as_bytes().to_vec();
    if let Some(query) = query {
        target.push(b'?');
        target.extend_from_slice(query);
    }
    forward.set.retain(|(name, _)| name != ":path");
    forward.set.push((":path".to_owned(), target));
}

/// Headers that tell of the caller; of several with one name the last holds.
fn headers_of<'r>(
    identity: &Identity,
    scope: &Scope,
    headers: impl Iterator<Item = &'r (String, HeaderValue)>,
) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
    let mut made = Vec::<(String, Vec<u8>)>::new();
    for (name, value) in headers {
        let text = match value {
            HeaderValue::ClientId => identity
                .client
                .as_ref()
                .map(|client| String::from(&*client.id)),
            HeaderValue::Tenant => identity.tenant.as_deref().map(str::to_owned),
            HeaderValue::Scopes => Some(identity.scopes.join(" ")),
            HeaderValue::Expression(expression) => {
                let text = expression.evaluate_text(scope).ok();
                text.as_deref().map(str::to_owned)
            }
        };
        // A header that says nothing is left out.
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            continue;
        };
        if !is_plain(&text) {
            let control = |letter: char| letter.is_control() && letter != '\t';
            if text.chars().any(control) {
                return Err(Refusal::of(Reason::HeaderValue));
            }
            // Spaces around a value are dropped on the way: it would arrive as another's.
            if text.trim() != text {
                continue;
            }
        }
        made.retain(|(other, _)| other != name);
        made.push((name.clone(), text.into_bytes()));
    }
    Ok(made)
}

/// Whether a text is visible ASCII, as nearly all are: nothing of it can be lost on the way.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The gateway's own token for the upstream. That there is none is no fault of the caller's.
fn own_token<H: Host + 'static>(
    context: &Context<'_, H>,
    exchange: usize,
) -> Result<Rc<Held>, Stop> {
    let exchanges = &context.gateway.policy.exchanges;
    let Some(pair) = exchanges
        .get(exchange)
        .and_then(|settings| settings.own.clone())
    else {
        return Err(Refusal::of(Reason::Internal).into());
    };
    let pair = with_body(context, exchange, pair)?;
    exchanged(context, exchange, &pair).map_err(|stop| match stop {
        Stop::Refuse(refusal) if refusal.reason == Reason::ExchangeRefused => {
            Refusal::of(Reason::CredentialUnavailable).into()
        }
        other => other,
    })
}

/// A token that is signed here about the caller. That there is none is no fault of theirs.
fn signed_token<H: Host>(
    context: &Context<'_, H>,
    index: usize,
    identity: &Identity,
    scope: &Scope,
) -> Result<Rc<str>, Refusal> {
    let policy = &context.gateway.policy;
    let client = identity
        .client
        .as_ref()
        .and_then(|client| policy.clients.find(&client.id))
        .map(|(_, client)| client)
        .filter(|client| client.enabled);
    let signing = policy.signings.get(index);
    signing
        .and_then(|signing| {
            let gateway = context.gateway;
            gateway.reuse_token(index, signing, scope, client).ok()
        })
        .ok_or_else(|| Refusal::of(Reason::Internal))
}
