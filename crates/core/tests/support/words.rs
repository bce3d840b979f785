//! Requests, answers and verdicts in few words.

use doorward_core::host::Answer;
use doorward_core::http::{Forward, Headers, Reply, Request, Verdict};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// A request for a target with these headers.
pub fn get(target: &str, headers: &[(&str, &str)]) -> Request {
    method("GET", target, headers)
}

pub fn method(method: &str, target: &str, headers: &[(&str, &str)]) -> Request {
    let pseudo = [
        (":method", method),
        (":path", target),
        (":authority", "api.example.com"),
    ];
    Request {
        headers: Headers::from_pairs(pseudo.iter().chain(headers).copied()),
        source_address: Some("192.0.2.1".to_owned()),
    }
}

pub fn reply(status: u16, body: &str) -> Answer {
    Answer::Reply {
        status,
        retry_after: None,
        body: body.as_bytes().to_vec(),
    }
}

pub fn reply_after(status: u16, seconds: u64) -> Answer {
    Answer::Reply {
        status,
        retry_after: Some(seconds),
        body: Vec::new(),
    }
}

/// A verdict in short: `ok`, or status, detailed reason and Retry-After.
pub fn short(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Forward(_) => "ok".to_owned(),
        Verdict::Refuse(reply) => {
            let wait = header(reply, "retry-after")
                .map(|wait| format!(" after {wait}"))
                .unwrap_or_default();
            format!("{} {}{wait}", reply.status, reply.reason.name())
        }
        Verdict::Answer(response) => format!("{} {}", response.status, response.what),
    }
}

pub fn header<'r>(reply: &'r Reply, name: &str) -> Option<&'r str> {
    let found = reply.headers.iter().find(|(other, _)| other == name);
    found.map(|(_, value)| value.as_str())
}

/// The challenges of a refusal, in order.
pub fn challenges(verdict: &Verdict) -> Vec<String> {
    match verdict {
        Verdict::Forward(_) | Verdict::Answer(_) => Vec::new(),
        Verdict::Refuse(reply) => reply
            .headers
            .iter()
            .filter(|(name, _)| name == "www-authenticate")
            .map(|(_, value)| value.clone())
            .collect(),
    }
}

pub fn forward(verdict: &Verdict) -> &Forward {
    match verdict {
        Verdict::Forward(forward) => forward,
        Verdict::Refuse(_) | Verdict::Answer(_) => panic!("not forwarded: {}", short(verdict)),
    }
}

/// The head that the upstream sees: what the caller sent, with the edits of the verdict as a
/// proxy makes them.
pub fn upstream(request: &Request, verdict: &Verdict) -> Vec<(String, String)> {
    let forward = forward(verdict);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut pairs: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    for name in &forward.remove {
        pairs.retain(|(other, _)| !other.as_bytes().eq_ignore_ascii_case(name));
    }
    for (name, value) in forward.to_set() {
        pairs.retain(|(other, _)| !other.as_bytes().eq_ignore_ascii_case(name));
        pairs.push((text(name), text(value)));
    }
    pairs
}

/// The values under a name in a head.
pub fn values(head: &[(String, String)], name: &str) -> Vec<String> {
    head.iter()
        .filter(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.clone())
        .collect()
}

/// The SHA-256 of a text in hex.
pub fn digest(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
