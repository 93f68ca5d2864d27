//! The summary of a run: a Markdown table of files and times, and bar charts of sizes and times.

use camino::Utf8PathBuf;
use noetl_oci::Reference;

use crate::host::ctx::Ctx;
use crate::host::files;
use crate::release::dist_manifest::{Content, DistManifest};
use crate::release::proof;
use crate::release::shards::Record;

/// What is neither in the dist nor among the steps of this run.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// Steps of the shards, as `shard 1/3: title`, with their seconds.
    shards: Vec<(String, f64)>,
    /// The names that were pushed, and how many bytes were sent.
    pub(super) published: Option<(Vec<Reference>, u64)>,
}

/// Returns the folder that the summary is written to.
pub(super) fn folder(ctx: &Ctx) -> Utf8PathBuf {
    ctx.state().join("summary")
}

/// Returns the finished steps of this run with their seconds.
pub(super) fn steps(ctx: &Ctx) -> Vec<(String, f64)> {
    let steps = ctx.steps.lock().map(|steps| steps.clone());
    steps.unwrap_or_default()
}

impl Summary {
    /// Adds the times that the shards recorded.
    pub(super) fn add_shards(&mut self, records: &[Record]) {
        let count = records.len();
        for (number, record) in (1..).zip(records) {
            for (title, seconds) in &record.seconds {
                let title = format!("shard {number}/{count}: {title}");
                self.shards.push((title, *seconds));
            }
        }
    }

    /// Writes `summary.md`, `sizes.svg` and `times.svg`, and appends the first to the job summary of GitHub.
    pub(super) fn write(
        &self,
        ctx: &Ctx,
        dist_manifest: &DistManifest,
        digest: Option<&str>,
    ) -> anyhow::Result<()> {
        let times = [self.shards.clone(), steps(ctx)].concat();
        let text = self.markdown(dist_manifest, digest, &times);
        let artifacts = dist_manifest.artifacts.iter();
        let sizes = artifacts.map(|file| (file.name.clone(), megabytes(file.size)));
        let sizes = chart("What is shipped", "MB", &sizes.collect::<Vec<_>>());
        let folder = folder(ctx);
        files::write(&folder.join("summary.md"), &text)?;
        files::write(&folder.join("sizes.svg"), sizes)?;
        let times = chart("How long it took", "s", &times);
        files::write(&folder.join("times.svg"), times)?;
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
        text += "| file | for | MB | SHA-256 |\n|---|---|---:|---|\n";
        for artifact in dist_manifest.artifacts.iter().filter(|it| it.is_download()) {
            let made_for = match &artifact.content {
                Content::Archive(archive) => archive.target.clone(),
                Content::Sbom(sbom) => format!("SBOM of {}", sbom.target),
                Content::Wheel(wheel) => format!("{}, Python", wheel.target),
                Content::Universal => "both kinds of Macs".to_owned(),
                Content::Sdist => "Python, from sources".to_owned(),
                Content::Npm(npm) => npm.package.clone(),
                Content::Deb(deb) => format!("{}, Debian and Ubuntu", deb.target),
                Content::Rpm(rpm) => format!("{}, Fedora, Red Hat and SUSE", rpm.target),
                Content::Installer => "an installation without a package manager".to_owned(),
                Content::Recipe => "another package manager".to_owned(),
                Content::Repository => "a repository".to_owned(),
                Content::Alias(alias) => format!("a copy of {}", alias.of),
                Content::Image(image) => {
                    let platforms = image.platforms.iter().map(|image| image.platform.as_str());
                    platforms.collect::<Vec<_>>().join(", ")
                }
            };
            let (name, sha256) = (&artifact.name, &artifact.sha256);
            let size = megabytes(artifact.size);
            text += &format!("| {name} | {made_for} | {size:.1} | `{sha256}` |\n");
        }
        let proofs = dist_manifest.artifacts.iter().map(|it| it.proof);
        text += &format!("\n{}\n", proof::summary(proofs));
        if let Some(digest) = digest {
            text += &format!("\nImage index: `{digest}`\n");
        }
        if let Some((references, sent_bytes)) = &self.published {
            text += &format!("\nPushed, {:.1} MB sent:\n\n", megabytes(*sent_bytes));
            for reference in references {
                text += &format!("- `{reference}`\n");
            }
        }
        text += "\n| step | seconds |\n|---|---:|\n";
        for (title, seconds) in times {
            text += &format!("| {title} | {seconds:.1} |\n");
        }
        text
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "one digit after the point is shown"
)]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Returns horizontal bars with their values, as SVG 1.1 that is readable on light and dark pages.
fn chart(title: &str, unit: &str, bars: &[(String, f64)]) -> String {
    const ROW: usize = 24;
    const LABEL: f64 = 360.0;
    const BAR: f64 = 360.0;
    let (title, height) = (escape(title), 40 + ROW * bars.len());
    let values = bars.iter().map(|(_, value)| *value);
    let longest = values.fold(f64::EPSILON, f64::max);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 820 {height}\" font-family=\"sans-serif\" \
         font-size=\"13\" role=\"img\">\n<title>{title}</title>\n<rect width=\"820\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"16\" fill=\"#1f2933\">{title}</text>\n"
    );
    for (row, (name, value)) in bars.iter().enumerate() {
        let (name, length) = (escape(name), value / longest * BAR);
        let (top, name_end, value_start) = (36 + ROW * row, LABEL - 8.0, LABEL + length + 6.0);
        let baseline = top + 13;
        svg += &format!(
            "<text x=\"{name_end:.0}\" y=\"{baseline}\" text-anchor=\"end\" fill=\"#1f2933\">{name}</text>\
             <rect x=\"{LABEL:.0}\" y=\"{top}\" width=\"{length:.1}\" height=\"16\" fill=\"#2f6fde\"/>\
             <text x=\"{value_start:.1}\" y=\"{baseline}\" fill=\"#1f2933\">{value:.1} {unit}</text>\n"
        );
    }
    svg + "</svg>\n"
}

/// Escapes text for XML.
fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_a_bar_per_value_and_escapes_names() {
        let bars = [("a<b".to_owned(), 2.0), ("c".to_owned(), 1.0)];
        let svg = chart("T & U", "MB", &bars);
        assert_eq!(svg.matches("fill=\"#2f6fde\"").count(), 2);
        assert!(svg.contains("a&lt;b") && svg.contains("T &amp; U"));
        assert!(svg.contains("width=\"360.0\"") && svg.contains("width=\"180.0\""));
        assert!(chart("empty", "s", &[]).ends_with("</svg>\n"));
    }
}
