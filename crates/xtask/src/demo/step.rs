//! One line of the demo: a request, and what must come of it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::server::{Received, locked};

/// A request with its expected answer. The default expectation is a 200 from the upstream.
#[derive(Debug, Clone)]
pub struct Step {
    /// What is special about this request.
    pub title: String,
    method: &'static str,
    path: String,
    host: Option<String>,
    headers: Vec<(String, String)>,
    bearer: Option<Token>,
    keeps: Option<(&'static str, Token)>,
    body: Option<Value>,
    here: bool,
    times: u32,
    until: Option<u32>,
    without_idp: bool,
    status: u16,
    reason: Option<&'static str>,
    fields: Vec<(&'static str, Value)>,
    seen: Vec<(&'static str, Seen)>,
    exchanges: Option<u64>,
}

/// A token that one step gets and others send.
#[derive(Debug, Clone, Default)]
pub struct Token(Arc<Mutex<String>>);

/// What the upstream must have seen of a header.
#[derive(Debug, Clone)]
enum Seen {
    Value(String),
    Prefix(&'static str),
    Nothing,
}

impl Step {
    /// Begins a step.
    #[must_use]
    pub fn new(title: &str, method: &'static str, path: &str) -> Self {
        Self {
            title: title.to_owned(),
            method,
            path: path.to_owned(),
            host: None,
            headers: Vec::new(),
            bearer: None,
            keeps: None,
            body: None,
            here: false,
            times: 1,
            until: None,
            without_idp: false,
            status: 200,
            reason: None,
            fields: Vec::new(),
            seen: Vec::new(),
            exchanges: None,
        }
    }

    /// The `Host`.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends this token, which an earlier step keeps, in `Authorization`.
    #[must_use]
    pub fn bearer(mut self, token: &Token) -> Self {
        self.bearer = Some(token.clone());
        self
    }

    /// Expects the gateway to answer by itself, not the upstream.
    #[must_use]
    pub fn answered_here(mut self) -> Self {
        self.here = true;
        self
    }

    /// Keeps the token at this JSON pointer of the answer's body.
    #[must_use]
    pub fn keeps(mut self, pointer: &'static str, token: &Token) -> Self {
        self.keeps = Some((pointer, token.clone()));
        self
    }

    /// A body in JSON, which the upstream must see unchanged.
    #[must_use]
    pub fn json(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Sent this often; every answer must be as expected, and the last is shown.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Sent at most this often and once more, until the answer is the expected one.
    #[must_use]
    pub fn until(mut self, times: u32) -> Self {
        self.until = Some(times);
        self
    }

    /// The OAuth server is down for this step and all after it.
    #[must_use]
    pub fn without_idp(mut self) -> Self {
        self.without_idp = true;
        self
    }

    /// Expects a refusal with this status, and this public reason in its body.
    #[must_use]
    pub fn refused(mut self, status: u16, reason: impl Into<Option<&'static str>>) -> Self {
        self.status = status;
        self.reason = reason.into();
        self
    }

    /// Expects this value at this JSON pointer of the answer's body (null: nothing there).
    #[must_use]
    pub fn answers(mut self, pointer: &'static str, value: Value) -> Self {
        self.fields.push((pointer, value));
        self
    }

    /// Expects the upstream to see this header once, with this value.
    #[must_use]
    pub fn upstream_sees(mut self, name: &'static str, value: &str) -> Self {
        self.seen.push((name, Seen::Value(value.to_owned())));
        self
    }

    /// Expects the upstream to see this header once, beginning like this.
    #[must_use]
    pub fn upstream_sees_prefix(mut self, name: &'static str, prefix: &'static str) -> Self {
        self.seen.push((name, Seen::Prefix(prefix)));
        self
    }

    /// Expects the upstream not to see this header.
    #[must_use]
    pub fn upstream_sees_no(mut self, name: &'static str) -> Self {
        self.seen.push((name, Seen::Nothing));
        self
    }

    /// Expects the token endpoint to be asked this often.
    #[must_use]
    pub fn exchanges(mut self, count: u64) -> Self {
        self.exchanges = Some(count);
        self
    }

    /// How often it's sent.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.times
    }

    /// Whether the OAuth server must be down.
    #[must_use]
    pub fn needs_idp_down(&self) -> bool {
        self.without_idp
    }

    /// Sends it once, or until the answer is the expected one.
    pub fn send(&self, client: &Client) -> anyhow::Result<Answer> {
        let mut answer = self.send_once(client)?;
        for _ in 0..self.until.unwrap_or_default() {
            if answer.status != self.status {
                answer = self.send_once(client)?;
            }
        }
        if let Some((pointer, token)) = &self.keeps {
            *locked(&token.0) = answer.at(pointer).as_str().unwrap_or_default().to_owned();
        }
        Ok(answer)
    }

    fn send_once(&self, client: &Client) -> anyhow::Result<Answer> {
        let mut request = client.request(self.method, &self.path);
        for (name, value) in self.all_headers() {
            request = request.header(name, value);
        }
        if let Some(host) = &self.host {
            request = request.host(host);
        }
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        request.send()
    }

    fn all_headers(&self) -> Vec<(String, String)> {
        let bearer = self.bearer.iter().map(|token| {
            (
                "Authorization".to_owned(),
                format!("Bearer {}", locked(&token.0)),
            )
        });
        self.headers.iter().cloned().chain(bearer).collect()
    }

    /// The same request as a line for the shell.
    #[must_use]
    pub fn curl(&self, base: &str) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let mut line = format!("curl -i {}", quoted(&format!("{base}{}", self.path)));
        let host = self.host.iter().map(|host| format!("Host: {host}"));
        let headers = self.all_headers().into_iter();
        let headers = headers.map(|(name, value)| format!("{name}: {value}"));
        for header in host.chain(headers) {
            line.push_str(&format!(" -H {}", quoted(&header)));
        }
        if let Some(body) = &self.body {
            line.push_str(&format!(" --json {}", quoted(&body.to_string())));
        } else if self.method != "GET" {
            line.push_str(&format!(" -X {}", self.method));
        }
        line
    }

    /// All that is not as expected; empty is good. `exchanges`: how often the token endpoint was asked meanwhile,
    /// where that is to be judged.
    #[must_use]
    pub fn wrong(&self, answer: &Answer, exchanges: Option<u64>) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut expect = |what: String, expected: String, got: String| {
            if expected != got {
                wrong.push(format!("{what}: expected {expected}, got {got}"));
            }
        };
        expect(
            "status".to_owned(),
            self.status.to_string(),
            answer.status.to_string(),
        );
        if let Some(reason) = self.reason {
            expect(
                "reason".to_owned(),
                reason.to_owned(),
                reason_of(answer).unwrap_or_default(),
            );
        }
        for (pointer, value) in &self.fields {
            expect(
                format!("body {pointer}"),
                value.to_string(),
                answer.at(pointer).to_string(),
            );
        }
        if let (Some(expected), Some(got)) = (self.exchanges, exchanges) {
            expect(
                "exchanges".to_owned(),
                expected.to_string(),
                got.to_string(),
            );
        }
        match answer.upstream() {
            Ok(received) => {
                self.check_upstream(&received, &mut expect);
            }
            Err(_) if self.status == 200 && !self.here => expect(
                "answered by".to_owned(),
                "the upstream".to_owned(),
                answer.text(),
            ),
            Err(_) => {}
        }
        wrong
    }

    fn check_upstream(&self, received: &Received, expect: &mut impl FnMut(String, String, String)) {
        if self.status >= 400 || self.here {
            expect(
                "upstream".to_owned(),
                "no request".to_owned(),
                received.path.clone(),
            );
        }
        for (name, seen) in &self.seen {
            let values = received.headers_named(name);
            let got = json!(values).to_string();
            let expected = match (seen, values.as_slice()) {
                (Seen::Prefix(prefix), [value]) if value.starts_with(prefix) => got.clone(),
                (Seen::Prefix(prefix), _) => format!("[\"{prefix}…\"]"),
                (Seen::Value(value), _) => json!([value]).to_string(),
                (Seen::Nothing, _) => "[]".to_owned(),
            };
            expect(format!("upstream's {name}"), expected, got);
        }
        if let Some(body) = &self.body {
            expect(
                "upstream's body".to_owned(),
                body.to_string(),
                received.body.clone().unwrap_or_default(),
            );
        }
    }

    /// Why the answer is what it is, in a word or two.
    #[must_use]
    pub fn why(&self, answer: &Answer) -> String {
        if answer.upstream().is_ok() {
            "passed".to_owned()
        } else if answer.status < 300 {
            "answered here".to_owned()
        } else {
            reason_of(answer).unwrap_or_default()
        }
    }

    /// The headers worth showing of what the upstream saw: those the step speaks of.
    #[must_use]
    pub fn summary(&self, answer: &Answer) -> String {
        let Ok(received) = answer.upstream() else {
            return "nothing".to_owned();
        };
        let mut parts = Vec::new();
        for (name, _) in &self.seen {
            for value in received.headers_named(name) {
                parts.push(format!("{name}: {}", shortened(value)));
            }
        }
        if self.body.is_some() {
            parts.push(format!("body {} bytes", received.body_len));
        }
        if parts.is_empty() {
            "the request".to_owned()
        } else {
            parts.join(" · ")
        }
    }
}

/// The reason that a refusal tells, in whichever form its body has.
#[must_use]
pub fn reason_of(answer: &Answer) -> Option<String> {
    // A number in `code` says no more than the status.
    let fields = [
        "/reason",
        "/code",
        "/message",
        "/error_description",
        "/detail",
        "/title",
    ];
    fields
        .iter()
        .find_map(|pointer| answer.at(pointer).as_str().map(str::to_owned))
}

fn shortened(value: &str) -> String {
    const SHOWN: usize = 24;
    if value.chars().count() <= SHOWN {
        return value.to_owned();
    }
    format!(
        "{}\u{2026}",
        value.chars().take(SHOWN - 1).collect::<String>()
    )
}
