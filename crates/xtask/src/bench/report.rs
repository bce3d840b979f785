//! Tables in Markdown, printed and published.

use std::fmt::Write;

use anyhow::{Context, Result};

use super::bars::{self, Bar, Scaled, median};
use super::lanes::Kind;
use super::load::Turn;
use super::module_alone::Alone;
use super::plot::{self, Row};
use super::{Extent, Measured};
use crate::{envoy, paths};

/// The page's words; the tables are put into it.
const PAGE: &str = include_str!("../../../../bench/performance.md");

/// Prints all tables and, where the extent is for that, writes `docs/performance.md` and its plot; a quick look's
/// page lies in `target/bench`.
pub fn write(measured: &[Measured], alone: &Alone, extent: Extent) -> Result<()> {
    let bars = bars::judge(measured, alone);
    let reached = bars.iter().filter(|bar| bar.reached).count();
    let by_speed = |bar: &&Bar| {
        bar.scaled
            .as_ref()
            .map_or(bar.reached, |scaled| scaled.reached)
    };
    let scaled = bars.iter().filter(by_speed).count();
    let page = [
        ("machine", machine()?),
        (
            "extent",
            format!("{} turns of {} s", extent.turns, extent.turn.as_secs()),
        ),
        ("reached", format!("{reached} of {}", bars.len())),
        ("reached_scaled", scaled.to_string()),
        ("reference", bars::REFERENCE.to_string()),
        ("bars", table_of_bars(&bars)),
        ("lanes", table_of_lanes(measured)),
        ("alone", module_alone(alone)),
    ]
    .into_iter()
    .fold(PAGE.to_owned(), |page, (name, text)| {
        page.replace(&format!("{{{{{name}}}}}"), text.trim_end())
    });
    let directory = if extent.publish {
        paths::root().join("docs")
    } else {
        paths::target("bench")?
    };
    std::fs::write(directory.join("performance.md"), page)?;
    let svg = directory.join("performance.svg");
    std::fs::write(&svg, plot(measured))?;
    print!(
        "{}\n{}\n{}",
        table_of_bars(&bars),
        table_of_lanes(measured),
        module_alone(alone)
    );
    println!(
        "\n{reached} of {} bars reached, {scaled} with times scaled; {}",
        bars.len(),
        directory.join("performance.md").display()
    );
    Ok(())
}

fn table_of_bars(bars: &[Bar]) -> String {
    let mut table =
        "| work | bar | measured | | scaled | |\n|---|---|---|---|---|---|\n".to_owned();
    let verdict = |reached| match reached {
        true => "reached",
        false => "**not reached**",
    };
    for bar in bars {
        // Writing to a string can't fail.
        let _ = write!(
            table,
            "| {} | {} | {} | {} |",
            bar.work,
            bar.asked,
            bar.measured,
            verdict(bar.reached)
        );
        let _ = match &bar.scaled {
            Some(Scaled { micros, reached }) => {
                writeln!(table, " {} | {} |", time(*micros), verdict(*reached))
            }
            None => writeln!(table, " | |"),
        };
    }
    table
}

fn time(micros: f64) -> String {
    match micros.abs() < 1e4 {
        true => format!("{micros:.1} µs"),
        false => format!("{:.0} ms", micros / 1e3),
    }
}

fn table_of_lanes(measured: &[Measured]) -> String {
    let mut table =
        "| method | CPU µs | least to most | × bare | requests/s | p50 µs | p99 µs | p99.9 µs |\n\
                     |---|---|---|---|---|---|---|---|\n"
            .to_owned();
    let cpu = |turn: &Turn| turn.cpu;
    let bare = measured.iter().find(|each| each.lane.name == "bare");
    let bare = bare.map_or(f64::NAN, |each| median(&each.turns, cpu));
    for each in measured {
        let of = |what: fn(&Turn) -> f64| median(&each.turns, what);
        let least = each.turns.iter().map(cpu).fold(f64::INFINITY, f64::min);
        let most = each.turns.iter().map(cpu).fold(0.0, f64::max);
        let [p50, p99, p999] = [0, 1, 2].map(|place: usize| {
            median(&each.turns, |turn| {
                turn.latency.get(place).copied().unwrap_or(f64::NAN)
            })
        });
        let whose = if each.lane.kind == Kind::Doorward {
            "Doorward: "
        } else {
            ""
        };
        let _ = writeln!(
            table,
            "| {whose}{} | {:.1} | {least:.1} to {most:.1} | {:.2} | {:.0} | {p50:.0} | {p99:.0} | {p999:.0} |",
            each.lane.label,
            of(cpu),
            of(cpu) / bare,
            of(|turn| turn.rate),
        );
    }
    table
}

/// What the module costs by itself.
pub fn module_alone(alone: &Alone) -> String {
    let mut text = format!(
        "In V8 of node {}, CPU time:\n\n| part | median µs | least to most |\n|---|---|---|\n",
        alone.node
    );
    for (name, part) in &alone.parts {
        let _ = writeln!(
            text,
            "| {name} | {:.1} | {:.1} to {:.1} |",
            part.median, part.least, part.most
        );
    }
    let _ = writeln!(
        text,
        "\nAn Envoy with Doorward serves {:.0} ms of wall-clock time after one without. Compiling the whole module \
         takes {:.0} ms of CPU time, another VM of it {:.1} ms.\n\n\
         | policy | `on_configure` ms | linear memory MiB |\n|---|---|---|",
        alone.first_vm / 1000.0,
        alone.compile / 1000.0,
        alone.clone / 1000.0
    );
    for (name, policy) in &alone.configured {
        let _ = writeln!(
            text,
            "| {name} | {:.1} | {:.1} |",
            policy.micros / 1000.0,
            policy.memory as f64 / f64::from(1 << 20)
        );
    }
    text.push_str(
        "\n| request | status | module's µs | hostcalls | which |\n|---|---|---|---|---|\n",
    );
    for request in &alone.requests {
        let calls: Vec<_> = request
            .calls
            .iter()
            .map(|(name, count)| format!("{count} {}", name.trim_start_matches("proxy_")))
            .collect();
        let _ = writeln!(
            text,
            "| {} | {} | {:.2} | {} | {} |",
            request.name,
            request.status,
            request.micros,
            request.calls.values().sum::<u32>(),
            calls.join(", ")
        );
    }
    text
}

fn plot(measured: &[Measured]) -> String {
    let rows: Vec<_> = measured
        .iter()
        .map(|each| Row {
            label: each.lane.label,
            class: match each.lane.kind {
                Kind::Floor => "floor",
                Kind::Native => "native",
                Kind::Doorward => "doorward",
            },
            value: median(&each.turns, |turn| turn.cpu),
        })
        .collect();
    plot::bars(
        "CPU time a request, µs",
        "grey: what any filter pays; yellow: Envoy's own filters; blue: Doorward",
        &rows,
    )
}

/// The machine, as far as it matters.
fn machine() -> Result<String> {
    let processors =
        std::fs::read_to_string("/proc/cpuinfo").context("the benchmark needs Linux")?;
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unnamed processor", |(_, model)| model);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "{model}, {} of its threads, Linux {}, Envoy {} with one worker and V8",
        std::thread::available_parallelism()?,
        kernel.trim(),
        envoy::VERSION
    ))
}
