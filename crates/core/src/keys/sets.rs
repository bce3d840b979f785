//! What one worker knows of the fetched key sets.

use super::UnknownKids;
use crate::jose::KeySet;
use futures_util::future::{LocalBoxFuture, Shared};
use std::cell::RefCell;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

/// A key set's place and how fresh it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteKeys {
    /// The URL, for logs.
    pub url: String,
    /// The proxy's cluster.
    pub cluster: String,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host and port, as in the URL.
    pub authority: String,
    /// Path and query, as in the URL.
    pub path: String,
    /// How old a set may get before it is fetched again.
    pub refresh: Duration,
    /// How long a fetch may take.
    pub timeout: Duration,
}

/// A key set as a request finds it.
#[derive(Clone)]
pub struct KeysState {
    /// The keys; `None` before the first fetch, or when they are too old to be trusted.
    pub set: Option<Rc<KeySet>>,
    /// Grows with every change of the set: what was verified under another is checked anew.
    pub generation: NonZeroU32,
}

pub(super) type Flight = Shared<LocalBoxFuture<'static, ()>>;

/// One set's state.
pub(super) struct SetState {
    pub set: Option<Rc<KeySet>>,
    pub generation: NonZeroU32,
    pub digest: [u8; 32],
    /// When the set was last known to be its server's word.
    pub fetched_at: Duration,
    /// When it should be fetched next.
    pub due: Duration,
    /// Until when no request causes a fetch, since one just failed.
    pub failed_until: Duration,
    /// How unknown `kid`s have fared.
    pub unknown: UnknownKids,
    pub fetch: Option<Flight>,
    pub refetch: Option<Flight>,
}

/// The state of every set of a policy.
pub struct RemoteSets(pub(super) Vec<RefCell<SetState>>);

impl RemoteSets {
    /// Ends what is under way.
    pub(crate) fn clear(&self) {
        for state in &self.0 {
            let mut state = state.borrow_mut();
            state.fetch = None;
            state.refetch = None;
        }
    }

    /// As many sets as the policy has, none of them fetched yet.
    pub fn new(count: usize) -> RemoteSets {
        let fresh = || SetState {
            set: None,
            generation: NonZeroU32::MIN,
            digest: [0; 32],
            fetched_at: Duration::ZERO,
            due: Duration::ZERO,
            failed_until: Duration::ZERO,
            unknown: UnknownKids::default(),
            fetch: None,
            refetch: None,
        };
        RemoteSets((0..count).map(|_| RefCell::new(fresh())).collect())
    }
}
