//! The whole module in a real Envoy with two workers, request by request.
//!
//! Most tests share one Envoy ([`gateway`]): each has a listener with a policy of its own there, and where it changes
//! how a token endpoint behaves, a token endpoint of its own. A test that needs Envoy to end or to be started anew
//! starts its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is test code, which Clippy sees only in functions that are tests themselves"
)]

mod attacks;
mod bodies;
mod client_exchange;
mod client_signed;
mod config;
mod conformance;
mod differential;
mod exchange_keys;
mod exchange_replies;
mod exchange_variants;
mod exchange_workers;
mod forge;
mod four_surfaces;
mod gateway;
mod grpc;
mod hostile_requests;
mod key_and_token;
mod key_rotation;
mod oauth_clients;
mod observation;
mod outage;
mod policy_errors;
mod policy_forms;
mod real_parts;
mod scenario_one;
mod signed_assertion;
mod token_endpoint;
mod upstream_view;
