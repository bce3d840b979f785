//! Whether the proxy shows the bodies that a decision waits for.
//!
//! Envoy calls a filter for a body only after its head went on, unless the plugin has
//! `allow_on_headers_stop_iteration: true` (measured on 1.40). Without it a request that is kept
//! back until its body is known would hang. The plugin can't read that option. But it can see how
//! many bytes of a request have come: where they grow and no callback does, the option is missing.

use crate::host::log;
use crate::hostcalls;
use doorward_core::host::Level;
use doorward_core::observe::Throttle;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

/// The requests whose bodies are awaited, until the first body is shown: from then on all are.
#[derive(Default)]
pub struct Bodies {
    shown: Cell<bool>,
    unseen: RefCell<BTreeMap<u32, Unseen>>,
    told: Throttle,
}

/// A request of whose body no part was shown.
struct Unseen {
    /// The request's size when its head came.
    head: u64,
    /// Whether the last look found more than the head. Another filter may hold a body back
    /// for a moment, so one look isn't enough.
    grown: bool,
}

impl Bodies {
    /// The body of the effective context's request is awaited from now on.
    pub fn await_first(&self, id: u32) {
        if !self.shown.get()
            && let Some(head) = size()
        {
            let unseen = Unseen { head, grown: false };
            self.unseen.borrow_mut().insert(id, unseen);
        }
    }

    /// A part of a body was shown.
    pub fn show(&self) {
        if !self.shown.replace(true) {
            self.unseen.borrow_mut().clear();
        }
    }

    /// Nobody waits for this request's body any more.
    pub fn forget(&self, id: u32) {
        self.unseen.borrow_mut().remove(&id);
    }

    /// The requests whose bodies came and weren't shown, at two looks in a row. It changes the
    /// effective context.
    pub fn withheld(&self) -> Vec<u32> {
        let mut unseen = self.unseen.borrow_mut();
        let found = unseen.extract_if(.., |id, request| {
            let looked = hostcalls::set_effective_context(*id).ok();
            let grown = looked
                .and_then(|()| size())
                .is_some_and(|size| size > request.head);
            grown && std::mem::replace(&mut request.grown, grown)
        });
        found.map(|(id, _)| id).collect()
    }

    /// Tells the operator how to mend it, at most once a second.
    pub fn tell_withheld(&self, now: Duration) {
        if self.told.pass(now).is_some() {
            log(
                Level::Error,
                "a token request's body reached the proxy, but the proxy doesn't show it to this \
                 filter: set `allow_on_headers_stop_iteration: true` beside `configuration` in the \
                 filter's `config`; the request was answered with 503",
            );
        }
    }
}

/// How many bytes of the effective context's request have come.
fn size() -> Option<u64> {
    let size = hostcalls::property(&["request", "total_size"]).ok()?;
    size.first_chunk().map(|size| u64::from_le_bytes(*size))
}
