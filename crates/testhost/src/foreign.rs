//! The proxy's own functions, which a filter calls by name.

use crate::Personality;
use crate::signature;
use crate::status::Status;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a scripted function does: bytes in, bytes out; `None` fails with InternalFailure.
pub(crate) type Function = Rc<dyn Fn(&[u8]) -> Option<Vec<u8>>>;

#[derive(Clone, Default)]
pub(crate) struct Foreign {
    /// Those that the test set; `None` takes one of the host's own away.
    pub(crate) scripted: BTreeMap<String, Option<Function>>,
}

impl Foreign {
    /// Envoy's `verify_signature` and `clear_route_cache` work as they do there; another name
    /// is not found.
    pub(crate) fn call(
        &self,
        name: &str,
        argument: &[u8],
        personality: Personality,
    ) -> Result<Vec<u8>, Status> {
        match (self.scripted.get(name), personality) {
            (Some(Some(function)), _) => function(argument).ok_or(Status::InternalFailure),
            (Some(None), _) | (None, Personality::WasmX) => Err(Status::NotFound),
            (None, Personality::Envoy) => match name {
                "verify_signature" => Ok(signature::verify(argument)),
                "clear_route_cache" => Ok(Vec::new()),
                _ => Err(Status::NotFound),
            },
        }
    }
}
