//! The reference model: which verdicts are allowed, said as plainly as possible and without
//! any of the filter's code.
//!
//! It knows what a policy means, what a request presents and what the servers have said so
//! far. It doesn't know in which order things happened within the time in which a request came
//! and was answered, so it allows what was right at some moment of it.

use crate::history::{Flaw, History, Presented};
use crate::plan::{CLIENTS, KEY_ENDS, OWN, login_secret};
use crate::servers::{Said, Server};
use std::time::Duration;

/// How far clocks may differ.
const LEEWAY: Duration = Duration::from_secs(30);

/// What may become of a request.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// It may pass, with one of these in `Authorization`; `None` without that header.
    pub bearers: Vec<Option<String>>,
    /// In whose name.
    pub client: Option<String>,
    /// The subject of the caller's own token.
    pub user: Option<String>,
    /// It may be refused for these reasons.
    pub refusals: Vec<&'static str>,
}

impl Allowed {
    fn pass(client: Option<String>) -> Allowed {
        Allowed {
            bearers: vec![None],
            client,
            ..Allowed::default()
        }
    }

    fn refuse(reason: &'static str) -> Allowed {
        Allowed {
            refusals: vec![reason],
            ..Allowed::default()
        }
    }
}

/// The verdicts that a rule allows, which is named by the first segment of its path.
pub fn allowed(rule: &str, sent: &Presented, history: &History) -> Allowed {
    match rule {
        "open" => Allowed::pass(None),
        "pair" => pair(sent, history),
        "jwt" => jwt(sent, history),
        "key" | "limited" => key(sent, history),
        "session" => session(sent, history),
        "own" => own(sent, history),
        "any" => {
            let (key, pair) = (key(sent, history), pair(sent, history));
            if key.refusals.is_empty() {
                return key;
            }
            let mut refusals = Vec::new();
            if !pair.refusals.is_empty() {
                refusals = [key.refusals, pair.refusals].concat();
            }
            if key.bearers.is_empty() {
                return Allowed { refusals, ..pair };
            }
            // At some moment the key is good and at another it isn't: either will do where
            // both say the same client, which the generator sees to.
            let bearers = [key.bearers, pair.bearers].concat();
            Allowed {
                bearers,
                refusals,
                ..key
            }
        }
        "all" => {
            let (key, pair) = (key(sent, history), pair(sent, history));
            if key.bearers.is_empty() {
                return key;
            }
            let refusals = [key.refusals, pair.refusals].concat();
            Allowed { refusals, ..pair }
        }
        _ => Allowed::refuse("no_rule"),
    }
}

fn key(sent: &Presented, history: &History) -> Allowed {
    let Some((number, kind)) = sent.key else {
        return Allowed::refuse("credentials_missing");
    };
    if sent.doubled {
        return Allowed::refuse("credentials_duplicated");
    }
    let mut allowed = Allowed::pass(Some(format!("shop-{number}")));
    match kind {
        "key" => {}
        "ending" => {
            let end = history.start + KEY_ENDS;
            let (earliest, latest) = history.walls();
            if earliest >= end {
                allowed.bearers.clear();
            }
            if latest >= end {
                allowed.refusals.push("api_key_expired");
            }
        }
        "revoked" => return Allowed::refuse("api_key_revoked"),
        _ => return Allowed::refuse("api_key_unknown"),
    }
    allowed
}

fn pair(sent: &Presented, history: &History) -> Allowed {
    let (Some(id), Some(secret)) = (&sent.id, &sent.secret) else {
        return Allowed::refuse("credentials_missing");
    };
    let pair = (id.clone(), secret.clone());
    let mut allowed = exchange(Server::Tokens, &pair, history);
    allowed.client = Some(id.clone());
    if history.plan.verify {
        verify(&pair, history, &mut allowed);
    }
    if let Some(cache) = history.plan.lookup {
        look_up(id, cache, history, &mut allowed);
    }
    allowed
}

/// What a token endpoint's word so far allows for a pair.
fn exchange(server: Server, pair: &(String, String), history: &History) -> Allowed {
    let mut allowed = Allowed::default();
    let (earliest, _) = history.walls();
    for (call, token) in history.given(server, pair) {
        if earliest < history.end(call, token) {
            allowed.bearers.push(Some(token.text.clone()));
        }
    }
    for call in history.ended(server) {
        match &call.said {
            Said::Refused
                if call.pair == *pair && history.recent(call.ends, history.refusal_holds(call)) =>
            {
                allowed.refusals.push("exchange_refused");
            }
            // Every pair is kept away from an endpoint that asked for it.
            Said::Limited(seconds) if history.recent(call.ends, Duration::from_secs(*seconds)) => {
                allowed.refusals.push("exchange_limited");
            }
            _ => {}
        }
    }
    if history.exchange_troubled(server) {
        allowed.refusals.extend([
            "exchange_unavailable",
            "exchange_unreachable",
            "exchange_timeout",
            "exchange_reply",
        ]);
    }
    if history.another_tries(server, pair) {
        allowed.refusals.push("exchange_unavailable");
    }
    allowed
}

/// Only tokens pass that satisfy `verify` by keys that this worker was told.
fn verify(pair: &(String, String), history: &History, allowed: &mut Allowed) {
    let sets = history.key_sets();
    let known = |key: u64| sets.iter().flatten().any(|set| set.contains(&key));
    let unknown = |key: u64| {
        sets.iter()
            .any(|set| !set.is_some_and(|set| set.contains(&key)))
    };
    let mut good = Vec::new();
    for (call, token) in history.given(Server::Tokens, pair) {
        let key = token.key.unwrap();
        if token.sound && known(key) {
            good.push(Some(token.text.clone()));
        }
        if !token.sound {
            allowed.refusals.extend(["token_claims", "token_issuer"]);
        }
        if unknown(key) {
            allowed.refusals.extend(["key_unknown"]);
        }
        if history.jumped(call.at, history.to) {
            let times = ["token_not_yet_valid", "token_expired"];
            allowed.refusals.extend(times);
        }
    }
    allowed.bearers.retain(|bearer| good.contains(bearer));
    if sets.contains(&None) {
        allowed.refusals.push("keys_unavailable");
    }
}

/// Only clients pass of which the registry said lately that they are enabled.
fn look_up(id: &str, cache: Duration, history: &History, allowed: &mut Allowed) {
    let mut calls: Vec<_> = history
        .own(Server::Registry)
        .filter(|call| call.pair.0 == id)
        .collect();
    calls.sort_by_key(|call| call.ends);
    let mut enabled = false;
    for (at, call) in calls.iter().enumerate() {
        let heard = |next: &&crate::servers::Call| {
            next.ends < history.from && !history.jumped(next.at, next.ends)
        };
        let replaced = calls[at + 1..].iter().any(heard);
        // A clock that goes back must not keep an answer for longer than twice its time.
        let stale = match history.jumped(call.ends, history.to) {
            true => call.ends + cache * 2 < history.from,
            false => call.ends + cache < history.from,
        };
        match &call.said {
            Said::Client(true) if !replaced && !stale => enabled = true,
            Said::Client(false) if history.recent(call.ends, cache) => {
                allowed.refusals.push("lookup_denied");
            }
            Said::NoClient if history.recent(call.ends, cache) => {
                allowed.refusals.push("lookup_unknown");
            }
            Said::Failed(_) | Said::Lost if history.recent(call.ends, Duration::from_secs(1)) => {
                allowed.refusals.push("lookup_unavailable");
            }
            _ => {}
        }
    }
    if history.disturbed() {
        allowed.refusals.push("lookup_unavailable");
    }
    if !enabled {
        allowed.bearers.clear();
    }
}

fn own(sent: &Presented, history: &History) -> Allowed {
    let caller = key(sent, history);
    if caller.bearers.is_empty() {
        return caller;
    }
    let pair = (OWN.0.to_owned(), OWN.1.to_owned());
    let token = exchange(Server::Own, &pair, history);
    let mut refusals = [caller.refusals, token.refusals].concat();
    if refusals.contains(&"exchange_refused") {
        refusals.push("credential_unavailable");
    }
    Allowed {
        bearers: token.bearers,
        refusals,
        ..Allowed::pass(caller.client)
    }
}

fn jwt(sent: &Presented, history: &History) -> Allowed {
    let Some(jwt) = &sent.jwt else {
        return Allowed::refuse("credentials_missing");
    };
    let sets = history.key_sets();
    let with = |set: &Option<&Vec<u64>>| set.is_some_and(|set| set.contains(&jwt.key));
    let (earliest, latest) = history.walls();
    let mut allowed = Allowed {
        user: Some(jwt.subject.clone()),
        bearers: vec![Some(jwt.text.clone())],
        ..Allowed::default()
    };
    if !sets.iter().any(with) || jwt.flaw != Flaw::None {
        allowed.bearers.clear();
    }
    if sets.contains(&None) {
        allowed.refusals.push("keys_unavailable");
    }
    if sets.iter().any(|set| !with(set)) {
        allowed.refusals.push("key_unknown");
    }
    match jwt.flaw {
        Flaw::None => {}
        Flaw::Forged => allowed.refusals.push("token_signature"),
        Flaw::Issuer => allowed.refusals.push("token_issuer"),
    }
    times(jwt.iat, jwt.exp, (earliest, latest), &mut allowed);
    allowed
}

fn session(sent: &Presented, history: &History) -> Allowed {
    let Some((text, forged)) = &sent.session else {
        return Allowed::refuse("credentials_missing");
    };
    if *forged {
        return Allowed::refuse("token_signature");
    }
    let seconds = |name| {
        let value = crate::jwt::claim(text, name).unwrap();
        Duration::from_secs(value.as_u64().unwrap())
    };
    let client = crate::jwt::claim(text, "sub").unwrap();
    let mut allowed = Allowed::pass(Some(client.as_str().unwrap().to_owned()));
    times(
        seconds("iat"),
        seconds("exp"),
        history.walls(),
        &mut allowed,
    );
    allowed
}

fn times(
    iat: Duration,
    exp: Duration,
    (earliest, latest): (Duration, Duration),
    allowed: &mut Allowed,
) {
    if earliest >= exp + LEEWAY || latest + LEEWAY < iat {
        allowed.bearers.clear();
    }
    if latest >= exp + LEEWAY {
        allowed.refusals.push("token_expired");
    }
    if earliest + LEEWAY < iat {
        allowed.refusals.push("token_not_yet_valid");
    }
}

/// Whether a client of the store gets a session, and as whom.
pub fn may_log_in(login: &(String, String)) -> bool {
    (0..CLIENTS).any(|number| *login == (format!("shop-{number}"), login_secret(number)))
}
