//! `image check --rebuild`: the image again, from a clone of its commit, with everything else different.

use anyhow::{Context as _, anyhow};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use noetl_help::Help as _;
use noetl_oci::rules::Findings;

use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx};
use crate::host::{files, git, output, run};
use crate::image::rules::{X1, X2};
use crate::release::version::Release;

#[derive(Debug, Args)]
pub(super) struct RebuildArgs {
    /// Build it again from a clone of HEAD, in another folder, umask, time zone, locale and number of threads (X1)
    #[arg(long)]
    rebuild: bool,
    /// Compare with the digest that another machine built (X2), as `image digest` prints it
    #[arg(long, value_name = "DIGEST")]
    expect_digest: Option<String>,
    /// With --rebuild, the flags that `image` was given, such as --flavour python
    #[arg(last = true, requires = "rebuild")]
    recipe: Vec<String>,
}

impl RebuildArgs {
    /// X1 and X2: whether the same digest is made here again, and elsewhere.
    pub(super) fn check(
        &self,
        ctx: &Ctx,
        image: &str,
        digest: &str,
        findings: &mut Findings,
    ) -> anyhow::Result<()> {
        if self.rebuild {
            let again = self.digest_again(ctx)?;
            if again != digest {
                let message = format!("it is {digest}, and built again {again}");
                findings.add(&X1, image, message);
            }
        }
        match &self.expect_digest {
            Some(expected) if expected != digest => {
                let message = format!("it is {digest}, and elsewhere {expected}");
                findings.add(&X2, image, message);
            }
            None if self.rebuild => {
                output::note(
                    ctx,
                    "X2 was not run: --expect-digest takes what another machine built",
                );
            }
            _ => {}
        }
        Ok(())
    }

    fn digest_again(&self, ctx: &Ctx) -> anyhow::Result<String> {
        let given = self.recipe.iter().any(|word| word.starts_with("--binary"));
        if !given && Release::read(ctx)?.is_dirty() {
            return Err(anyhow!(
                "the tree differs from its commit, and a clone would not"
            ))
            .help("commit first");
        }
        let work = ctx.state().join("rebuild");
        files::remove(&work)?;
        files::create_folder(&work)?;
        // Paths with a space and an umlaut occur.
        let clone = work.join("a clöne");
        let words = [
            "clone",
            "--quiet",
            "--local",
            ctx.root.as_str(),
            clone.as_str(),
        ];
        git::read(ctx, &words).context("cannot clone the checkout")?;
        let program = std::env::current_exe().context("cannot find xtask's own file")?;
        let program = Utf8PathBuf::from_path_buf(program)
            .map_err(|path| anyhow!("{} is not UTF-8", path.display()))?;
        let command = self.plan_digest(ctx, &program, &clone);
        let mut printed = None;
        output::step(
            ctx,
            "build the image again in another folder and environment",
            || {
                run::lines(ctx, &command, |line| {
                    printed = Some(line.to_owned());
                    Ok(())
                })
            },
        )?;
        files::remove(&work)?;
        printed.context("`image digest` printed nothing")
    }

    /// Returns the command in the clone; a shell changes the umask where there is one.
    fn plan_digest(&self, ctx: &Ctx, program: &Utf8Path, clone: &Utf8Path) -> CommandLine {
        let command = if ctx::find_program("sh").is_some() {
            let script = "umask 077; exec \"$@\"";
            CommandLine::new("sh").args(["-c", script, "sh", program.as_str()])
        } else {
            CommandLine::new(program.as_str())
        };
        let command = command
            .args(["--quiet", "image", "digest", "--no-cache", "--threads", "1"])
            .args(self.recipe.iter().cloned())
            .env("TZ", "Pacific/Kiritimati")
            .env("LC_ALL", "tr_TR.UTF-8")
            .env("CARGO_TARGET_DIR", clone.join("target").as_str())
            .cwd(clone);
        match &ctx.source_date_epoch {
            Some(epoch) => command.env("SOURCE_DATE_EPOCH", epoch),
            None => command,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn everything_that_must_not_matter_is_different() {
        let args = RebuildArgs {
            rebuild: true,
            expect_digest: None,
            recipe: vec!["--flavour".to_owned(), "python".to_owned()],
        };
        let command = args.plan_digest(&fixtures::ctx(), "/x/xtask".into(), "/y".into());
        let names: Vec<_> = command.env.keys().map(String::as_str).collect();
        assert_eq!(names, ["CARGO_TARGET_DIR", "LC_ALL", "TZ"]);
        assert!(
            command
                .to_string()
                .contains("--no-cache --threads 1 --flavour python"),
            "{command}"
        );
        assert_eq!(command.cwd.as_deref(), Some(Utf8Path::new("/y")));
    }

    #[test]
    fn another_machines_digest_counts() {
        let expecting = |digest: &str| RebuildArgs {
            rebuild: false,
            expect_digest: Some(digest.to_owned()),
            recipe: Vec::new(),
        };
        let mut findings = Findings::default();
        expecting("sha256:a")
            .check(&fixtures::ctx(), "image", "sha256:a", &mut findings)
            .unwrap();
        assert_eq!(findings.errors(), 0);
        expecting("sha256:b")
            .check(&fixtures::ctx(), "image", "sha256:a", &mut findings)
            .unwrap();
        assert_eq!(findings.ids(), ["X2"]);
    }
}
