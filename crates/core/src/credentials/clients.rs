//! The embedded store of clients and their API keys.

use super::SecretDigest;
use crate::cache::ByPrefix;
use crate::jose::{
    Algorithm, Compact, HostVerifier, Key, KeySet, MAX_CANDIDATES, PrivateKey, verify,
};
use hashbrown::HashMap;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// A client's place in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientIndex(usize);

/// One caller.
pub struct Client {
    /// The name that tokens and keys resolve to.
    pub id: Rc<str>,
    /// The tenant that it belongs to.
    pub tenant: Option<Rc<str>>,
    /// What it may do.
    pub scopes: Rc<[String]>,
    /// false refuses all that belongs to it.
    pub enabled: bool,
    /// Free values for expressions: a JSON object.
    pub metadata: Rc<Value>,
    /// Secrets, any of which proves it at a token endpoint.
    pub secrets: Vec<SecretDigest>,
    /// Keys that prove its assertions.
    pub public_keys: KeySet,
    /// Those of its secrets that tokens can be signed with, in the policy's order.
    pub signing_secrets: Vec<PrivateKey>,
}

/// Metadata is free, so it may hold what must not show.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("tenant", &self.tenant)
            .field("scopes", &self.scopes)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

impl Client {
    fn keys_for(&self, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        let keys = self.public_keys.iter();
        keys.filter(move |key| key.fits(algorithm))
    }
}

/// The client's live public key that proves a token.
///
/// Where none does, keys of `decoy` are tried until there were as many as this token could be held
/// against: that a client doesn't exist, or how many keys it has, takes no other time. So `decoy`
/// is the client with the most of them ([`Clients::with_public_keys_for`]).
///
/// # Errors
/// Whether a key of the client's was tried.
pub fn proving_key<'c>(
    client: Option<&'c Client>,
    decoy: Option<&Client>,
    compact: &Compact<'_>,
    now: Duration,
    host: &dyn HostVerifier,
) -> Result<&'c Key, bool> {
    let (kid, algorithm) = (compact.kid(), compact.algorithm());
    let mut tried = 0;
    let own = client.map(|client| client.public_keys.candidates(kid, algorithm, now));
    for key in own.into_iter().flatten() {
        tried += 1;
        if verify(compact, key, host) {
            return Ok(key);
        }
    }
    // Every key of a client's has an id: a token that names one is held against one.
    let most = kid.map_or(MAX_CANDIDATES, |_| 1);
    let others = decoy
        .into_iter()
        .flat_map(|decoy| decoy.keys_for(algorithm));
    for key in others.take(most).skip(tried) {
        std::hint::black_box(verify(compact, key, host));
    }
    Err(tried > 0)
}

/// One API key.
#[derive(Debug)]
pub struct ApiKey {
    /// The key's name, for logs; the key itself is never logged.
    pub id: Option<Rc<str>>,
    /// Whose it is.
    pub client: ClientIndex,
    /// The key's scopes: the client's, or a part of them.
    pub scopes: Rc<[String]>,
    /// Not accepted before, since the epoch.
    pub not_before: Option<Duration>,
    /// Not accepted from then on, since the epoch.
    pub expires: Option<Duration>,
    /// Not accepted any more.
    pub revoked: bool,
}

/// The store. Keys lie where the beginnings of their digests put them: a look-up costs the same
/// from one key to a hundred thousand.
#[derive(Debug, Default)]
pub struct Clients {
    clients: Vec<Client>,
    by_id: BTreeMap<Rc<str>, ClientIndex>,
    keys: HashMap<[u8; 32], ApiKey, ByPrefix>,
}

/// The SHA-256 of a key, under which it is stored.
pub fn digest(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

impl Clients {
    /// Adds a client; `None` where its id is taken.
    pub fn add(&mut self, client: Client) -> Option<ClientIndex> {
        let index = ClientIndex(self.clients.len());
        if self.by_id.contains_key(&client.id) {
            return None;
        }
        self.by_id.insert(client.id.clone(), index);
        self.clients.push(client);
        Some(index)
    }

    /// Makes room for so many more keys.
    pub fn reserve_keys(&mut self, keys: usize) {
        self.keys.reserve(keys);
    }

    /// Adds a key under its digest; `false` where it is taken.
    pub fn add_key(&mut self, digest: [u8; 32], key: ApiKey) -> bool {
        self.keys.insert(digest, key).is_none()
    }

    /// The client at a place of this store.
    pub fn get(&self, index: ClientIndex) -> Option<&Client> {
        self.clients.get(index.0)
    }

    /// The client of this id.
    pub fn find(&self, id: &str) -> Option<(ClientIndex, &Client)> {
        let index = *self.by_id.get(id)?;
        Some((index, self.get(index)?))
    }

    /// The client that has the most public keys for this algorithm; none where no client has any.
    pub fn with_public_keys_for(&self, algorithm: Algorithm) -> Option<ClientIndex> {
        let clients = self.clients.iter().enumerate();
        let counted = clients.map(|(index, client)| (client.keys_for(algorithm).count(), index));
        let (count, index) = counted.max()?;
        (count > 0).then_some(ClientIndex(index))
    }

    /// The key that was presented.
    ///
    /// The search itself needs no constant time: what it compares is a SHA-256 of what was
    /// presented, which a caller can't steer towards a stored one.
    pub fn find_key(&self, presented: &str) -> Option<&ApiKey> {
        let digest = digest(presented.as_bytes());
        let (stored, key) = self.keys.get_key_value(&digest)?;
        bool::from(stored.ct_eq(&digest)).then_some(key)
    }

    /// How many keys there are.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }
}

impl ApiKey {
    /// A key of a client, with no limits in time; its digest is given with
    /// [`Clients::add_key`].
    pub fn of(client: ClientIndex, scopes: Rc<[String]>) -> ApiKey {
        ApiKey {
            id: None,
            client,
            scopes,
            not_before: None,
            expires: None,
            revoked: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: &str) -> Client {
        Client {
            id: id.into(),
            tenant: None,
            scopes: Rc::new([]),
            enabled: true,
            metadata: Rc::new(Value::Null),
            secrets: Vec::new(),
            public_keys: KeySet::default(),
            signing_secrets: Vec::new(),
        }
    }

    #[test]
    fn every_key_is_found_and_no_other() {
        let mut clients = Clients::default();
        let index = clients.add(client("a")).unwrap();
        for number in 0..500 {
            let key = ApiKey {
                id: Some(format!("k-{number}").into()),
                ..ApiKey::of(index, Rc::new([]))
            };
            assert!(clients.add_key(digest(format!("secret-{number}").as_bytes()), key));
        }
        for number in 0..500 {
            let found = clients.find_key(&format!("secret-{number}")).unwrap();
            assert_eq!(found.id.as_deref(), Some(format!("k-{number}").as_str()));
        }
        assert!(clients.find_key("secret-500").is_none());
        assert!(clients.find_key("").is_none());
    }

    #[test]
    fn ids_and_keys_are_taken_once() {
        let mut clients = Clients::default();
        let index = clients.add(client("a")).unwrap();
        assert!(clients.add(client("a")).is_none());
        assert!(clients.add_key(digest(b"x"), ApiKey::of(index, Rc::new([]))));
        assert!(!clients.add_key(digest(b"x"), ApiKey::of(index, Rc::new([]))));
        assert_eq!(clients.key_count(), 1);
    }
}
