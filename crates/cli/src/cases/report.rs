//! A table of results, and below a failed case what is wrong.

use super::document::Case;
use super::run::Ran;
use crate::input::shown;
use serde_json::{Value, json};
use std::path::Path;

/// Every case's result.
pub struct Report {
    file: String,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    index: usize,
    status: String,
    outcome: String,
    calls: usize,
    wrong: Vec<Wrong>,
    notes: Vec<String>,
}

struct Wrong {
    line: Option<u32>,
    what: String,
    expected: String,
    actual: String,
}

impl Report {
    /// No case yet.
    pub fn new(cases: &Path) -> Report {
        Report {
            file: shown(cases),
            rows: Vec::new(),
        }
    }

    /// One more.
    pub fn add(&mut self, case: &Case, ran: Ran) {
        let wrong = ran.mismatches.into_iter().map(|mismatch| Wrong {
            line: case.line(&mismatch.place),
            what: mismatch.what,
            expected: mismatch.expected,
            actual: mismatch.actual,
        });
        let wrong: Vec<Wrong> = wrong.collect();
        let mut notes = Vec::new();
        if let Some(last) = ran.last.as_ref().filter(|_| !wrong.is_empty()) {
            notes.extend(last.description().map(str::to_owned));
            notes.extend(last.calls.iter().map(|call| format!("called {call}")));
        }
        self.rows.push(Row {
            name: case.name.clone(),
            index: case.index,
            status: match ran.last.as_ref().map(|last| last.status()) {
                Some(Some(status)) => status.to_string(),
                _ => "\u{2192}".to_owned(),
            },
            outcome: ran.last.map(|last| last.in_words()).unwrap_or_default(),
            calls: ran.calls,
            wrong,
            notes,
        });
    }

    /// Whether all cases hold.
    pub fn is_good(&self) -> bool {
        self.rows.iter().all(|row| row.wrong.is_empty())
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let width = |cell: fn(&Row) -> &str| {
            let widths = self.rows.iter().map(|row| cell(row).chars().count());
            widths.max().unwrap_or_default()
        };
        let (names, outcomes) = (width(|row| &row.name), width(|row| &row.outcome));
        let mut text = String::new();
        for row in &self.rows {
            let mark = match row.wrong.is_empty() {
                true => '\u{2713}',
                false => '\u{2717}',
            };
            let calls = match row.calls {
                0 => String::new(),
                1 => "1 callout".to_owned(),
                calls => format!("{calls} callouts"),
            };
            let line = format!(
                "{mark} {:<names$}  {:<3} {:<outcomes$}  {calls}",
                row.name, row.status, row.outcome
            );
            text += line.trim_end();
            text.push('\n');
            for wrong in &row.wrong {
                text += &format!(
                    "    {}: {}\n      expected {}\n      got      {}\n",
                    self.place(wrong),
                    wrong.what,
                    wrong.expected,
                    wrong.actual
                );
            }
            for note in &row.notes {
                text += &format!("    {note}\n");
            }
        }
        let failed = self.rows.iter().filter(|row| !row.wrong.is_empty()).count();
        let all = self.rows.len();
        text + &match failed {
            0 => format!("{}: {all} case(s), all hold\n", self.file),
            _ => format!("{}: {all} case(s), {failed} failed\n", self.file),
        }
    }

    fn place(&self, wrong: &Wrong) -> String {
        match wrong.line {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.clone(),
        }
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let wrong = row.wrong.iter().map(|wrong| {
                json!({
                    "line": wrong.line,
                    "what": wrong.what,
                    "expected": wrong.expected,
                    "actual": wrong.actual,
                })
            });
            json!({
                "name": row.name,
                "index": row.index,
                "good": row.wrong.is_empty(),
                "outcome": row.outcome,
                "status": row.status.parse::<u16>().ok(),
                "callouts": row.calls,
                "mismatches": wrong.collect::<Value>(),
            })
        });
        json!({"file": self.file, "good": self.is_good(), "cases": rows.collect::<Value>()})
    }
}
