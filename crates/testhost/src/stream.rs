//! One request inside the proxy.

use crate::headers::Headers;
use crate::request::Record;
use crate::trace::Place;
use crate::world::Properties;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) record: Rc<RefCell<Record>>,
    pub(crate) place: Place,
    /// The serial number of the VM that holds it.
    pub(crate) vm: u64,
    pub(crate) root: u32,
    pub(crate) context: u32,
    /// The head as the filter sees it.
    pub(crate) shown: Headers,
    /// The head as the upstream will see it.
    pub(crate) sent: Headers,
    /// Whether the filter may read and change the head.
    pub(crate) head_open: bool,
    /// What the client sent and the filter hasn't seen.
    pub(crate) inbound: VecDeque<Part>,
    pub(crate) flow: Flow,
    /// Body that waits in the proxy.
    pub(crate) held: Vec<u8>,
    /// Whether the filter sees all of `held` and not only the newest chunk.
    pub(crate) buffering: bool,
    /// The chunk in the present callback, unless it is part of `held`.
    pub(crate) chunk: Option<Vec<u8>>,
    pub(crate) trailers: Option<Headers>,
    /// The end was seen, by the filter or in `held`.
    pub(crate) ended: bool,
    /// A local reply is on its way: a second one has no effect.
    pub(crate) replied: bool,
    pub(crate) properties: Properties,
    pub(crate) response: Option<Headers>,
}

/// A part of a request behind its head.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Body { bytes: Vec<u8>, end: bool },
    Trailers(Headers),
}

/// How far a request may go, in Envoy's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Nothing goes on and no callback comes (StopAllIterationAndWatermark).
    StopAll,
    /// Nothing goes on, callbacks come (StopIteration).
    StopOne,
    /// All goes on.
    Go,
}

impl Stream {
    /// The path that a request or trailer map has here.
    pub(crate) fn map(&self, map: u32) -> Option<&Headers> {
        match map {
            0 if self.head_open => Some(&self.shown),
            1 => self.trailers.as_ref(),
            2 => self.response.as_ref(),
            _ => None,
        }
    }

    /// The body that the filter sees now.
    pub(crate) fn body(&self) -> Option<&[u8]> {
        if self.buffering {
            Some(&self.held)
        } else {
            self.chunk.as_deref()
        }
    }
}
