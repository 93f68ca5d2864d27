//! `--load`: loads the tar into an engine of this machine, with the engine's own command.

use camino::Utf8Path;
use clap::ValueEnum;
use noetl_help::Help as _;

use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx};
use crate::host::error::MissingTool;
use crate::host::{output, run};

/// An engine that loads images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Engine {
    /// The first of docker, podman and containerd that answers
    Auto,
    /// Docker, with either of its image stores
    Docker,
    /// Podman
    Podman,
    /// containerd, into the namespace that CONTAINERD_NAMESPACE names
    Containerd,
    /// The nodes of the kind cluster that KIND_CLUSTER_NAME names; never by `auto`
    Kind,
}

/// The engines that `auto` tries, in order.
const TRIED: [Engine; 3] = [Engine::Docker, Engine::Podman, Engine::Containerd];

impl Engine {
    /// Returns the program, its arguments to find out whether the engine answers, and those that load a tar.
    fn words(self) -> [&'static str; 3] {
        match self {
            Self::Auto | Self::Docker => ["docker", "version", "load --input"],
            Self::Podman => ["podman", "info", "load --input"],
            Self::Containerd => ["ctr", "version", "images import"],
            Self::Kind => ["kind", "get clusters", "load image-archive"],
        }
    }

    fn program(self) -> &'static str {
        self.words()[0]
    }

    /// Returns a command that succeeds when the engine answers.
    fn plan_probe(self) -> CommandLine {
        let [program, probe, _] = self.words();
        CommandLine::new(program).args(probe.split(' '))
    }

    /// Returns the command that loads a tar.
    fn plan_load(self, tar: &Utf8Path) -> CommandLine {
        let [program, _, load] = self.words();
        CommandLine::new(program)
            .args(load.split(' '))
            .arg(tar.as_str())
    }
}

/// Returns the engine to load into. Fails when it is not installed, or no engine answers.
pub(super) fn find(ctx: &Ctx, wanted: Engine) -> anyhow::Result<Engine> {
    if wanted != Engine::Auto {
        let program = wanted.program();
        let found = ctx::find_program(program).map(|_| wanted);
        return found
            .ok_or_else(|| MissingTool(program.to_owned()))
            .help(format!("install {program}, or --load another engine"));
    }
    let answers = |engine: &Engine| run::read(ctx, &engine.plan_probe()).is_ok();
    let names = TRIED.map(Engine::program).join(", ");
    let answering = TRIED.into_iter().find(answers);
    answering
        .ok_or_else(|| MissingTool(format!("an engine that answers ({names})")))
        .help("start one; `docker version` prints what is wrong with Docker")
}

/// Loads the tar.
pub(super) fn load(ctx: &Ctx, engine: Engine, tar: &Utf8Path) -> anyhow::Result<()> {
    output::step(ctx, &format!("load into {}", engine.program()), || {
        run::run(ctx, &engine.plan_load(tar))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_engine_loads_with_its_own_command() {
        let all = Engine::value_variants()[1..].iter();
        let commands = all.map(|engine| engine.plan_load("image.tar".into()).to_string());
        let commands: Vec<_> = commands.collect();
        insta::assert_snapshot!(commands.join("\n"), @r"
        docker load --input image.tar
        podman load --input image.tar
        ctr images import image.tar
        kind load image-archive image.tar
        ");
        assert!(!TRIED.contains(&Engine::Kind));
    }
}
