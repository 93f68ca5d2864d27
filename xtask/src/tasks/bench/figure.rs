//! What was measured: readings of one round, and the figures that all rounds give.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Unit {
    /// Seconds on the clock.
    Seconds,
    /// Seconds of processors.
    CpuSeconds,
    /// Memory or size.
    Bytes,
    /// Things done in a second; more is better.
    PerSecond,
    /// How many times as much as something else.
    Part,
}

impl Unit {
    /// Whether a larger value is the better one.
    pub(super) fn more_is_better(self) -> bool {
        self == Self::PerSecond
    }

    /// Writes a value with its unit.
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Self::Seconds if value < 0.1 => format!("{:.1} ms", value * 1e3),
            Self::Seconds => format!("{value:.2} s"),
            Self::CpuSeconds => format!("{value:.1} CPU-s"),
            Self::Bytes if value >= 1e6 => format!("{:.1} MB", value / 1e6),
            Self::Bytes => format!("{:.1} kB", value / 1e3),
            Self::PerSecond => format!("{value:.0}/s"),
            Self::Part => format!("{value:.2} ×"),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Seconds => "time",
            Self::CpuSeconds => "processor time",
            Self::Bytes => "bytes",
            Self::PerSecond => "rate",
            Self::Part => "ratio",
        })
    }
}

/// One value of one round, and those of peers in the same round.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// What was done, such as `the same image again`.
    pub(super) work: String,
    pub(super) unit: Unit,
    pub(super) ours: f64,
    /// The peers' names and values.
    pub(super) peers: Vec<(String, f64)>,
}

impl Reading {
    /// Returns a value without peers.
    pub(super) fn new(work: impl Into<String>, unit: Unit, ours: f64) -> Self {
        Self {
            work: work.into(),
            unit,
            ours,
            peers: Vec::new(),
        }
    }

    /// Adds the value of a peer.
    pub(super) fn beside(mut self, name: impl Into<String>, value: f64) -> Self {
        self.peers.push((name.into(), value));
        self
    }
}

/// The values of all rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) runs: usize,
}

/// Values that differ by less are the same: a machine is never idle.
const NOISE: f64 = 0.1;

impl Sample {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let (first, last) = (values.first(), values.last());
        let middle = values.len() / 2;
        let median = match values.len() {
            0 => f64::NAN,
            count if count % 2 == 1 => values[middle],
            _ => f64::midpoint(values[middle - 1], values[middle]),
        };
        Self {
            median,
            min: first.copied().unwrap_or(f64::NAN),
            max: last.copied().unwrap_or(f64::NAN),
            runs: values.len(),
        }
    }

    /// Returns by which part of the median values may differ by chance.
    pub(super) fn spread(&self) -> f64 {
        ((self.max - self.min) / self.median).max(NOISE)
    }
}

/// A peer's values of the same rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Peer {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) sample: Sample,
    /// How many times as much time, memory or bytes ours takes; of rates, how many times as many the peer does.
    pub(super) ratio: f64,
}

/// One kind of work, measured in several rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Figure {
    /// The bench that it belongs to.
    pub(super) bench: String,
    pub(super) work: String,
    pub(super) unit: Unit,
    #[serde(flatten)]
    pub(super) ours: Sample,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) peers: Vec<Peer>,
}

impl Figure {
    /// Returns the figures of rounds, in the order of the first one.
    pub(super) fn of_rounds(bench: &str, rounds: &[Vec<Reading>]) -> Vec<Self> {
        let first = rounds.first().into_iter().flatten();
        let figures = first.map(|reading| {
            let same = rounds.iter().flatten();
            let same = same.filter(|it| it.work == reading.work && it.unit == reading.unit);
            let mut peers: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
            let mut ours = Vec::new();
            for reading in same {
                ours.push(reading.ours);
                for (name, value) in &reading.peers {
                    peers.entry(name).or_default().push(*value);
                }
            }
            let ours = Sample::of(ours);
            let peers = peers.into_iter().map(|(name, values)| {
                let sample = Sample::of(values);
                let ratio = match reading.unit.more_is_better() {
                    true => sample.median / ours.median,
                    false => ours.median / sample.median,
                };
                let name = name.to_owned();
                Peer {
                    name,
                    sample,
                    ratio,
                }
            });
            Self {
                bench: bench.to_owned(),
                work: reading.work.clone(),
                unit: reading.unit,
                peers: peers.collect(),
                ours,
            }
        });
        figures.collect()
    }

    /// Whether this is the same work as another figure's.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        (&self.bench, &self.work, self.unit) == (&other.bench, &other.work, other.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_give_medians_spread_and_ratios() {
        let round = |ours, peer| vec![Reading::new("push", Unit::Seconds, ours).beside("x", peer)];
        let figures =
            Figure::of_rounds("push", &[round(1.0, 4.0), round(3.0, 4.0), round(2.0, 5.0)]);
        let figure = &figures[0];
        assert_eq!(
            (figure.ours.median, figure.ours.min, figure.ours.max),
            (2.0, 1.0, 3.0)
        );
        assert_eq!(
            (figure.peers[0].sample.median, figure.peers[0].ratio),
            (4.0, 0.5)
        );
        assert!((figure.ours.spread() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_ratio_of_rates_is_above_one_when_the_peer_does_more() {
        let round = vec![Reading::new("steps", Unit::PerSecond, 50.0).beside("x", 100.0)];
        let figures = Figure::of_rounds("noetl", &[round]);
        assert!((figures[0].peers[0].ratio - 2.0).abs() < 1e-9);
        assert!(
            (figures[0].ours.spread() - NOISE).abs() < 1e-9,
            "one run has no spread of its own"
        );
    }
}
