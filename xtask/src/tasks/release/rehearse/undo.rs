//! What a rehearsal does besides: verifies what it published as anybody can, lets a second release manager try, gives a
//! release up, and marks one as bad.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::Stage;
use super::matrix::fresh;
use crate::host::ctx::Ctx;
use crate::host::output;
use crate::publish::standins::{Armed, Fault, World};
use crate::release::version::Release;

/// Verifies the published release without a token, and then marks it as bad; the stand-ins have these `marks` then.
///
/// # Errors
/// When a check fails, or a mark is missing.
pub(super) fn verify_and_yank(
    ctx: &Ctx,
    stage: &Stage,
    release: &Release,
    world: &World,
    marks: &[&str],
) -> anyhow::Result<()> {
    output::step(ctx, "verify it, as anybody can", || {
        let checked = stage.succeed_in(&["verify", &release.tag, "--json"])?;
        let checks: Vec<Value> = serde_json::from_slice(&checked.stdout)?;
        let passed = checks.iter().filter(|it| it["result"] == "passed").count();
        output::note(
            ctx,
            &format!(
                "{passed} of {} checks passed, the others need cosign or gh",
                checks.len()
            ),
        );
        ensure!(passed > 0, "nothing was checked");
        Ok(())
    })?;
    output::step(ctx, "yank it", || {
        let words = [
            "yank",
            &release.version,
            "--reason",
            "a rehearsal",
            "--execute",
        ];
        stage.succeed_in(&words)?;
        let published = serde_json::to_value(world.published()?)?;
        let text = published.to_string();
        for mark in marks {
            ensure!(text.contains(*mark), "yank left no {mark}");
        }
        Ok(())
    })
}

/// Stops a release before what cannot be undone, lets somebody else try, and gives it up.
///
/// # Errors
/// When the other one is not refused, or something stays that can be undone.
pub(super) fn abandon(ctx: &Ctx, stage: &Stage, release: &Release) -> anyhow::Result<()> {
    let world = fresh(stage)?;
    let before = world.published()?;
    let remotes = stage.folder.join("remotes.json");
    output::step(
        ctx,
        "a release that is refused, and another release manager",
        || {
            let child = stage
                .command(&remotes, &["--execute"])
                .spawn()
                .context("cannot start this program")?;
            let at = "registry PUT /v2/noetl/noetl/manifests/".to_owned();
            world.arm(Some(Armed {
                at,
                fault: Fault::KilledWithin,
                client: Some(child.id()),
            }));
            let killed = child.wait_with_output()?;
            ensure!(
                !killed.status.success() && world.has_struck(),
                "the release was not killed"
            );
            // Another checkout has another journal, and so is another holder of the lock.
            let other = stage.journal(release).join("holder.json");
            crate::host::files::remove(&other)?;
            let refused = stage.command(&remotes, &["--execute"]).output()?;
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            let expected = format!(
                "Rehearsal <rehearsal@localhost> releases {} at ",
                release.tag
            );
            ensure!(
                !refused.status.success() && said.contains(&expected),
                "nobody is named:\n{said}"
            );
            Ok(())
        },
    )?;
    output::step(ctx, "give it up", || {
        let words = ["--abandon", "--take-over"];
        stage.succeed(&remotes, &words)?;
        let after = world.published()?;
        ensure!(
            before.github == after.github,
            "something stays at GitHub: {}",
            after.github
        );
        ensure!(
            before.packages == after.packages,
            "something stays in a registry: {}",
            after.packages
        );
        let stays = |git: &str| {
            git.lines()
                .filter(|it| !it.starts_with("refs/heads/main "))
                .collect::<Vec<_>>()
                .join(", ")
        };
        ensure!(
            stays(&before.git) == stays(&after.git),
            "something stays in git: {}",
            after.git
        );
        Ok(())
    })
}
