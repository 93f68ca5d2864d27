//! `--load`: the tar into the engine of this machine, by the engine's own command.

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
    /// The nodes of the kind cluster that KIND_CLUSTER_NAME names
    Kind,
}

/// Those that `auto` tries, in order: a cluster is named or left alone.
const TRIED: [Engine; 3] = [Engine::Docker, Engine::Podman, Engine::Containerd];

impl Engine {
    fn program(self) -> &'static str {
        match self {
            Self::Auto | Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Containerd => "ctr",
            Self::Kind => "kind",
        }
    }

    /// Returns a command that succeeds when the engine answers.
    fn probe(self) -> CommandLine {
        let words: &[&str] = match self {
            Self::Auto | Self::Docker | Self::Containerd => &["version"],
            Self::Podman => &["info"],
            Self::Kind => &["get", "clusters"],
        };
        CommandLine::new(self.program()).args(words.iter().copied())
    }

    /// Returns the command that loads `tar`, which names its image itself.
    fn load(self, tar: &Utf8Path) -> CommandLine {
        let words: &[&str] = match self {
            Self::Auto | Self::Docker | Self::Podman => &["load", "--input"],
            Self::Containerd => &["images", "import"],
            Self::Kind => &["load", "image-archive"],
        };
        CommandLine::new(self.program())
            .args(words.iter().copied())
            .arg(tar.as_str())
    }
}

/// Finds the engine, before anything is built for it.
pub(super) fn find(ctx: &Ctx, wanted: Engine) -> anyhow::Result<Engine> {
    if wanted != Engine::Auto {
        let program = wanted.program();
        let missing = || MissingTool(program.to_owned());
        ctx::find_program(program)
            .ok_or_else(missing)
            .help(format!("install {program}, or --load another engine"))?;
        return Ok(wanted);
    }
    let answers = |engine: &&Engine| run::read(ctx, &engine.probe()).is_ok();
    let names = TRIED.map(Engine::program).join(", ");
    TRIED
        .iter()
        .find(answers)
        .copied()
        .ok_or_else(|| MissingTool(format!("an engine that answers ({names})")))
        .help("start one; `docker version` says what is wrong with Docker")
}

/// Loads the tar.
pub(super) fn load(ctx: &Ctx, engine: Engine, tar: &Utf8Path) -> anyhow::Result<()> {
    output::step(ctx, &format!("load into {}", engine.program()), || {
        run::run(ctx, &engine.load(tar))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_engine_loads_by_its_own_command() {
        let all = [
            Engine::Docker,
            Engine::Podman,
            Engine::Containerd,
            Engine::Kind,
        ];
        let commands = all.map(|engine| engine.load("image.tar".into()).to_string());
        insta::assert_snapshot!(commands.join("\n"), @r"
        docker load --input image.tar
        podman load --input image.tar
        ctr images import image.tar
        kind load image-archive image.tar
        ");
        assert!(
            !TRIED.contains(&Engine::Kind),
            "a cluster is named or left alone"
        );
    }
}
