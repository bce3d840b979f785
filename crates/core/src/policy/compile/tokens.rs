//! `tokens`.

use super::{Compiler, TokenKind};
use crate::expression::{Expression, Place, Variable};
use crate::policy::document::{self, ExpressionSource, Path, Secret};
use crate::policy::raw;
use crate::tokens::{BreakerSettings, ClientAuth, Exchange, Pair, Pointers, Retry};
use std::collections::BTreeMap;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(3);
const REFRESH_BEFORE: Duration = Duration::from_secs(60);
const CACHE_FAILURES: Duration = Duration::from_secs(5);
/// In seconds: the shared board takes no word for longer.
const HOUR: u64 = 3600;
const MONTH: u64 = 30 * 24 * HOUR;
/// A request waits for all of them.
const MAX_ATTEMPTS: u64 = 10;
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

impl Compiler<'_> {
    pub(super) fn tokens(&mut self, tokens: BTreeMap<String, raw::Token>, path: &Path) {
        self.token_names = tokens.keys().cloned().collect();
        for (name, token) in tokens {
            let place = path.key(&name);
            let broken = self.broken.has("tokens", &name);
            if matches!(name.as_str(), "keep" | "remove" | "") {
                self.problem(
                    &place,
                    "this word has a meaning of its own; choose another name",
                );
            }
            let given = [
                ("exchange", token.exchange.is_some()),
                ("sign", token.sign.is_some()),
            ];
            let kind = match (self.exactly_one(&place, &given), token.exchange, token.sign) {
                (true, Some(exchange), _) => {
                    match self.exchange(name, exchange, &place.key("exchange")) {
                        Some(exchange) => {
                            self.exchanges.push(exchange);
                            TokenKind::Exchange(self.exchanges.len() - 1)
                        }
                        None => TokenKind::Broken,
                    }
                }
                (true, _, Some(sign)) => self.sign(name, sign, &place.key("sign")),
                _ => TokenKind::Broken,
            };
            self.token_kinds
                .push(if broken { TokenKind::Broken } else { kind });
        }
    }

    fn exchange(&mut self, name: String, raw: raw::Exchange, path: &Path) -> Option<Exchange> {
        let url = self.url(&raw.url, &path.key("url"));
        let auth = match raw.auth.as_deref() {
            None | Some("client_secret_basic") => ClientAuth::Basic,
            Some("client_secret_post") => ClientAuth::Post,
            Some("client_secret_json") => ClientAuth::Json,
            Some("private_key_jwt") => {
                if raw.assertion.is_none() {
                    self.problem(
                        path,
                        "\"assertion\" is required here: the key that signs and its algorithm",
                    );
                }
                if raw.client.is_none() {
                    self.problem(
                        path,
                        "\"client\" is required here: the gateway's key proves no pair of somebody else",
                    );
                }
                ClientAuth::PrivateKeyJwt
            }
            Some(_) => {
                self.problem(
                    &path.key("auth"),
                    "expected client_secret_basic, client_secret_post, client_secret_json or private_key_jwt",
                );
                ClientAuth::Basic
            }
        };
        let assertion = raw.assertion.and_then(|assertion| {
            if auth != ClientAuth::PrivateKeyJwt {
                self.problem(
                    &path.key("assertion"),
                    "an assertion is sent with `auth: private_key_jwt` only",
                );
            }
            let client = raw.client.as_ref().map_or("", |client| &client.id);
            self.own_assertion(&name, client, &raw.url, assertion, &path.key("assertion"))
        });
        // What only the key's holder knows stands where a secret would.
        let stand_in = assertion.as_ref().and_then(|assertion| {
            let key = assertion.own_keys().first()?;
            Some(Secret::from(key.name_of(&[b"in place of a secret"])))
        });
        let own = raw.client.and_then(|client| {
            let secret = client.secret.or(stand_in);
            let Some(secret) = secret else {
                // With private_key_jwt it is the assertion that has a problem.
                if auth != ClientAuth::PrivateKeyJwt {
                    self.problem(&path.key("client"), "\"secret\" is required here");
                }
                return None;
            };
            let pair = Pair::new(&client.id, secret.expose());
            if pair.is_none() {
                self.problem(
                    &path.key("client"),
                    "id and secret are texts that are neither empty nor very long",
                );
            }
            pair
        });
        if raw.json.is_some() && !raw.form.is_empty() {
            self.problem(
                &path.key("json"),
                "give either `form` or `json`: a request has one body",
            );
        }
        let form = raw
            .form
            .into_iter()
            .filter_map(|(field, source)| {
                let place = path.key("form").key(&field);
                let expression =
                    self.body_expression(&source, Place::ExchangeForm, auth, &place)?;
                Some((field, expression))
            })
            .collect();
        let json = raw.json.and_then(|source| {
            self.body_expression(&source, Place::ExchangeJson, auth, &path.key("json"))
        });
        let headers = self.call_headers(raw.headers, &path.key("headers"));
        let pointers = self.pointers(raw.response.unwrap_or_default(), &path.key("response"));
        let mut time = |given: Option<document::Duration>, default, longest: u64, key: &str| {
            let time = given.map_or(default, |time| time.0);
            if time > Duration::from_secs(longest) {
                self.problem(&path.key(key), format!("this is at most {longest}s"));
            }
            if time.is_zero() {
                self.problem(
                    &path.key(key),
                    "this needs some time; leave it out for the default",
                );
            }
            time
        };
        let timeout = time(raw.timeout, TIMEOUT, 60, "timeout");
        let default_lifetime = time(
            raw.default_lifetime,
            DEFAULT_LIFETIME,
            MONTH,
            "default_lifetime",
        );
        let cache_failures = time(raw.cache_failures, CACHE_FAILURES, HOUR, "cache_failures");
        if let Some(scopes) = &raw.scopes {
            self.scope_tokens(&scopes.0, &path.key("scopes"));
        }
        let retry = self.retry(raw.retry.unwrap_or_default(), &path.key("retry"));
        let breaker = self.breaker(raw.breaker.unwrap_or_default(), &path.key("breaker"));
        let url = url?;
        Some(Exchange {
            retry,
            breaker,
            name,
            cluster: raw.cluster,
            scheme: url.scheme,
            authority: url.authority,
            path: url.path,
            own,
            auth,
            assertion,
            scope: raw
                .scopes
                .map(|scopes| scopes.0.join(" "))
                .unwrap_or_default(),
            form,
            json,
            headers,
            pointers,
            default_lifetime,
            timeout,
            refresh_before: raw.refresh_before.map_or(REFRESH_BEFORE, |time| time.0),
            cache_failures,
        })
    }

    /// An expression of the call's body.
    fn body_expression(
        &mut self,
        source: &ExpressionSource,
        place: Place,
        auth: ClientAuth,
        path: &Path,
    ) -> Option<Expression> {
        let expression = self.expression(source, place, path)?;
        let signed = auth == ClientAuth::PrivateKeyJwt;
        if expression.uses(Variable::Assertion) && !signed {
            self.problem(
                path,
                "`assertion` is signed with `auth: private_key_jwt` only",
            );
        }
        let reads = [Variable::Request, Variable::Path];
        if signed && reads.into_iter().any(|variable| expression.uses(variable)) {
            self.problem(
                path,
                "with private_key_jwt the token is the gateway's own, the same for every request: this can't read `request` or `path`",
            );
        }
        Some(expression)
    }

    fn retry(&mut self, raw: raw::Retry, path: &Path) -> Retry {
        let default = Retry::default();
        let attempts = raw.attempts.unwrap_or(default.attempts.into());
        if !(1..=MAX_ATTEMPTS).contains(&attempts) {
            let message = format!("an endpoint is tried 1 to {MAX_ATTEMPTS} times");
            self.problem(&path.key("attempts"), message);
        }
        for (key, time) in [("base", raw.base), ("max", raw.max)] {
            self.at_most(time, 60, &path.key(key));
        }
        Retry {
            attempts: u32::try_from(attempts).unwrap_or(default.attempts),
            base: raw.base.map_or(default.base, |time| time.0),
            max: raw.max.map_or(default.max, |time| time.0),
        }
    }

    fn breaker(&mut self, raw: raw::Breaker, path: &Path) -> BreakerSettings {
        let default = BreakerSettings::default();
        let failures = raw.failures.unwrap_or(default.failures.into());
        if failures == 0 {
            self.problem(
                &path.key("failures"),
                "a breaker opens after one failure at the earliest",
            );
        }
        self.at_most(raw.open, HOUR, &path.key("open"));
        BreakerSettings {
            failures: u32::try_from(failures).unwrap_or(u32::MAX),
            open: raw.open.map_or(default.open, |time| time.0),
        }
    }

    fn at_most(&mut self, time: Option<document::Duration>, longest: u64, path: &Path) {
        if time.is_some_and(|time| time.0 > Duration::from_secs(longest)) {
            self.problem(path, format!("this is at most {longest}s"));
        }
    }

    /// Headers of a call, names in lower case.
    pub(super) fn call_headers(
        &mut self,
        raw: BTreeMap<String, Secret>,
        path: &Path,
    ) -> Vec<(String, Secret)> {
        let mut headers = Vec::new();
        for (header, value) in raw {
            let place = path.key(&header);
            if value.expose().bytes().any(|byte| byte.is_ascii_control()) {
                self.problem(
                    &place,
                    "a header's value has no line breaks or control characters",
                );
            }
            if let Some(header) = self.header_name(&header, &place) {
                headers.push((header, value));
            }
        }
        headers
    }

    fn pointers(&mut self, raw: raw::Response, path: &Path) -> Pointers {
        let mut pointer = |given: Option<String>, default: String, key: &str| {
            let pointer = given.unwrap_or(default);
            if !pointer.starts_with('/') {
                self.problem(
                    &path.key(key),
                    "expected a JSON pointer, as in /access_token",
                );
            }
            pointer
        };
        let default = Pointers::default();
        Pointers {
            token: pointer(raw.token, default.token, "token"),
            expires_in: pointer(raw.expires_in, default.expires_in, "expires_in"),
            token_type: pointer(raw.token_type, default.token_type, "token_type"),
        }
    }
}
