//! The record of figures in docker/bench.json, and what has moved since.

use anyhow::Context as _;
use noetl_help::Help as _;
use serde::{Deserialize, Serialize};

use super::figure::Figure;
use super::report;
use crate::ci::documents;
use crate::host::ctx::Ctx;
use crate::host::files;
use crate::release::version::Release;

/// Figures with the commit and the machine that they were measured on.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// The day that they were measured on.
    pub(super) date: String,
    pub(super) commit: String,
    pub(super) machine: Machine,
    pub(super) figures: Vec<Figure>,
}

/// The machine that figures were measured on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) os: String,
    pub(super) arch: String,
    /// The model of the processor; empty where the system does not tell.
    pub(super) processor: String,
    pub(super) threads: usize,
}

impl Machine {
    /// Returns this machine.
    pub(super) fn this() -> Self {
        let info = files::read_to_string("/proc/cpuinfo".into()).unwrap_or_default();
        let model = info
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        let model = model
            .unwrap_or_default()
            .trim_start_matches([' ', '\t', ':']);
        Self {
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            processor: model.to_owned(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// The record, and the guide with its table.
const RECORD: &str = "docker/bench.json";
const GUIDE: &str = "docker/multi-arch-builds.md";

/// Reads the record, if there is one.
pub(super) fn read(ctx: &Ctx) -> anyhow::Result<Option<Record>> {
    let path = ctx.root.join(RECORD);
    if !path.is_file() {
        return Ok(None);
    }
    let record = serde_json::from_str(&files::read_to_string(&path)?);
    let record = record.with_context(|| format!("cannot read {path}"));
    record.map(Some).help("cargo xtask bench --save")
}

/// Writes the record, and the guide's table of it.
pub(super) fn write(ctx: &Ctx, record: &Record) -> anyhow::Result<()> {
    let guide = ctx.root.join(GUIDE);
    let text = files::read_to_string(&guide)?;
    let text = documents::replace(GUIDE, &text, "bench", &report::markdown(record))?;
    let json = serde_json::to_string_pretty(record)? + "\n";
    files::write(&ctx.root.join(RECORD), json)?;
    files::write(&guide, text)
}

impl Record {
    /// Returns the record of what this checkout gave on this machine.
    pub(super) fn new(release: &Release, figures: Vec<Figure>) -> Self {
        Self {
            date: jiff::Timestamp::now().strftime("%F").to_string(),
            commit: release.commit.clone(),
            machine: Machine::this(),
            figures,
        }
    }

    /// Adds the figures of another record whose work was not measured this time.
    pub(super) fn keep(&mut self, before: Self) {
        let mut figures = before.figures;
        for figure in self.figures.drain(..) {
            match figures.iter_mut().find(|known| known.is_of(&figure)) {
                Some(known) => *known = figure,
                None => figures.push(figure),
            }
        }
        self.figures = figures;
    }
}

/// How a figure has changed.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Change {
    pub(super) bench: String,
    pub(super) work: String,
    /// What is compared: `seconds` for instance, or `times skopeo`.
    pub(super) measure: String,
    pub(super) before: f64,
    pub(super) now: f64,
    /// How many times as much as before; above 1 is worse.
    pub(super) factor: f64,
    /// By how much the factor may differ from 1 by chance.
    pub(super) noise: f64,
}

impl Change {
    /// Whether it has moved by more than chance explains.
    pub(super) fn has_moved(&self) -> bool {
        self.factor > 1.0 + self.noise || self.factor < 1.0 / (1.0 + self.noise)
    }

    /// Whether it is worse than a budget allows, such as 0.2 for a fifth.
    pub(super) fn exceeds(&self, budget: f64) -> bool {
        self.has_moved() && self.factor > 1.0 + budget
    }
}

/// Compares figures with a record's. Figures with a peer are compared by their ratio to it; others, by their values and
/// only on the same machine.
pub(super) fn changes(record: &Record, figures: &[Figure], machine: &Machine) -> Vec<Change> {
    let pairs = figures.iter().filter_map(|now| {
        let before = record.figures.iter().find(|known| known.is_of(now))?;
        Some((before, now))
    });
    let mut changes = Vec::new();
    for (before, now) in pairs {
        let noise = before.ours.spread() + now.ours.spread();
        let mut add = |measure: String, from: f64, to: f64, factor: f64, noise: f64| {
            changes.push(Change {
                bench: now.bench.clone(),
                work: now.work.clone(),
                measure,
                before: from,
                now: to,
                factor,
                noise,
            });
        };
        for peer in &now.peers {
            let Some(known) = before.peers.iter().find(|known| known.name == peer.name) else {
                continue;
            };
            let noise = noise + known.sample.spread() + peer.sample.spread();
            let factor = peer.ratio / known.ratio;
            let measure = format!("times {}", peer.name);
            add(measure, known.ratio, peer.ratio, factor, noise);
        }
        if now.peers.is_empty() && record.machine == *machine {
            let (from, to) = (before.ours.median, now.ours.median);
            let factor = match now.unit.more_is_better() {
                true => from / to,
                false => to / from,
            };
            add(now.unit.to_string(), from, to, factor, noise);
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::super::figure::{Reading, Unit};
    use super::*;

    fn record(ours: f64, peer: Option<f64>) -> Record {
        let mut reading = Reading::new("again", Unit::Seconds, ours);
        if let Some(peer) = peer {
            reading = reading.beside("skopeo", peer);
        }
        Record {
            date: "2026-01-01".to_owned(),
            commit: "c".to_owned(),
            machine: Machine::this(),
            figures: Figure::of_rounds("push", &[vec![reading]]),
        }
    }

    #[test]
    fn what_is_slower_beyond_noise_and_budget_fails() {
        let before = record(1.0, None);
        let change = |now| {
            let now = record(now, None);
            changes(&before, &now.figures, &now.machine).remove(0)
        };
        assert!(!change(1.1).has_moved(), "within the noise");
        assert!(change(1.3).has_moved() && change(1.3).exceeds(0.2));
        assert!(!change(1.3).exceeds(0.5));
        assert!(
            change(0.5).has_moved() && !change(0.5).exceeds(0.2),
            "faster"
        );
    }

    #[test]
    fn another_machine_is_compared_by_ratios_alone() {
        let other = Machine {
            threads: 1000,
            ..Machine::this()
        };
        let (before, now) = (record(1.0, None), record(9.0, None));
        assert_eq!(changes(&before, &now.figures, &other), []);
        let (before, now) = (record(1.0, Some(1.0)), record(9.0, Some(3.0)));
        let found = changes(&before, &now.figures, &other);
        assert_eq!(
            (found[0].measure.as_str(), found[0].factor),
            ("times skopeo", 3.0)
        );
    }

    #[test]
    fn a_record_keeps_what_was_not_measured_again() {
        let mut now = record(2.0, None);
        let mut before = record(1.0, None);
        before.figures.extend(Figure::of_rounds(
            "check",
            &[vec![Reading::new("a tar", Unit::Seconds, 5.0)]],
        ));
        now.keep(before);
        let medians: Vec<_> = now
            .figures
            .iter()
            .map(|figure| figure.ours.median)
            .collect();
        assert_eq!(medians, [2.0, 5.0]);
    }
}
