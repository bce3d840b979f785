//! Keys of the clients' own: a token is proven by the keys of the client that it names.

use super::{Identity, Proof, jwt};
use crate::credentials::{Client, ClientIndex, Clients, proving_key};
use crate::decide::Context;
use crate::expression::{Expression, Scope, Variable};
use crate::host::Host;
use crate::jose::{Algorithm, Claims, Compact, Family, Key, KeyError, TokenError, verify};
use crate::variables;
use std::rc::Rc;

/// A secret as long as the longest hash asks for, which signs nothing.
const DECOY: [u8; 64] = [0x5a; 64];

/// Each client's own keys.
#[derive(Debug)]
pub struct ClientKeys {
    /// The client whose keys they are. It sees claims that nobody has proven yet, and decides
    /// about nothing but the keys.
    pub client: Expression,
    /// What a token is checked against that names no client with a usable secret: the answer
    /// takes as long then.
    secret: Key,
    /// The same for public keys: for each algorithm the client with the most of them.
    public: Vec<(Algorithm, ClientIndex)>,
}

impl ClientKeys {
    /// The keys of these clients, for these algorithms.
    ///
    /// # Errors
    /// None in practice.
    pub fn new(
        client: Expression,
        algorithms: &[Algorithm],
        clients: &Clients,
    ) -> Result<ClientKeys, KeyError> {
        let public = algorithms.iter().filter_map(|algorithm| {
            let index = clients.with_public_keys_for(*algorithm)?;
            Some((*algorithm, index))
        });
        Ok(ClientKeys {
            client,
            secret: Key::from_secret(&DECOY)?,
            public: public.collect(),
        })
    }

    /// The live key of the client that the token names which proves it. That there is none, or no
    /// such client, looks like a bad signature.
    pub(super) fn prove<H: Host + 'static>(
        &self,
        context: &Context<'_, H>,
        compact: &Compact<'_>,
    ) -> Result<Proof, TokenError> {
        let host = &context.gateway.host;
        let clients = &context.gateway.policy.clients;
        let claims = match compact.claims() {
            Ok(claims) => Some(claims),
            Err(TokenError::Malformed) => return Err(TokenError::Malformed),
            Err(_) => None,
        };
        let client = claims.and_then(|claims| {
            let id = self.named(context, claims)?;
            let (_, client) = clients.find(&id)?;
            client.enabled.then_some(client)
        });
        let algorithm = compact.algorithm();
        let proven = match algorithm.family() {
            Family::Hmac => self.proving_secret(context, client, compact),
            _ => {
                let decoy = self.public.iter().find(|(other, _)| *other == algorithm);
                let decoy = decoy.and_then(|(_, client)| clients.get(*client));
                proving_key(client, decoy, compact, context.now, host).ok()
            }
        };
        let proof = proven.map(|key| Proof::by(key, None));
        proof.ok_or(TokenError::Signature)
    }

    /// The client's live secret that proves a token. Without any the decoy takes the time.
    fn proving_secret<'c, H: Host>(
        &self,
        context: &Context<'_, H>,
        client: Option<&'c Client>,
        compact: &Compact<'_>,
    ) -> Option<&'c Key> {
        let host = &context.gateway.host;
        let own = client.map_or(&[][..], |client| &client.signing_secrets);
        let own = own.iter().map(|secret| secret.key());
        let usable = |key: &&Key| key.fits(compact.algorithm()) && key.is_live(context.now);
        let mut own = own.filter(usable).peekable();
        if own.peek().is_none() {
            std::hint::black_box(verify(compact, &self.secret, host));
        }
        own.find(|key| verify(compact, key, host))
    }

    /// The client that claims name.
    fn named<H: Host + 'static>(
        &self,
        context: &Context<'_, H>,
        claims: Claims,
    ) -> Option<std::sync::Arc<str>> {
        let uses = self.client.variables();
        let mut scope = Scope::new();
        variables::of_request(context, uses, &mut scope);
        if uses.contains(Variable::Claims) {
            let identity = Identity {
                claims: Some(Rc::new(claims)),
                ..Identity::default()
            };
            identity.set_variables(uses, &mut scope);
        }
        jwt::text(self.client.evaluate_text(&scope))
    }
}
