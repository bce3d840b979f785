//! Looking into a gateway, and writing where a filter's neighbours could.

use super::Gateway;
use crate::log::{Level, Log};
use crate::trace::{Place, Trace};
use std::collections::BTreeMap;

impl Gateway {
    /// A metric's value by name, over all VMs; `None` where no VM defined it.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<u64> {
        self.world.borrow().metrics.named(name)
    }

    /// All metrics.
    #[must_use]
    pub fn metrics(&self) -> BTreeMap<String, u64> {
        self.world.borrow().metrics.all()
    }

    /// All that the VMs logged.
    #[must_use]
    pub fn log(&self) -> Vec<Log> {
        self.world.borrow().logs.clone()
    }

    /// Whether a line of at least this level contains a text.
    #[must_use]
    pub fn logged(&self, level: Level, text: &str) -> bool {
        let world = self.world.borrow();
        let mut lines = world.logs.iter();
        lines.any(|log| log.level >= level && log.line.contains(text))
    }

    /// What happened so far, to be printed.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.world.borrow().trace.clone()
    }

    /// What stands under a key of shared data.
    #[must_use]
    pub fn shared(&self, key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        let world = self.world.borrow();
        world
            .data
            .get(key.as_ref())
            .map(|(value, _)| value.to_vec())
    }

    /// All keys and values of shared data.
    #[must_use]
    pub fn shared_data(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let world = self.world.borrow();
        let pairs = world.data.sorted();
        pairs
            .map(|(key, value)| (key.to_vec(), value.to_vec()))
            .collect()
    }

    /// How many keys shared data has.
    #[must_use]
    pub fn shared_keys(&self) -> usize {
        self.world.borrow().data.len()
    }

    /// Writes shared data as another plugin with the same `vm_id` could, whatever stood there;
    /// not what is larger than all of it.
    pub fn set_shared(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let mut world = self.world.borrow_mut();
        let key = key.as_ref();
        let cas = world.data.get(key).map_or(0, |(_, cas)| cas);
        let _ = world.data.set(key, value.as_ref(), cas);
    }

    /// Empties shared data: a restart of the proxy, or a reload in Kong's engine.
    pub fn clear_shared(&mut self) {
        self.world.borrow_mut().data.clear();
    }

    /// Messages in shared queues that nobody took.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.world.borrow().queues.waiting()
    }

    /// How many VMs died so far, of a trap or by [`Gateway::crash`].
    #[must_use]
    pub fn crashes(&self) -> u64 {
        self.world.borrow().crashes
    }

    /// The bytes of memory of each live VM.
    #[must_use]
    pub fn memory(&self) -> BTreeMap<Place, usize> {
        let live = self.slots.iter().filter_map(|slot| {
            let vm = slot.vm.as_ref()?;
            Some((slot.place, vm.memory()))
        });
        live.collect()
    }

    /// How many WebAssembly instructions each live VM has executed, its start included; what the
    /// proxy does for it isn't among them. Only VMs of a [`crate::Filter::metered`] filter are
    /// there.
    #[must_use]
    pub fn instructions(&self) -> BTreeMap<Place, u64> {
        let live = self.slots.iter().filter_map(|slot| {
            let executed = slot.vm.as_ref()?.instructions()?;
            Some((slot.place, executed))
        });
        live.collect()
    }

    /// Requests that the filter still holds, or that go on.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.world.borrow().streams.len()
    }
}
