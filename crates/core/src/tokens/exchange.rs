//! Asking a token endpoint for a token (RFC 6749 §4.4).

use super::{BreakerSettings, Pair, Retry, Signing};
use crate::expression::{Expression, Scope, Value, Variable, VariableSet};
use crate::host::Call;
use crate::policy::document::Secret;
use crate::variables;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};
use std::time::Duration;
use zeroize::Zeroizing;

/// How the client proves itself to the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// HTTP Basic with form-encoded parts (RFC 6749 §2.3.1).
    Basic,
    /// `client_id` and `client_secret` among the form's fields.
    Post,
    /// A JSON object with `client_id`, `client_secret` and `grant_type`.
    Json,
    /// An assertion that the gateway signs (RFC 7523 §2.2), `client_assertion` in the form.
    PrivateKeyJwt,
}

/// The type of an assertion that is a JWT (RFC 7523 §2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Where the reply holds what (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointers {
    /// The token. Default: `/access_token`.
    pub token: String,
    /// Its life in seconds. Default: `/expires_in`.
    pub expires_in: String,
    /// Its type. Default: `/token_type`.
    pub token_type: String,
}

impl Default for Pointers {
    fn default() -> Pointers {
        Pointers {
            token: "/access_token".to_owned(),
            expires_in: "/expires_in".to_owned(),
            token_type: "/token_type".to_owned(),
        }
    }
}

/// A token endpoint and how to ask it.
#[derive(Debug)]
pub struct Exchange {
    /// The token's name in the policy.
    pub name: String,
    /// The proxy's cluster.
    pub cluster: String,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host and port, as in the URL.
    pub authority: String,
    /// Path and query, as in the URL.
    pub path: String,
    /// The gateway's own pair; `None` where the caller's is exchanged.
    pub own: Option<Pair>,
    /// How the client proves itself.
    pub auth: ClientAuth,
    /// The assertion of [`ClientAuth::PrivateKeyJwt`], without the client's id as its `sub`.
    pub assertion: Option<Signing>,
    /// The scopes to ask for, joined by spaces; empty for none.
    pub scope: String,
    /// More form fields.
    pub form: Vec<(String, Expression)>,
    /// A JSON body instead of a form.
    pub json: Option<Expression>,
    /// More headers, names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// Where the reply holds what.
    pub pointers: Pointers,
    /// Where the reply tells no life and the token has no `exp`.
    pub default_lifetime: Duration,
    /// How long one call may take.
    pub timeout: Duration,
    /// How often a failing endpoint is tried.
    pub retry: Retry,
    /// When a failing endpoint is left alone.
    pub breaker: BreakerSettings,
    /// How long before its end a token is replaced.
    pub refresh_before: Duration,
    /// How long a refused pair is not asked about again.
    pub cache_failures: Duration,
}

/// A body or field could not be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnevaluableRequest;

/// How long after the first try another one may begin, and go on: Envoy's default for a whole
/// request is as long, and nobody waits for what comes later.
const MAX_TRYING: Duration = Duration::from_secs(15);

/// What stays as it is in `application/x-www-form-urlencoded`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'*');

fn form_encode(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string()
}

impl Exchange {
    /// How long it is tried: a single call has its whole timeout, further ones share what is
    /// left.
    pub fn trying_time(&self) -> Duration {
        self.timeout.max(MAX_TRYING)
    }

    /// How long asking may take at the most.
    pub fn longest(&self) -> Duration {
        self.retry.longest(self.timeout).min(self.trying_time())
    }

    /// The call that exchanges this pair, with an assertion of its own where one proves the client.
    pub fn call(&self, pair: &Pair, assertion: Option<&str>) -> Result<Call, UnevaluableRequest> {
        let mut headers = vec![
            (":method".to_owned(), "POST".to_owned()),
            (":scheme".to_owned(), self.scheme.to_owned()),
            (":authority".to_owned(), self.authority.clone()),
            (":path".to_owned(), self.path.clone()),
            ("accept".to_owned(), "application/json".to_owned()),
        ];
        if self.auth == ClientAuth::Basic {
            let plain = Zeroizing::new(format!(
                "{}:{}",
                form_encode(&pair.id),
                form_encode(pair.secret.expose())
            ));
            headers.push((
                "authorization".to_owned(),
                format!("Basic {}", STANDARD.encode(plain.as_bytes())),
            ));
        }
        let content_type = match (&self.json, self.auth) {
            (Some(_), _) | (None, ClientAuth::Json) => "application/json",
            (None, _) => "application/x-www-form-urlencoded",
        };
        let body = match &pair.body {
            Some(body) => body.expose().to_owned(),
            None => {
                let mut scope = Scope::new();
                if let Some(assertion) = assertion {
                    scope.set(Variable::Assertion, assertion.into());
                }
                self.body(pair, scope)?
            }
        };
        headers.push(("content-type".to_owned(), content_type.to_owned()));
        for (name, value) in &self.headers {
            headers.retain(|(other, _)| other != name);
            headers.push((name.clone(), value.expose().to_owned()));
        }
        Ok(Call {
            cluster: self.cluster.clone(),
            headers,
            body: body.into_bytes(),
            timeout: self.timeout,
        })
    }

    /// What the body's expressions use.
    pub fn uses(&self) -> VariableSet {
        let form = self.form.iter().map(|(_, expression)| expression);
        variables::used(form.chain(&self.json))
    }

    /// Whether the body differs from request to request.
    pub fn reads_request(&self) -> bool {
        let uses = self.uses();
        uses.contains(Variable::Request) || uses.contains(Variable::Path)
    }

    /// The body that asks for this pair's token. `scope` holds those of `request` and `path`
    /// that are used, and the assertion where one proves the client.
    pub fn body(&self, pair: &Pair, mut scope: Scope) -> Result<String, UnevaluableRequest> {
        if self.json.is_some() || !self.form.is_empty() {
            scope.set(
                Variable::Client,
                Value::from_json(&json!({
                    "id": &*pair.id,
                    "secret": pair.secret.expose(),
                })),
            );
        }
        match (&self.json, self.auth) {
            (Some(json), _) => {
                let body = json.evaluate_json(&scope).map_err(|_| UnevaluableRequest)?;
                Ok(body.to_string())
            }
            (None, ClientAuth::Json) => self.json_body(pair, &scope),
            (None, _) => self.form_body(pair, &scope),
        }
    }

    fn fields(
        &self,
        pair: &Pair,
        scope: &Scope,
    ) -> Result<Vec<(String, String)>, UnevaluableRequest> {
        let mut fields = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
        if self.auth != ClientAuth::Basic {
            fields.push(("client_id".to_owned(), pair.id.to_string()));
        }
        match (self.auth, scope.get(Variable::Assertion)) {
            (ClientAuth::Post | ClientAuth::Json, _) => {
                fields.push(("client_secret".to_owned(), pair.secret.expose().to_owned()));
            }
            (ClientAuth::PrivateKeyJwt, Value::String(assertion)) => {
                let kind = "client_assertion_type".to_owned();
                fields.push((kind, ASSERTION_TYPE.to_owned()));
                fields.push(("client_assertion".to_owned(), assertion.to_string()));
            }
            _ => {}
        }
        if !self.scope.is_empty() {
            fields.push(("scope".to_owned(), self.scope.clone()));
        }
        for (name, expression) in &self.form {
            let value = expression
                .evaluate_text(scope)
                .map_err(|_| UnevaluableRequest)?;
            fields.retain(|(other, _)| other != name);
            fields.push((name.clone(), value.to_string()));
        }
        Ok(fields)
    }

    fn form_body(&self, pair: &Pair, scope: &Scope) -> Result<String, UnevaluableRequest> {
        let encoded: Vec<String> = self
            .fields(pair, scope)?
            .iter()
            .map(|(name, value)| format!("{}={}", form_encode(name), form_encode(value)))
            .collect();
        Ok(encoded.join("&"))
    }

    fn json_body(&self, pair: &Pair, scope: &Scope) -> Result<String, UnevaluableRequest> {
        let fields = self.fields(pair, scope)?;
        let object: serde_json::Map<String, Json> = fields
            .into_iter()
            .map(|(name, value)| (name, Json::String(value)))
            .collect();
        Ok(Json::Object(object).to_string())
    }
}
