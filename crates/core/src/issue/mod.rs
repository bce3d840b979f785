//! Token endpoints that are answered here (RFC 6749 §4.4): the client proves itself by what the
//! request says, and gets a token of the gateway's own.
//!
//! The story is [`crate::decide`]'s; this room has its steps. `fields` reads the body,
//! `assertion` judges a client's assertion, `replay` knows which ones were used, and `reply`
//! words the answer.

mod assertion;
mod fields;
pub mod replay;
mod reply;

pub use assertion::AssertionRules;
pub use fields::{Field, Fields, Wanted};

use crate::credentials::{
    Client, ExtractError, SecretWorth, Source, extract, judge_secret, read_basic,
};
use crate::decide::Context;
use crate::expression::Expression;
use crate::host::Host;
use crate::http::{Body, MAX_BODY, Refusal};
use crate::policy::document::Secret;
use crate::reply::{Challenge, Reason, Scheme};
use fields::{Said, form_text};
use replay::Use;

/// A token endpoint.
#[derive(Debug)]
pub struct Issue {
    /// The token that it gives, by index in the policy.
    pub token: usize,
    /// How a client proves itself.
    pub client_auth: ClientAuth,
    /// What the body must say.
    pub fields: Fields,
    /// The answer's body; without an expression that of RFC 6749 §5.1.
    pub reply: Option<Expression>,
}

/// How a client proves itself (RFC 6749 §2.3, RFC 7523 §2.2).
#[derive(Debug)]
pub enum ClientAuth {
    /// By a secret in the body: `client_secret_post`.
    SecretPost,
    /// By a secret in `Authorization: Basic`: `client_secret_basic`.
    SecretBasic,
    /// By an assertion that it signed: `private_key_jwt`.
    Assertion(AssertionRules),
}

/// A client that proved itself.
#[derive(Debug)]
pub struct Proven<'g> {
    /// The client.
    pub client: &'g Client,
    used: Option<Use>,
}

impl Issue {
    /// Whether the request's body is judged at all.
    pub fn reads_body(&self) -> bool {
        !self.fields.wanted.is_empty()
    }

    /// Refuses a body that says itself that it is too long.
    pub fn check_length<H>(&self, context: &Context<'_, H>) -> Result<(), Refusal> {
        let said = context.request.headers.first("content-length");
        // What is no number is the host's to refuse, and the bytes that come are counted.
        let said = said.and_then(|said| std::str::from_utf8(said).ok()?.parse::<u64>().ok());
        match said.is_some_and(|said| said > MAX_BODY as u64) {
            true => Err(Refusal::of(Reason::BodyTooLarge)),
            false => Ok(()),
        }
    }

    /// The client that a request proves. `body` is `None` where it isn't read.
    ///
    /// # Errors
    /// What is wrong with the body or the proof. A client that doesn't exist and a proof that
    /// is wrong are refused in the same words, after the same time.
    pub fn prove<'g, H: Host>(
        &self,
        context: &Context<'g, H>,
        body: Option<&Body>,
    ) -> Result<Proven<'g>, Refusal> {
        let said = match body {
            Some(body) => self.fields.read(context.request, body.bytes())?,
            None => Said::default(),
        };
        match &self.client_auth {
            ClientAuth::SecretPost => {
                let id = said.client_id.unwrap_or_default();
                let secret = said
                    .client_secret
                    .unwrap_or_else(|| Secret::from(String::new()));
                by_secret(context, &[(id, secret)]).map_err(Refusal::of)
            }
            ClientAuth::SecretBasic => {
                let proven = by_basic(context, said.client_id.as_deref());
                proven.map_err(|(reason, presented)| Refusal {
                    challenges: vec![Challenge {
                        scheme: Scheme::Basic,
                        presented,
                    }],
                    ..Refusal::of(reason)
                })
            }
            ClientAuth::Assertion(rules) => {
                let assertion = said.assertion.as_ref().map_or("", Secret::expose);
                let proven = rules.prove(context, said.client_id.as_deref(), assertion);
                proven
                    .and_then(|proven| match proven.client.enabled {
                        true => Ok(proven),
                        false => Err(Reason::ClientDisabled),
                    })
                    .map_err(Refusal::of)
            }
        }
    }
}

impl Proven<'_> {
    /// Writes down that the assertion was used, where that counts: right before the token is
    /// given, so that a caller who is refused for another reason can use it again.
    ///
    /// # Errors
    /// It was used before, or it can't be written down.
    pub fn spend<H: Host>(&self, context: &Context<'_, H>) -> Result<(), Refusal> {
        match &self.used {
            Some(used) => used.record(&context.gateway.host, context.now),
            None => Ok(()),
        }
    }
}

/// The client that one of these pairs proves.
fn by_secret<'g, H>(
    context: &Context<'g, H>,
    pairs: &[(String, Secret)],
) -> Result<Proven<'g>, Reason> {
    let mut refusal = Reason::ClientUnknown;
    for (id, secret) in pairs {
        let found = context.gateway.policy.clients.find(id);
        let client = found.map(|(_, client)| client);
        let own = client.map_or(&[][..], |client| &client.secrets);
        let worth = judge_secret(own, secret.expose(), context.now);
        refusal = match (client, worth) {
            (Some(client), SecretWorth::Proof) if client.enabled => {
                return Ok(Proven { client, used: None });
            }
            (Some(_), SecretWorth::Proof) => Reason::ClientDisabled,
            (Some(_), SecretWorth::Over) => Reason::ClientExpired,
            (Some(_), SecretWorth::Wrong) => Reason::ClientSecret,
            (None, _) => refusal,
        };
    }
    Err(refusal)
}

/// The client that `Authorization: Basic` proves, or why none, and whether anything was there.
///
/// RFC 6749 §2.3.1 has id and secret form-encoded before they are joined, and many clients don't
/// do it: both readings are tried.
fn by_basic<'g, H>(
    context: &Context<'g, H>,
    also_said: Option<&str>,
) -> Result<Proven<'g>, (Reason, bool)> {
    let source = Source::Header {
        name: "authorization".to_owned(),
        scheme: Some("Basic".to_owned()),
    };
    let query = context.target.query.as_deref();
    let credential = match extract(&[source], context.request, query) {
        Ok(Some(credential)) => credential,
        Ok(None) => return Err((Reason::CredentialsMissing, false)),
        Err(ExtractError::Duplicated) => return Err((Reason::CredentialsDuplicated, true)),
        Err(ExtractError::Malformed) => return Err((Reason::ClientMalformed, true)),
    };
    let pair = read_basic(&credential).map_err(|_| (Reason::ClientMalformed, true))?;
    let decoded = form_text(pair.id.as_bytes()).zip(form_text(pair.secret.expose().as_bytes()));
    let mut pairs = vec![(pair.id, pair.secret)];
    if let Some((id, secret)) = decoded {
        let decoded = (id, Secret::from(secret));
        if !pairs.contains(&decoded) {
            pairs.push(decoded);
        }
    }
    // RFC 6749 §3.2.1 lets the body name the client, too: it must be the same one.
    pairs.retain(|(id, _)| also_said.is_none_or(|said| id == said));
    if pairs.is_empty() {
        return Err((Reason::ClientMalformed, true));
    }
    by_secret(context, &pairs).map_err(|reason| (reason, true))
}
