//! The servers around the gateway: they behave as the world's weather has it, and write down
//! what they said.

use crate::credentials;
use crate::dice::Dice;
use crate::jwt;
use crate::plan::{OWN, Plan};
use percent_encoding::percent_decode_str;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;
use testhost::{Answering, Callout, Place, Reply};

/// Which server was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// The token endpoint, for the callers' pairs.
    Tokens,
    /// The token endpoint, for the gateway's own pair.
    Own,
    Keys,
    Registry,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    Token(Token),
    /// The pair is refused.
    Refused,
    /// 429, to come again in so many seconds.
    Limited(u64),
    /// 5xx with the seconds of its `Retry-After`, or no answer at all.
    Failed(Option<u64>),
    /// 200 with nothing of use.
    Unusable,
    /// A status that speaks about this request only.
    Odd,
    Keys(Vec<u64>),
    /// A client that is enabled, or isn't.
    Client(bool),
    /// The registry doesn't know the client.
    NoClient,
    /// Nothing, and nobody is left to whom it could be said.
    Lost,
}

/// The life that a reply doesn't tell, since it is the policy's default.
const UNSAID: Duration = Duration::from_secs(300);

impl Token {
    /// When a token ends that came then: where its life isn't told, `exp` alone says it.
    pub fn end(&self, arrived: Duration) -> Duration {
        let told = arrived + self.told;
        match self.exp {
            Some(exp) if self.told == UNSAID => exp,
            exp => exp.map_or(told, |exp| told.min(exp)),
        }
    }
}

/// A token that was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    pub text: String,
    /// How long it lives from its arrival.
    pub told: Duration,
    /// Its own end by the wall clock.
    pub exp: Option<Duration>,
    /// The number of the key that signed it.
    pub key: Option<u64>,
    /// Whether its claims and signature are what the policy asks for.
    pub sound: bool,
}

/// A call that was made.
#[derive(Debug, Clone)]
pub struct Call {
    pub server: Server,
    pub version: u32,
    /// The pair that asks for a token, or the client that is looked up.
    pub pair: (String, String),
    pub place: Place,
    /// How often that worker had died.
    pub life: usize,
    pub at: Duration,
    pub ends: Duration,
    pub said: Said,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Call {
            server,
            version,
            pair,
            place,
            at,
            ends,
            said,
            ..
        } = self;
        let said = match said {
            Said::Token(token) => format!(
                "{} for {:?}",
                token.text.get(..12).unwrap_or(&token.text),
                token.told
            ),
            said => format!("{said:?}"),
        };
        write!(
            f,
            "[{place} to {server:?}/{version} for {pair:?}, {at:?} to {ends:?}: {said}]"
        )
    }
}

/// How a server behaves for now, in per cent.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    pub bad: u64,
    pub slow: u64,
    pub never: u64,
}

impl Weather {
    pub fn throw(dice: &mut Dice) -> Weather {
        let calm = Weather {
            bad: 0,
            slow: 5,
            never: 0,
        };
        let [rough, slow, down] = [
            Weather {
                bad: 40,
                slow: 20,
                never: 10,
            },
            Weather {
                bad: 5,
                slow: 90,
                never: 0,
            },
            Weather {
                bad: 100,
                slow: 20,
                never: 0,
            },
        ];
        dice.pick(&[calm, calm, calm, rough, slow, down])
    }
}

pub struct Servers {
    pub dice: Dice,
    pub weather: BTreeMap<Server, Weather>,
    pub calls: Vec<Call>,
    /// The secrets that the token endpoint takes of each client, the newest last.
    pub secrets: BTreeMap<String, Vec<String>>,
    /// The keys that the provider publishes; the last signs.
    pub keys: Vec<u64>,
    /// Clients that the registry knows, and whether they are enabled.
    pub rows: BTreeMap<String, bool>,
    /// How often each worker has died.
    pub lives: BTreeMap<Place, usize>,
    /// How far the wall clock is from where it began to count, in milliseconds.
    pub offset: i64,
    /// The wall clock at the start.
    pub start: Duration,
    /// The policies, by their version.
    pub plans: Vec<Plan>,
    /// The pairs that callers have presented.
    pub presented: BTreeSet<(String, String)>,
    /// The ids of assertions that were used.
    pub assertions: BTreeSet<String>,
    /// What is wrong with a call that the gateway made.
    pub wrong: Option<String>,
    pub serial: u64,
}

impl Servers {
    pub fn wall(&self, at: Duration) -> Duration {
        let millis = i64::try_from((self.start + at).as_millis()).unwrap() + self.offset;
        Duration::from_millis(u64::try_from(millis).unwrap())
    }

    pub fn answer(&mut self, call: &Callout) -> Answering {
        let path = call.path();
        let mut parts = path.trim_start_matches('/').split('/');
        let first = parts.next().unwrap().to_owned();
        let (server, version) = match first.as_str() {
            "token" => (Server::Tokens, parts.next().unwrap()),
            "own" => (Server::Own, parts.next().unwrap()),
            "keys" => (Server::Keys, parts.next().unwrap()),
            version => (Server::Registry, version.trim_start_matches('v')),
        };
        let version: u32 = version.parse().unwrap();
        let pair = match server {
            Server::Tokens | Server::Own => self.asker(server, version, call),
            Server::Keys => (String::new(), String::new()),
            Server::Registry => {
                let id = percent_decode_str(path.rsplit('/').next().unwrap());
                (id.decode_utf8().unwrap().into_owned(), String::new())
            }
        };
        let weather = self.weather[&server];
        let delay = match self.dice.next() % 100 {
            roll if roll < weather.slow => self.dice.between(20, 3500),
            roll if roll < 60 => 0,
            _ => self.dice.between(1, 19),
        };
        let delay = Duration::from_millis(delay);
        let never = self.dice.chance(weather.never);
        let timeout = call.timeout.unwrap();
        let late = never || delay >= timeout;
        let ends = call.at + if late { timeout } else { delay };
        let bad = self.dice.chance(weather.bad);
        let (reply, said) = match (late, bad) {
            (true, _) => (Reply::new(200), Said::Failed(None)),
            (false, true) => self.bad_answer(server),
            (false, false) => self.good_answer(server, version, &pair, call.at),
        };
        let life = self.lives.get(&call.place).copied().unwrap_or(0);
        let place = call.place;
        self.calls.push(Call {
            server,
            version,
            pair,
            place,
            life,
            at: call.at,
            ends,
            said,
        });
        match (never, delay.is_zero()) {
            (true, _) => Answering::Wait,
            (false, true) => Answering::Now(reply),
            (false, false) => Answering::After(delay, reply),
        }
    }

    /// The pair with which the gateway asks for a token. It must be the gateway's own or one that
    /// a caller presented, and stand where the policy says.
    fn asker(&mut self, server: Server, version: u32, call: &Callout) -> (String, String) {
        let plan = &self.plans[version as usize];
        let auth = match server {
            Server::Own => plan.own_auth,
            _ => plan.auth,
        };
        let now = self.wall(call.at);
        let shown = credentials::shown(call, auth, now, &mut self.assertions);
        let pair = shown.and_then(|pair| {
            let own = pair == (OWN.0.to_owned(), OWN.1.to_owned());
            let right = match server {
                Server::Own => own,
                _ => self.presented.contains(&pair),
            };
            right.then_some(pair).ok_or("nobody's pair".to_owned())
        });
        pair.unwrap_or_else(|what| {
            let place = call.place;
            let what = format!("{place} asks {server:?}/{version} by {auth} with {what}");
            self.wrong.get_or_insert(what);
            Default::default()
        })
    }

    /// What no server of this kind should answer.
    fn bad_answer(&mut self, server: Server) -> (Reply, Said) {
        let seconds = self.dice.between(1, 9);
        let after = |status| Reply::new(status).header("retry-after", seconds.to_string());
        let tokens = matches!(server, Server::Tokens | Server::Own);
        let odd = if tokens {
            Said::Odd
        } else {
            Said::Failed(None)
        };
        let unusable = if tokens {
            Said::Unusable
        } else {
            Said::Failed(None)
        };
        let mut huge = vec![b' '; 600_000];
        huge.extend(br#"{"access_token": "huge", "keys": [], "enabled": true}"#);
        match self.dice.between(0, 11) {
            0 | 1 => (Reply::new(500), Said::Failed(None)),
            2 => (Reply::new(503).body("busy"), Said::Failed(None)),
            3 if tokens => (after(503), Said::Failed(Some(seconds))),
            4 if tokens => (after(429), Said::Limited(seconds)),
            3 | 4 => (after(503), Said::Failed(None)),
            5 => (Reply::reset(), Said::Failed(None)),
            6 => (Reply::cut_short(200), Said::Failed(None)),
            7 => (Reply::refused(), Said::Failed(None)),
            8 => (Reply::new(400).body(r#"{"error": "invalid_request"}"#), odd),
            9 => (
                Reply::new(200).body(r#"{"access_token": "cut", "expires"#),
                unusable,
            ),
            10 => (Reply::new(200).body(huge), unusable),
            _ => {
                let life = self.dice.pick(&["0", "-1", "\"soon\"", "[60]"]);
                let body = format!(r#"{{"access_token": "odd", "expires_in": {life}}}"#);
                match server {
                    // For it this is a client without `enabled`.
                    Server::Registry => (Reply::new(200).body(body), Said::Client(false)),
                    _ => (Reply::new(200).body(body), unusable),
                }
            }
        }
    }

    fn good_answer(
        &mut self,
        server: Server,
        version: u32,
        pair: &(String, String),
        at: Duration,
    ) -> (Reply, Said) {
        match server {
            Server::Keys => {
                let body = jwt::key_set(&self.keys);
                (Reply::new(200).body(body), Said::Keys(self.keys.clone()))
            }
            Server::Registry => match self.rows.get(&pair.0) {
                None => (Reply::new(404), Said::NoClient),
                Some(enabled) => {
                    let body = json!({"enabled": enabled, "plan": "gold"}).to_string();
                    (Reply::new(200).body(body), Said::Client(*enabled))
                }
            },
            Server::Tokens | Server::Own => {
                let known = self.secrets.get(&pair.0);
                if !known.is_some_and(|secrets| secrets.contains(&pair.1)) {
                    let error = json!({"error": "invalid_client"}).to_string();
                    let status = self.dice.pick(&[400, 401]);
                    return (Reply::new(status).body(error), Said::Refused);
                }
                let jwt = server == Server::Tokens && self.plans[version as usize].verify;
                let token = self.token(&pair.0, jwt, self.wall(at));
                let mut body = json!({"access_token": token.text, "token_type": "Bearer"});
                // Left out, it is the policy's default of five minutes, or the token's own end.
                if token.told != UNSAID {
                    body["expires_in"] = token.told.as_secs().into();
                }
                (Reply::new(200).body(body.to_string()), Said::Token(token))
            }
        }
    }

    fn token(&mut self, id: &str, jwt: bool, now: Duration) -> Token {
        self.serial += 1;
        let serial = self.serial;
        let life = self.dice.pick(&[2, 5, 20, 60, 300, 3600]);
        let told = Duration::from_secs(life);
        if !jwt {
            let text = format!("opaque-{serial}");
            return Token {
                text,
                told,
                exp: None,
                key: None,
                sound: true,
            };
        }
        let exp = Duration::from_secs((now + told).as_secs());
        let mut claims = jwt::claims(id, now, exp, serial);
        // A provider that errs: such a token must open nothing.
        let flaw = match self.dice.between(0, 19) {
            0 => Some(("client_id", "shop-9")),
            1 => Some(("iss", "https://elsewhere.example.com")),
            _ => None,
        };
        if let Some((name, value)) = flaw {
            claims[name] = value.into();
        }
        let key = *self.keys.last().unwrap();
        let text = jwt::sign(key, &claims);
        Token {
            text,
            told,
            exp: Some(exp),
            key: Some(key),
            sound: flaw.is_none(),
        }
    }
}
