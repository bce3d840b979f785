//! Plots in SVG, readable on light and on dark ground.

use std::fmt::Write;

const WIDTH: f64 = 860.0;
const ROW: f64 = 22.0;
/// Where bars begin: left of it stand their names.
const LABELS: f64 = 290.0;
/// What the longest bar leaves for its figure.
const FIGURES: f64 = 70.0;

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#24292f}\
.h{font-weight:600}.q{fill:#57606a}\
.floor{fill:#8c959f}.native{fill:#bf8700}.doorward{fill:#0969da}\
.a{stroke:#0969da}.b{stroke:#bf8700}.l{fill:none;stroke-width:2}.axis{stroke:#8c959f}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.q{fill:#9198a1}\
.floor{fill:#6e7681}.native{fill:#d29922}.doorward{fill:#4493f8}.a{stroke:#4493f8}.b{stroke:#d29922}}";

fn begin(height: f64, title: &str, note: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" \
         aria-label=\"{title}\"><style>{STYLE}</style>\n\
         <text x=\"0\" y=\"18\" class=\"h\">{title}</text>\n<text x=\"0\" y=\"38\" class=\"q\">{note}</text>\n",
        title = escaped(title),
        note = escaped(note),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// A bar.
#[derive(Debug)]
pub struct Row<'a> {
    /// Its name.
    pub label: &'a str,
    /// `floor`, `native` or `doorward`.
    pub class: &'static str,
    /// Its length.
    pub value: f64,
}

/// Horizontal bars, one below the other.
pub fn bars(title: &str, note: &str, rows: &[Row<'_>]) -> String {
    let most = rows.iter().map(|row| row.value).fold(1.0, f64::max);
    let mut svg = begin(56.0 + ROW * rows.len() as f64, title, note);
    let mut top = 50.0;
    for row in rows {
        let length = row.value / most * (WIDTH - LABELS - FIGURES);
        // Writing to a string can't fail.
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LABELS}\" y=\"{top:.0}\" width=\"{length:.1}\" height=\"15\" rx=\"2\" class=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{:.0}\">{:.1}</text>",
            LABELS - 8.0,
            top + 12.0,
            escaped(row.label),
            row.class,
            LABELS + length + 6.0,
            top + 12.0,
            row.value,
        );
        top += ROW;
    }
    svg.push_str("</svg>\n");
    svg
}

/// A line over time.
#[derive(Debug)]
pub struct Line<'a> {
    /// Its name, with the unit.
    pub label: &'a str,
    /// Its values, at even distances.
    pub values: &'a [f64],
}

/// Lines, each in a panel of its own that begins at zero.
pub fn lines(title: &str, note: &str, lines: &[Line<'_>]) -> String {
    const PANEL: f64 = 130.0;
    let mut svg = begin(50.0 + PANEL * lines.len() as f64, title, note);
    let mut bottom = 50.0 + PANEL - 20.0;
    for (number, line) in lines.iter().enumerate() {
        let most = line.values.iter().copied().fold(1e-9, f64::max);
        let step = (WIDTH - 20.0) / (line.values.len().max(2) - 1) as f64;
        let points = (0_u32..).zip(line.values).map(|(place, value)| {
            let height = value / most * (PANEL - 50.0);
            format!("{:.1},{:.1}", f64::from(place) * step, bottom - height)
        });
        let points: Vec<_> = points.collect();
        let _ = writeln!(
            svg,
            "<text x=\"0\" y=\"{:.0}\">{}: at most {most:.1}</text>\
             <line x1=\"0\" y1=\"{bottom:.0}\" x2=\"{}\" y2=\"{bottom:.0}\" class=\"axis\"/>\
             <polyline class=\"l {}\" points=\"{}\"/>",
            bottom - PANEL + 40.0,
            escaped(line.label),
            WIDTH - 20.0,
            if number % 2 == 0 { "a" } else { "b" },
            points.join(" "),
        );
        bottom += PANEL;
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_width_and_names_are_escaped() {
        let row = |label, value| Row {
            label,
            class: "floor",
            value,
        };
        let svg = bars("t", "n", &[row("a < b & c", 10.0), row("half", 5.0)]);
        assert!(svg.contains("a &lt; b &amp; c"));
        assert!(svg.contains("width=\"500.0\"") && svg.contains("width=\"250.0\""));
    }

    #[test]
    fn a_line_goes_from_side_to_side() {
        let values = [1.0, 2.0, 0.0];
        let line = Line {
            label: "x",
            values: &values,
        };
        assert!(lines("t", "n", &[line]).contains("points=\"0.0,120.0 420.0,80.0 840.0,160.0\""));
    }
}
