//! Tokens that go to the upstream, each used again for the first half of its life.

use super::{SignError, Signing};
use crate::cache::ByPrefix;
use crate::credentials::Client;
use crate::engine::Gateway;
use crate::expression::Scope;
use crate::host::Host;
use crate::tokens::SlotKey;
use schnellru::{ByLength, LruMap};
use serde_json::Value;
use std::rc::Rc;
use std::time::Duration;

/// How many tokens one worker keeps; the least recently used goes first.
const KEPT: u32 = 1024;

/// The longest token that is kept, in bytes: longer ones are signed each time.
const MAX_KEPT: usize = 4096;

/// A bounded number of signed tokens, each with the times between which it is used.
pub struct Reused(LruMap<SlotKey, (Duration, Duration, Rc<str>), ByLength, ByPrefix>);

impl Default for Reused {
    fn default() -> Reused {
        Reused(LruMap::with_hasher(ByLength::new(KEPT), ByPrefix))
    }
}

impl<H: Host> Gateway<H> {
    /// A token as [`Gateway::sign_token`] signs it, perhaps one that the same claims were signed
    /// for not long ago. For the upstream only: what is handed out has a name of its own.
    ///
    /// # Errors
    /// As [`Gateway::sign_token`].
    pub fn reuse_token(
        &self,
        index: usize,
        signing: &Signing,
        scope: &Scope,
        client: Option<&Client>,
    ) -> Result<Rc<str>, SignError> {
        self.told(signing, || {
            let now = self.host.now();
            // A token changes with its key, whoever is the first to be live.
            let (place, key) = signing.key(client, now)?;
            let claims = signing.claims(scope)?;
            let text = Value::Object(claims.clone()).to_string();
            let id = client.map_or(&[][..], |client| client.id.as_bytes());
            let parts = [&place.to_le_bytes()[..], id, text.as_bytes()];
            let slot = SlotKey::of_signed(&self.policy.digest, index, &parts);
            let mut reused = self.signer.reused.borrow_mut();
            if let Some((begin, end, token)) = reused.0.get(&slot)
                // A clock that went back would make it one of the future.
                && (*begin..*end).contains(&now)
            {
                return Ok(token.clone());
            }
            let signed = signing.sign(key, claims, self.signer.name(key, now), now)?;
            let token: Rc<str> = signed.value.into();
            if token.len() <= MAX_KEPT {
                let end = now.saturating_add(signing.lifetime / 2);
                reused.0.insert(slot, (now, end, token.clone()));
            }
            Ok(token)
        })
    }
}
