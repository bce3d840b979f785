//! Asking the database.

use super::{Known, LookupKey, Outcome};
use crate::authenticate::Authenticator;
use crate::budget::Endpoint;
use crate::engine::Gateway;
use crate::host::{Answer, Call, Host, Level};
use crate::observe::{Event, Throttle};
use crate::policy::absolute_url;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared};
use percent_encoding::percent_decode_str;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// How long a database that failed is left alone with the same question.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 8 * 1024;

type Flight = Shared<LocalBoxFuture<'static, Outcome>>;

/// What one worker knows and is asking for.
#[derive(Default)]
pub struct Lookups {
    known: RefCell<Known>,
    flights: RefCell<BTreeMap<LookupKey, Flight>>,
    quiet: Throttle,
}

impl Lookups {
    /// Forgets the answers.
    pub(crate) fn forget(&self) {
        self.known.borrow_mut().clear();
    }

    /// Ends what is under way.
    pub(crate) fn clear(&self) {
        self.flights.borrow_mut().clear();
    }
}

impl<H: Host + 'static> Gateway<H> {
    /// What is known without asking.
    pub fn known_lookup(&self, authenticator: usize, url: &str) -> Option<Outcome> {
        let key = LookupKey::new(authenticator, url);
        self.lookups.known.borrow_mut().get(&key, self.host.now())
    }

    /// Asks, or joins whoever is asking the same already.
    pub fn look_up(self: &Rc<Self>, authenticator: usize, url: &str) -> Flight {
        let key = LookupKey::new(authenticator, url);
        if let Some(flight) = self.lookups.flights.borrow().get(&key) {
            return flight.clone();
        }
        let gateway = self.clone();
        let url = url.to_owned();
        let flight = async move {
            let outcome = gateway.fetch_lookup(authenticator, &url, key).await;
            gateway.lookups.flights.borrow_mut().remove(&key);
            outcome
        }
        .boxed_local()
        .shared();
        if !self.host.resumes_others() {
            return flight;
        }
        self.lookups
            .flights
            .borrow_mut()
            .insert(key, flight.clone());
        self.spawn(flight.clone().map(drop));
        flight
    }

    async fn fetch_lookup(&self, authenticator: usize, url: &str, key: LookupKey) -> Outcome {
        let Some(Authenticator::ClientCredentials(own)) =
            self.policy.authenticators.get(authenticator)
        else {
            return Outcome::Unavailable;
        };
        let Some(lookup) = &own.lookup else {
            return Outcome::Unavailable;
        };
        let answer = match call(lookup, url) {
            Some(call) => {
                self.host.count(Event::LookupCalled);
                self.call(Endpoint::Lookup(authenticator), call).await
            }
            None => Answer::Failed,
        };
        let (outcome, kept) = match answer {
            Answer::Reply {
                status: 200, body, ..
            } => match object(&body) {
                Some(object) => (Outcome::Found(Rc::new(object)), lookup.cache),
                None => (Outcome::Unavailable, PAUSE),
            },
            Answer::Reply { status: 404, .. } => (Outcome::Unknown, lookup.cache),
            _ => (Outcome::Unavailable, PAUSE),
        };
        if outcome == Outcome::Unavailable {
            self.host.count(Event::LookupFailed);
            if let Some(more) = self.lookups.quiet.pass(self.host.now()) {
                self.host.log(
                    Level::Warn,
                    &format!(
                        "authenticators.{}: the look-up got no usable answer; its callers are refused with 503; {more} more since the last such line",
                        lookup.name
                    ),
                );
            }
        }
        let now = self.host.now();
        let mut known = self.lookups.known.borrow_mut();
        known.put(key, outcome.clone(), now, kept);
        outcome
    }
}

fn call(lookup: &super::Lookup, url: &str) -> Option<Call> {
    let url = absolute_url(url)?;
    // What a caller wrote into the path must not lead out of it (`..` is a good client id).
    let path = url.path.split('?').next().unwrap_or_default();
    let leads_out = path.split('/').any(|segment| {
        let decoded = percent_decode_str(segment).decode_utf8_lossy();
        let twice = percent_decode_str(&decoded).decode_utf8_lossy();
        matches!(&*twice, "." | "..")
    });
    if leads_out {
        return None;
    }
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut headers = vec![
        header(":method", "GET"),
        header(":scheme", url.scheme),
        header(":authority", &url.authority),
        header(":path", &url.path),
        header("accept", "application/json"),
    ];
    for (name, value) in &lookup.headers {
        headers.retain(|(other, _)| other != name);
        headers.push((name.clone(), value.expose().to_owned()));
    }
    Some(Call {
        cluster: lookup.cluster.clone(),
        headers,
        body: Vec::new(),
        timeout: lookup.timeout,
    })
}

fn object(body: &[u8]) -> Option<serde_json::Value> {
    if body.len() > MAX_ANSWER {
        return None;
    }
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    value.is_object().then_some(value)
}
