//! The proxy as a test drives it.

mod builder;
mod calls;
mod inspect;
mod lifecycle;
mod requests;
mod streams;
mod time;
mod wasmx;

pub use builder::{Builder, FailurePolicy, PolicyRefused};
pub use calls::OpenCall;
pub use requests::RequestBuilder;

use crate::Personality;
use crate::callout::{Answering, Callout};
use crate::filter::Filter;
use crate::trace::Place;
use crate::vm::{After, Vm};
use crate::world::Shared;
use builder::Settings;
use std::time::Duration;
use wasmtime::{WasmParams, WasmResults};

/// A proxy with a filter, on a virtual clock.
///
/// Everything happens in the test's own thread and in one order: whatever a call of this type
/// sets off is over when it returns, and nothing else happens until the next one. Time passes
/// only in [`Gateway::advance`].
pub struct Gateway {
    filter: Filter,
    settings: Settings,
    world: Shared,
    slots: Vec<Slot>,
    /// The configuration of each listener's plugin.
    plugins: Vec<Vec<u8>>,
    /// Root contexts of policies that were replaced: VM and id.
    draining: Vec<(u64, u32)>,
    serials: u64,
    endpoint: Option<Endpoint>,
    /// The last call that the endpoint was asked about.
    seen: u64,
    upstream_status: u16,
}

type Endpoint = Box<dyn FnMut(&Callout) -> Answering>;

/// A thread of the proxy and its VM.
struct Slot {
    place: Place,
    /// None where it crashed.
    vm: Option<Vm>,
    /// When a crashed one may start again, as time since the epoch.
    reload_at: Duration,
}

/// What a callback came to.
enum Called<R> {
    Returned(R),
    /// The filter doesn't have it.
    Missing,
    Trapped,
}

impl Gateway {
    /// Begins a gateway whose only listener has this configuration, as it reaches the filter's
    /// `on_configure`.
    #[must_use]
    pub fn builder(filter: &Filter, configuration: impl Into<Vec<u8>>) -> Builder {
        Builder::new(filter, configuration.into())
    }

    fn personality(&self) -> Personality {
        self.settings.personality
    }

    fn slot_of(&self, place: Place) -> Option<usize> {
        self.slots.iter().position(|slot| slot.place == place)
    }

    fn slot_with(&self, serial: u64) -> Option<usize> {
        self.slots.iter().position(|slot| {
            slot.vm
                .as_ref()
                .is_some_and(|vm| vm.state().serial == serial)
        })
    }

    fn vm(&self, slot: usize) -> Option<&Vm> {
        self.slots.get(slot)?.vm.as_ref()
    }

    fn vm_mut(&mut self, slot: usize) -> Option<&mut Vm> {
        self.slots.get_mut(slot)?.vm.as_mut()
    }

    fn note(&self, place: Place, what: impl Into<String>) {
        self.world.borrow_mut().note(place, what);
    }

    /// Runs a callback. What it asked to be done afterwards is still to be done: see
    /// [`Gateway::run_after`].
    fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        slot: usize,
        name: &'static str,
        context: u32,
        arguments: P,
    ) -> Called<R> {
        let Some(vm) = self.vm_mut(slot) else {
            return Called::Missing;
        };
        if !vm.has(name) {
            return Called::Missing;
        }
        let state = vm.state();
        let callback = name.strip_prefix("proxy_").unwrap_or(name);
        let mut world = state.world.borrow_mut();
        world.note(state.place, format!("{callback} of context {context}"));
        drop(world);
        match vm.call(name, context, arguments) {
            Ok(Some(value)) => Called::Returned(value),
            Ok(None) => Called::Missing,
            Err(error) => {
                self.crashed(slot, &format!("{callback}: {}", error.root_cause()));
                Called::Trapped
            }
        }
    }

    /// Does what the callbacks of a VM asked for: Envoy does it when the callback is over, not
    /// within.
    fn run_after(&mut self, slot: usize) {
        loop {
            let Some(vm) = self.vm_mut(slot) else {
                return;
            };
            let after = std::mem::take(&mut vm.state_mut().after);
            if after.is_empty() {
                return;
            }
            for each in after {
                match each {
                    After::Continue(id) => self.resume(id),
                    After::Reply(id, reply) => self.reply_locally(id, reply),
                    After::Done(context) => self.delete_context(slot, context),
                }
            }
        }
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("personality", &self.settings.personality)
            .field("threads", &self.slots.len())
            .finish_non_exhaustive()
    }
}

/// Stops a test that asked for what isn't there.
#[track_caller]
#[expect(clippy::panic, reason = "a test that can't go on stops")]
fn stop(why: &str) -> ! {
    panic!("{why}")
}
