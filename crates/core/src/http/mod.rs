//! A request as the proxy shows it, and what is to become of it. Headers are bytes:
//! a caller may send what is no UTF-8, and that must never trap.

mod body;
mod headers;
mod names;
mod request;
mod verdict;

pub use body::{Body, MAX_BODY};
pub use headers::{Headers, MAX_HEADERS};
pub use names::HeaderNames;
pub use request::{Request, normalise_host};
pub use verdict::{BadField, Forward, ReadyHeaders, Refusal, Reply, Response, Verdict};
