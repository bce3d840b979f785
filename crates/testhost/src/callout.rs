//! Calls that a filter makes, and how they end.

use crate::headers::Headers;
use crate::trace::Place;
use std::time::Duration;

/// A call that a filter dispatched and that has no answer yet.
#[derive(Debug, Clone)]
pub struct Callout {
    /// Unique in a gateway, counted from 1 in the order of dispatching.
    pub id: u64,
    /// Who made it.
    pub place: Place,
    /// The cluster (Envoy) or `host[:port]` (Kong's engine).
    pub cluster: String,
    /// The request's headers, pseudo headers included.
    pub headers: Headers,
    /// The request's body.
    pub body: Vec<u8>,
    /// When the proxy gives up; `None` never.
    pub timeout: Option<Duration>,
    /// When it was made, as time since the start.
    pub at: Duration,
    pub(crate) vm: u64,
    pub(crate) root: u32,
    /// The context that made it. Envoy doesn't care (its calls are the root context's);
    /// Kong's engine ends them with their request.
    pub(crate) owner: u32,
    pub(crate) token: u32,
}

impl Callout {
    /// `:path` of the request; empty where there is none.
    #[must_use]
    pub fn path(&self) -> String {
        self.headers.get(":path").unwrap_or_default()
    }

    /// The first value of a request header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name)
    }

    /// The body as text; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How a call ends: with a real reply, or in one of the ways in which there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply(pub(crate) Ending);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    Real {
        headers: Headers,
        body: Vec<u8>,
        trailers: Headers,
    },
    Refused,
    Timeout,
    Reset,
    CutShort(Headers),
}

impl Reply {
    /// A real reply of the other side, so far without headers and body. In Envoy it carries
    /// `x-envoy-upstream-service-time`, unless [`Reply::bare`] takes it away.
    #[must_use]
    pub fn new(status: u16) -> Reply {
        let headers = [
            (":status", status.to_string().as_str()),
            ("x-envoy-upstream-service-time", "1"),
        ]
        .into_iter()
        .collect();
        Reply(Ending::Real {
            headers,
            body: Vec::new(),
            trailers: Headers::new(),
        })
    }

    /// A reply with exactly these headers: not even a status is added.
    #[must_use]
    pub fn bare(headers: Headers) -> Reply {
        Reply(Ending::Real {
            headers,
            body: Vec::new(),
            trailers: Headers::new(),
        })
    }

    /// Nobody listens there, or the connection closed before any header. In Envoy the filter
    /// sees a 503 of the proxy's own, in Kong's engine no header at all.
    #[must_use]
    pub fn refused() -> Reply {
        Reply(Ending::Refused)
    }

    /// The proxy gave up waiting. In Envoy the filter sees a 504 of the proxy's own, in Kong's
    /// engine no header at all.
    #[must_use]
    pub fn timeout() -> Reply {
        Reply(Ending::Timeout)
    }

    /// The connection was reset in mid-reply: no header arrives.
    #[must_use]
    pub fn reset() -> Reply {
        Reply(Ending::Reset)
    }

    /// A reply that ends before its `content-length`. Envoy takes it for a reset; Kong's engine
    /// hands over the status with `:dispatch_status ok` and no body that could be read.
    #[must_use]
    pub fn cut_short(status: u16) -> Reply {
        let status = status.to_string();
        let headers = [(":status", status.as_str())].into_iter().collect();
        Reply(Ending::CutShort(headers))
    }

    /// One more header of a real reply; without effect on a failure.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Reply {
        if let Ending::Real { headers, .. } = &mut self.0 {
            headers.add(name, value);
        }
        self
    }

    /// The body of a real reply; without effect on a failure.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Reply {
        if let Ending::Real { body, .. } = &mut self.0 {
            *body = bytes.into();
        }
        self
    }

    /// One more trailer of a real reply; without effect on a failure.
    #[must_use]
    pub fn trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Reply {
        if let Ending::Real { trailers, .. } = &mut self.0 {
            trailers.add(name, value);
        }
        self
    }
}

/// What an automatic endpoint does with a call.
#[derive(Debug, Clone)]
pub enum Answering {
    /// Leaves it to the test, or to the call's timeout.
    Wait,
    /// Ends it as soon as the callback that made it is over.
    Now(Reply),
    /// Ends it after a time. A timeout that comes first wins.
    After(Duration, Reply),
}

/// The state of a cluster, as dispatching to it shows it. Default: up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cluster {
    /// Calls are sent.
    #[default]
    Up,
    /// The proxy doesn't know it: dispatching gives BadArgument.
    Missing,
    /// It has no healthy host, or its circuit breaker is full: dispatching gives
    /// InternalFailure, and no callback follows.
    Unhealthy,
}
