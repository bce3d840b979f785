//! The VMs' lives: start, configuration, crash, reload, end.

use super::builder::FailurePolicy;
use super::{Called, Gateway, PolicyRefused, Slot, stop};
use crate::Personality;
use crate::trace::Place;
use crate::vm::{Context, Vm};
use std::time::Duration;

/// How long after a reload a VM isn't reloaded again (measured: about a second of 503).
const RELOAD_PAUSE: Duration = Duration::from_secs(1);

impl Gateway {
    fn refused(&self) -> PolicyRefused {
        let world = self.world.borrow();
        PolicyRefused {
            log: world.logs.clone(),
            trace: world.trace.clone(),
        }
    }

    /// What a fresh VM says to all configurations; it is thrown away, what it wrote into
    /// shared data stays.
    pub(super) fn try_in_canary(&mut self) -> Result<(), PolicyRefused> {
        if self.personality() == Personality::WasmX || !self.settings.canary {
            return Ok(());
        }
        self.add_slot(Place::Canary)?;
        self.slots.pop();
        Ok(())
    }

    /// A thread whose VM is started with all configurations.
    pub(super) fn add_slot(&mut self, place: Place) -> Result<(), PolicyRefused> {
        let slot = self.slots.len();
        self.slots.push(Slot {
            place,
            vm: None,
            reload_at: Duration::ZERO,
        });
        let mut started = self.start_vm(slot);
        for plugin in 0..self.plugins.len() {
            started = started && self.configure_root(slot, plugin).is_some();
        }
        if started {
            return Ok(());
        }
        self.slots.truncate(slot);
        Err(self.refused())
    }

    fn start_vm(&mut self, slot: usize) -> bool {
        let Some(place) = self.slots.get(slot).map(|slot| slot.place) else {
            return false;
        };
        self.serials += 1;
        self.note(place, "starts a VM");
        let vm = Vm::start(
            &self.filter,
            self.world.clone(),
            place,
            self.serials,
            self.settings.environment.clone(),
        );
        match vm {
            Ok(vm) => {
                if let Some(slot) = self.slots.get_mut(slot) {
                    slot.vm = Some(vm);
                }
                true
            }
            Err(error) => {
                self.note(place, format!("can't start: {error:#}"));
                false
            }
        }
    }

    /// A root context for a plugin, started and configured; `None` where it refuses.
    pub(super) fn configure_root(&mut self, slot: usize, plugin: usize) -> Option<u32> {
        let vm = self.vm_mut(slot)?;
        let first = vm.state().contexts.is_empty();
        let root = vm.state_mut().add_context(Context::Root);
        let created = self.call::<_, ()>(slot, "proxy_on_context_create", root, (context(root), 0));
        if matches!(created, Called::Trapped) {
            return None;
        }
        if first && !self.agrees(slot, "proxy_on_vm_start", root, 0) {
            return None;
        }
        if !self.configure(slot, root, plugin) {
            return None;
        }
        self.vm_mut(slot)?.roots.insert(plugin, root);
        Some(root)
    }

    /// Runs a callback that agrees with 1.
    fn agrees(&mut self, slot: usize, name: &'static str, root: u32, size: usize) -> bool {
        let size = i32::try_from(size).unwrap_or(i32::MAX);
        match self.call::<_, i32>(slot, name, root, (context(root), size)) {
            Called::Returned(answer) => answer != 0,
            Called::Missing => true,
            Called::Trapped => false,
        }
    }

    fn configure(&mut self, slot: usize, root: u32, plugin: usize) -> bool {
        let configuration = self.plugins.get(plugin).cloned().unwrap_or_default();
        let size = configuration.len();
        if let Some(vm) = self.vm_mut(slot) {
            vm.state_mut().configuration = Some(configuration);
        }
        let agreed = self.agrees(slot, "proxy_on_configure", root, size);
        if let Some(vm) = self.vm_mut(slot) {
            vm.state_mut().configuration = None;
        }
        self.run_after(slot);
        agreed
    }

    /// Gives a listener another configuration, as an update of the listener does in Envoy: a
    /// canary tries it, then each VM gets a new root context for it. Requests that came before
    /// stay with the old root context, which lives until [`Gateway::drain`]. Where the canary
    /// refuses it, all stays as it was.
    pub fn update_policy(
        &mut self,
        listener: usize,
        configuration: impl Into<Vec<u8>>,
    ) -> Result<(), PolicyRefused> {
        let Some(plugin) = self.plugins.get_mut(listener) else {
            stop("update_policy: there is no such listener");
        };
        let before = std::mem::replace(plugin, configuration.into());
        if let Err(refused) = self.try_in_canary() {
            if let Some(plugin) = self.plugins.get_mut(listener) {
                *plugin = before;
            }
            return Err(refused);
        }
        for slot in 0..self.slots.len() {
            let Some(vm) = self.vm(slot) else {
                continue;
            };
            let serial = vm.state().serial;
            let old = vm.roots.get(&listener).copied();
            if self.configure_root(slot, listener).is_none() {
                return Err(self.refused());
            }
            self.draining.extend(old.map(|root| (serial, root)));
        }
        self.settle();
        Ok(())
    }

    /// Configures the root contexts that there are once more, as a host may by the ABI. An
    /// error where one of them refuses; the others then have the new configuration.
    pub fn reconfigure(
        &mut self,
        listener: usize,
        configuration: impl Into<Vec<u8>>,
    ) -> Result<(), PolicyRefused> {
        let Some(plugin) = self.plugins.get_mut(listener) else {
            stop("reconfigure: there is no such listener");
        };
        *plugin = configuration.into();
        for slot in 0..self.slots.len() {
            let root = self
                .vm(slot)
                .and_then(|vm| vm.roots.get(&listener).copied());
            if let Some(root) = root
                && !self.configure(slot, root, listener)
            {
                return Err(self.refused());
            }
        }
        self.settle();
        Ok(())
    }

    /// Ends the root contexts of policies that were replaced. Requests that they still hold
    /// are reset, as if their clients had left.
    pub fn drain(&mut self) {
        for (serial, root) in std::mem::take(&mut self.draining) {
            let held: Vec<u64> = {
                let world = self.world.borrow();
                let of = world.streams.iter();
                of.filter(|(_, stream)| stream.vm == serial && stream.root == root)
                    .map(|(id, _)| *id)
                    .collect()
            };
            for id in held {
                self.reset(id);
            }
            if let Some(slot) = self.slot_with(serial) {
                let done = self.call::<_, i32>(slot, "proxy_on_done", root, context(root));
                if matches!(done, Called::Returned(1) | Called::Missing) {
                    self.delete_context(slot, root);
                }
                self.run_after(slot);
            }
        }
        self.settle();
    }

    /// Kills a worker's VM, as a panic in it would.
    pub fn crash(&mut self, worker: usize) {
        let Some(slot) = self.slot_of(Place::Worker(worker)) else {
            stop("crash: there is no such worker");
        };
        self.crashed(slot, "crashed by the test");
        self.settle();
    }

    /// A VM is gone, with all that it held.
    pub(super) fn crashed(&mut self, slot: usize, why: &str) {
        let Some(vm) = self.slots.get_mut(slot).and_then(|slot| slot.vm.take()) else {
            return;
        };
        let (place, serial) = (vm.state().place, vm.state().serial);
        drop(vm);
        let mut world = self.world.borrow_mut();
        world.note(place, format!("the VM is gone: {why}"));
        world.crashes += 1;
        world.calls.retain(|_, call| call.vm != serial);
        for stream in world.streams.values().filter(|stream| stream.vm == serial) {
            stream.record.borrow_mut().hangs = true;
        }
        world.streams.retain(|_, stream| stream.vm != serial);
    }

    /// The root context that serves a listener in a thread, reloaded where it must and may be.
    pub(super) fn serving(&mut self, slot: usize, listener: usize) -> Option<u32> {
        let now = self.world.borrow().now;
        let reloads = self.personality() == Personality::WasmX
            || self.settings.failure_policy == FailurePolicy::FailReload;
        let entry = self.slots.get_mut(slot)?;
        if entry.vm.is_none() {
            if !reloads || now < entry.reload_at {
                return None;
            }
            entry.reload_at = now + RELOAD_PAUSE;
            if !self.start_vm(slot) {
                return None;
            }
        }
        // After a reload root contexts come back with the first request for them.
        match self.vm(slot)?.roots.get(&listener) {
            Some(root) => Some(*root),
            None => self.configure_root(slot, listener),
        }
    }

    /// The end of a context.
    pub(super) fn delete_context(&mut self, slot: usize, id: u32) {
        let known = self
            .vm(slot)
            .is_some_and(|vm| vm.state().contexts.contains_key(&id));
        if !known {
            return;
        }
        self.call::<_, ()>(slot, "proxy_on_delete", id, context(id));
        if let Some(vm) = self.vm_mut(slot) {
            vm.state_mut().contexts.remove(&id);
            vm.state_mut().ticks.remove(&id);
        }
    }
}

/// A context's id as the ABI carries it.
pub(super) fn context(id: u32) -> i32 {
    id.cast_signed()
}
