//! What an attacker sends, and beside it what looks odd and is good: tables of requests through a real Envoy.
//!
//! An attack must be answered with the status and the public reason that its table says, and nothing of it may reach
//! the upstream. A mirror table of good requests keeps that from being had by refusing everything.

mod claims;
mod credentials;
mod framing;
mod good;
mod identity;
mod keys_and_pairs;
mod policy;
mod targets;
mod tokens;

use xtask::client::Client;
use xtask::envoy::{Envoy, Options};
use xtask::server::{self, Reply};
use xtask::token_endpoint::Scripted;
use xtask::upstream::Echo;

use crate::config::{self, Listener};
use crate::gateway::{assert_passed, own_envoy};

/// What must become of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// This status with this public reason.
    Refused(u16, &'static str),
    /// Refused before the filter sees it, by Envoy: a 4xx or 501 of its own, or a closed connection.
    NoRequest,
    /// It passes, and nothing that says `forged` reaches the upstream, nor any `x-auth-client`.
    Stripped,
}

/// One request, byte for byte.
#[derive(Debug, Clone)]
pub struct Attack {
    pub name: String,
    pub request: Vec<u8>,
    pub outcome: Outcome,
}

/// The attacks, group by group.
pub fn groups() -> Vec<(&'static str, Vec<Attack>)> {
    vec![
        ("tokens: form and header", tokens::headers()),
        ("tokens: signatures and keys", tokens::signatures()),
        ("tokens: claims", claims::all()),
        ("tokens: where and how they stand", credentials::all()),
        (
            "API keys, clients' pairs, combinations",
            keys_and_pairs::all(),
        ),
        ("paths, methods and hosts", targets::all()),
        ("identity headers and addresses", identity::all()),
        ("framing", framing::all()),
    ]
}

/// Requests that look odd and must pass.
pub fn good_requests() -> Vec<(String, Vec<u8>)> {
    good::all()
}

/// A request with these header lines.
fn request(method: &str, target: impl AsRef<[u8]>, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = [method.as_bytes(), b" ", target.as_ref(), b" HTTP/1.1\r\n"].concat();
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        bytes.extend_from_slice(b"Host: acme.example.com\r\n");
    }
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn get(target: impl AsRef<[u8]>, headers: &[(&str, &str)]) -> Vec<u8> {
    request("GET", target, headers)
}

fn refused(name: impl Into<String>, request: Vec<u8>, status: u16, reason: &'static str) -> Attack {
    let outcome = Outcome::Refused(status, reason);
    Attack {
        name: name.into(),
        request,
        outcome,
    }
}

fn show(request: &[u8]) -> String {
    String::from_utf8_lossy(&request[..request.len().min(600)]).into_owned()
}

#[test]
fn no_attack_reaches_the_upstream_and_no_good_request_is_refused() {
    let _turn = own_envoy();
    let (upstream, endpoint) = (Echo::start().unwrap(), Scripted::start().unwrap());
    endpoint.set_client(policy::PAIR.0, &[policy::PAIR.1]);
    let keys = server::Outcome::Reply(Reply::json(200, &policy::fetched_keys()));
    endpoint.set(|settings| settings.jwks = Some(keys));
    let listener = Listener::new("attacked", policy::policy());
    let clusters = [("upstream", upstream.port()), ("provider", endpoint.port())];
    let envoy = Envoy::start(&config::envoy(&[listener], &clusters), Options::default()).unwrap();
    let client: Client = envoy.client();
    let mut wrong = Vec::new();
    for (name, request) in good_requests() {
        match client.raw(&request) {
            Ok(answer) if answer.status == 200 => drop(assert_passed(&answer)),
            Ok(answer) => wrong.push(format!(
                "good, {name}: {} {}\n{}",
                answer.status,
                answer.text(),
                show(&request)
            )),
            Err(error) => wrong.push(format!("good, {name}: {error:#}\n{}", show(&request))),
        }
    }
    drop(upstream.take_requests());
    let (mut count, mut stripped) = (0, 0);
    for (group, attacks) in groups() {
        for Attack {
            name,
            request,
            outcome,
        } in attacks
        {
            count += 1;
            let answer = client.raw(&request);
            let said = match (&answer, outcome) {
                (Ok(answer), Outcome::Refused(status, reason)) => {
                    let found = (answer.status, answer.at("/reason"));
                    (found != (status, reason.into()))
                        .then(|| format!("{found:?} instead of {status} {reason}"))
                }
                (Ok(answer), Outcome::NoRequest) => {
                    let refused = matches!(answer.status, 400..=499 | 501);
                    (!refused).then(|| format!("{} {}", answer.status, answer.text()))
                }
                (Ok(answer), Outcome::Stripped) => {
                    stripped += 1;
                    let forged = answer.upstream().map_or(true, |seen| {
                        answer.text().contains("forged") || seen.header("x-auth-client").is_some()
                    });
                    forged.then(|| format!("{} {}", answer.status, answer.text()))
                }
                (Err(_), Outcome::NoRequest) => None,
                (Err(error), _) => Some(format!("{error:#}")),
            };
            wrong.extend(said.map(|said| format!("{group}: {name}: {said}\n{}", show(&request))));
            let reached = upstream.take_requests().len();
            if reached != usize::from(outcome == Outcome::Stripped) {
                wrong.push(format!(
                    "{group}: {name}: {reached} requests reached the upstream\n{}",
                    show(&request)
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count >= 300, "{count} attacks");
    // Also of what never ended nothing was passed on.
    assert_eq!(upstream.heads().len(), good_requests().len() + stripped);
    assert_eq!(envoy.wasm_failures().unwrap(), []);
    assert_eq!(envoy.ended().unwrap(), None);
}
