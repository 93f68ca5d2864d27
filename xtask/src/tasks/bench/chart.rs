//! Figures as a web page: one chart for each kind of work, with a bar for us and one for each peer.

use std::fmt::Write as _;

use super::figure::{Figure, Sample};
use crate::release::version::Release;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
    color:#1c2330;background:#fff}h1{font-size:1.4rem}h2{font-size:1.05rem;margin:2rem 0 .4rem}figure{margin:.6rem 0 1.2rem}\
    figcaption{margin-bottom:.2rem}svg{width:100%;height:auto;display:block}.us{fill:#2f6fdb}.peer{fill:#9aa5b5}\
    .range{stroke:#1c2330;stroke-width:1.5}text{font:13px system-ui,sans-serif;fill:#1c2330}\
    @media(prefers-color-scheme:dark){body{color:#e3e7ee;background:#151a21}text{fill:#e3e7ee}.range{stroke:#e3e7ee}}";

/// Width of the drawing; that of the names on its left; and the room for values on its right.
const WIDTH: f64 = 900.0;
const NAMES: f64 = 170.0;
const VALUES: f64 = 190.0;
/// Height of a bar with its distance to the next.
const BAR: f64 = 24.0;

/// Returns the page.
pub(super) fn page(release: &Release, figures: &[Figure]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>NoETL bench</title>\n<style>{STYLE}</style>\n\
         <h1>NoETL {} beside other tools</h1>\n<p>Commit {}. Bars are medians, lines reach from the lowest to the highest \
         round.</p>\n",
        escape(&release.version),
        escape(&release.commit)
    );
    let mut bench = "";
    for figure in figures {
        if figure.bench != bench {
            bench = &figure.bench;
            writeln!(page, "<h2>{}</h2>", escape(bench)).expect("a string takes it");
        }
        page += &chart(figure);
    }
    page
}

fn chart(figure: &Figure) -> String {
    let peers = figure.peers.iter();
    let peers = peers.map(|peer| (peer.name.as_str(), "peer", &peer.sample, Some(peer.ratio)));
    let bars = [("noetl", "us", &figure.ours, None)]
        .into_iter()
        .chain(peers);
    let bars: Vec<(&str, &str, &Sample, Option<f64>)> = bars.collect();
    let highest = bars
        .iter()
        .map(|(_, _, sample, _)| sample.max)
        .fold(0.0, f64::max);
    let scale = (WIDTH - NAMES - VALUES) / if highest > 0.0 { highest } else { 1.0 };
    let (work, height) = (escape(&figure.work), bars.len() as f64 * BAR);
    let mut svg = format!(
        "<figure><figcaption>{work} ({})</figcaption><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{work}\">",
        figure.unit
    );
    for (row, (name, class, sample, ratio)) in bars.into_iter().enumerate() {
        let top = row as f64 * BAR;
        let (width, middle) = (sample.median * scale, top + BAR / 2.0);
        let (from, to) = (NAMES + sample.min * scale, NAMES + sample.max * scale);
        let mut value = figure.unit.show(sample.median);
        if let Some(ratio) = ratio {
            value += &format!(" (ours is {ratio:.2} ×)");
        }
        write!(
            svg,
            "<text x=\"0\" y=\"{:.1}\">{}</text><rect class=\"{class}\" x=\"{NAMES}\" y=\"{:.1}\" width=\"{width:.1}\" \
             height=\"{:.1}\"/><line class=\"range\" x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{middle}\" y2=\"{middle}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{value}</text>",
            middle + 4.0,
            escape(name),
            top + 3.0,
            BAR - 6.0,
            to.max(NAMES + width) + 8.0,
            middle + 4.0,
        )
        .expect("a string takes it");
    }
    svg + "</svg></figure>\n"
}

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::figure::{Reading, Unit};
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values() {
        let round = vec![Reading::new("a <b>", Unit::Seconds, 1.0).beside("skopeo", 2.0)];
        let figures = Figure::of_rounds("push", &[round]);
        let svg = chart(&figures[0]);
        assert!(svg.contains("a &lt;b&gt;"), "{svg}");
        assert!(
            svg.contains("class=\"us\" x=\"170\" y=\"3.0\" width=\"270.0\""),
            "{svg}"
        );
        assert!(
            svg.contains("class=\"peer\" x=\"170\" y=\"27.0\" width=\"540.0\""),
            "{svg}"
        );
        assert!(svg.contains("ours is 0.50 ×"), "{svg}");
    }
}
