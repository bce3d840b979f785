//! Bounds that no single server can use up: how many requests wait for it, and how many calls to
//! it are under way.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// How many requests of one worker may wait for one server: half of all that may wait.
const MAX_WAITING: usize = 2048;
/// How many bytes of heads they may hold.
const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;
/// How many calls may be under way or queued in all. Half of them are divided among the
/// servers, and the other half is for whoever comes first: a flood of pairs at one endpoint
/// leaves every other one its share.
const MAX_CALLS: usize = 1024;

/// A server that is asked, by index in the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// An exchange's token endpoint.
    Exchange(usize),
    /// An authenticator's look-up.
    Lookup(usize),
    /// A key set's server.
    Keys(usize),
}

/// Who waits for which server. A policy has few servers: they are found one by one.
#[derive(Debug, Default)]
pub struct Waiters(RefCell<Vec<(Endpoint, Rc<Load>)>>);

#[derive(Debug, Default)]
struct Load {
    requests: Cell<usize>,
    bytes: Cell<usize>,
}

/// A request's place among those that wait for a server; dropping it frees it.
#[derive(Debug)]
pub struct Place {
    load: Rc<Load>,
    bytes: usize,
}

impl Waiters {
    /// A place for a request of so many bytes, unless too many have one.
    pub fn enter(&self, endpoint: Endpoint, bytes: usize) -> Option<Place> {
        let load = self.load(endpoint);
        let requests = load.requests.get().saturating_add(1);
        let held = load.bytes.get().saturating_add(bytes);
        if requests > MAX_WAITING || held > MAX_WAITING_BYTES {
            return None;
        }
        load.requests.set(requests);
        load.bytes.set(held);
        Some(Place { load, bytes })
    }

    fn load(&self, endpoint: Endpoint) -> Rc<Load> {
        let mut loads = self.0.borrow_mut();
        if let Some((_, load)) = loads.iter().find(|(other, _)| *other == endpoint) {
            return load.clone();
        }
        let load = Rc::<Load>::default();
        loads.push((endpoint, load.clone()));
        load
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Load { requests, bytes } = &*self.load;
        requests.set(requests.get().saturating_sub(1));
        bytes.set(bytes.get().saturating_sub(self.bytes));
    }
}

/// How many calls are under way.
#[derive(Debug, Default)]
pub struct CallBudget {
    calls: Vec<(Endpoint, usize)>,
    /// What each server has for itself.
    share: usize,
}

impl CallBudget {
    /// A budget for so many servers.
    pub fn new(servers: usize) -> CallBudget {
        CallBudget {
            calls: Vec::new(),
            share: (MAX_CALLS / 2 / servers.max(1)).max(1),
        }
    }

    /// Counts a call, unless it would be one too many.
    pub fn enter(&mut self, endpoint: Endpoint) -> bool {
        let beyond = |(_, calls): &(Endpoint, usize)| calls.saturating_sub(self.share);
        let common: usize = self.calls.iter().map(beyond).sum();
        let Some((_, calls)) = self.calls.iter_mut().find(|(other, _)| *other == endpoint) else {
            self.calls.push((endpoint, 1));
            return true;
        };
        let free = *calls < self.share || common < MAX_CALLS / 2;
        *calls += usize::from(free);
        free
    }

    /// A call has ended.
    pub fn leave(&mut self, endpoint: Endpoint) {
        if let Some((_, calls)) = self.calls.iter_mut().find(|(other, _)| *other == endpoint) {
            *calls = calls.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Endpoint::*;

    #[test]
    fn one_server_leaves_every_other_its_share_of_calls() {
        let mut budget = CallBudget::new(4);
        let mut fill = |endpoint| (0..).take_while(|_| budget.enter(endpoint)).count();
        assert_eq!(fill(Exchange(0)), 128 + 512);
        assert_eq!(fill(Exchange(1)), 128);
        assert_eq!(fill(Lookup(0)), 128);
        budget.leave(Exchange(0));
        assert!(budget.enter(Exchange(1)), "what is common is free again");
        assert!(!budget.enter(Exchange(0)));
        budget.leave(Exchange(1));
        budget.leave(Exchange(1));
        assert!(budget.enter(Exchange(1)));
    }

    #[test]
    fn places_are_free_again_when_dropped() {
        let waiters = Waiters::default();
        let mut places: Vec<_> = (0..MAX_WAITING)
            .map(|_| waiters.enter(Keys(0), 10).expect("a place"))
            .collect();
        assert!(waiters.enter(Keys(0), 10).is_none());
        assert!(waiters.enter(Keys(1), MAX_WAITING_BYTES).is_some());
        assert!(waiters.enter(Keys(1), MAX_WAITING_BYTES + 1).is_none());
        places.pop();
        assert!(waiters.enter(Keys(0), MAX_WAITING_BYTES).is_none());
        assert!(waiters.enter(Keys(0), 10).is_some());
    }
}
