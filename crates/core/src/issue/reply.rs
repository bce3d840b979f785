//! The answer with a token (RFC 6749 §5.1).

use super::Issue;
use crate::authenticate::Identity;
use crate::credentials::Client;
use crate::decide::Context;
use crate::expression::{Scope, Value, Variable};
use crate::host::Host;
use crate::http::{Refusal, Response};
use crate::reply::Reason;
use crate::tokens::Signed;
use crate::variables;
use serde_json::json;

impl Issue {
    /// The answer with a token for a client.
    ///
    /// # Errors
    /// The token can't be signed.
    pub fn respond<H: Host>(
        &self,
        context: &Context<'_, H>,
        identity: &Identity,
        client: &Client,
    ) -> Result<Response, Refusal> {
        let signed = self.sign(context, identity, client)?;
        let own = self.reply.as_ref().and_then(|reply| {
            let uses = reply.variables();
            let mut scope = Scope::new();
            variables::of_request(context, uses, &mut scope);
            identity.set_variables(uses, &mut scope);
            scope.set(Variable::Token, token(&signed));
            // A token that was given must not be lost: what can't be evaluated falls back.
            reply.evaluate_json(&scope).ok()
        });
        let body = match own {
            Some(serde_json::Value::String(text)) => text,
            Some(value) => value.to_string(),
            None => default_body(&signed, identity),
        };
        let headers = [
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
            ("pragma", "no-cache"),
        ];
        Ok(Response {
            status: 200,
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            body,
            what: "token",
        })
    }

    fn sign<H: Host>(
        &self,
        context: &Context<'_, H>,
        identity: &Identity,
        client: &Client,
    ) -> Result<Signed, Refusal> {
        let unsigned = || Refusal::for_now(Reason::Internal, 1);
        let gateway = context.gateway;
        let signing = gateway.policy.signings.get(self.token);
        let signing = signing.ok_or_else(unsigned)?;
        let mut scope = Scope::new();
        variables::of_request(context, signing.uses(), &mut scope);
        identity.set_variables(signing.uses(), &mut scope);
        let signed = gateway.sign_token(signing, &scope, Some(client));
        // The operator is told why.
        signed.map_err(|_| unsigned())
    }
}

fn token(signed: &Signed) -> Value {
    Value::map([
        ("value", Value::from(signed.value.as_str())),
        ("type", signed.token_type.into()),
        ("expires_in", seconds(signed.expires_in)),
        ("claims", Value::from_json(&signed.claims)),
    ])
}

fn seconds(seconds: u64) -> Value {
    Value::Int(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// RFC 6749 §5.1; the scope is told, since the request's own isn't read.
fn default_body(signed: &Signed, identity: &Identity) -> String {
    let mut body = json!({
        "access_token": signed.value,
        "token_type": signed.token_type,
        "expires_in": signed.expires_in,
    });
    if let (false, Some(members)) = (identity.scopes.is_empty(), body.as_object_mut()) {
        members.insert("scope".to_owned(), identity.scopes.join(" ").into());
    }
    body.to_string()
}
