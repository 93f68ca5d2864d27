//! `cargo xtask k8s check`: manifests against Kubernetes' own schemas, the image, and a cluster's nodes.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, Subcommand};
use serde_json::Value;

use noetl_help::Help as _;
use noetl_yaml::Node;

use crate::host::command::CommandLine;
use crate::host::ctx::Ctx;
use crate::host::{files, output, run, tools};
use crate::kube::facts::ImageFacts;
use crate::kube::finding::Finding;
use crate::kube::nodes::{self, ClusterNode};
use crate::kube::root::{self, Root};
use crate::kube::workload::{Workload, workloads};
use crate::kube::{schedulable, validator, wiring};
use crate::tasks::image::open;

/// Check Kubernetes manifests before a cluster sees them
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cargo xtask k8s check                              what `noetl k8s render` prints\n  \
    cargo xtask k8s check --image target/xtask/image   and whether that image can run so\n  \
    cargo xtask k8s check --context kind-noetl         and whether that cluster's nodes can run it\n  \
    cargo xtask k8s check deploy/*.yaml                manifests of one's own"
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
    after_help = "Every finding is printed at once, with file, object and field: a field or an apiVersion that Kubernetes\n\
    does not know, an architecture that the image lacks, root, a port on which the image does not listen, a probe that\n\
    `noetl` does not answer, a read-only root without a place to write, a Service that selects no pod. With --context the\n\
    cluster's own server checks the rest: names, quantities, selectors and what a namespace enforces.\n\nExamples:\n  \
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
    /// Context of kubectl: check against its nodes, and let its server judge without changing anything
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The `noetl` that renders and is asked what it answers [default: bin/noetl]
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
    let check = Check {
        noetl: &noetl,
        files: &files,
        images: Images::look_up(ctx, args.image.as_deref(), args.python_image.as_deref())?,
        context: args.context.as_deref(),
    };
    check.run(ctx)?;
    let versions = validator::VERSIONS.join(", ");
    files
        .iter()
        .try_for_each(|path| output::line(format!("{path}: valid for Kubernetes {versions}")))
}

/// Manifests, and what they are held against.
pub(crate) struct Check<'a> {
    /// The program that is asked what it answers.
    pub noetl: &'a str,
    /// The manifests.
    pub files: &'a [Utf8PathBuf],
    /// What is known of their images.
    pub images: Images,
    /// The cluster that they are for.
    pub context: Option<&'a str>,
}

impl Check<'_> {
    /// Prints every finding, and fails once when there is one.
    pub(crate) fn run(&self, ctx: &Ctx) -> anyhow::Result<()> {
        let mut said = validate(ctx, self.files)?;
        let answered = answered(ctx, self.noetl)?;
        let nodes = self.context.map(|context| read_nodes(ctx, context));
        let nodes = nodes.transpose()?;
        for path in self.files {
            let findings = judge(path, &self.images, &answered, nodes.as_deref())?;
            said.extend(findings.iter().map(Finding::to_string));
            if let Some(context) = self.context {
                said.extend(ask_cluster(ctx, context, path)?);
            }
        }
        said.iter().for_each(|line| eprintln!("{line}"));
        let one = said.len() == 1;
        ensure!(
            said.is_empty(),
            "{} finding{} in the manifests",
            said.len(),
            if one { "" } else { "s" }
        );
        Ok(())
    }
}

/// The `noetl` that speaks for this checkout.
pub(crate) fn find_noetl(ctx: &Ctx, named: Option<&Utf8Path>) -> anyhow::Result<String> {
    let installed = Utf8PathBuf::from(format!("bin/noetl{}", std::env::consts::EXE_SUFFIX));
    let path = named.map_or(installed, Utf8Path::to_owned);
    ctx.root
        .join(&path)
        .is_file()
        .then(|| ctx.root.join(&path).into_string())
        .ok_or_else(|| anyhow!("there is no {path}"))
        .help("`cargo xtask setup` builds bin/noetl")
}

/// What is rendered when nobody says what.
const RENDERINGS: [(&str, &[&str]); 2] = [
    ("sqlite", &[]),
    (
        "postgresql",
        &[
            "--replicas",
            "3",
            "--workers",
            "8",
            "--database-secret",
            "noetl-postgres",
        ],
    ),
];

fn renderings(
    ctx: &Ctx,
    noetl: &str,
    values: Option<&Utf8Path>,
) -> anyhow::Result<Vec<Utf8PathBuf>> {
    let Some(values) = values else {
        let rendered = RENDERINGS.iter().map(|(name, flags)| {
            let flags: Vec<_> = flags.iter().map(ToString::to_string).collect();
            render(ctx, noetl, name, &flags)
        });
        return rendered.collect();
    };
    let flags = ["--values".to_owned(), values.to_string()];
    Ok(vec![render(ctx, noetl, "values", &flags)?])
}

/// Writes what `noetl k8s render` prints with these flags to a file of this name.
pub(crate) fn render(
    ctx: &Ctx,
    noetl: &str,
    name: &str,
    flags: &[String],
) -> anyhow::Result<Utf8PathBuf> {
    let command = CommandLine::new(noetl)
        .args(["k8s", "render"])
        .args(flags.iter().cloned());
    let path = ctx.state().join("k8s").join(format!("{name}.yaml"));
    files::write(&path, run::read(ctx, &command)?)?;
    Ok(path)
}

/// Every line of kubernetes-validate that finds something.
fn validate(ctx: &Ctx, paths: &[Utf8PathBuf]) -> anyhow::Result<Vec<String>> {
    let package = tools::ensure(ctx, &tools::KUBERNETES_VALIDATE)?;
    let paths: Vec<_> = paths.iter().map(|path| path.as_str()).collect();
    let command = validator::command(tools::python()?, &package, &paths);
    let mut findings = Vec::new();
    let done = run::lines(ctx, &command, |line| {
        findings.extend(validator::finding(line).map(str::to_owned));
        Ok(())
    });
    // It fails when it has found something; without a finding it is broken itself.
    match done {
        Err(error) if findings.is_empty() => Err(error),
        _ => {
            findings.dedup();
            Ok(findings)
        }
    }
}

/// Starts a server of this `noetl` and has `noetl` itself ask it: the paths that a probe may name.
fn answered(ctx: &Ctx, noetl: &str) -> anyhow::Result<Vec<String>> {
    // One for each check: a home has one server, and checks may run side by side.
    let home = ctx.state().join(format!("k8s/home-{}", std::process::id()));
    files::create_folder(&home)?;
    let noetl = |args: &[&str]| {
        let command = CommandLine::new(noetl)
            .args(args.iter().copied())
            .cwd(&home);
        let variables = [
            ("HOME", home.as_str()),
            ("USERPROFILE", home.as_str()),
            ("NOETL_DATA_DIR", "data"),
        ];
        let command = variables
            .into_iter()
            .fold(command, |command, (name, value)| command.env(name, value));
        run::read(ctx, &command)
    };
    noetl(&["server", "start", "--detach", "--port", "0", "--no-ui"])?;
    let asked = noetl(&["server", "status", "--json"]).and_then(|status| {
        let status: Value = serde_json::from_str(&status)?;
        let url = status["url"].as_str().context("the server has no url")?;
        noetl(&["server", "check", "--no-ui", "--json", "--server-url", url])
    });
    noetl(&["server", "stop"])?;
    files::remove(&home)?;
    let answers: Value = serde_json::from_str(&asked?)?;
    let answers = answers["answers"].as_array().into_iter().flatten();
    Ok(answers
        .filter(|answer| answer["ok"] == true)
        .filter_map(|answer| answer["path"].as_str().map(str::to_owned))
        .collect())
}

/// What is known of the images of NoETL that manifests name.
pub(crate) struct Images {
    plain: Option<ImageFacts>,
    python: Option<ImageFacts>,
}

impl Images {
    /// Reads the images' documents; layers are not fetched.
    pub(crate) fn look_up(
        ctx: &Ctx,
        plain: Option<&str>,
        python: Option<&str>,
    ) -> anyhow::Result<Self> {
        let facts = |image: Option<&str>| image.map(|image| facts(ctx, image)).transpose();
        Ok(Self {
            plain: facts(plain)?,
            python: facts(python)?,
        })
    }

    /// The facts by the names in these workloads.
    fn by_name(&self, workloads: &[Workload]) -> BTreeMap<String, ImageFacts> {
        let containers = workloads.iter().flat_map(Workload::containers);
        let names = containers.filter_map(|container| container.image().and_then(Node::text));
        let known = names
            .filter(|name| wiring::is_noetl_image(name))
            .filter_map(|name| {
                let tagged = name.split('@').next().unwrap_or_default();
                let facts = if tagged.ends_with("-python") {
                    &self.python
                } else {
                    &self.plain
                };
                Some((name.to_owned(), facts.clone()?))
            });
        known.collect()
    }
}

fn facts(ctx: &Ctx, image: &str) -> anyhow::Result<ImageFacts> {
    open::facts(ctx, image).with_context(|| format!("cannot look at the image {image}"))
}

fn judge(
    path: &Utf8Path,
    images: &Images,
    answered: &[String],
    nodes: Option<&[ClusterNode]>,
) -> anyhow::Result<Vec<Finding>> {
    let documents = noetl_yaml::parse(&files::read_to_string(path)?)
        .with_context(|| format!("cannot read {path}"))?;
    let has_object = documents
        .iter()
        .any(|document| document.get("kind").is_some());
    ensure!(has_object, "{path}: there is no Kubernetes object in it");
    let workloads = workloads(path.as_str(), &documents);
    let images = images.by_name(&workloads);
    let mut findings = schedulable::check(&workloads, &images, &documents);
    findings.extend(root::check(&workloads, &images, Root::Refused));
    findings.extend(wiring::check_probes(&workloads, answered));
    findings.extend(wiring::check_services(
        path.as_str(),
        &documents,
        &workloads,
    ));
    if let Some(nodes) = nodes {
        findings.extend(nodes::check(&workloads, &images, nodes));
    }
    Ok(findings)
}

/// kubectl, at a cluster that was named.
pub(crate) fn kubectl(context: &str, args: &[&str]) -> CommandLine {
    CommandLine::new("kubectl")
        .args(["--context", context])
        .args(args.iter().copied())
}

/// The nodes of a cluster.
pub(crate) fn read_nodes(ctx: &Ctx, context: &str) -> anyhow::Result<Vec<ClusterNode>> {
    let printed = run::read(ctx, &kubectl(context, &["get", "nodes", "--output", "json"]))
        .with_context(|| format!("cannot ask {context} for its nodes"))
        .help("`kubectl config get-contexts` lists clusters; `kubectl cluster-info` says whether one answers")?;
    let nodes = nodes::parse(&serde_json::from_str(&printed)?);
    ensure!(!nodes.is_empty(), "{context} has no nodes");
    Ok(nodes)
}

/// Lets the cluster's own server judge a file, without changing anything there.
fn ask_cluster(ctx: &Ctx, context: &str, path: &Utf8Path) -> anyhow::Result<Option<String>> {
    let documents = noetl_yaml::parse(&files::read_to_string(path)?)?;
    let namespace = documents
        .iter()
        .find_map(|document| document.at("metadata.namespace")?.text());
    if let Some(namespace) = namespace
        && run::read(ctx, &kubectl(context, &["get", "namespace", namespace])).is_err()
    {
        // A dry run makes no namespace, and without one there is nothing to judge in.
        output::note(
            ctx,
            &format!("{context} has no namespace {namespace} yet; its server was not asked"),
        );
        return Ok(None);
    }
    let dry_run = [
        "apply",
        "--server-side",
        "--dry-run=server",
        "--field-manager=noetl",
    ];
    let command = kubectl(context, &dry_run).args(["--filename", path.as_str()]);
    Ok(run::read(ctx, &command)
        .err()
        .map(|error| format!("{path}: {context}: {error:#}")))
}
