//! What is to become of a request.

use crate::reply::{Challenge, EXCHANGE_LIMITED, RATE_LIMITED, Reason};
use crate::tokens::Injected;

/// What is to become of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on to the upstream.
    Forward(Forward),
    /// It is answered here.
    Refuse(Reply),
}

/// How a request's head changes on its way to the upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forward {
    /// Headers to remove, each as the request spells it.
    pub remove: Vec<Vec<u8>>,
    /// Headers to set, replacing all of that name. `:path` may be among them.
    pub set: Vec<(String, Vec<u8>)>,
    /// Which obtained token is among them: an upstream that answers 401 refuses it.
    pub injected: Option<Injected>,
}

/// An answer given by the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; for gRPC the message alone.
    pub body: String,
    /// The gRPC status where the caller speaks gRPC.
    pub grpc_status: Option<u8>,
    /// The detailed reason, for the operator's eyes.
    pub reason: Reason,
}

/// A refusal before it has a body: the reason and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// Seconds after which another try makes sense (RFC 9110 §10.2.3).
    pub retry_after: Option<u64>,
    /// The scopes that would have sufficed (RFC 6750 §3.1).
    pub scopes: Vec<String>,
    /// What the operator should know beside the reason, for the audit line; nothing secret.
    pub note: Option<String>,
    /// How to authenticate instead; said with a 401.
    pub challenges: Vec<Challenge>,
}

impl Refusal {
    /// A refusal with nothing beside its reason.
    pub fn of(reason: Reason) -> Refusal {
        Refusal {
            reason,
            retry_after: None,
            scopes: Vec::new(),
            note: None,
            challenges: Vec::new(),
        }
    }

    /// Whether the caller did something wrong, which counts as a failure of theirs.
    pub fn is_callers_fault(&self) -> bool {
        let public = self.reason.public();
        public.status < 500 && public != RATE_LIMITED && public != EXCHANGE_LIMITED
    }

    /// The same with a note for the operator.
    pub fn noting(self, note: String) -> Refusal {
        Refusal {
            note: Some(note),
            ..self
        }
    }

    /// A refusal that passes by itself after some seconds.
    pub fn for_now(reason: Reason, retry_after: u64) -> Refusal {
        Refusal {
            retry_after: Some(retry_after),
            ..Refusal::of(reason)
        }
    }
}
