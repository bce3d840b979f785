//! The filter.
#![cfg(target_arch = "wasm32")]
