//! One authenticator, the first of several, or all of several.

use super::{Authenticator, Identity, Stop, api_key, client_credentials, jwt};
use crate::decide::Context;
use crate::host::Host;
use crate::http::Refusal;
use crate::observe::Step;
use crate::policy::Authenticate;
use crate::reply::{Challenge, Reason};

/// Who calls, or why that can't be said.
pub fn authenticate<H: Host + 'static>(
    context: &Context<'_, H>,
    who: &Authenticate,
) -> Result<Identity, Stop> {
    // The depth is the document's, which is bounded when it is read.
    match who {
        Authenticate::Public => Ok(Identity::default()),
        Authenticate::One(index) => one(context, *index),
        Authenticate::Any(members) => any(context, members),
        Authenticate::All(members) => all(context, members),
    }
}

fn one<H: Host + 'static>(context: &Context<'_, H>, index: usize) -> Result<Identity, Stop> {
    let Some(authenticator) = context.gateway.policy.authenticators.get(index) else {
        return Err(Refusal::of(Reason::Internal).into());
    };
    let outcome = match authenticator {
        Authenticator::Jwt(own) => jwt::authenticate(context, index, authenticator, own),
        Authenticator::ApiKey(own) => api_key::authenticate(context, authenticator, own),
        Authenticator::ClientCredentials(own) => {
            client_credentials::authenticate(context, index, authenticator, own)
        }
    };
    let host = &context.gateway.host;
    match &outcome {
        Ok(identity) => host.trace(Step::Authenticated(index, Ok(identity))),
        Err(Stop::Refuse(refusal)) => host.trace(Step::Authenticated(index, Err(refusal))),
        Err(Stop::Need(_)) => {}
    }
    outcome
}

/// The first success in order. Without one: unavailable beats refused, a presented
/// credential beats none, the first beats the rest.
fn any<H: Host + 'static>(
    context: &Context<'_, H>,
    members: &[Authenticate],
) -> Result<Identity, Stop> {
    let mut answer: Option<Refusal> = None;
    for member in members {
        let refusal = match authenticate(context, member) {
            Err(Stop::Refuse(refusal)) => refusal,
            decided => return decided,
        };
        answer = Some(match answer {
            None => refusal,
            Some(first) if rank(&first) == Rank::Missing && rank(&refusal) == Rank::Missing => {
                // Nothing was presented so far: every way is named.
                let mut all = first;
                for challenge in refusal.challenges {
                    if !all.challenges.contains(&challenge) {
                        all.challenges.push(challenge);
                    }
                }
                all
            }
            Some(first) if rank(&refusal) > rank(&first) => refusal,
            Some(first) => first,
        });
    }
    Err(answer
        .unwrap_or_else(|| Refusal::of(Reason::CredentialsMissing))
        .into())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Missing,
    Refused,
    Unavailable,
}

fn rank(refusal: &Refusal) -> Rank {
    match refusal.reason.public() {
        public if public.status >= 500 => Rank::Unavailable,
        _ if refusal.reason == Reason::CredentialsMissing => Rank::Missing,
        _ => Rank::Refused,
    }
}

/// The refusal of credentials that don't belong together. All were presented, and any may be the
/// one to replace: each is challenged (RFC 9110 §11.6.1).
pub fn mismatch<H>(context: &Context<'_, H>, members: &[Authenticate]) -> Refusal {
    let mut refusal = Refusal::of(Reason::CredentialsMismatch);
    let authenticators = &context.gateway.policy.authenticators;
    challenge(authenticators, members, &mut refusal.challenges);
    refusal
}

fn challenge(
    authenticators: &[Authenticator],
    members: &[Authenticate],
    challenges: &mut Vec<Challenge>,
) {
    for member in members {
        match member {
            Authenticate::Public => {}
            Authenticate::Any(members) | Authenticate::All(members) => {
                challenge(authenticators, members, challenges);
            }
            Authenticate::One(index) => {
                let found = authenticators.get(*index);
                let refusal = found.map(|one| one.refuse(Reason::CredentialsMismatch));
                for challenge in refusal.into_iter().flat_map(|refusal| refusal.challenges) {
                    if !challenges.contains(&challenge) {
                        challenges.push(challenge);
                    }
                }
            }
        }
    }
}

/// All of them in order; the last token speaks, else the last that names a client.
fn all<H: Host + 'static>(
    context: &Context<'_, H>,
    members: &[Authenticate],
) -> Result<Identity, Stop> {
    let mut speaker: Option<Identity> = None;
    let mut tenant = None;
    let mut authorization_verified = false;
    for member in members {
        let identity = authenticate(context, member)?;
        // Whoever says nothing of a tenant can't contradict.
        match (&tenant, &identity.tenant) {
            (Some(one), Some(other)) if one != other => {
                return Err(mismatch(context, members).into());
            }
            (None, Some(_)) => tenant = identity.tenant.clone(),
            _ => {}
        }
        authorization_verified |= identity.authorization_verified;
        let speaks = match &speaker {
            None => true,
            Some(earlier) => identity.is_token || (!earlier.is_token && identity.client.is_some()),
        };
        if speaks {
            speaker = Some(identity);
        }
    }
    let identity = speaker.ok_or_else(|| Refusal::of(Reason::CredentialsMissing))?;
    Ok(Identity {
        tenant,
        authorization_verified,
        // What was made of one member's word alone may not be what all of them say.
        made: None,
        ..identity
    })
}
