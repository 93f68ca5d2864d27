//! Builds a commit once more, in another checkout and another environment, and compares the files.

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use noetl_help::Help as _;

use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::host::{files, git, output, run};
use crate::release::compare;
use crate::release::dist_manifest::{Content, DistManifest};

/// What the second build has otherwise than the first one, beside its folder and the time of day.
const OTHER: &[(&str, &str)] = &[
    ("TZ", "Pacific/Kiritimati"),
    ("LC_ALL", "C"),
    ("CARGO_BUILD_JOBS", "1"),
];

/// Builds a commit or a tag once more and compares the result with a dist. `partly` is whether the dist may lack files.
///
/// # Errors
/// When a file differs, the commit is not in this checkout, or the build fails.
pub(super) fn compare(
    ctx: &Ctx,
    revision: &str,
    dist_manifest: &DistManifest,
    dist: &Utf8Path,
    partly: bool,
) -> anyhow::Result<()> {
    let commit = git::read(
        ctx,
        &["rev-parse", "--verify", &format!("{revision}^{{commit}}")],
    );
    let commit =
        commit.help("name a tag or a commit of this checkout; `git fetch --tags` gets new ones")?;
    let commit = commit.trim();
    let of = &dist_manifest.release.commit;
    let is_same = of == commit;
    let check = || {
        ensure!(
            is_same,
            "{dist} was built from {of}, and {revision} is {commit}"
        );
        Ok(())
    };
    check().help("commit the changes, or name the commit that it was built from")?;
    let checkout = Checkout::new(ctx, commit)?;
    let built = checkout.build(ctx, dist_manifest)?;
    let differences = compare::differences(dist, &built, partly)?;
    differences.iter().try_for_each(output::line)?;
    if differences.is_empty() {
        return output::line(format!(
            "{dist}: a second build of {commit} gives the same bytes"
        ));
    }
    let count = differences.len();
    Err(anyhow!("{count} differences between {dist} and a second build of {commit}"))
        .help("a program that differs in a section contains a path, a time or an order; `diffoscope` shows the bytes")
}

/// A second checkout, removed when dropped.
struct Checkout(Utf8PathBuf);

impl Checkout {
    fn new(ctx: &Ctx, commit: &str) -> anyhow::Result<Self> {
        // A longer path than that of this checkout, with a space.
        let folder = ctx
            .state()
            .join(format!("second build-{}", std::process::id()));
        files::remove(&folder)?;
        let checkout = Self(folder);
        let clone = ["clone", "--quiet", "--no-checkout", "--shared", "."];
        git::read(ctx, &[&clone[..], &[checkout.0.as_str()]].concat())?;
        let checked_out = [
            "-C",
            checkout.0.as_str(),
            "checkout",
            "--quiet",
            "--detach",
            commit,
        ];
        git::read(ctx, &checked_out)?;
        checkout.share_tools(ctx)?;
        Ok(checkout)
    }

    /// Lets it use the downloaded tools of this checkout, which are pinned by hash.
    #[cfg(unix)]
    fn share_tools(&self, ctx: &Ctx) -> anyhow::Result<()> {
        let (tools, link) = (ctx.state().join("tools"), self.0.join("target/xtask/tools"));
        files::create_folder(&self.0.join("target/xtask"))?;
        std::os::unix::fs::symlink(&tools, &link).with_context(|| format!("cannot make {link}"))
    }

    #[cfg(not(unix))]
    fn share_tools(&self, _: &Ctx) -> anyhow::Result<()> {
        Ok(())
    }

    /// Builds all files of a dist. Returns their folder.
    fn build(&self, ctx: &Ctx, dist_manifest: &DistManifest) -> anyhow::Result<Utf8PathBuf> {
        let targets = dist_manifest.targets.join(",");
        let mut words = vec!["cargo", "xtask", "dist", "--targets", &targets];
        let mut artifacts = dist_manifest.artifacts.iter();
        if artifacts.any(|it| it.content == Content::Universal) {
            words.push("--universal2");
        }
        let mut command = if cfg!(unix) {
            let script = "umask 077 && exec \"$@\"";
            CommandLine::new("sh")
                .args(["-c", script, "sh"])
                .args(words)
        } else {
            CommandLine::new("cargo").args(words.into_iter().skip(1))
        };
        for (name, value) in OTHER {
            command = command.env(*name, *value);
        }
        command = command.env("CARGO_TARGET_DIR", self.0.join("target").as_str());
        output::step(ctx, "build it once more", || {
            run::run(ctx, &command.clone().cwd(&self.0))
        })?;
        Ok(self.0.join("dist"))
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        if let Err(error) = files::remove(&self.0) {
            output::warn(&format!("{error:#}"));
        }
    }
}
