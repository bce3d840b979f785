//! What is to become of a request.

use std::rc::Rc;

use crate::reply::{Challenge, EXCHANGE_LIMITED, RATE_LIMITED, Reason};
use crate::tokens::Injected;

/// What is to become of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on to the upstream.
    Forward(Forward),
    /// It is refused.
    Refuse(Reply),
    /// It is answered here, with what it asks for.
    Answer(Response),
}

/// Names and values of headers that several requests share: in front of each pair the lengths of
/// both, 32 bits each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyHeaders(Rc<[u8]>);

impl ReadyHeaders {
    /// These.
    pub fn of(headers: &[(String, Vec<u8>)]) -> ReadyHeaders {
        let size = |(name, value): &(String, Vec<u8>)| 8 + name.len() + value.len();
        let mut all = Vec::with_capacity(headers.iter().map(size).sum());
        for (name, value) in headers {
            // None is as long as 4 GiB.
            for length in [name.len(), value.len()] {
                all.extend_from_slice(&(length as u32).to_le_bytes());
            }
            all.extend_from_slice(name.as_bytes());
            all.extend_from_slice(value);
        }
        ReadyHeaders(all.into())
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut left = &*self.0;
        std::iter::from_fn(move || {
            let (name, rest) = left.split_first_chunk()?;
            let (value, rest) = rest.split_first_chunk()?;
            let (name, rest) = rest.split_at_checked(u32::from_le_bytes(*name) as usize)?;
            let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*value) as usize)?;
            left = rest;
            Some((name, value))
        })
    }

    /// How many bytes they take.
    pub fn size(&self) -> usize {
        self.0.len()
    }
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
    /// More of them, which were made for an earlier request of the same caller.
    pub ready: Option<ReadyHeaders>,
}

impl Forward {
    /// All headers to set.
    pub fn to_set(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let set = self.set.iter();
        set.map(|(name, value)| (name.as_bytes(), value.as_slice()))
            .chain(self.ready.iter().flat_map(ReadyHeaders::iter))
    }
}

/// An answer of the gateway's own that is no refusal: a token, or keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status: 200, or 304 for what the caller has already.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// What was answered, for the operator's eyes: `token` or `keys`.
    pub what: &'static str,
}

/// A body may hold a token, so it isn't shown.
impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Response({} {})", self.status, self.what)
    }
}

/// A refusal as the caller gets it.
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
    /// Every bad field of a malformed body.
    pub detail: Vec<BadField>,
}

/// A part of a body that isn't what it must be. Nothing of the body itself is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadField {
    /// Where the policy says that it stands: a JSON pointer (RFC 6901); empty for the whole
    /// body.
    pub path: String,
    /// What is wrong, as the rest of a sentence that begins with the field's name.
    pub message: &'static str,
}

impl BadField {
    /// A bad field.
    pub fn new(path: &str, message: &'static str) -> BadField {
        BadField {
            path: path.to_owned(),
            message,
        }
    }
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
            detail: Vec::new(),
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

    /// The same; where it is no fault of the caller's, another try makes sense in a moment.
    pub fn in_a_moment(self) -> Refusal {
        let passes = self.reason.public().status == 503 && self.retry_after.is_none();
        Refusal {
            retry_after: if passes { Some(1) } else { self.retry_after },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_headers_come_out_as_they_went_in() {
        let pair = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
        for headers in [
            vec![],
            vec![pair("a", b"")],
            vec![
                pair("x-auth-client", b"shop"),
                pair("b", b"\xff\0"),
                pair("c", &[7; 70_000]),
            ],
        ] {
            let ready = ReadyHeaders::of(&headers);
            let out = ready
                .iter()
                .map(|(name, value)| pair(std::str::from_utf8(name).unwrap(), value));
            assert_eq!(out.collect::<Vec<_>>(), headers);
        }
    }
}
