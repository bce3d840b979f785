//! One aligned table on the terminal.

use std::io::IsTerminal;
use std::time::Duration;

/// Whether standard output takes colours: a terminal, and no `NO_COLOR`.
#[must_use]
pub fn coloured() -> bool {
    std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// One request and what came of it.
#[derive(Debug)]
pub struct Row {
    /// The request.
    pub request: String,
    /// The answer's status.
    pub answer: String,
    /// Why it was that.
    pub why: String,
    /// What the upstream saw.
    pub upstream: String,
    /// How long it took.
    pub time: Duration,
    /// What was not as expected.
    pub wrong: Vec<String>,
}

const HEADINGS: [&str; 5] = ["request", "answer", "why", "what the upstream saw", "time"];

/// The table, a line for each row, and below a row what was not as expected.
#[must_use]
pub fn render(rows: &[Row], coloured: bool) -> String {
    let time = |row: &Row| format!("{:.1} ms", row.time.as_secs_f64() * 1000.0);
    let cells = |row: &Row| {
        [
            row.request.clone(),
            row.answer.clone(),
            row.why.clone(),
            row.upstream.clone(),
            time(row),
        ]
    };
    let lines: Vec<[String; 5]> = std::iter::once(HEADINGS.map(str::to_owned))
        .chain(rows.iter().map(cells))
        .collect();
    let mut widths = [0; 5];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let paint = |code: &str, text: &str| {
        if coloured {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    };
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        let row = number.checked_sub(1).and_then(|number| rows.get(number));
        let mark = match row {
            None => " ".to_owned(),
            Some(row) if row.wrong.is_empty() => paint("32", "\u{2713}"),
            Some(_) => paint("31;1", "\u{2717}"),
        };
        let padded = line
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                let padded = if column == 4 {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                };
                match row {
                    None => paint("1", &padded),
                    Some(row) if column == 1 => paint(
                        if row.answer.starts_with('2') {
                            "32"
                        } else {
                            "33"
                        },
                        &padded,
                    ),
                    Some(_) if column == 4 => paint("2", &padded),
                    Some(_) => padded,
                }
            });
        out.push_str(&format!(
            "{mark} {}\n",
            padded.collect::<Vec<_>>().join("  ")
        ));
        for wrong in row.into_iter().flat_map(|row| &row.wrong) {
            out.push_str(&format!("    {}\n", paint("31", wrong)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_a_wrong_answer_says_why_below_its_line() {
        let row = |request: &str, wrong: &[&str]| Row {
            request: request.to_owned(),
            answer: "200".to_owned(),
            why: String::new(),
            upstream: "a: b".to_owned(),
            time: Duration::from_micros(1500),
            wrong: wrong.iter().map(|&each| each.to_owned()).collect(),
        };
        let table = render(
            &[
                row("short", &[]),
                row("rather long", &["status: expected 401, got 200"]),
            ],
            false,
        );
        let expected = "\
\u{20} request      answer  why  what the upstream saw    time
\u{2713} short        200          a: b                   1.5 ms
\u{2717} rather long  200          a: b                   1.5 ms
    status: expected 401, got 200
";
        assert_eq!(table, expected);
    }
}
