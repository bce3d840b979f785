//! Keys of the clients' own: a token is proven by the keys of the client that it names.

use super::{Identity, Proof, TokenClaims, jwt};
use crate::credentials::{Client, ClientIndex, Clients};
use crate::decide::Context;
use crate::expression::{Expression, Scope, Variable};
use crate::host::Host;
use crate::jose::{Algorithm, Compact, Family, Key, KeyError, TokenError, verify};
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
    decoys: Decoys,
}

/// What a token is checked against that names no client with a usable key: the answer takes as
/// long then.
#[derive(Debug)]
struct Decoys {
    secret: Key,
    /// For each algorithm a client that has a public key for it; for others no client has.
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
            let index = clients.with_public_key_for(*algorithm)?;
            Some((*algorithm, index))
        });
        Ok(ClientKeys {
            client,
            decoys: Decoys {
                secret: Key::from_secret(&DECOY)?,
                public: public.collect(),
            },
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
            let id = self.named(context, TokenClaims::new(claims))?;
            let (_, client) = clients.find(&id)?;
            client.enabled.then_some(client)
        });
        let keys = client.map_or_else(Vec::new, |client| keys_of(client, compact, context));
        if !keys.is_empty() {
            let proven = keys.iter().find(|key| verify(compact, key, host));
            return proven
                .map(|key| Proof::by(key, None))
                .ok_or(TokenError::Signature);
        }
        if let Some(decoy) = self.decoys.of(compact.algorithm(), clients) {
            let _ = std::hint::black_box(verify(compact, decoy, host));
        }
        Err(TokenError::Signature)
    }

    /// The client that claims name.
    fn named<H: Host + 'static>(
        &self,
        context: &Context<'_, H>,
        claims: TokenClaims,
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

impl Decoys {
    fn of<'d>(&'d self, algorithm: Algorithm, clients: &'d Clients) -> Option<&'d Key> {
        if algorithm.family() == Family::Hmac {
            return Some(&self.secret);
        }
        let (_, index) = self.public.iter().find(|(one, _)| *one == algorithm)?;
        let mut keys = clients.get(*index)?.public_keys.iter();
        keys.find(|key| key.fits(algorithm))
    }
}

/// The client's keys that may prove the token now.
fn keys_of<'c, H: Host>(
    client: &'c Client,
    compact: &Compact<'_>,
    context: &Context<'_, H>,
) -> Vec<&'c Key> {
    let (algorithm, now) = (compact.algorithm(), context.now);
    match algorithm.family() {
        Family::Hmac => {
            let keys = client.signing_secrets.iter().map(|secret| secret.key());
            keys.filter(|key| key.fits(algorithm) && key.is_live(now))
                .collect()
        }
        _ => client
            .public_keys
            .candidates(compact.kid(), algorithm, now)
            .collect(),
    }
}
