//! `cargo xtask image resolve`: adds digests to the image names in Kubernetes manifests, unless no node could run them.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use noetl_help::Help as _;
use noetl_oci::registry::is_no_answer;
use serde_json::{Value, json};

use crate::host::ctx::Ctx;
use crate::host::{files, output};
use crate::kube::facts::ImageFacts;
use crate::kube::finding::Finding;
use crate::kube::root::{self, Root};
use crate::kube::workload::{Workload, workloads};
use crate::kube::{replace, schedulable};
use crate::tasks::image::open;

#[derive(Debug, Args)]
#[command(
    after_help = "Each name keeps its tag and gets the digest that the tag has now; comments and layout stay as they are.\n\
    Refused, all at once and with file, line, object and field: an architecture that nodes are asked for and the image\n\
    does not have, a user that may be root under runAsNonRoot, and for images of NoETL a containerPort that it does not listen on\n\
    and readOnlyRootFilesystem without a volume where it writes. Then nothing is written and the exit code is 1.\n\nExamples:\n  \
    cargo xtask image resolve deploy/*.yaml | kubectl apply --filename -\n  \
    cargo xtask image resolve --in-place deploy/server.yaml\n  \
    cargo xtask image resolve --image ghcr.io/noetl/noetl:0.1.0=target/xtask/image deploy/server.yaml"
)]
pub(super) struct ResolveArgs {
    /// Kubernetes manifests
    #[arg(required = true)]
    files: Vec<Utf8PathBuf>,
    /// Take the digest of NAME from IMAGE, which is a folder, a tar or another name; repeatable
    #[arg(long = "image", value_name = "NAME=IMAGE", value_parser = pair)]
    images: Vec<(String, String)>,
    /// Write the files instead of printing them
    #[arg(long)]
    in_place: bool,
    /// Leave a name as it is, with a warning, when its registry does not answer
    #[arg(long)]
    skip_unreachable: bool,
    /// Print JSON instead: images with their digests, and every finding
    #[arg(long)]
    json: bool,
}

/// A file of manifests and its workloads.
struct Manifests {
    path: Utf8PathBuf,
    text: String,
    workloads: Vec<Workload>,
}

pub(super) fn run(ctx: &Ctx, args: &ResolveArgs) -> anyhow::Result<()> {
    let files = args.files.iter().map(|path| read(path));
    let files: Vec<_> = files.collect::<anyhow::Result<_>>()?;
    let workloads = files.iter().flat_map(|file| file.workloads.clone());
    let workloads: Vec<Workload> = workloads.collect();
    let (images, mut findings) = look_up(ctx, args, &workloads)?;
    findings.extend(schedulable::check(&workloads, &images, &[]));
    findings.extend(root::check(&workloads, &images, Root::Allowed));
    let mut pinned = Vec::new();
    for file in &files {
        let text = replace::pin(&file.text, &file.workloads, &images)
            .with_context(|| format!("cannot put digests into {}", file.path))?;
        pinned.push((file, text));
    }
    if args.json {
        output::json(&report(&images, &findings))?;
    } else {
        let lines = findings.iter().map(ToString::to_string);
        lines.for_each(|line| output::finding(&line));
    }
    if !findings.is_empty() {
        let count = findings.len();
        let error = anyhow!("{count} things that no node could run; nothing was written");
        return Err(error.help(
            "correct the fields named above; `cargo xtask image inspect IMAGE` prints the platforms of an image",
        ));
    }
    write(args, &pinned)
}

fn read(path: &Utf8Path) -> anyhow::Result<Manifests> {
    let text = files::read_to_string(path)?;
    let documents = noetl_yaml::parse(&text)
        .with_context(|| format!("cannot read {path}"))
        .help("it must be plain YAML: render templates before")?;
    Ok(Manifests {
        workloads: workloads(path.as_str(), &documents),
        text,
        path: path.to_owned(),
    })
}

/// Returns the facts of every image by its name in the manifests, and a finding for each image that cannot be read.
fn look_up(
    ctx: &Ctx,
    args: &ResolveArgs,
    workloads: &[Workload],
) -> anyhow::Result<(BTreeMap<String, ImageFacts>, Vec<Finding>)> {
    let mut known: BTreeMap<String, anyhow::Result<ImageFacts>> = BTreeMap::new();
    let mut findings = Vec::new();
    for workload in workloads {
        for container in workload.containers() {
            let Some(node) = container.image() else {
                continue;
            };
            let name = node.text().unwrap_or_default();
            let result = known.entry(name.to_owned());
            let result = result.or_insert_with(|| facts(ctx, name, &args.images));
            let Err(error) = result else {
                continue;
            };
            let message = format!("cannot read {name}: {error:#}");
            let finding = container.finding(node, "image", message);
            if args.skip_unreachable && is_no_answer(error) {
                output::warn(&finding.to_string());
            } else {
                findings.push(finding);
            }
        }
    }
    for (name, _) in &args.images {
        let is_used = known.contains_key(name);
        ensure!(is_used, "--image {name}=…: no manifest names {name}");
    }
    let read = known.into_iter();
    let images = read.filter_map(|(name, facts)| Some((name, facts.ok()?)));
    Ok((images.collect(), findings))
}

/// Reads the facts of an image from the source that `--image` gives it, or else under its own name.
fn facts(ctx: &Ctx, name: &str, sources: &[(String, String)]) -> anyhow::Result<ImageFacts> {
    let given = sources.iter().find(|(known, _)| known == name);
    let source = given.map_or(name, |(_, source)| source);
    let is_path = source != name && Utf8Path::new(source).exists();
    let full_name = full_name(source);
    let facts = open::facts(ctx, if is_path { source } else { &full_name })?;
    let (found, written) = (&facts.digest, name.split_once('@'));
    ensure!(
        written.is_none_or(|(_, written)| written == found),
        "{source} is {found}, not the digest that is written"
    );
    Ok(facts)
}

/// Returns the full form of a name: without a registry it is one of Docker Hub.
fn full_name(name: &str) -> String {
    match name.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => name.to_owned(),
        Some(_) => format!("docker.io/{name}"),
        None => format!("docker.io/library/{name}"),
    }
}

fn report(images: &BTreeMap<String, ImageFacts>, findings: &[Finding]) -> Value {
    let image = |(name, facts): (&String, &ImageFacts)| {
        let (digest, architectures) = (&facts.digest, facts.architectures());
        let pinned = format!("{name}@{digest}");
        let resolved = if name.contains('@') { name } else { &pinned };
        json!({ "name": name, "digest": digest, "resolved": resolved, "architectures": architectures })
    };
    json!({ "images": images.iter().map(image).collect::<Vec<_>>(), "findings": findings })
}

fn write(args: &ResolveArgs, pinned: &[(&Manifests, String)]) -> anyhow::Result<()> {
    if args.in_place {
        for (file, text) in pinned.iter().filter(|(file, text)| file.text != *text) {
            // The target of a symbolic link is written, and the link stays one.
            let path = file.path.canonicalize_utf8();
            files::write(&path.unwrap_or_else(|_| file.path.clone()), text)?;
        }
    } else if !args.json {
        for (position, (_, text)) in pinned.iter().enumerate() {
            if position > 0 && !text.starts_with("---") {
                output::line("---")?;
            }
            let end = if text.ends_with('\n') { "" } else { "\n" };
            output::print(&format!("{text}{end}"))?;
        }
    }
    Ok(())
}

fn pair(text: &str) -> anyhow::Result<(String, String)> {
    let (name, source) = text
        .split_once('=')
        .context("write NAME=IMAGE, such as ghcr.io/noetl/noetl:0.1.0=target/xtask/image")?;
    Ok((name.to_owned(), source.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::full_name;

    #[test]
    fn names_without_a_registry_are_of_docker_hub() {
        for (name, full) in [
            ("postgres:16", "docker.io/library/postgres:16"),
            ("noetl/noetl:1", "docker.io/noetl/noetl:1"),
            ("ghcr.io/noetl/noetl:1", "ghcr.io/noetl/noetl:1"),
            ("localhost/x", "localhost/x"),
            ("registry:5000/x", "registry:5000/x"),
        ] {
            assert_eq!(full_name(name), full);
        }
    }
}
