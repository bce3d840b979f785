//! One VM: an instance of the filter, its contexts and its callbacks.

use crate::filter::Filter;
use crate::headers::Headers;
use crate::request::LocalReply;
use crate::trace::Place;
use crate::world::Shared;
use anyhow::Result;
use std::collections::BTreeMap;
use wasmtime::{Instance, Memory, Store, TypedFunc, WasmParams, WasmResults};

/// The memory that Envoy gives a VM at most (measured): 1 GiB.
const MAX_MEMORY: usize = 1 << 30;

pub(crate) struct Vm {
    store: Store<State>,
    instance: Instance,
    functions: BTreeMap<&'static str, wasmtime::Func>,
    /// The root context of each plugin.
    pub(crate) roots: BTreeMap<usize, u32>,
}

/// What host calls of a VM work on.
pub(crate) struct State {
    pub(crate) world: Shared,
    pub(crate) place: Place,
    /// Unique among all VMs of a gateway.
    pub(crate) serial: u64,
    pub(crate) memory: Option<Memory>,
    pub(crate) allocate: Option<TypedFunc<i32, i32>>,
    /// The context whose callback runs.
    pub(crate) current: u32,
    /// The one that it acts for; 0 where it didn't say.
    pub(crate) effective: u32,
    pub(crate) contexts: BTreeMap<u32, Context>,
    pub(crate) ticks: BTreeMap<u32, Tick>,
    /// What is done as soon as the callback is over.
    pub(crate) after: Vec<After>,
    /// The configuration, while it is handed over.
    pub(crate) configuration: Option<Vec<u8>>,
    /// The reply to a call, while its callback runs.
    pub(crate) reply: Option<Delivered>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) callback: &'static str,
    next_context: u32,
    pub(crate) next_token: u32,
    limits: wasmtime::StoreLimits,
}

/// What a context id means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    Root,
    Request { stream: u64, root: u32 },
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tick {
    pub(crate) period: u32,
    /// Counts the changes of the period, so that older appointments lapse.
    pub(crate) setting: u64,
}

pub(crate) enum After {
    Continue(u64),
    Reply(u64, LocalReply),
    Done(u32),
}

/// A reply as a callback sees it.
pub(crate) struct Delivered {
    pub(crate) headers: Headers,
    /// `None` where reading it fails.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) trailers: Headers,
}

impl State {
    /// The context that a host call is for.
    pub(crate) fn acting(&self) -> u32 {
        if self.contexts.contains_key(&self.effective) {
            self.effective
        } else {
            self.current
        }
    }

    /// The root context of the one that a host call is for.
    pub(crate) fn root(&self) -> u32 {
        match self.contexts.get(&self.acting()) {
            Some(Context::Request { root, .. }) => *root,
            Some(Context::Root) | None => self.acting(),
        }
    }

    /// The request of the context that a host call is for.
    pub(crate) fn stream(&self) -> Option<u64> {
        match self.contexts.get(&self.acting())? {
            Context::Request { stream, .. } => Some(*stream),
            Context::Root => None,
        }
    }

    pub(crate) fn add_context(&mut self, context: Context) -> u32 {
        self.next_context += 1;
        self.contexts.insert(self.next_context, context);
        self.next_context
    }
}

impl Vm {
    /// An instance whose own initialisation has run.
    pub(crate) fn start(
        filter: &Filter,
        world: Shared,
        place: Place,
        serial: u64,
        environment: Vec<(String, String)>,
    ) -> Result<Vm> {
        let limits = wasmtime::StoreLimitsBuilder::new()
            .memory_size(MAX_MEMORY)
            .build();
        let state = State {
            world,
            place,
            serial,
            memory: None,
            allocate: None,
            current: 0,
            effective: 0,
            contexts: BTreeMap::new(),
            ticks: BTreeMap::new(),
            after: Vec::new(),
            configuration: None,
            reply: None,
            environment,
            callback: "start",
            next_context: 0,
            next_token: 0,
            limits,
        };
        let mut store = Store::new(filter.ready.module().engine(), state);
        store.limiter(|state| &mut state.limits);
        if filter.metered {
            store.set_fuel(u64::MAX)?;
        }
        let instance = filter.ready.instantiate(&mut store)?;
        let memory = instance.get_memory(&mut store, "memory");
        let allocate = ["proxy_on_memory_allocate", "malloc"]
            .into_iter()
            .find_map(|name| instance.get_typed_func(&mut store, name).ok());
        store.data_mut().memory = memory;
        store.data_mut().allocate = allocate;
        let mut vm = Vm {
            store,
            instance,
            functions: BTreeMap::new(),
            roots: BTreeMap::new(),
        };
        for name in ["_initialize", "_start"] {
            if let Some(function) = vm.instance.get_func(&mut vm.store, name) {
                let function = function.typed::<(), ()>(&vm.store)?;
                function.call(&mut vm.store, ())?;
                break;
            }
        }
        Ok(vm)
    }

    pub(crate) fn state(&self) -> &State {
        self.store.data()
    }

    pub(crate) fn state_mut(&mut self) -> &mut State {
        self.store.data_mut()
    }

    /// The bytes of memory that the VM has.
    pub(crate) fn memory(&self) -> usize {
        self.state()
            .memory
            .map_or(0, |memory| memory.data_size(&self.store))
    }

    /// The instructions executed so far; `None` where nobody counts them.
    pub(crate) fn instructions(&self) -> Option<u64> {
        let left = self.store.get_fuel().ok()?;
        Some(u64::MAX - left)
    }

    /// Whether the filter exports a callback.
    pub(crate) fn has(&mut self, name: &'static str) -> bool {
        self.function(name).is_some()
    }

    fn function(&mut self, name: &'static str) -> Option<wasmtime::Func> {
        if let Some(function) = self.functions.get(name) {
            return Some(*function);
        }
        let function = self.instance.get_func(&mut self.store, name)?;
        self.functions.insert(name, function);
        Some(function)
    }

    /// Runs a callback of a context; `None` where the filter has none. An error is a trap.
    pub(crate) fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        name: &'static str,
        context: u32,
        arguments: P,
    ) -> Result<Option<R>> {
        let Some(function) = self.function(name) else {
            return Ok(None);
        };
        let function = function.typed::<P, R>(&self.store)?;
        let state = self.store.data_mut();
        state.current = context;
        state.effective = 0;
        state.callback = name;
        let result = function.call(&mut self.store, arguments);
        let state = self.store.data_mut();
        state.current = 0;
        state.effective = 0;
        Ok(Some(result?))
    }
}
