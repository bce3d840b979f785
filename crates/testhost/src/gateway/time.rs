//! Time, and all that happens by itself in it.

use super::Gateway;
use super::lifecycle::context;
use crate::callout::Answering;
use crate::trace::Place;
use crate::world::Due;
use std::time::Duration;

impl Gateway {
    /// Lets time pass: ticks, messages, timeouts and delayed answers come in the order of
    /// their times.
    pub fn advance(&mut self, time: Duration) {
        let end = self.world.borrow().now.saturating_add(time);
        self.settle();
        loop {
            let next = self.world.borrow_mut().take_due(end);
            let Some((at, due)) = next else {
                break;
            };
            let now = self.world.borrow().now;
            self.world.borrow_mut().now = now.max(at);
            self.happen(due);
            self.settle();
        }
        self.world.borrow_mut().now = end;
    }

    /// Sets the wall clock that the filter reads forward, while timers go on as before.
    pub fn jump_clock(&mut self, by: Duration) {
        let mut world = self.world.borrow_mut();
        world.note(Place::Test, format!("sets the clock {by:?} forward"));
        world.ahead = world.ahead.saturating_add(by);
    }

    /// Sets the wall clock that the filter reads back, while timers go on as before.
    pub fn jump_clock_back(&mut self, by: Duration) {
        let mut world = self.world.borrow_mut();
        world.note(Place::Test, format!("sets the clock {by:?} back"));
        world.behind = world.behind.saturating_add(by);
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let world = self.world.borrow();
        world.now.saturating_sub(world.start)
    }

    /// The wall clock that the filter reads, as time since the Unix epoch.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.world.borrow().wall_clock()
    }

    /// Does all that is due at this moment.
    pub(super) fn settle(&mut self) {
        loop {
            self.ask_endpoint();
            let mut world = self.world.borrow_mut();
            let now = world.now;
            let next = world.take_due(now);
            drop(world);
            let Some((_, due)) = next else {
                return;
            };
            self.happen(due);
        }
    }

    /// Asks the automatic endpoint about the calls that it doesn't know.
    fn ask_endpoint(&mut self) {
        let Some(endpoint) = &mut self.endpoint else {
            return;
        };
        let mut world = self.world.borrow_mut();
        let fresh: Vec<_> = world.calls.range(self.seen + 1..).collect();
        let answers: Vec<_> = fresh
            .into_iter()
            .map(|(id, call)| (*id, endpoint(call)))
            .collect();
        self.seen = world.calls_made;
        for (call, answer) in answers {
            let (after, reply) = match answer {
                Answering::Wait => continue,
                Answering::Now(reply) => (Duration::ZERO, reply),
                Answering::After(after, reply) => (after, reply),
            };
            world.schedule(after, Due::Reply { call, reply });
        }
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Tick { vm, root, setting } => self.tick(vm, root, setting),
            Due::Timeout { call } => self.end_call(call, crate::Reply::timeout()),
            Due::Reply { call, reply } => self.end_call(call, reply),
            Due::Queue { vm, root, queue } => {
                // A queue whose VM or root context is gone wakes nobody.
                if let Some(slot) = self.slot_with(vm)
                    && self.has_context(slot, root)
                {
                    let arguments = (context(root), queue.cast_signed());
                    self.call::<_, ()>(slot, "proxy_on_queue_ready", root, arguments);
                    self.run_after(slot);
                }
            }
        }
    }

    fn has_context(&self, slot: usize, id: u32) -> bool {
        self.vm(slot)
            .is_some_and(|vm| vm.state().contexts.contains_key(&id))
    }

    fn tick(&mut self, vm: u64, root: u32, setting: u64) {
        let Some(slot) = self.slot_with(vm) else {
            return;
        };
        let set = |gateway: &Gateway| {
            let tick = gateway.vm(slot)?.state().ticks.get(&root)?;
            (tick.setting == setting && tick.period > 0).then_some(tick.period)
        };
        if set(self).is_none() {
            return;
        }
        self.call::<_, ()>(slot, "proxy_on_tick", root, context(root));
        self.run_after(slot);
        // Unless the callback set the period anew, it goes on as before.
        if let Some(period) = set(self) {
            let after = Duration::from_millis(period.into());
            let due = Due::Tick { vm, root, setting };
            self.world.borrow_mut().schedule(after, due);
        }
    }
}
