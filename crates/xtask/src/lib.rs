//! Doorward's chores, and the harness its end-to-end tests stand on.
//!
//! Chores: [`module`] builds the filter, [`envoy::binary`] fetches Envoy, [`demo`] shows both at
//! work, [`bench`] tells what it costs, [`soak`] leaves them at it for long.
//!
//! Harness: an [`envoy::Envoy`] between a [`client::Client`] and an [`upstream::Echo`], beside it a real OAuth server
//! ([`idp::OidcProvider`]) or one that misbehaves on command ([`token_endpoint::Scripted`]), a database of clients
//! ([`registry::Registry`]), and a [`partner::Partner`] who runs the same gateway; [`jwt`] mints tokens. What clients
//! use signs and verifies too: [`pyjwt`], [`authlib`] and [`openid_client`].
//! All of it blocks, is bounded in time, listens on 127.0.0.1 on ports that the system chooses, and ends with the
//! process. None of it may be called from async code.

pub mod authlib;
pub mod bench;
pub mod client;
pub mod demo;
pub mod envoy;
pub mod idp;
pub mod jwt;
pub mod lock;
pub mod module;
mod npm;
pub mod openid_client;
pub mod partner;
pub mod paths;
pub mod process;
pub mod pyjwt;
mod python;
pub mod registry;
pub mod server;
pub mod soak;
pub mod token_endpoint;
pub mod upstream;
