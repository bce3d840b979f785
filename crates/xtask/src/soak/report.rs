//! What came of it, for people and for programs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::bound::{self, Calls};
use super::load::Load;
use super::memory::{self, Memory};
use super::upstream::Checking;

/// How it ran.
pub(super) struct Settings {
    pub minutes: u64,
    pub clients: u32,
    pub workers: u32,
    pub attempts: u32,
    pub breaker: u32,
    pub life: Duration,
    pub fails_one_of: usize,
}

/// What there was so far at the end of a minute.
#[derive(Debug, serde::Serialize)]
pub(super) struct Minute {
    number: usize,
    answers: BTreeMap<String, u64>,
    passed: u64,
    wrong_tokens: u64,
    calls: u64,
    granted: u64,
    resident: u64,
    allocated: u64,
    module: u64,
}

/// All of it.
pub(super) struct Report {
    pub settings: Settings,
    pub minutes: Vec<Minute>,
    pub answers: BTreeMap<String, u64>,
    pub wrong_answers: (u64, Vec<String>),
    pub passed: u64,
    pub wrong_tokens: (u64, Vec<String>),
    pub calls: bound::Verdict,
    pub memory: memory::Verdict,
    pub failures: Vec<(String, u64)>,
}

impl Minute {
    pub(super) const HEADING: &str = "minute | answered | of it 503 | passed | wrong tokens | calls | tokens | RSS KiB | allocated KiB | module KiB";

    pub(super) fn new(
        before: usize,
        load: &Load,
        calls: &Calls,
        memory: &Memory,
        upstream: &Checking,
    ) -> Self {
        let latest = memory.latest();
        Self {
            number: before + 1,
            answers: load.answers(),
            passed: upstream.passed(),
            wrong_tokens: upstream.wrong().0,
            calls: calls.made(),
            granted: calls.granted(),
            resident: latest.map_or(0, |sample| sample.resident),
            allocated: latest.map_or(0, |sample| sample.allocated),
            module: latest.map_or(0, |sample| sample.module),
        }
    }

    /// Its numbers, all since the start.
    pub(super) fn to_line(&self) -> String {
        let columns = [
            self.number as u64,
            total(&self.answers),
            unavailable(&self.answers),
            self.passed,
            self.wrong_tokens,
            self.calls,
            self.granted,
            self.resident,
            self.allocated,
            self.module,
        ];
        let headings = Self::HEADING.split(" | ");
        let cells = headings.zip(columns);
        let cells =
            cells.map(|(heading, number)| format!("{number:>width$}", width = heading.len()));
        cells.collect::<Vec<_>>().join(" | ")
    }
}

fn total(answers: &BTreeMap<String, u64>) -> u64 {
    answers.values().sum()
}

fn unavailable(answers: &BTreeMap<String, u64>) -> u64 {
    let refused = answers.iter().filter(|(name, _)| name.starts_with("503"));
    refused.map(|(_, count)| count).sum()
}

impl Report {
    /// Whether everything held.
    pub(super) fn is_good(&self) -> bool {
        self.wrong_answers.0 == 0
            && self.wrong_tokens.0 == 0
            && self.passed > 0
            && self.calls.is_good()
            && self.memory.is_good()
            && self.failures.is_empty()
    }

    /// Writes report.md and report.json.
    pub(super) fn write(&self, directory: &Path) -> Result<()> {
        std::fs::write(directory.join("report.md"), self.to_markdown())?;
        let json = format!("{:#}\n", self.to_json());
        Ok(std::fs::write(directory.join("report.json"), json)?)
    }

    fn to_json(&self) -> Value {
        json!({
            "good": self.is_good(),
            "minutes": self.settings.minutes,
            "clients": self.settings.clients,
            "workers": self.settings.workers,
            "attempts": self.settings.attempts,
            "breaker_failures": self.settings.breaker,
            "token_life_seconds": self.settings.life.as_secs(),
            "fails_one_of": self.settings.fails_one_of,
            "answers": self.answers,
            "wrong_answers": {"count": self.wrong_answers.0, "some": self.wrong_answers.1},
            "passed": self.passed,
            "wrong_tokens": {"count": self.wrong_tokens.0, "some": self.wrong_tokens.1},
            "calls": self.calls,
            "memory": self.memory,
            "vm_failures": self.failures,
            "by_minute": self.minutes,
        })
    }

    pub(super) fn to_markdown(&self) -> String {
        let Settings {
            minutes,
            clients,
            workers,
            attempts,
            breaker,
            life,
            fails_one_of,
        } = self.settings;
        let mut text = format!(
            "# Soak\n\n{minutes} min, {clients} clients, {workers} workers, tokens of {} s, an OAuth server that fails \
             one call of {fails_one_of}, {attempts} tries for each token, a breaker that opens after {breaker} failed exchanges on end.\n\n| what | bound | seen | |\n|---|---|---|---|\n",
            life.as_secs(),
        );
        let mut row = |what: &str, bound: String, seen: String, good: bool| {
            let mark = if good { "good" } else { "**not good**" };
            text += &format!("| {what} | {bound} | {seen} | {mark} |\n");
        };
        let (wrong, calls, memory) = (self.wrong_tokens.0, &self.calls, &self.memory);
        row(
            "requests at the upstream without a live token of their client",
            "0".to_owned(),
            format!("{wrong} of {}", self.passed),
            wrong == 0 && self.passed > 0,
        );
        let all = total(&self.answers);
        let wrong = self.wrong_answers.0;
        row(
            "answers that are neither 200 nor 503 `exchange_unavailable`",
            "0".to_owned(),
            format!("{wrong} of {all}"),
            wrong == 0,
        );
        row(
            "tokens issued",
            calls.granted_bound.to_string(),
            calls.granted.to_string(),
            calls.granted <= calls.granted_bound,
        );
        row(
            "calls of the token endpoint",
            calls.made_bound.to_string(),
            calls.made.to_string(),
            calls.made <= calls.made_bound,
        );
        row(
            "shortest time between two tokens of a client",
            format!("{:.1} s", calls.shortest_bound),
            calls
                .shortest
                .map_or_else(|| "none had two".to_owned(), |time| format!("{time:.1} s")),
            calls
                .shortest
                .is_none_or(|time| time >= calls.shortest_bound),
        );
        for (what, drift) in [
            ("resident set, early and late median", memory.resident),
            ("linear memories of all VMs, early and late", memory.module),
        ] {
            let bound = "no more than 3 % up".to_owned();
            row(what, bound, drift.seen(), drift.is_good());
        }
        row(
            "failures of VMs",
            "0".to_owned(),
            self.failures
                .iter()
                .map(|(_, count)| count)
                .sum::<u64>()
                .to_string(),
            self.failures.is_empty(),
        );
        text += "\nAnswers: ";
        let answers = self.answers.iter();
        let answers = answers.map(|(name, count)| format!("{count} × {name}"));
        text += &answers.collect::<Vec<_>>().join(", ");
        let share = unavailable(&self.answers) as f64 * 100.0 / all.max(1) as f64;
        text += &format!(". {share:.1} % were 503.\n");
        for problem in self.wrong_tokens.1.iter().chain(&self.wrong_answers.1) {
            text += &format!("\n- {problem}");
        }
        text += &format!(
            "\nBy minute, all since the start:\n\n```\n{}\n",
            Minute::HEADING
        );
        for minute in &self.minutes {
            text += &format!("{}\n", minute.to_line());
        }
        text + "```\n"
    }
}
