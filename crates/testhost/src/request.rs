//! What became of a request.

use crate::headers::Headers;
use std::cell::RefCell;
use std::rc::Rc;

/// A request that was sent; a handle that may be cloned and kept.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) id: u64,
    pub(crate) record: Rc<RefCell<Record>>,
}

#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) upstream: Option<Upstream>,
    pub(crate) reply: Option<LocalReply>,
    pub(crate) left: bool,
    pub(crate) hangs: bool,
}

/// What became of a request so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its head went to the upstream, perhaps more of it.
    Upstream(Upstream),
    /// The proxy answered it. Whether something had reached the upstream before is told by
    /// [`Request::upstream`].
    LocalReply(LocalReply),
    /// Nothing yet: the filter holds it.
    Waiting,
    /// Nothing, and there never will be: the VM that held it is gone.
    Hangs,
    /// The client went away before any of it.
    Left,
}

/// What reached the upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upstream {
    /// The head, pseudo headers included.
    pub headers: Headers,
    /// The body so far.
    pub body: Vec<u8>,
    /// The trailers, if any came.
    pub trailers: Headers,
    /// Whether the request's end was reached.
    pub complete: bool,
}

/// A reply that the filter or the proxy made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalReply {
    /// The status.
    pub status: u16,
    /// The headers that the filter gave; what a proxy adds by itself isn't here.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// What stands in Envoy's `%RESPONSE_CODE_DETAILS%`.
    pub details: String,
    /// The gRPC status that the filter gave; -1 for none.
    pub grpc_status: i32,
}

impl LocalReply {
    /// The body as text; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn proxys_own(status: u16, details: &str) -> LocalReply {
        LocalReply {
            status,
            headers: Headers::new(),
            body: Vec::new(),
            details: details.to_owned(),
            grpc_status: -1,
        }
    }
}

impl Request {
    /// What became of it so far. A local reply comes first, even where parts of the request
    /// had reached the upstream.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let record = self.record.borrow();
        if let Some(reply) = &record.reply {
            Outcome::LocalReply(reply.clone())
        } else if let Some(upstream) = &record.upstream {
            Outcome::Upstream(upstream.clone())
        } else if record.left {
            Outcome::Left
        } else if record.hangs {
            Outcome::Hangs
        } else {
            Outcome::Waiting
        }
    }

    /// What of it reached the upstream; `None` where nothing did.
    #[must_use]
    pub fn upstream(&self) -> Option<Upstream> {
        self.record.borrow().upstream.clone()
    }

    /// The local reply, if there is one.
    #[must_use]
    pub fn reply(&self) -> Option<LocalReply> {
        self.record.borrow().reply.clone()
    }

    /// In short, for tables: `upstream`, `401 doorward_denied{…}`, `waits`, `hangs`, `left`.
    #[must_use]
    pub fn short(&self) -> String {
        match self.outcome() {
            Outcome::Upstream(_) => "upstream".to_owned(),
            Outcome::LocalReply(reply) => format!("{} {}", reply.status, reply.details),
            Outcome::Waiting => "waits".to_owned(),
            Outcome::Hangs => "hangs".to_owned(),
            Outcome::Left => "left".to_owned(),
        }
    }
}
