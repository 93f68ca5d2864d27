//! `cargo xtask release rehearse`: a whole release in a second checkout, against services on this machine.

mod matrix;
mod secrets;
mod undo;

use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use noetl_help::Help as _;
use serde_json::{Value, json};

use crate::host::ctx::{self, Ctx};
use crate::host::{files, git, output};
use crate::publish::endpoints::Service;
use crate::publish::inputs::BRANCH;
use crate::publish::standins::World;
use crate::release::version::Release;
use crate::tasks::release::preflight;

/// Make the whole release offline, against services on this machine, and compare it with its plan
#[derive(Debug, Args)]
#[command(
    after_help = "Takes dist/ of this commit. GitHub, the git remote and the registries are stand-ins on loopback; registries that \
    others\nwrote take their places when they are named. Every change is recorded: the hash of the transcript is that of the plan.\n\n\
    Examples:\n  cargo xtask release rehearse\n  cargo xtask release rehearse --faults    every step with every fault, and a second run\n  \
    cargo xtask release rehearse --serve    the services alone, to try other commands with --remotes\n  \
    cargo xtask release rehearse --pypi http://127.0.0.1:8080 --npm http://127.0.0.1:4873 --registry 127.0.0.1:5000"
)]
pub(super) struct RehearseArgs {
    /// The folder to release [default: dist at the repository's root]
    #[arg(long, value_name = "DIR")]
    dist: Option<Utf8PathBuf>,
    /// An index of Python packages in place of the stand-in, such as pypiserver
    #[arg(long, value_name = "URL")]
    pypi: Option<String>,
    /// A registry of npm in place of the stand-in, such as verdaccio
    #[arg(long, value_name = "URL")]
    npm: Option<String>,
    /// A registry of images in place of the stand-in
    #[arg(long, value_name = "HOST")]
    registry: Option<String>,
    /// Let every fault happen at every step, each followed by a second run that must end as if there had been none
    #[arg(long, conflicts_with_all = ["pypi", "npm", "registry"])]
    faults: bool,
    /// Only these steps of the matrix
    #[arg(long, value_delimiter = ',', requires = "faults")]
    steps: Vec<String>,
    /// Only start the services, print where they are as a file for --remotes, and stop when standard input ends
    #[arg(long, conflicts_with_all = ["faults", "json", "dist"])]
    serve: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A checkout that is released, and the dist of its commit.
struct Stage {
    folder: Utf8PathBuf,
    dist: Utf8PathBuf,
    program: Utf8PathBuf,
}

pub(super) fn run(ctx: &Ctx, args: &RehearseArgs) -> anyhow::Result<()> {
    if args.serve {
        return serve(ctx);
    }
    let dist = args.dist.clone().unwrap_or_else(|| ctx.root.join("dist"));
    let release = Release::read(ctx)?;
    if !preflight::is_of(&dist, &release)? {
        return Err(anyhow!("{dist} is not the dist of {}", release.commit))
            .help("make it: cargo xtask dist");
    }
    let stage = Stage::new(ctx, dist)?;
    if args.faults {
        return matrix::run(ctx, &stage, &args.steps, args.json);
    }
    let (world, file) = services(&stage, args)?;
    let run = output::step(ctx, "release, against services on this machine", || {
        stage.succeed(&file, &["--execute"])
    })?;
    let made: Value = serde_json::from_slice(&run.stdout).context("the release printed no JSON")?;
    ensure!(
        made["plan"] == made["transcript"],
        "the transcript is {}, and the plan {}",
        made["transcript"],
        made["plan"]
    );
    again(ctx, &stage, &world, &file)?;
    let transcript = stage.folder.join("transcript.jsonl");
    let made_by_it = stage.journal(&release).join("transcript.jsonl");
    files::write(&transcript, files::read(&made_by_it)?)?;
    let mut marks = vec![
        "\"yanked\":true",
        "Do not use this version",
        "\"prerelease\":true",
    ];
    if args.npm.is_none() {
        marks.push("\"deprecated\":\"a rehearsal\"");
    }
    undo::verify_and_yank(ctx, &stage, &release, &world, &marks)?;
    stage.find_secrets()?;
    undo::abandon(ctx, &stage, &release)?;
    stage.find_secrets()?;
    if args.json {
        return output::json(&json!({
            "release": release, "plan": made["plan"], "transcript": made["transcript"],
            "changes": made["changes"], "file": transcript,
        }));
    }
    output::line(format!(
        "{} is rehearsed: {} changes, as planned",
        release.tag, made["changes"]
    ))?;
    output::line(format!(
        "plan and transcript {}",
        made["plan"].as_str().unwrap_or_default()
    ))?;
    output::line(transcript)
}

/// Starts the services for releases by hand.
fn serve(ctx: &Ctx) -> anyhow::Result<()> {
    let folder = ctx.state().join("rehearsal-services");
    files::remove(&folder)?;
    files::create_folder(&folder)?;
    let world = World::start(&folder, &ctx.root)?;
    output::json(&world.endpoints)?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).context("cannot wait")?;
    Ok(())
}

/// Releases once more, which must change nothing.
fn again(ctx: &Ctx, stage: &Stage, world: &World, remotes: &Utf8Path) -> anyhow::Result<()> {
    let before = world.changes();
    let again = output::step(ctx, "release again: nothing is left to do", || {
        stage.succeed(remotes, &["--resume"])
    })?;
    let again: Value = serde_json::from_slice(&again.stdout)?;
    ensure!(
        again["changes"] == 0,
        "a second run made {} changes",
        again["changes"]
    );
    // The lock is taken and given back in git, and nothing else.
    let mut after = world.changes();
    let (mut before, locks) = (before, 2);
    if let (Some(one), Some(other)) = (before.get_mut("git"), after.get_mut("git")) {
        ensure!(*one + locks == *other, "a second run pushed to git");
        *other = *one;
    }
    ensure!(
        before == after,
        "a second run changed {after:?}, not {before:?}"
    );
    Ok(())
}

/// Starts the stand-ins, and writes where they and the registries of others are.
fn services(stage: &Stage, args: &RehearseArgs) -> anyhow::Result<(World, Utf8PathBuf)> {
    let world = stage.world()?;
    let mut remotes = world.endpoints.clone();
    for (url, services) in [
        (&args.pypi, [Service::Pypi, Service::PypiIndex].as_slice()),
        (&args.npm, &[Service::Npm]),
    ] {
        for (url, service) in url
            .iter()
            .flat_map(|url| services.iter().map(move |it| (url, it)))
        {
            remotes.services.insert(*service, url.clone());
        }
    }
    if let Some(registry) = &args.registry {
        remotes.registry = format!("{registry}/noetl");
    }
    let file = stage.folder.join("remotes.json");
    files::write(&file, serde_json::to_vec_pretty(&remotes)?)?;
    Ok((world, file))
}

impl Stage {
    /// Makes a checkout of this commit in `target/xtask/rehearsal`.
    fn new(ctx: &Ctx, dist: Utf8PathBuf) -> anyhow::Result<Self> {
        let folder = ctx.state().join("rehearsal");
        files::remove(&folder)?;
        files::create_folder(&folder)?;
        let checkout = folder.join("checkout");
        git::read(
            ctx,
            &[
                "clone",
                "--quiet",
                "--no-local",
                "--no-tags",
                ".",
                checkout.as_str(),
            ],
        )?;
        let at = |words: &[&str]| git::read(ctx, &[&["-C", checkout.as_str()], words].concat());
        at(&[
            "checkout",
            "--quiet",
            "-B",
            BRANCH,
            Release::read(ctx)?.commit.as_str(),
        ])?;
        at(&["remote", "remove", "origin"])?;
        at(&["config", "user.name", "Rehearsal"])?;
        at(&["config", "user.email", "rehearsal@localhost"])?;
        let program = ctx::this_program()?;
        let dist = dist
            .canonicalize_utf8()
            .with_context(|| format!("cannot find {dist}"))?;
        let stage = Self {
            folder,
            dist,
            program,
        };
        stage.share_page(ctx)?;
        Ok(stage)
    }

    /// Copies the built page, which the crate of the server needs and a checkout does not have.
    fn share_page(&self, ctx: &Ctx) -> anyhow::Result<()> {
        let page = ctx.root.join("ui-src/dist");
        if !page.is_dir() {
            return Ok(());
        }
        for name in files::list(&page)? {
            let to = self.checkout().join("ui-src/dist").join(&name);
            files::create_folder(to.parent().context("a file without a folder")?)?;
            files::write(&to, files::read(&page.join(&name))?)?;
        }
        Ok(())
    }

    fn checkout(&self) -> Utf8PathBuf {
        self.folder.join("checkout")
    }

    /// Starts new stand-ins.
    fn world(&self) -> anyhow::Result<World> {
        let folder = self.folder.join("services");
        files::remove(&folder)?;
        files::create_folder(&folder)?;
        World::start(&folder, &self.checkout())
    }

    /// Returns the folder of the release's journal.
    fn journal(&self, release: &Release) -> Utf8PathBuf {
        self.checkout()
            .join("target/xtask/release")
            .join(&release.tag)
    }

    /// Returns this program in the checkout, with the tokens of a rehearsal.
    #[expect(
        clippy::disallowed_methods,
        reason = "it is this program, which faults kill while it runs"
    )]
    fn plain_command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(self.checkout())
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("GITHUB_ACTIONS")
            .env("CARGO_NET_OFFLINE", "true")
            .env("GIT_TERMINAL_PROMPT", "0")
            .envs(secrets::TOKENS)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Returns the command that releases.
    fn command(&self, remotes: &Utf8Path, words: &[&str]) -> Command {
        let mut command = self.plain_command();
        command
            .args(["release", "--json", "--as-it-is", "--dist"])
            .arg(&self.dist);
        command.arg("--remotes").arg(remotes).args(words);
        command
    }

    /// Releases to the end.
    fn succeed(&self, remotes: &Utf8Path, words: &[&str]) -> anyhow::Result<Output> {
        self.finish(self.command(remotes, words))
    }

    /// Runs another command of `release` to the end.
    fn succeed_in(&self, words: &[&str]) -> anyhow::Result<Output> {
        let mut command = self.plain_command();
        command.arg("release").args(words);
        command
            .arg("--remotes")
            .arg(self.folder.join("remotes.json"));
        self.finish(command)
    }

    fn finish(&self, mut command: Command) -> anyhow::Result<Output> {
        let output = command.output().context("cannot start this program")?;
        let said =
            String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned();
        files::append(&self.folder.join("output.txt"), &said)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            return Err(anyhow!("the rehearsal failed:\n{said}"))
                .help("correct the cause it names; nothing outside of this machine was reached");
        }
        Ok(output)
    }

    /// Fails when a token of the rehearsal, as it is or encoded, is in a file that the release wrote, or in its output.
    fn find_secrets(&self) -> anyhow::Result<()> {
        let mut texts = vec![self.folder.join("output.txt")];
        let state = self.checkout().join("target/xtask/release");
        let names = files::list(&state)?;
        let names = names.iter().filter(|name| name.contains(".json"));
        texts.extend(names.map(|name| state.join(name)));
        for path in texts {
            if let Some(name) = secrets::find(&files::read(&path)?) {
                return Err(anyhow!("{path} contains the value of {name}"))
                    .help("this is a fault of xtask: do not publish the file");
            }
        }
        Ok(())
    }
}
