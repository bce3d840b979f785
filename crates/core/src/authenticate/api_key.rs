//! Keys of the embedded store.

use super::{Authenticator, ClientFacts, Identity, Stop};
use crate::credentials::key_shape::{Shape, shape};
use crate::credentials::{ExtractError, Source, extract};
use crate::decide::Context;
use crate::expression::{Expression, Scope};
use crate::host::Host;
use crate::reply::Reason;
use crate::variables;

/// A key of the embedded store.
#[derive(Debug)]
pub struct ApiKeyAuthenticator {
    /// Where a key may stand.
    pub from: Vec<Source>,
    /// What every key begins with; empty for no such shape.
    pub prefix: String,
    /// The only tenant whose keys are valid here.
    pub require_tenant: Option<Expression>,
}

pub(super) fn authenticate<H: Host + 'static>(
    context: &Context<'_, H>,
    authenticator: &Authenticator,
    own: &ApiKeyAuthenticator,
) -> Result<Identity, Stop> {
    let refuse = |reason| Stop::from(authenticator.refuse(reason));
    let query = context.target.query.as_deref();
    let presented = match extract(&own.from, context.request, query) {
        Ok(Some(presented)) => presented,
        Ok(None) => return Err(authenticator.missing().into()),
        Err(ExtractError::Duplicated) => return Err(refuse(Reason::CredentialsDuplicated)),
        Err(ExtractError::Malformed) => return Err(refuse(Reason::ApiKeyMalformed)),
    };
    if !presented.starts_with(&own.prefix) {
        return Err(refuse(Reason::ApiKeyMalformed));
    }
    // Keys from elsewhere have other shapes, and pass.
    if !own.prefix.is_empty() && shape(&own.prefix, &presented) == Shape::Damaged {
        return Err(refuse(Reason::ApiKeyMalformed));
    }
    let clients = &context.gateway.policy.clients;
    let Some(key) = clients.find_key(&presented) else {
        return Err(refuse(Reason::ApiKeyUnknown));
    };
    // From here on it is known whose key it is, which the operator may know too.
    let refuse = |reason| {
        let id = key.id.as_deref().unwrap_or("without id");
        let client = clients.get(key.client).map_or("", |client| &client.id);
        let note = format!("key {id} of client {client}");
        Stop::from(authenticator.refuse(reason).noting(note))
    };
    if key.revoked {
        return Err(refuse(Reason::ApiKeyRevoked));
    }
    if key.expires.is_some_and(|end| end <= context.now) {
        return Err(refuse(Reason::ApiKeyExpired));
    }
    if key.not_before.is_some_and(|start| start > context.now) {
        return Err(refuse(Reason::ApiKeyNotYetValid));
    }
    let client = clients
        .get(key.client)
        .filter(|client| client.enabled)
        .ok_or_else(|| refuse(Reason::ApiKeyClientDisabled))?;
    if let Some(expression) = &own.require_tenant {
        let mut scope = Scope::new();
        variables::of_request(context, expression.variables(), &mut scope);
        let tenant = expression.evaluate_text(&scope);
        if !tenant.is_ok_and(|tenant| client.tenant.as_deref() == Some(&*tenant)) {
            return Err(refuse(Reason::ApiKeyTenant));
        }
    }
    Ok(Identity {
        client: Some(ClientFacts::from(client)),
        tenant: client.tenant.clone(),
        scopes: key.scopes.clone(),
        ..Identity::default()
    })
}
