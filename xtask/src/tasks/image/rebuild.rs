//! `image check --rebuild`: makes the image again from a clone of its commit in another environment.

use anyhow::{Context as _, anyhow};
use camino::Utf8Path;
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
    /// Build the image again from a clone of HEAD, with another folder, umask, time zone, locale and number of threads
    /// (X1)
    #[arg(long)]
    rebuild: bool,
    /// Compare with the digest that `image digest` printed on another machine (X2)
    #[arg(long, value_name = "DIGEST")]
    expect_digest: Option<String>,
    /// With --rebuild, the flags of `image`, such as --flavour python
    #[arg(last = true, requires = "rebuild")]
    recipe: Vec<String>,
}

impl RebuildArgs {
    /// X1 and X2: checks that the same digest is made here again, and on another machine.
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
                let message = format!("it is {digest}, and on another machine {expected}");
                findings.add(&X2, image, message);
            }
            None if self.rebuild => {
                let note = "X2 was not run: --expect-digest takes the digest of another machine";
                output::note(ctx, note);
            }
            _ => {}
        }
        Ok(())
    }

    fn digest_again(&self, ctx: &Ctx) -> anyhow::Result<String> {
        let given = self.recipe.iter().any(|word| word.starts_with("--binary"));
        if !given && Release::read(ctx)?.is_dirty() {
            let error = anyhow!("the tree differs from its commit, and a clone would not");
            return Err(error.help("commit first"));
        }
        let work = ctx.state().join("rebuild");
        files::remove(&work)?;
        files::create_folder(&work)?;
        // Paths with a space and an umlaut occur.
        let clone = work.join("a clöne");
        git::clone(ctx, &clone).context("cannot clone the checkout")?;
        let program = ctx::this_program()?;
        let command = self.plan_digest(ctx, &program, &clone);
        let mut printed = None;
        let title = "build the image again in another folder and environment";
        output::step(ctx, title, || {
            run::lines(ctx, &command, |line| {
                printed = Some(line.to_owned());
                Ok(())
            })
        })?;
        files::remove(&work)?;
        printed.context("`image digest` printed nothing")
    }

    /// Returns the command that prints the digest in the clone; a shell changes the umask where there is one.
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

    fn args(expect_digest: Option<&str>) -> RebuildArgs {
        RebuildArgs {
            rebuild: expect_digest.is_none(),
            expect_digest: expect_digest.map(ToOwned::to_owned),
            recipe: vec!["--flavour".to_owned(), "python".to_owned()],
        }
    }

    #[test]
    fn the_image_is_built_in_another_environment() {
        let clone = Utf8Path::new("/y");
        let command = args(None).plan_digest(&fixtures::ctx(), "/x/xtask".into(), clone);
        let names: Vec<_> = command.env.keys().map(String::as_str).collect();
        assert_eq!(names, ["CARGO_TARGET_DIR", "LC_ALL", "TZ"]);
        let (text, flags) = (
            command.to_string(),
            "--no-cache --threads 1 --flavour python",
        );
        assert!(text.contains(flags), "{text}");
        assert_eq!(command.cwd.as_deref(), Some(clone));
    }

    #[test]
    fn the_digest_of_another_machine_must_be_the_same() {
        for (expected, ids) in [("sha256:a", &[][..]), ("sha256:b", &["X2"])] {
            let (args, mut findings) = (args(Some(expected)), Findings::default());
            let checked = args.check(&fixtures::ctx(), "image", "sha256:a", &mut findings);
            assert!(checked.is_ok());
            assert_eq!(findings.ids(), ids);
        }
    }
}
