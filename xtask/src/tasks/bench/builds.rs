//! `build`, `dist`, `xtask` and `size`: what compiling takes, and what comes out.

use std::collections::BTreeMap;

use anyhow::Context as _;
use camino::Utf8Path;
use serde::Deserialize;

use super::figure::{Reading, Unit};
use super::{Bench, Round, meter};
use crate::host::command::CommandLine;
use crate::host::{files, git, run};
use crate::release::dist_manifest::{Content, image_name};

/// The target whose binary is compiled alone, and the one that comes beside it.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];

/// How many crates are listed with the time that they take.
const CRATES: usize = 10;

/// Compiles from scratch in a clone of the last commit: xtask, what `setup` makes, a binary that ships, and a second one
/// beside it.
pub(super) fn build<'b>(bench: &'b Bench<'_>) -> anyhow::Result<Round<'b>> {
    let clone = bench.folder.join("clone");
    git::clone(bench.ctx, &clone)?;
    Ok(Box::new(move |number| {
        let target_dir = bench.folder.join(format!("target-{number}"));
        let in_clone = |command: CommandLine| {
            let command = command.cwd(&clone).env("NOETL_ENABLE_UI", "false");
            bench.measure(command.env("CARGO_TARGET_DIR", target_dir.as_str()))
        };
        let xtask = in_clone(CommandLine::new("cargo").args(["build", "-q", "-p", "xtask"]))?;
        let setup = in_clone(bench.xtask(["setup"]))?;
        let main = clone.join("crates/noetlctl/src/main.rs");
        let source = files::read_to_string(&main)?;
        files::write(&main, format!("{source}// {number}\n"))?;
        let changed = in_clone(bench.xtask(["setup"]))?;
        files::write(&main, source)?;
        files::remove(&target_dir)?;
        let build = |targets: &str| bench.xtask(["build", "--timings", "--targets", targets]);
        let first = in_clone(build(TARGETS[0]))?;
        let crates = crate_times(&target_dir)?;
        // What the first has compiled for this machine is there; a build of both at once takes the same.
        let second = in_clone(build(&TARGETS.join(",")))?;
        let mut one = Reading::new(
            "one target, from scratch",
            Unit::CpuSeconds,
            first.cpu_seconds,
        );
        if let Some(upstream) = bench.upstream {
            one = one.beside("upstream's command line", upstream_build(bench, upstream)?);
        }
        files::remove(&target_dir)?;
        let mut readings = vec![
            one,
            Reading::new(
                "two targets, from scratch",
                Unit::CpuSeconds,
                first.cpu_seconds + second.cpu_seconds,
            ),
            Reading::new(
                "a further target, of the first",
                Unit::Part,
                second.cpu_seconds / first.cpu_seconds,
            ),
            Reading::new("xtask, from scratch", Unit::CpuSeconds, xtask.cpu_seconds),
            Reading::new(
                "setup without page, from scratch",
                Unit::Seconds,
                setup.seconds,
            ),
            Reading::new(
                "setup without page, after a change of one line in noetlctl",
                Unit::Seconds,
                changed.seconds,
            ),
        ];
        readings.extend(crates);
        Ok(readings)
    }))
}

/// Returns how long the slowest crates of a build took on the clock, beside others: from the report of `cargo build
/// --timings`, an HTML page with a list of units as JSON in it.
fn crate_times(target_dir: &Utf8Path) -> anyhow::Result<Vec<Reading>> {
    #[derive(Deserialize)]
    struct CompiledUnit {
        name: String,
        duration: f64,
    }
    let path = target_dir.join("cargo-timings/cargo-timing.html");
    let html = files::read_to_string(&path)?;
    let list = html.split_once("const UNIT_DATA = ").map(|(_, rest)| rest);
    let list = list.with_context(|| format!("{path} has no UNIT_DATA"))?;
    let units = serde_json::Deserializer::from_str(list)
        .into_iter::<Vec<CompiledUnit>>()
        .next();
    let units = units.with_context(|| format!("{path} has an empty UNIT_DATA"))??;
    let mut times: BTreeMap<String, f64> = BTreeMap::new();
    for unit in units {
        *times.entry(unit.name).or_default() += unit.duration;
    }
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort_by(|one, other| other.1.total_cmp(&one.1));
    let slowest = times.into_iter().take(CRATES);
    let slowest = slowest.map(|(name, seconds)| {
        Reading::new(format!("{name}, of one target"), Unit::Seconds, seconds)
    });
    Ok(slowest.collect())
}

fn upstream_build(bench: &Bench<'_>, sources: &Utf8Path) -> anyhow::Result<f64> {
    let target_dir = bench.folder.join("upstream");
    let build = CommandLine::new("cargo")
        .args(["build", "-q", "--release"])
        .cwd(sources);
    let took = bench.measure(build.env("CARGO_TARGET_DIR", target_dir.as_str()))?;
    files::remove(&target_dir)?;
    Ok(took.cpu_seconds)
}

/// Makes a dist that is there already.
pub(super) fn dist<'b>(bench: &'b Bench<'_>) -> anyhow::Result<Round<'b>> {
    let targets = bench.dist()?.manifest.targets.join(",");
    let again = bench.xtask(["dist", "--targets", &targets, "--out", bench.dist.as_str()]);
    run::run(bench.ctx, &again)?;
    Ok(Box::new(move |_| {
        let took = bench.measure(again.clone())?;
        let work = "dist, nothing changed";
        Ok(vec![
            Reading::new(work, Unit::Seconds, took.seconds),
            Reading::new(work, Unit::Bytes, took.memory_kib * 1024.0),
        ])
    }))
}

/// Runs xtask through cargo when there is nothing to compile, and after a change of one line.
pub(super) fn xtask<'b>(bench: &'b Bench<'_>) -> anyhow::Result<Round<'b>> {
    let clone = bench.folder.join("clone");
    if !clone.exists() {
        git::clone(bench.ctx, &clone)?;
    }
    let target_dir = bench.folder.join("target");
    let in_clone = move |args: &[&str]| {
        let command = CommandLine::new("cargo")
            .args(args.iter().copied())
            .cwd(&clone);
        bench.measure(command.env("CARGO_TARGET_DIR", target_dir.as_str()))
    };
    let file = bench.folder.join("clone/xtask/src/tasks/clean.rs");
    let source = files::read_to_string(&file)?;
    in_clone(&["xtask", "clean", "--help"])?;
    Ok(Box::new(move |number| {
        let ours = in_clone(&["xtask", "clean", "--help"])?;
        let cargo = in_clone(&["build", "-p", "xtask"])?;
        files::write(&file, format!("{source}// {number}\n"))?;
        let changed = in_clone(&["xtask", "clean", "--help"])?;
        let nothing = Reading::new("cargo xtask, nothing to do", Unit::Seconds, ours.seconds);
        let work = "cargo xtask, after a change of one line";
        Ok(vec![
            nothing.beside("cargo build", cargo.seconds),
            Reading::new(work, Unit::Seconds, changed.seconds),
        ])
    }))
}

/// Reads the sizes of what a dist has. They do not vary.
pub(super) fn size<'b>(bench: &'b Bench<'_>) -> anyhow::Result<Round<'b>> {
    let dist = bench.dist()?;
    Ok(Box::new(move |_| {
        let mut readings = Vec::new();
        for artifact in &dist.manifest.artifacts {
            if let Content::Archive(archive) = &artifact.content {
                let of = |what: &str| format!("{what} of {}", archive.target);
                let size = archive.binary_size as f64;
                readings.push(Reading::new(of("binary"), Unit::Bytes, size));
                readings.push(Reading::new(
                    of("archive"),
                    Unit::Bytes,
                    artifact.size as f64,
                ));
            }
        }
        let image = dist.folder.join(image_name(&dist.manifest.release));
        if image.is_file() {
            let size = meter::size(&image)?;
            readings.push(Reading::new("image of two platforms", Unit::Bytes, size));
        }
        Ok(readings)
    }))
}
