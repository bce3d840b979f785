//! What must be reached, and whether it is.

use std::fmt::Write;

use super::Measured;
use super::load::Turn;
use super::module_alone::Alone;
use crate::module;

/// What Envoy alone took, in microseconds, on the machine for which the bars in microseconds were set.
pub const REFERENCE: f64 = 16.5;

/// Two measurements of the same thing differ by this much: "no dearer" and "flat" can't be told more finely.
const NOISE: f64 = 1.05;

/// One line of the table.
#[derive(Debug)]
pub struct Bar {
    /// The work.
    pub work: &'static str,
    /// What is asked.
    pub asked: &'static str,
    /// What was measured.
    pub measured: String,
    /// The same on a machine as fast as the one for which the bar was set; none for ratios and sizes.
    pub scaled: Option<Scaled>,
    /// Whether that is enough.
    pub reached: bool,
}

/// A time as it would be on the machine for which its bar was set.
#[derive(Debug)]
pub struct Scaled {
    /// Microseconds.
    pub micros: f64,
    /// Whether that is enough.
    pub reached: bool,
}

/// A lane's median of something.
pub fn median(turns: &[Turn], of: impl Fn(&Turn) -> f64) -> f64 {
    let mut values: Vec<_> = turns.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

struct Table<'a> {
    measured: &'a [Measured],
    bars: Vec<Bar>,
}

impl Table<'_> {
    fn cpu(&self, name: &str) -> Option<f64> {
        self.of(name, |turn| turn.cpu)
    }

    fn of(&self, name: &str, what: impl Fn(&Turn) -> f64) -> Option<f64> {
        let found = self.measured.iter().find(|each| each.lane.name == name);
        found.map(|each| median(&each.turns, what))
    }

    fn add(&mut self, work: &'static str, asked: &'static str, measured: String, reached: bool) {
        self.bars.push(Bar {
            work,
            asked,
            measured,
            scaled: None,
            reached,
        });
    }

    /// A bar in microseconds, which is a machine's: it's told, too, what would be measured on the machine for which
    /// the bar was set.
    fn add_time(
        &mut self,
        work: &'static str,
        asked: &'static str,
        measured: String,
        micros: f64,
        most: f64,
    ) {
        let slower = self.cpu("bare").map(|bare| bare / REFERENCE);
        let scaled = slower.map(|slower| Scaled {
            micros: micros / slower,
            reached: micros / slower <= most,
        });
        self.bars.push(Bar {
            work,
            asked,
            measured,
            scaled,
            reached: micros <= most,
        });
    }

    /// At most so many microseconds above another lane. `asks` is the lane of a filter that asks the proxy for as
    /// much.
    fn above(
        &mut self,
        work: &'static str,
        asked: &'static str,
        (lane, base, asks): (&str, &str, Option<&str>),
        most: f64,
    ) {
        if let (Some(cpu), Some(base)) = (self.cpu(lane), self.cpu(base)) {
            let more = cpu - base;
            let mut measured = format!("{more:+.1} µs");
            if let Some(asks) = asks.and_then(|asks| self.cpu(asks)) {
                // Writing to a string can't fail.
                let _ = write!(measured, ", {:.1} of it for asking", asks - base);
            }
            self.add_time(work, asked, measured, more, most);
        }
    }

    /// At most so many times another lane.
    fn times(
        &mut self,
        work: &'static str,
        asked: &'static str,
        lane: &str,
        base: &str,
        most: f64,
    ) {
        if let (Some(cpu), Some(base)) = (self.cpu(lane), self.cpu(base)) {
            let ratio = cpu / base;
            self.add(work, asked, format!("{ratio:.2} ×"), ratio <= most);
        }
    }

    /// At least so many times cheaper than another lane.
    fn cheaper(
        &mut self,
        work: &'static str,
        asked: &'static str,
        lane: &str,
        base: &str,
        least: f64,
    ) {
        if let (Some(cpu), Some(base)) = (self.cpu(lane), self.cpu(base)) {
            let ratio = base / cpu;
            self.add(work, asked, format!("{ratio:.2} × cheaper"), ratio >= least);
        }
    }

    fn proxied(&mut self) {
        let again = "the same ES256 token again";
        self.above(
            again,
            "at most a filter that does nothing + 2.5 µs",
            ("es256-again", "noop", Some("asks-token")),
            2.5,
        );
        self.times(
            again,
            "at most 1.25 × `jwt_authn` with its cache",
            "es256-again",
            "jwt_authn-cache",
            1.25,
        );
        self.cheaper(
            again,
            "at least 2.5 × cheaper than `jwt_authn`",
            "es256-again",
            "jwt_authn-es256",
            2.5,
        );
        self.times(
            "a new ES256 token",
            "at most 1.05 × `jwt_authn`",
            "es256-new",
            "jwt_authn-es256",
            1.05,
        );
        self.times(
            "a new RS256 token",
            "at most 1.05 × `jwt_authn`",
            "rs256-new",
            "jwt_authn-rs256",
            1.05,
        );
        self.above(
            "a new HS256 token",
            "nothing + 8 µs",
            ("hs256-new", "noop", Some("asks-token")),
            8.0,
        );
        self.above(
            "one of 100 API keys",
            "nothing + 2.5 µs",
            ("keys-100", "noop", Some("asks-key")),
            2.5,
        );
        self.above(
            "one of 1,000 API keys",
            "nothing + 2.5 µs",
            ("keys-1000", "noop", Some("asks-key")),
            2.5,
        );
        self.above(
            "one of 100,000 API keys",
            "nothing + 2.5 µs",
            ("keys-100000", "noop", Some("asks-key")),
            2.5,
        );
        self.times(
            "100,000 API keys",
            "within 1.2 × of 100",
            "keys-100000",
            "keys-100",
            1.2,
        );
        self.above(
            "a pair whose token is held, of 10,000",
            "nothing + 4 µs",
            ("pairs", "noop", Some("asks-pair")),
            4.0,
        );
        let refused = "no dearer than a new one";
        self.times(
            "refusing a forged ES256 token",
            refused,
            "es256-forged",
            "es256-new",
            NOISE,
        );
        self.times(
            "refusing a forged RS256 token",
            refused,
            "rs256-forged",
            "rs256-new",
            NOISE,
        );
        self.times(
            "refusing a forged HS256 token",
            refused,
            "hs256-forged",
            "hs256-new",
            NOISE,
        );
        self.times(
            "refusing an ES256 token by an unknown key",
            refused,
            "es256-kid",
            "es256-new",
            NOISE,
        );
        self.times(
            "refusing what is no token",
            refused,
            "garbage",
            "es256-new",
            NOISE,
        );
        self.times(
            "refusing a request without credential",
            "no dearer than a new ES256 token",
            "no-credential",
            "es256-new",
            NOISE,
        );
        self.times(
            "refusing an unknown API key",
            "no dearer than a known one",
            "keys-unknown",
            "keys-1000",
            NOISE,
        );
        self.times(
            "5,000 rules",
            "within 1.3 × of 5",
            "rules-5000",
            "rules-5",
            1.3,
        );
        self.above(
            "`allow_if` and three header expressions",
            "+ 6 µs",
            ("expressions", "hs256-new", None),
            6.0,
        );
        let authorizer = "at least 2.5 × cheaper than `ext_authz` to a native server";
        self.cheaper(again, authorizer, "es256-again", "ext_authz-again", 2.5);
        self.cheaper(
            "a new ES256 token",
            authorizer,
            "es256-new",
            "ext_authz-new",
            2.5,
        );
        self.cheaper(
            "one of 1,000 API keys",
            authorizer,
            "keys-1000",
            "ext_authz-keys",
            2.5,
        );
        self.sooner(again, "es256-again", "ext_authz-again");
        self.sooner("a new ES256 token", "es256-new", "ext_authz-new");
        self.sooner("one of 1,000 API keys", "keys-1000", "ext_authz-keys");
    }

    /// A lower p99 than another lane's.
    fn sooner(&mut self, work: &'static str, lane: &str, base: &str) {
        let p99 = |turn: &Turn| turn.latency.get(1).copied().unwrap_or(f64::NAN);
        if let (Some(ours), Some(theirs)) = (self.of(lane, p99), self.of(base, p99)) {
            let measured = format!("{ours:.0} against {theirs:.0} µs");
            self.add(
                work,
                "a lower p99 than `ext_authz`",
                measured,
                ours < theirs,
            );
        }
    }

    fn alone(&mut self, alone: &Alone) {
        for (name, work, asked, most) in [
            ("ES256", "in the module alone: ES256", "130 µs", 130.0),
            ("RS256", "in the module alone: RS256", "180 µs", 180.0),
            ("HS256", "in the module alone: HS256", "3.5 µs", 3.5),
            ("EdDSA", "in the module alone: EdDSA", "90 µs", 90.0),
        ] {
            if let Some(part) = alone.parts.get(name) {
                let measured = format!("{:.1} µs", part.median);
                self.add_time(work, asked, measured, part.median, most);
            }
        }
        let size = format!("{} bytes", alone.size);
        self.add(
            "the module",
            "at most 1,500,000 bytes",
            size,
            alone.size <= module::BUDGET,
        );
        let milliseconds = |micros: f64| format!("{:.1} ms", micros / 1000.0);
        let first = milliseconds(alone.first_vm);
        self.add_time("the first VM", "under 1 s", first, alone.first_vm, 1e6);
        let clone = milliseconds(alone.clone);
        self.add("a clone", "under 20 ms", clone, alone.clone < 2e4);
        if let Some(policy) = alone.configured.get("1,000 clients") {
            let micros = milliseconds(policy.micros);
            self.add(
                "`on_configure` of 1,000 clients",
                "under 50 ms",
                micros,
                policy.micros < 5e4,
            );
        }
        let memory = alone.requests.iter().map(|each| each.memory).max();
        if let Some(memory) = memory {
            let mebibytes = memory as f64 / f64::from(1 << 20);
            self.add(
                "linear memory, 1,000 clients, full caches",
                "under 12 MiB",
                format!("{mebibytes:.1} MiB"),
                mebibytes < 12.0,
            );
        }
    }
}

/// All bars whose lanes were measured.
pub fn judge(measured: &[Measured], alone: &Alone) -> Vec<Bar> {
    let mut table = Table {
        measured,
        bars: Vec::new(),
    };
    table.proxied();
    table.alone(alone);
    table.bars
}
