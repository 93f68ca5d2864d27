//! Figures and changes as text, and as the table of the guide.

use std::fmt::Write as _;

use super::figure::Figure;
use super::record::{Change, Record};

/// Returns the figures as lines, one for each kind of work.
pub(super) fn text(figures: &[Figure]) -> String {
    let mut text = String::new();
    for figure in figures {
        let value = figure.unit.show(figure.ours.median);
        let work = format!("{}: {}", figure.bench, figure.work);
        write!(text, "{work:<52}{value:>12}").expect("a string takes it");
        if figure.ours.runs > 1 {
            let (min, max) = (figure.ours.min, figure.ours.max);
            let range = format!("{} to {}", figure.unit.show(min), figure.unit.show(max));
            write!(text, "  {range:<24}").expect("a string takes it");
        }
        text += &peers(figure);
        text.push('\n');
    }
    text
}

/// Returns what peers gave, such as `; skopeo 40.0 ms: 0.85 ×`.
fn peers(figure: &Figure) -> String {
    let peers = figure.peers.iter().map(|peer| {
        let value = figure.unit.show(peer.sample.median);
        format!("; {} {value}: {:.2} ×", peer.name, peer.ratio)
    });
    peers.collect()
}

/// Returns the changes that chance does not explain, one on each line.
pub(super) fn changes(changes: &[Change]) -> String {
    let mut text = "\nsince docker/bench.json:\n".to_owned();
    let mut moved = changes
        .iter()
        .filter(|change| change.has_moved())
        .peekable();
    if moved.peek().is_none() {
        let count = changes.len();
        text += &format!("  none of {count} figures has moved by more than its spread\n");
    }
    for change in moved {
        let direction = if change.factor > 1.0 {
            "worse"
        } else {
            "better"
        };
        let times = change.factor.max(1.0 / change.factor);
        let (work, measure) = (&change.work, &change.measure);
        let (before, now, bench) = (change.before, change.now, &change.bench);
        text += &format!(
            "  {bench}: {work}: {times:.2} × {direction} ({measure} {before:.3} before, {now:.3} now)\n"
        );
    }
    text
}

/// Returns the record as a Markdown table.
pub(super) fn markdown(record: &Record) -> String {
    let machine = &record.machine;
    let mut text = format!(
        "Measured on {} at commit `{:.12}`: {} on {}, {} threads of {}.\n\n| work | noetl | spread | beside |\n|---|---|---|---|\n",
        record.date, record.commit, machine.os, machine.arch, machine.threads, machine.processor
    );
    for figure in &record.figures {
        let spread = match figure.ours.runs {
            1 => "one run".to_owned(),
            _ => format!("{:.0} %", figure.ours.spread() * 100.0),
        };
        let peers = peers(figure);
        let peers = peers.trim_start_matches("; ");
        let (bench, work) = (&figure.bench, &figure.work);
        let value = figure.unit.show(figure.ours.median);
        writeln!(text, "| `{bench}`: {work} | {value} | {spread} | {peers} |")
            .expect("a string takes it");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::figure::{Reading, Unit};
    use super::*;

    #[test]
    fn a_figure_is_a_line_with_its_peers() {
        let round = |ours| vec![Reading::new("again", Unit::Seconds, ours).beside("skopeo", 0.5)];
        let figures = Figure::of_rounds("push", &[round(0.2), round(0.3), round(0.25)]);
        insta::assert_snapshot!(text(&figures).trim_end(), @"push: again                                               0.25 s  0.20 s to 0.30 s        ; skopeo 0.50 s: 0.50 ×");
    }

    #[test]
    fn what_moved_is_told() {
        let change = |factor| Change {
            bench: "push".to_owned(),
            work: "again".to_owned(),
            measure: "times skopeo".to_owned(),
            before: 1.0,
            now: factor,
            factor,
            noise: 0.4,
        };
        insta::assert_snapshot!(changes(&[change(1.2), change(2.0), change(0.25)]), @"

        since docker/bench.json:
          push: again: 2.00 × worse (times skopeo 1.000 before, 2.000 now)
          push: again: 4.00 × better (times skopeo 1.000 before, 0.250 now)
        ");
        insta::assert_snapshot!(changes(&[change(1.2)]), @"

        since docker/bench.json:
          none of 1 figures has moved by more than its spread
        ");
    }
}
