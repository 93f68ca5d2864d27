//! What people look at after a run: a table, the times, and a picture of the sizes.

use std::fmt::Write as _;

use camino::Utf8PathBuf;
use noetl_oci::Reference;

use crate::host::ctx::Ctx;
use crate::host::files;
use crate::release::dist_manifest::{Content, DistManifest};
use crate::release::shards::Record;

/// What is not in the dist itself.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// Steps of the shards, as `shard 1/3: title`, with their seconds.
    shards: Vec<(String, f64)>,
    /// The names that were pushed, and how many bytes that took.
    published: Option<(Vec<String>, u64)>,
}

/// Where the summary lies.
pub(super) fn folder(ctx: &Ctx) -> Utf8PathBuf {
    ctx.state().join("summary")
}

impl Summary {
    /// Takes over the times that shards recorded.
    pub(super) fn shards(&mut self, records: &[Record]) {
        for (number, record) in (1..).zip(records) {
            let steps = record.seconds.iter();
            self.shards.extend(steps.map(|(title, seconds)| {
                (
                    format!("shard {number}/{}: {title}", records.len()),
                    *seconds,
                )
            }));
        }
    }

    /// Notes what was pushed.
    pub(super) fn published(&mut self, references: &[Reference], sent_bytes: u64) {
        let names = references.iter().map(ToString::to_string).collect();
        self.published = Some((names, sent_bytes));
    }

    /// Writes `summary.md`, and `sizes.svg` and `times.svg` beside it; adds the first to GitHub's page.
    pub(super) fn write(
        &self,
        ctx: &Ctx,
        dist_manifest: &DistManifest,
        digest: Option<&str>,
    ) -> anyhow::Result<()> {
        let mut times = self.shards.clone();
        times.extend(
            ctx.steps
                .lock()
                .map(|steps| steps.clone())
                .unwrap_or_default(),
        );
        let folder = folder(ctx);
        let text = self.markdown(dist_manifest, digest, &times);
        files::write(&folder.join("summary.md"), &text)?;
        let sizes = dist_manifest
            .artifacts
            .iter()
            .map(|artifact| (artifact.name.clone(), megabytes(artifact.size)));
        let sizes: Vec<_> = sizes.collect();
        files::write(
            &folder.join("sizes.svg"),
            chart("What is shipped", "MB", &sizes),
        )?;
        files::write(
            &folder.join("times.svg"),
            chart("How long it took", "s", &times),
        )?;
        match &ctx.github.summary {
            Some(summary) => files::append(summary, &text),
            None => Ok(()),
        }
    }

    fn markdown(
        &self,
        dist_manifest: &DistManifest,
        digest: Option<&str>,
        times: &[(String, f64)],
    ) -> String {
        let release = &dist_manifest.release;
        let mut text = format!("# NoETL {} at `{}`\n\n", release.version, release.commit);
        text.push_str("| file | for | MB | SHA-256 |\n|---|---|---:|---|\n");
        for artifact in &dist_manifest.artifacts {
            let made_for = match &artifact.content {
                Content::Archive(archive) => archive.target.clone(),
                Content::Image(image) => {
                    let platforms = image.platforms.iter().map(|image| image.platform.as_str());
                    platforms.collect::<Vec<_>>().join(", ")
                }
            };
            let (name, size) = (&artifact.name, megabytes(artifact.size));
            put(
                &mut text,
                format_args!(
                    "| {name} | {made_for} | {size:.1} | `{}` |",
                    artifact.sha256
                ),
            );
        }
        if let Some(digest) = digest {
            put(&mut text, format_args!("\nImage index: `{digest}`"));
        }
        if let Some((names, sent_bytes)) = &self.published {
            put(
                &mut text,
                format_args!("\nPushed, {:.1} MB sent:\n", megabytes(*sent_bytes)),
            );
            for name in names {
                put(&mut text, format_args!("- `{name}`"));
            }
        }
        text.push_str("\n| step | seconds |\n|---|---:|\n");
        for (title, seconds) in times {
            put(&mut text, format_args!("| {title} | {seconds:.1} |"));
        }
        text
    }
}

/// Adds a line; a string takes whatever is written to it.
fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    let written = writeln!(text, "{line}");
    debug_assert!(written.is_ok(), "a string never refuses");
}

#[expect(
    clippy::cast_precision_loss,
    reason = "one digit after the point is shown"
)]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Horizontal bars with their values, as SVG 1.1 that is readable on light and dark pages.
fn chart(title: &str, unit: &str, bars: &[(String, f64)]) -> String {
    const ROW: usize = 24;
    const LABEL: f64 = 360.0;
    const BAR: f64 = 360.0;
    let height = 40 + ROW * bars.len();
    let most = bars
        .iter()
        .map(|(_, value)| *value)
        .fold(f64::EPSILON, f64::max);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 820 {height}\" font-family=\"sans-serif\" \
         font-size=\"13\" role=\"img\">\n<title>{}</title>\n<rect width=\"820\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"16\" fill=\"#1f2933\">{}</text>\n",
        escaped(title),
        escaped(title)
    );
    for (row, (name, value)) in bars.iter().enumerate() {
        let (top, length) = (36 + ROW * row, value / most * BAR);
        put(
            &mut svg,
            format_args!(
                "<text x=\"{:.0}\" y=\"{}\" text-anchor=\"end\" fill=\"#1f2933\">{}</text>\
                 <rect x=\"{:.0}\" y=\"{top}\" width=\"{length:.1}\" height=\"16\" fill=\"#2f6fde\"/>\
                 <text x=\"{:.1}\" y=\"{}\" fill=\"#1f2933\">{value:.1} {unit}</text>",
                LABEL - 8.0,
                top + 13,
                escaped(name),
                LABEL,
                LABEL + length + 6.0,
                top + 13
            ),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_one_bar_per_value_and_names_are_text() {
        let bars = [("a<b".to_owned(), 2.0), ("c".to_owned(), 1.0)];
        let svg = chart("T & U", "MB", &bars);
        assert_eq!(svg.matches("fill=\"#2f6fde\"").count(), 2);
        assert!(svg.contains("a&lt;b") && svg.contains("T &amp; U"));
        assert!(svg.contains("width=\"360.0\"") && svg.contains("width=\"180.0\""));
        assert!(chart("empty", "s", &[]).ends_with("</svg>\n"));
    }
}
