//! Which proxy the host plays.

/// The proxy whose measured behaviour the host shows. Default: Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Personality {
    /// Envoy 1.40 with V8: a VM for the main thread and one for each worker, calls that
    /// outlive their request, versions in shared data that only guard what exists.
    #[default]
    Envoy,
    /// ngx_wasm_module, the engine of Kong 3.9: a VM for each worker and none beside, requests
    /// that go on by themselves when a callback ends without a word, header removal that the
    /// upstream never notices, and a trap on many a misuse.
    WasmX,
}
