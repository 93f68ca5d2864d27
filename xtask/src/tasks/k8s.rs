//! `cargo xtask k8s check`: manifests against the Kubernetes schemas, the images, and the nodes of a cluster.

use std::collections::BTreeMap;
use std::env::consts::EXE_SUFFIX;
use std::ffi::OsStr;

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, Subcommand};
use noetl_help::Help as _;
use noetl_yaml::Node;
use xshell::cmd;

use crate::host::ctx::Ctx;
use crate::host::{files, output, run, tools};
use crate::kube::facts::ImageFacts;
use crate::kube::finding::Finding;
use crate::kube::nodes::{self, ClusterNode};
use crate::kube::root::{self, Root};
use crate::kube::workload::{Workload, workloads};
use crate::kube::{schedulable, validator, wiring};
use crate::tasks::image::open;
use crate::tasks::sandbox::{Sandbox, read_json};

/// Check Kubernetes manifests before they are applied
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cargo xtask k8s check                              what `noetl k8s render` prints\n  \
    cargo xtask k8s check --image target/xtask/image   and whether that image can run with it\n  \
    cargo xtask k8s check --context kind-noetl         and whether the nodes of that cluster can run it\n  \
    cargo xtask k8s check deploy/*.yaml                other manifests"
)]
pub(crate) struct K8sArgs {
    #[command(subcommand)]
    command: K8sCommand,
}

#[derive(Debug, Subcommand)]
enum K8sCommand {
    /// Validate for three Kubernetes versions, and against the image, the binary and a cluster
    Check(CheckArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Prints all findings, with file, object and field: a field or an apiVersion that Kubernetes does not\n\
    have, an architecture that the image is not for, root, a port on which the image does not listen, a probe that\n\
    `noetl` does not answer, a read-only root without a place to write, a Service that selects no pod. With --context the\n\
    API server of the cluster checks the rest: names, quantities, selectors and the policies of a namespace.\n\nExamples:\n  \
    cargo xtask k8s check\n  cargo xtask k8s check --image ghcr.io/noetl/noetl:0.1.0 --python-image ghcr.io/noetl/noetl:0.1.0-python\n  \
    cargo xtask k8s check --context kind-noetl --values production.yaml"
)]
pub(crate) struct CheckArgs {
    /// Manifests [default: what `noetl k8s render` prints for SQLite and for PostgreSQL]
    files: Vec<Utf8PathBuf>,
    /// Image of the servers: a folder, a tar or a full name
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Image of the workers, whose tag ends in -python
    #[arg(long, value_name = "IMAGE")]
    python_image: Option<String>,
    /// Values for `noetl k8s render`
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    values: Option<Utf8PathBuf>,
    /// Context of kubectl: check against its nodes and by its API server, which changes nothing
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The `noetl` that renders the manifests and answers the probes [default: bin/noetl]
    #[arg(long, value_name = "PATH")]
    noetl: Option<Utf8PathBuf>,
}

pub(crate) fn run(ctx: &Ctx, args: &K8sArgs) -> anyhow::Result<()> {
    let K8sCommand::Check(args) = &args.command;
    let noetl = find_noetl(ctx, args.noetl.as_deref())?;
    let files = if args.files.is_empty() {
        renderings(ctx, &noetl, args.values.as_deref())?
    } else {
        args.files.clone()
    };
    let (image, python_image) = (args.image.as_deref(), args.python_image.as_deref());
    let context = args.context.as_deref();
    check(ctx, &noetl, &files, [image, python_image], context)?;
    let versions = validator::VERSIONS.join(", ");
    files
        .iter()
        .try_for_each(|path| output::line(format!("{path}: valid for Kubernetes {versions}")))
}

/// Checks manifests against the image of the servers and that of the workers, and against the cluster of a context.
/// Prints all findings, and fails when there is one.
pub(crate) fn check(
    ctx: &Ctx,
    noetl: &Utf8Path,
    files: &[Utf8PathBuf],
    [image, python_image]: [Option<&str>; 2],
    context: Option<&str>,
) -> anyhow::Result<()> {
    let facts = |name: &str| {
        open::facts(ctx, name).with_context(|| format!("cannot read the image {name}"))
    };
    let facts = [
        image.map(facts).transpose()?,
        python_image.map(facts).transpose()?,
    ];
    let mut lines = validate(ctx, files)?;
    let answered = answered_paths(ctx, noetl)?;
    let nodes = context.map(|context| read_nodes(ctx, context));
    let nodes = nodes.transpose()?;
    for path in files {
        let documents = noetl_yaml::parse(&files::read_to_string(path)?)
            .with_context(|| format!("cannot read {path}"))?;
        let has_object = documents.iter().any(|it| it.get("kind").is_some());
        ensure!(has_object, "{path} has no Kubernetes object");
        let workloads = workloads(path.as_str(), &documents);
        let images = by_name(&workloads, &facts);
        let mut findings = schedulable::check(&workloads, &images, &documents);
        findings.extend(root::check(&workloads, &images, Root::Refused));
        findings.extend(wiring::check_probes(&workloads, &answered));
        let services = wiring::check_services(path.as_str(), &documents, &workloads);
        findings.extend(services);
        if let Some(nodes) = &nodes {
            findings.extend(nodes::check(&workloads, &images, nodes));
        }
        lines.extend(findings.iter().map(Finding::to_string));
        lines.extend(context.and_then(|context| dry_run(ctx, context, path, &documents)));
    }
    lines.iter().for_each(|line| output::finding(line));
    let (count, s) = (lines.len(), if lines.len() == 1 { "" } else { "s" });
    ensure!(count == 0, "{count} finding{s} in the manifests");
    Ok(())
}

/// Returns the path of the `noetl` to use: the given one, or bin/noetl.
pub(crate) fn find_noetl(ctx: &Ctx, given: Option<&Utf8Path>) -> anyhow::Result<Utf8PathBuf> {
    let installed = format!("bin/noetl{EXE_SUFFIX}");
    let path = given.unwrap_or(Utf8Path::new(&installed));
    if !ctx.root.join(path).is_file() {
        return Err(anyhow!("there is no {path}")).help("`cargo xtask setup` builds bin/noetl");
    }
    Ok(ctx.root.join(path))
}

/// What is rendered without --values: a name and flags of `noetl k8s render`.
const RENDERINGS: [(&str, &str); 2] = [("sqlite", ""), ("postgresql", POSTGRESQL)];
const POSTGRESQL: &str = "--replicas 3 --workers 8 --database-secret noetl-postgres";

fn renderings(
    ctx: &Ctx,
    noetl: &Utf8Path,
    values: Option<&Utf8Path>,
) -> anyhow::Result<Vec<Utf8PathBuf>> {
    if let Some(values) = values {
        let rendered = render(ctx, noetl, "values", ["--values", values.as_str()])?;
        return Ok(vec![rendered]);
    }
    let rendered =
        RENDERINGS.map(|(name, flags)| render(ctx, noetl, name, flags.split_whitespace()));
    rendered.into_iter().collect()
}

/// Writes what `noetl k8s render` prints with these flags to a file of this name, and returns its path.
pub(crate) fn render<S: AsRef<OsStr>>(
    ctx: &Ctx,
    noetl: &Utf8Path,
    name: &str,
    flags: impl IntoIterator<Item = S>,
) -> anyhow::Result<Utf8PathBuf> {
    let path = ctx.state().join(format!("k8s/{name}.yaml"));
    let render = cmd!(ctx.shell, "{noetl} k8s render {flags...}");
    files::write(&path, run::read(ctx, render)?)?;
    Ok(path)
}

/// Returns the findings of kubernetes-validate.
fn validate(ctx: &Ctx, paths: &[Utf8PathBuf]) -> anyhow::Result<Vec<String>> {
    let package = tools::ensure(ctx, &tools::KUBERNETES_VALIDATE)?;
    let paths: Vec<_> = paths.iter().map(|path| path.as_str()).collect();
    let command = validator::command(tools::python()?, &package, &paths);
    let mut findings = Vec::new();
    let done = run::lines(ctx, &command, |line| {
        findings.extend(validator::finding(line).map(str::to_owned));
        Ok(())
    });
    // It fails when there are findings; a failure without one is another error.
    match done {
        Err(error) if findings.is_empty() => Err(error),
        _ => {
            findings.dedup();
            Ok(findings)
        }
    }
}

/// Starts a server of this `noetl` and returns the paths that it answers, which are those that a probe may name.
fn answered_paths(ctx: &Ctx, noetl: &Utf8Path) -> anyhow::Result<Vec<String>> {
    let sandbox = Sandbox::new(ctx, "k8s")?;
    let sh = &sandbox.shell;
    sh.set_var("NOETL_ENABLE_UI", "false");
    let check = cmd!(sh, "{noetl} server check --no-ui --json");
    let checked = sandbox.with_server(ctx, noetl, |_| read_json(ctx, check))?;
    let answers = checked["answers"].as_array().into_iter().flatten();
    let good = answers.filter(|answer| answer["ok"] == true);
    let paths = good.filter_map(|answer| answer["path"].as_str());
    Ok(paths.map(str::to_owned).collect())
}

/// Returns what is known of the images of NoETL in these workloads, by name: of the servers' image, and of the
/// workers', whose tag ends in -python.
fn by_name(
    workloads: &[Workload],
    [plain, python]: &[Option<ImageFacts>; 2],
) -> BTreeMap<String, ImageFacts> {
    let containers = workloads.iter().flat_map(Workload::containers);
    let names = containers.filter_map(|container| container.image()?.text());
    let known = names.filter(|name| wiring::is_noetl_image(name));
    let facts = known.filter_map(|name| {
        let tagged = name.split('@').next().unwrap_or_default();
        let is_python = tagged.ends_with("-python");
        let facts = if is_python { python } else { plain };
        Some((name.to_owned(), facts.clone()?))
    });
    facts.collect()
}

/// Reads the nodes of a cluster.
pub(crate) fn read_nodes(ctx: &Ctx, context: &str) -> anyhow::Result<Vec<ClusterNode>> {
    let sh = &ctx.shell;
    let get = cmd!(sh, "kubectl --context {context} get nodes --output json");
    let printed = run::read(ctx, get)
        .with_context(|| format!("cannot list the nodes of {context}"))
        .help("`kubectl config get-contexts` lists clusters; `kubectl cluster-info` says whether one answers")?;
    let nodes = nodes::parse(&serde_json::from_str(&printed)?);
    ensure!(!nodes.is_empty(), "{context} has no nodes");
    Ok(nodes)
}

/// Returns the first namespace that an object is in, which the values may have chosen.
pub(crate) fn namespace(documents: &[Node]) -> Option<&str> {
    let mut documents = documents.iter();
    documents.find_map(|document| document.at("metadata.namespace")?.text())
}

/// Has the API server of a cluster check a file in a dry run, and returns its error.
fn dry_run(ctx: &Ctx, context: &str, path: &Utf8Path, documents: &[Node]) -> Option<String> {
    let sh = &ctx.shell;
    if let Some(namespace) = namespace(documents) {
        let get = cmd!(sh, "kubectl --context {context} get namespace {namespace}");
        if run::read(ctx, get).is_err() {
            // A dry run creates no namespace, and the server checks only objects of one that exists.
            let note = format!("{context} has no namespace {namespace} and checked nothing");
            output::note(ctx, &note);
            return None;
        }
    }
    let apply = cmd!(sh, "kubectl --context {context} apply --server-side");
    let flags = ["--dry-run=server", "--field-manager=noetl", "--filename"];
    let refused = run::read(ctx, apply.args(flags).arg(path)).err()?;
    Some(format!("{path}: {context}: {refused:#}"))
}
