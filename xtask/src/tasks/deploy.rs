//! `cargo xtask deploy`: builds images for the nodes of a cluster, loads or pushes them, applies manifests, and checks
//! the server.

mod smoke;

use anyhow::{Context as _, anyhow};
use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use noetl_help::Help as _;
use noetl_oci::Platform;
use serde_json::Value;
use xshell::cmd;

use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx};
use crate::host::error::MissingTool;
use crate::host::{files, git, output, run};
use crate::kube::nodes::{self, ClusterNode};
use crate::release::target;
use crate::release::version::Release;
use crate::tasks::k8s;

/// Build images for the nodes of a cluster, load or push them, apply manifests, and check the server
#[derive(Debug, Args)]
#[command(
    after_help = "Builds for the architectures of the nodes. Nothing is applied that would end in `exec format error` or\n\
    `no match for platform`. `noetl k8s deploy` applies, and shows the difference before.\n\nExamples:\n  \
    cargo xtask deploy --cluster kind                               creates the kind cluster `noetl` if needed\n  \
    cargo xtask deploy --context production --registry ghcr.io/noetl\n  \
    cargo xtask deploy --context production --image ghcr.io/noetl/noetl:0.1.0\n  \
    cargo xtask deploy --context production --registry ghcr.io/noetl --dry-run"
)]
pub(crate) struct DeployArgs {
    /// Create the cluster if it does not exist
    #[arg(long, value_enum, conflicts_with = "context")]
    cluster: Option<ClusterKind>,
    /// Context of kubectl; must be the current one
    #[arg(long, value_name = "NAME", default_value = CONTEXT)]
    context: String,
    /// Use that context even when another one is current
    #[arg(long)]
    any_context: bool,
    /// Push the images to this registry instead of loading them into kind
    #[arg(long)]
    registry: Option<String>,
    /// Tag of the images [default: the version and the hash of the tree, so that each change has its own]
    #[arg(long)]
    tag: Option<String>,
    /// Base image of the workers' image [default: that of `image --flavour python`]
    #[arg(long, value_name = "IMAGE")]
    python_base: Option<String>,
    /// Deploy this image and build none; after `=` a folder or tar that holds it
    #[arg(long, value_name = "NAME[=IMAGE]", conflicts_with_all = ["registry", "tag", "python_base"])]
    image: Option<String>,
    /// Image of the workers, with --image [default: its name with -python]
    #[arg(long, value_name = "NAME[=IMAGE]", requires = "image")]
    python_image: Option<String>,
    /// Values for `noetl k8s`
    #[arg(long, value_name = "FILE")]
    values: Option<Utf8PathBuf>,
    /// Seconds to wait for the pods
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u32,
    /// Do not check the server
    #[arg(long)]
    no_smoke: bool,
    /// The `noetl` that renders and applies the manifests [default: bin/noetl]
    #[arg(long, value_name = "PATH")]
    noetl: Option<Utf8PathBuf>,
    /// Print the commands and stop; only the nodes of the cluster are read
    #[arg(long)]
    dry_run: bool,
}

/// Clusters that can be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ClusterKind {
    /// A kind cluster, in containers on this machine
    Kind,
}

/// The context of the kind cluster `noetl`.
const CONTEXT: &str = "kind-noetl";
/// The port of the kind cluster's node that leads to the server.
const NODE_PORT: &str = "30082";
/// The kind cluster: one node, whose port for NoETL is http://localhost:8082.
const KIND_CONFIG: &str = "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\nname: noetl\nnodes:\n- role: control-plane\n  \
    extraPortMappings:\n  - {containerPort: 30082, hostPort: 8082, listenAddress: 127.0.0.1}\n";

/// An image: its name in the manifests, and the folder, tar or name that it is read from.
struct Image {
    name: String,
    source: String,
}

pub(crate) fn run(ctx: &Ctx, args: &DeployArgs) -> anyhow::Result<()> {
    preflight(args)?;
    let (context, noetl) = (&args.context, k8s::find_noetl(ctx, args.noetl.as_deref())?);
    if args.cluster == Some(ClusterKind::Kind) && !args.dry_run {
        ensure_kind(ctx)?;
    }
    let platforms = platforms(&k8s::read_nodes(ctx, context)?)?;
    let commands = image_commands(args, &platforms, &tag(ctx, args)?)?;
    if args.dry_run {
        commands.iter().try_for_each(output::line)?;
        let flags = flags(args, &[Image::given("IMAGE")]);
        return output::line(deploy_command(args, "noetl", &flags));
    }
    let given = [&args.image, &args.python_image].into_iter().flatten();
    let mut images: Vec<_> = given.map(|text| Image::given(text)).collect();
    for command in &commands {
        images.push(make(ctx, command, args)?);
    }
    let flags = flags(args, &images);
    let manifests = k8s::render(ctx, &noetl, "deploy", &flags)?;
    output::step(ctx, "check the manifests, the images and the nodes", || {
        let source = |index: usize| images.get(index).map(|image| image.source.as_str());
        let files = std::slice::from_ref(&manifests);
        k8s::check(ctx, &noetl, files, [source(0), source(1)], Some(context))
            .help("nothing was applied; correct what is listed above")
    })?;
    output::step(ctx, &format!("deploy to {context}"), || {
        run::run(ctx, &deploy_command(args, noetl.as_str(), &flags))
    })?;
    let documents = noetl_yaml::parse(&files::read_to_string(&manifests)?)?;
    let namespace = k8s::namespace(&documents).context("the manifests name no namespace")?;
    if !args.no_smoke {
        output::step(ctx, "check the server", || {
            smoke::check(ctx, context, &noetl, &documents, namespace)
        })?;
    }
    let sh = &ctx.shell;
    let pods = cmd!(sh, "kubectl --context {context} get pods --output wide");
    output::print(&run::read(ctx, pods.args(["--namespace", namespace]))?)
}

/// Fails when a program is missing, before anything is built.
fn preflight(args: &DeployArgs) -> anyhow::Result<()> {
    let loads = args.image.is_none() && args.registry.is_none();
    let kubectl = "install kubectl as kubernetes.io/docs/tasks/tools says, or apt-get install kubernetes-client";
    let kind = "install kind as kind.sigs.k8s.io says, or give --registry and --context of another cluster";
    for (program, is_needed, remedy) in [
        ("kubectl", true, kubectl),
        ("kind", loads || args.cluster.is_some(), kind),
    ] {
        if is_needed && ctx::find_program(program).is_none() {
            let missing = anyhow!(MissingTool(program.to_owned()));
            return Err(missing.context("not run: nothing was deployed")).help(remedy);
        }
    }
    Ok(())
}

/// Creates the kind cluster unless it exists.
fn ensure_kind(ctx: &Ctx) -> anyhow::Result<()> {
    let sh = &ctx.shell;
    let clusters = run::read(ctx, cmd!(sh, "kind get clusters"))?;
    if clusters.lines().any(|cluster| cluster == "noetl") {
        return Ok(());
    }
    output::step(ctx, "create the kind cluster noetl", || {
        let config = ctx.state().join("k8s/kind.yaml");
        files::write(&config, KIND_CONFIG)?;
        let create = cmd!(sh, "kind create cluster --wait 5m --config {config}");
        run::run(ctx, create)
    })
}

/// Returns the platforms of the nodes that pods may be scheduled on.
fn platforms(nodes: &[ClusterNode]) -> anyhow::Result<Vec<Platform>> {
    let platform = |architecture: String| {
        target::parse_platform(&format!("linux/{architecture}"))
            .with_context(|| format!("the cluster has {architecture} nodes"))
            .help("keep pods off them: kubectl taint nodes NODE noetl=no:NoSchedule")
    };
    let architectures = nodes::architectures(nodes).into_iter();
    architectures.map(platform).collect()
}

fn tag(ctx: &Ctx, args: &DeployArgs) -> anyhow::Result<String> {
    if let Some(tag) = &args.tag {
        return Ok(tag.clone());
    }
    let hash = git::hash(ctx, ".")?.to_string();
    Ok(format!("{}-{}", Release::read(ctx)?.version, &hash[..12]))
}

/// Returns the commands that make both images and load or push them; none with --image.
fn image_commands(
    args: &DeployArgs,
    platforms: &[Platform],
    tag: &str,
) -> anyhow::Result<Vec<CommandLine>> {
    if args.image.is_some() {
        return Ok(Vec::new());
    }
    let platforms: Vec<_> = platforms.iter().map(Platform::without_variant).collect();
    let image = CommandLine::new("cargo")
        .args(["xtask", "image", "--json", "--tag", tag, "--platforms"])
        .arg(platforms.join(","));
    let image = if let Some(registry) = &args.registry {
        image.args(["--registry", registry, "--push"])
    } else if let Some(cluster) = args.context.strip_prefix("kind-") {
        let image = image.args(["--registry", "localhost", "--load=kind"]);
        image.env("KIND_CLUSTER_NAME", cluster)
    } else {
        let context = &args.context;
        return Err(anyhow!(
            "{context} is not a kind cluster to load images into"
        ))
        .help("give --registry, one that its nodes can pull from");
    };
    let mut python = image.clone().args(["--flavour", "python"]);
    if let Some(base) = &args.python_base {
        python = python.args(["--base", base]);
    }
    Ok(vec![image, python])
}

/// Runs one of these commands and returns the image that it made.
fn make(ctx: &Ctx, command: &CommandLine, args: &DeployArgs) -> anyhow::Result<Image> {
    let mut printed = String::new();
    run::lines(ctx, command, |line| {
        printed.push_str(line);
        Ok(())
    })?;
    let made: Value =
        serde_json::from_str(&printed).context("`cargo xtask image --json` printed no JSON")?;
    let text = |value: &Value| {
        let text = value.as_str().map(str::to_owned);
        text.context("`cargo xtask image --json` does not name the image")
    };
    let mut name = text(&made["references"][0])?;
    // An image that was loaded has no digest that a kubelet could ask for.
    if args.registry.is_some() {
        name = format!("{name}@{}", text(&made["index_digest"])?);
    }
    let source = text(&made["layout"])?;
    Ok(Image { name, source })
}

impl Image {
    /// Reads `NAME[=IMAGE]`.
    fn given(text: &str) -> Self {
        let (name, source) = text.split_once('=').unwrap_or((text, text));
        let (name, source) = (name.to_owned(), source.to_owned());
        Self { name, source }
    }
}

/// Returns the flags that `noetl k8s render` and `deploy` share. The images are that of the servers and that of the workers.
fn flags(args: &DeployArgs, images: &[Image]) -> Vec<String> {
    let images = images.iter().map(|image| image.name.clone());
    let mut flags = Vec::new();
    for (flag, name) in ["--image", "--python-image"].into_iter().zip(images) {
        flags.extend([flag.to_owned(), name]);
    }
    if args.context == CONTEXT {
        flags.extend(["--node-port".to_owned(), NODE_PORT.to_owned()]);
    }
    if let Some(values) = &args.values {
        flags.extend(["--values".to_owned(), values.to_string()]);
    }
    flags
}

fn deploy_command(args: &DeployArgs, noetl: &str, flags: &[String]) -> CommandLine {
    let timeout = args.timeout.to_string();
    CommandLine::new(noetl)
        .args(["k8s", "deploy", "--context", &args.context])
        .args(["--timeout", &timeout])
        .args(flags)
        .args(args.any_context.then_some("--any-context"))
}

#[cfg(test)]
mod tests;
