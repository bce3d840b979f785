//! Doorward as a proxy-wasm filter (ABI 0.2.1): the translation between a proxy and
//! [`doorward_core`], and nothing else.
//!
//! - `root`: one policy's life in one VM: configuration, ticks, answers to calls, and the
//!   requests that wait for them.
//! - `request`: one HTTP request: its head in, a verdict out.
//! - `bodies`: whether the proxy shows the bodies that are waited for.
//! - `host`: the core's [`doorward_core::host::Host`] over this proxy.
//! - `counters`: what is counted, at once or once a second.
//! - `wake`: how root contexts wake themselves and each other.
//! - `envoy`: what Envoy does for a filter beyond the ABI.
//! - `hostcalls`: the proxy's functions, each with its status. The SDK's wrappers panic on
//!   statuses that they don't expect and on header bytes that are no UTF-8, so only
//!   dispatching goes through the SDK, which must know the calls whose answers it delivers.
#![cfg(target_arch = "wasm32")]
#![expect(
    missing_docs,
    reason = "the SDK's macro writes an exported function without any"
)]

mod bodies;
mod counters;
mod envoy;
mod host;
mod hostcalls;
mod request;
mod root;
mod wake;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
}}
