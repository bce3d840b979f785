//! Requests whose rule judges their body, while it is still coming.
//!
//! The host keeps the bytes and tells how many there are; it hands them over once all have
//! come. What is held here is the head, for a bounded number of requests and a bounded time:
//! a caller that sends slowly holds up nobody else.

use super::{Decision, Engine, Gateway};
use crate::decide::Plan;
use crate::host::Host;
use crate::http::{Body, MAX_BODY, Refusal, Verdict};
use crate::reply::Reason;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// How many requests of one worker may have bodies that are still coming; the next is refused
/// with 503. The host may hold [`MAX_BODY`] bytes for each: 16 MiB.
const MAX_BODIES: usize = 1024;
/// How many bytes of heads they may hold.
const MAX_HEAD_BYTES: usize = 8 * 1024 * 1024;
/// How long a body may take from the head on. A caller that needs longer for 16 KiB is broken,
/// or holds a place on purpose.
pub const MAX_BODY_TIME: Duration = Duration::from_secs(10);

/// The requests whose bodies are still coming.
#[derive(Default)]
pub(super) struct Bodies {
    coming: RefCell<BTreeMap<u32, Coming>>,
}

struct Coming {
    plan: Box<Plan>,
    end: Duration,
}

impl Bodies {
    pub(super) fn forget(&self, id: u32) {
        self.coming.borrow_mut().remove(&id);
    }

    fn take(&self, id: u32) -> Option<Box<Plan>> {
        let coming = self.coming.borrow_mut().remove(&id)?;
        Some(coming.plan)
    }

    fn has_room(&self, more: usize) -> bool {
        let coming = self.coming.borrow();
        let held: usize = coming.values().map(|coming| coming.plan.size()).sum();
        coming.len() < MAX_BODIES && held.saturating_add(more) <= MAX_HEAD_BYTES
    }
}

impl<H: Host + 'static> Gateway<H> {
    /// Lets a request wait for its body.
    pub(super) fn await_body(&self, id: u32, plan: Box<Plan>) -> Decision {
        if !self.bodies.has_room(plan.size()) {
            return Decision::Now(plan.refuse(self, Refusal::for_now(Reason::Overloaded, 1)));
        }
        let end = self.host.now().saturating_add(MAX_BODY_TIME);
        // An id that is there already was another request's, which is gone.
        let coming = Coming { plan, end };
        self.bodies.coming.borrow_mut().insert(id, coming);
        Decision::NeedsBody
    }

    /// Decides, since the body will not be known.
    fn without_body(self: &Rc<Self>, plan: Box<Plan>, reason: Reason) -> Verdict {
        plan.with_body(self, Err(reason))
            // Nothing else is asked for once that is clear.
            .unwrap_or_else(|plan| plan.refuse(self, Refusal::of(Reason::Internal)))
    }

    /// Refuses the requests whose bodies took too long.
    pub(super) fn refuse_late_bodies(self: &Rc<Self>, now: Duration) {
        let late: Vec<(u32, Coming)> = {
            let mut coming = self.bodies.coming.borrow_mut();
            for one in coming.values_mut() {
                // A clock that went back would leave it waiting for as long.
                one.end = one.end.min(now.saturating_add(MAX_BODY_TIME));
            }
            coming.extract_if(.., |_, one| one.end <= now).collect()
        };
        for (id, one) in late {
            let verdict = self.without_body(one.plan, Reason::BodyTimeout);
            self.decided.borrow_mut().push((id, verdict));
        }
    }
}

impl<H: Host + 'static> Engine<H> {
    /// So many bytes of a request's body have come by now, and it isn't whole yet. A verdict is
    /// a refusal, since they are too many; the rest needn't be waited for.
    pub fn body_so_far(&self, id: u32, size: usize) -> Option<Verdict> {
        match size <= MAX_BODY {
            true => None,
            false => self.refuse_body(id, Reason::BodyTooLarge),
        }
    }

    /// A request's body is whole: decides, as [`Engine::decide`] does.
    pub fn body_whole(&self, id: u32, body: Vec<u8>) -> Decision {
        if let Some(verdict) = self.body_so_far(id, body.len()) {
            return Decision::Now(verdict);
        }
        let Some(plan) = self.gateway.bodies.take(id) else {
            // It was refused already: that verdict comes with the next turn.
            return Decision::Later;
        };
        match plan.with_body(&self.gateway, Ok(Body::new(body))) {
            Ok(verdict) => Decision::Now(verdict),
            Err(plan) => self.gateway.resume_later(id, plan),
        }
    }

    /// A request's body has come to the host, but the host doesn't show it: refuses, rather
    /// than waiting for what never comes. `None` where nobody waits for it.
    pub fn body_withheld(&self, id: u32) -> Option<Verdict> {
        self.refuse_body(id, Reason::BodyWithheld)
    }

    fn refuse_body(&self, id: u32, reason: Reason) -> Option<Verdict> {
        let plan = self.gateway.bodies.take(id)?;
        Some(self.gateway.without_body(plan, reason))
    }
}
