//! `cargo xtask deploy`: an image for the cluster's nodes, brought there, checked, applied, and asked.

mod smoke;

use anyhow::{Context as _, anyhow};
use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, ValueEnum};
use noetl_help::Help as _;
use noetl_oci::Platform;
use serde_json::Value;

use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx};
use crate::host::error::MissingTool;
use crate::host::{files, git, output, run};
use crate::kube::nodes::{self, ClusterNode};
use crate::release::target;
use crate::release::version::Release;
use crate::tasks::k8s::{self, Check, Images, kubectl};

/// Build for a cluster's nodes, load or push, apply, wait, and ask the server that came up
#[derive(Debug, Args)]
#[command(
    after_help = "Asks the cluster for its nodes' architectures first. Nothing is applied that would end in `exec format\n\
    error` or `no match for platform`. Applying is `noetl k8s deploy`'s work, which shows the difference before.\n\nExamples:\n  \
    cargo xtask deploy --cluster kind                               makes the kind cluster `noetl` when there is none\n  \
    cargo xtask deploy --context production --registry ghcr.io/noetl\n  \
    cargo xtask deploy --context production --image ghcr.io/noetl/noetl:0.1.0\n  \
    cargo xtask deploy --context production --registry ghcr.io/noetl --dry-run"
)]
pub(crate) struct DeployArgs {
    /// Make the cluster when it is not there
    #[arg(long, value_enum, conflicts_with = "context")]
    cluster: Option<ClusterKind>,
    /// Context of kubectl; must be the current one
    #[arg(long, value_name = "NAME", default_value = CONTEXT)]
    context: String,
    /// Go to that context even though another is the current one
    #[arg(long)]
    any_context: bool,
    /// Push the images there; without it they are loaded into kind
    #[arg(long)]
    registry: Option<String>,
    /// Tag of what is built [default: the version and the tree's hash, so that other code is another image]
    #[arg(long)]
    tag: Option<String>,
    /// Python image that the workers' image stands on [default: that of `image --flavour python`]
    #[arg(long, value_name = "IMAGE")]
    python_base: Option<String>,
    /// Deploy this image and build none; behind `=` a folder or tar that holds it
    #[arg(long, value_name = "NAME[=IMAGE]", conflicts_with_all = ["registry", "tag", "python_base"])]
    image: Option<String>,
    /// The workers' image beside --image [default: its name with -python]
    #[arg(long, value_name = "NAME[=IMAGE]", requires = "image")]
    python_image: Option<String>,
    /// Values for `noetl k8s`
    #[arg(long, value_name = "FILE")]
    values: Option<Utf8PathBuf>,
    /// Seconds that the pods may take to come up
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u32,
    /// Do not ask the server that came up
    #[arg(long)]
    no_smoke: bool,
    /// The `noetl` that renders and applies [default: bin/noetl]
    #[arg(long, value_name = "PATH")]
    noetl: Option<Utf8PathBuf>,
    /// Print the commands and stop; the cluster is asked for its nodes alone
    #[arg(long)]
    dry_run: bool,
}

/// Clusters that can be made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ClusterKind {
    /// kind's, in containers of this machine
    Kind,
}

/// The context of kind's cluster `noetl`.
const CONTEXT: &str = "kind-noetl";
/// kind's cluster: a node that leads NoETL's port to http://localhost:8082.
const KIND_CONFIG: &str = "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\nname: noetl\nnodes:\n- role: control-plane\n  \
    extraPortMappings:\n  - {containerPort: 30082, hostPort: 8082, listenAddress: 127.0.0.1}\n";

/// How images get to the nodes.
#[derive(Debug, PartialEq, Eq)]
enum Delivery<'a> {
    /// They are there.
    Given(&'a str),
    /// Into the nodes of the kind cluster of this name.
    Kind(&'a str),
    /// By a registry.
    Registry(&'a str),
}

/// An image as the manifests name it, and where it can be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    name: String,
    source: String,
}

pub(crate) fn run(ctx: &Ctx, args: &DeployArgs) -> anyhow::Result<()> {
    preflight(args)?;
    let noetl = k8s::find_noetl(ctx, args.noetl.as_deref())?;
    let delivery = delivery(args)?;
    if args.cluster == Some(ClusterKind::Kind) && !args.dry_run {
        ensure_kind(ctx)?;
    }
    let platforms = platforms(&k8s::read_nodes(ctx, &args.context)?)?;
    let commands = match delivery {
        Delivery::Given(_) => Vec::new(),
        Delivery::Kind(_) | Delivery::Registry(_) => {
            image_commands(&delivery, &platforms, &tag(ctx, args)?, args)
        }
    };
    if args.dry_run {
        commands.iter().try_for_each(output::line)?;
        let flags = ["--image".to_owned(), "IMAGE".to_owned()];
        return output::line(deploy_command(args, "noetl", &flags));
    }
    let (plain, python) = match delivery {
        Delivery::Given(image) => (named(image), args.python_image.as_deref().map(named)),
        Delivery::Kind(_) | Delivery::Registry(_) => {
            let mut made = Vec::new();
            for command in &commands {
                made.push(make(ctx, command, &delivery)?);
            }
            let python = made.pop();
            (made.pop().context("two images are made")?, python)
        }
    };
    let flags = flags(args, &plain, python.as_ref());
    let manifests = k8s::render(ctx, &noetl, "deploy", &flags)?;
    output::step(ctx, "check the manifests, the images and the nodes", || {
        let source = python.as_ref().map(|python| python.source.as_str());
        let check = Check {
            noetl: &noetl,
            files: std::slice::from_ref(&manifests),
            images: Images::look_up(ctx, Some(&plain.source), source)?,
            context: Some(&args.context),
        };
        check
            .run(ctx)
            .help("nothing was applied; mend what is named above")
    })?;
    output::step(ctx, &format!("deploy to {}", args.context), || {
        run::run(ctx, &deploy_command(args, &noetl, &flags))
    })?;
    let namespace = namespace(&manifests)?;
    if !args.no_smoke {
        output::step(ctx, "ask the server", || {
            smoke::ask(ctx, &args.context, &noetl, &manifests, &namespace)
        })?;
    }
    let pods = ["get", "pods", "--namespace", &namespace, "--output", "wide"];
    output::print(&run::read(ctx, &kubectl(&args.context, &pods))?)
}

/// Every missing program before anything is built.
fn preflight(args: &DeployArgs) -> anyhow::Result<()> {
    let kind = args.image.is_none() && args.registry.is_none();
    let wanted = [
        (
            "kubectl",
            true,
            "install kubectl as kubernetes.io/docs/tasks/tools says, or apt-get install kubernetes-client",
        ),
        (
            "kind",
            kind || args.cluster.is_some(),
            "install kind as kind.sigs.k8s.io says, or give --registry and --context of another cluster",
        ),
    ];
    for (program, _, remedy) in wanted.into_iter().filter(|(_, needed, _)| *needed) {
        if ctx::find_program(program).is_none() {
            return Err(
                anyhow!(MissingTool(program.to_owned())).context("not run: nothing was deployed")
            )
            .help(remedy);
        }
    }
    Ok(())
}

fn delivery(args: &DeployArgs) -> anyhow::Result<Delivery<'_>> {
    if let Some(image) = &args.image {
        return Ok(Delivery::Given(image));
    }
    if let Some(registry) = &args.registry {
        return Ok(Delivery::Registry(registry));
    }
    let cluster = args.context.strip_prefix("kind-");
    cluster
        .map(Delivery::Kind)
        .ok_or_else(|| {
            anyhow!(
                "{} is no cluster of kind's, so that images cannot be loaded into it",
                args.context
            )
        })
        .help("give --registry, one that its nodes can pull from")
}

fn ensure_kind(ctx: &Ctx) -> anyhow::Result<()> {
    let kind = |args: &[&str]| CommandLine::new("kind").args(args.iter().copied());
    let clusters = run::read(ctx, &kind(&["get", "clusters"]))?;
    if clusters.lines().any(|cluster| cluster == "noetl") {
        return Ok(());
    }
    output::step(ctx, "make the kind cluster noetl", || {
        let config = ctx.state().join("k8s/kind.yaml");
        files::write(&config, KIND_CONFIG)?;
        run::run(
            ctx,
            &kind(&[
                "create",
                "cluster",
                "--wait",
                "5m",
                "--config",
                config.as_str(),
            ]),
        )
    })
}

/// The platforms of the nodes that pods may land on.
fn platforms(nodes: &[ClusterNode]) -> anyhow::Result<Vec<Platform>> {
    let known = target::platforms();
    let names: Vec<_> = known
        .iter()
        .map(|platform| platform.architecture.as_str())
        .collect();
    let of = |architecture: String| {
        let platform = known
            .iter()
            .find(|known| known.architecture == architecture);
        platform
            .cloned()
            .ok_or_else(|| {
                anyhow!(
                    "the cluster has nodes of {architecture}, and NoETL is built for {}",
                    names.join(", ")
                )
            })
            .help("keep pods off them: kubectl taint nodes NODE noetl=no:NoSchedule")
    };
    nodes::architectures(nodes).into_iter().map(of).collect()
}

fn tag(ctx: &Ctx, args: &DeployArgs) -> anyhow::Result<String> {
    match &args.tag {
        Some(tag) => Ok(tag.clone()),
        None => {
            let hash = git::hash(ctx, ".")?.to_string();
            Ok(format!("{}-{}", Release::read(ctx)?.version, &hash[..12]))
        }
    }
}

/// The commands that make both images for these platforms and bring them to the nodes.
fn image_commands(
    delivery: &Delivery<'_>,
    platforms: &[Platform],
    tag: &str,
    args: &DeployArgs,
) -> Vec<CommandLine> {
    let platforms: Vec<_> = platforms.iter().map(Platform::without_variant).collect();
    let image = CommandLine::new("cargo")
        .args(["xtask", "image", "--json", "--tag", tag, "--platforms"])
        .arg(platforms.join(","));
    let image = match delivery {
        Delivery::Given(_) => return Vec::new(),
        Delivery::Kind(cluster) => image
            .args(["--registry", "localhost", "--load=kind"])
            .env("KIND_CLUSTER_NAME", *cluster),
        Delivery::Registry(registry) => image.args(["--registry", registry, "--push"]),
    };
    let python = image.clone().args(["--flavour", "python"]);
    let python = match &args.python_base {
        Some(base) => python.args(["--base", base]),
        None => python,
    };
    vec![image, python]
}

/// Runs one of these commands: what it made, under the most exact name that nodes can take it by.
fn make(ctx: &Ctx, command: &CommandLine, delivery: &Delivery<'_>) -> anyhow::Result<Named> {
    let mut printed = String::new();
    run::lines(ctx, command, |line| {
        printed.push_str(line);
        Ok(())
    })?;
    let made: Value =
        serde_json::from_str(&printed).context("`cargo xtask image --json` printed no JSON")?;
    let word = |value: &Value| {
        value
            .as_str()
            .map(str::to_owned)
            .context("`cargo xtask image` does not say what it made")
    };
    let name = word(&made["references"][0])?;
    let name = match delivery {
        // What is loaded has no digest that a kubelet could ask for.
        Delivery::Given(_) | Delivery::Kind(_) => name,
        Delivery::Registry(_) => format!("{name}@{}", word(&made["index_digest"])?),
    };
    Ok(Named {
        name,
        source: word(&made["layout"])?,
    })
}

fn named(text: &str) -> Named {
    let (name, source) = text.split_once('=').unwrap_or((text, text));
    Named {
        name: name.to_owned(),
        source: source.to_owned(),
    }
}

/// The flags that `noetl k8s render` and `deploy` share.
fn flags(args: &DeployArgs, plain: &Named, python: Option<&Named>) -> Vec<String> {
    let mut flags = vec!["--image".to_owned(), plain.name.clone()];
    if let Some(python) = python {
        flags.extend(["--python-image".to_owned(), python.name.clone()]);
    }
    if let Some(values) = &args.values {
        flags.extend(["--values".to_owned(), values.to_string()]);
    }
    flags
}

fn deploy_command(args: &DeployArgs, noetl: &str, flags: &[String]) -> CommandLine {
    let command = CommandLine::new(noetl)
        .args(["k8s", "deploy", "--context", &args.context])
        .args(["--timeout".to_owned(), args.timeout.to_string()])
        .args(flags.iter().cloned());
    if args.any_context {
        command.arg("--any-context")
    } else {
        command
    }
}

/// Where the manifests put it, which the values may have decided.
fn namespace(manifests: &Utf8Path) -> anyhow::Result<String> {
    let documents = noetl_yaml::parse(&files::read_to_string(manifests)?)?;
    let found = documents
        .iter()
        .find_map(|document| document.at("metadata.namespace")?.text());
    found
        .map(str::to_owned)
        .context("the manifests name no namespace")
}

#[cfg(test)]
mod tests;
