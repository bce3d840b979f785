//! The servers that a case gives.

use super::signing::unknown_key;
use crate::offline::{Met, Servers, call_header, call_url};
use doorward_core::host::{Answer, Call};
use doorward_core::policy::document::{Duration, Json, OneOrMany};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

/// What one call, or several alike, meets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callout {
    /// The cluster that is called. Default: any.
    cluster: Option<String>,
    /// The call's method. Default: any.
    method: Option<String>,
    /// The URL that is called. Default: any.
    url: Option<String>,
    /// How many calls it serves. Default: one.
    #[serde(default)]
    times: Times,
    /// How long the answer takes. Default: no time.
    after: Option<Duration>,
    /// The answer.
    answer: Option<Reply>,
    /// The connection fails.
    #[serde(default)]
    fails: bool,
    /// No answer comes within the call's timeout.
    #[serde(default)]
    times_out: bool,
    /// Not even the proxy says that none came.
    #[serde(default)]
    never: bool,
}

/// An answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    /// Default: 200.
    status: Option<u16>,
    /// In seconds.
    retry_after: Option<u64>,
    /// The body as JSON.
    json: Option<Json>,
    /// The body as text.
    body: Option<String>,
    /// The body as a key set of these keys.
    jwks: Option<OneOrMany<String>>,
}

/// How often something happens.
#[derive(Debug, Clone, Copy)]
struct Times(Option<usize>);

impl Default for Times {
    fn default() -> Times {
        Times(Some(1))
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Times, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Times;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or always")
            }

            fn visit_none<E: de::Error>(self) -> Result<Times, E> {
                Ok(Times::default())
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Times, E> {
                let number = usize::try_from(number).map_err(E::custom)?;
                Ok(Times(Some(number)))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Times, E> {
                let number = usize::try_from(number);
                number
                    .map(|number| Times(Some(number)))
                    .map_err(|_| E::custom("expected a number from 0, or always"))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Times, E> {
                match text {
                    "always" => Ok(Times(None)),
                    _ => Err(E::custom("expected a number, or always")),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Callout {
    /// Whether it says one thing, and one that is there.
    ///
    /// # Errors
    /// What is wrong, and the mend.
    pub fn check(&self, jwks: &BTreeMap<String, Value>) -> Result<(), String> {
        let ends = [
            self.answer.is_some(),
            self.fails,
            self.times_out,
            self.never,
        ];
        if ends.iter().filter(|said| **said).count() != 1 {
            return Err(
                "expected exactly one of `answer`, `fails`, `times_out`, `never`".to_owned(),
            );
        }
        if self.after.is_some() && (self.times_out || self.never) {
            return Err("`after` is for answers and failures".to_owned());
        }
        let Some(reply) = &self.answer else {
            return Ok(());
        };
        let bodies = [
            reply.json.is_some(),
            reply.body.is_some(),
            reply.jwks.is_some(),
        ];
        if bodies.iter().filter(|said| **said).count() > 1 {
            return Err("expected one of `json`, `body`, `jwks`".to_owned());
        }
        let named = reply.jwks.iter().flat_map(|names| &names.0);
        for name in named {
            if !jwks.contains_key(name) {
                return Err(unknown_key(name, jwks.keys()));
            }
        }
        Ok(())
    }

    fn serves(&self, call: &Call) -> bool {
        let is = |wanted: &Option<String>, got: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == got)
        };
        is(&self.cluster, &call.cluster)
            && is(&self.method, call_header(call, ":method"))
            && is(&self.url, &call_url(call))
    }

    fn met(&self, call: &Call, jwks: &BTreeMap<String, Value>) -> Met {
        let after = self.after.map_or(std::time::Duration::ZERO, |time| time.0);
        match &self.answer {
            _ if self.never => Met::Silence,
            // The proxy waits for no answer longer than that.
            _ if self.times_out || after >= call.timeout => {
                Met::Answer(Answer::TimedOut, call.timeout)
            }
            None => Met::Answer(Answer::Failed, after),
            Some(reply) => Met::Answer(reply.answer(jwks), after),
        }
    }
}

impl Reply {
    fn answer(&self, jwks: &BTreeMap<String, Value>) -> Answer {
        let body = match (&self.json, &self.body, &self.jwks) {
            (Some(json), ..) => json.value().to_string(),
            (None, Some(text), _) => text.clone(),
            (None, None, Some(names)) => {
                let keys: Vec<&Value> = names.0.iter().filter_map(|one| jwks.get(one)).collect();
                json!({"keys": keys}).to_string()
            }
            (None, None, None) => String::new(),
        };
        Answer::Reply {
            status: self.status.unwrap_or(200),
            retry_after: self.retry_after,
            body: body.into_bytes(),
        }
    }
}

/// All servers of one case.
pub struct Given {
    callouts: Vec<(Callout, Cell<usize>)>,
    jwks: BTreeMap<String, Value>,
}

impl Given {
    /// The first that fits a call and isn't used up serves it.
    pub fn new(callouts: Vec<Callout>, jwks: BTreeMap<String, Value>) -> Given {
        let callouts = callouts.into_iter();
        Given {
            callouts: callouts.map(|callout| (callout, Cell::new(0))).collect(),
            jwks,
        }
    }
}

impl Servers for Given {
    fn answer(&self, call: &Call) -> Met {
        let found = self.callouts.iter().find(|(callout, used)| {
            let left = callout.times.0.is_none_or(|times| used.get() < times);
            left && callout.serves(call)
        });
        let Some((callout, used)) = found else {
            return Met::Nothing;
        };
        used.set(used.get().saturating_add(1));
        callout.met(call, &self.jwks)
    }
}
