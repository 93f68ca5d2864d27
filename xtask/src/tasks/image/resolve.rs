//! `cargo xtask image resolve`: names in Kubernetes manifests become digests, unless no node could run them.

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
    lacks, a user that may be root under runAsNonRoot, and for images of NoETL a containerPort that it does not listen on and\n\
    readOnlyRootFilesystem without a volume where it writes. Then nothing is written and the exit code is 1.\n\nExamples:\n  \
    cargo xtask image resolve deploy/*.yaml | kubectl apply --filename -\n  \
    cargo xtask image resolve --in-place deploy/server.yaml\n  \
    cargo xtask image resolve --image ghcr.io/noetl/noetl:0.1.0=target/xtask/image deploy/server.yaml"
)]
pub(super) struct ResolveArgs {
    /// Kubernetes manifests
    #[arg(required = true)]
    files: Vec<Utf8PathBuf>,
    /// Take NAME's digest from IMAGE, which is a folder, a tar or another name; repeatable
    #[arg(long = "image", value_name = "NAME=IMAGE", value_parser = pair)]
    images: Vec<(String, String)>,
    /// Write the files instead of printing them
    #[arg(long)]
    in_place: bool,
    /// Leave names as they are whose registry does not answer, with a warning
    #[arg(long)]
    skip_unreachable: bool,
    /// Print JSON instead: images with their digests, and every finding
    #[arg(long)]
    json: bool,
}

/// A file, and what runs in it.
struct Manifests {
    path: Utf8PathBuf,
    text: String,
    workloads: Vec<Workload>,
}

pub(super) fn run(ctx: &Ctx, args: &ResolveArgs) -> anyhow::Result<()> {
    let files = args
        .files
        .iter()
        .map(|path| read(path))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let workloads: Vec<Workload> = files
        .iter()
        .flat_map(|file| file.workloads.clone())
        .collect();
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
        findings
            .iter()
            .for_each(|finding| output::finding(&finding.to_string()));
    }
    if !findings.is_empty() {
        let count = findings.len();
        return Err(anyhow!("{count} things that no node could run; nothing was written")).help(
            "correct the fields named above; `cargo xtask image inspect IMAGE` prints what an image is for",
        );
    }
    write(args, &pinned)
}

fn read(path: &Utf8Path) -> anyhow::Result<Manifests> {
    let text = files::read_to_string(path)?;
    let documents = noetl_yaml::parse(&text)
        .with_context(|| format!("cannot read {path}"))
        .help("it must be plain YAML: render templates before")?;
    let path = path.to_owned();
    Ok(Manifests {
        workloads: workloads(path.as_str(), &documents),
        text,
        path,
    })
}

/// Returns the facts of every image by the name it is written with, and a finding for each that cannot be read.
fn look_up(
    ctx: &Ctx,
    args: &ResolveArgs,
    workloads: &[Workload],
) -> anyhow::Result<(BTreeMap<String, ImageFacts>, Vec<Finding>)> {
    let named = |name: &str| {
        let sources = args.images.iter();
        sources
            .filter(|(known, _)| known == name)
            .map(|(_, source)| source.clone())
            .next()
    };
    let (mut images, mut failed) = (BTreeMap::new(), BTreeMap::new());
    let mut findings = Vec::new();
    for workload in workloads {
        for container in workload.containers() {
            let Some(node) = container.image() else {
                continue;
            };
            let name = node.text().unwrap_or_default();
            if !images.contains_key(name) && !failed.contains_key(name) {
                match facts(ctx, name, named(name).as_deref()) {
                    Ok(facts) => drop(images.insert(name.to_owned(), facts)),
                    Err(error) => drop(failed.insert(name.to_owned(), error)),
                }
            }
            if let Some(error) = failed.get(name) {
                let message = format!("cannot look at {name}: {error:#}");
                let finding = container.finding(node, "image", message);
                if args.skip_unreachable && is_no_answer(error) {
                    output::warn(&finding.to_string());
                } else {
                    findings.push(finding);
                }
            }
        }
    }
    for (name, _) in &args.images {
        let used = images.contains_key(name) || failed.contains_key(name);
        ensure!(used, "--image {name}=…: no manifest names {name}");
    }
    Ok((images, findings))
}

fn facts(ctx: &Ctx, name: &str, source: Option<&str>) -> anyhow::Result<ImageFacts> {
    let source = source.unwrap_or(name);
    let is_path = source != name && Utf8Path::new(source).exists();
    let facts = open::facts(
        ctx,
        &if is_path {
            source.to_owned()
        } else {
            full_name(source)
        },
    )?;
    if let Some((_, digest)) = name.split_once('@') {
        ensure!(
            digest == facts.digest,
            "{source} is {}, not the digest that is written",
            facts.digest
        );
    }
    Ok(facts)
}

/// Returns a name as nodes understand it: without a registry it is Docker Hub's.
fn full_name(name: &str) -> String {
    match name.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => name.to_owned(),
        Some(_) => format!("docker.io/{name}"),
        None => format!("docker.io/library/{name}"),
    }
}

fn report(images: &BTreeMap<String, ImageFacts>, findings: &[Finding]) -> Value {
    let image = |(name, facts): (&String, &ImageFacts)| {
        let resolved = match name.split_once('@') {
            Some(_) => name.clone(),
            None => format!("{name}@{}", facts.digest),
        };
        json!({
            "name": name, "digest": facts.digest, "resolved": resolved,
            "architectures": facts.architectures(),
        })
    };
    json!({ "images": images.iter().map(image).collect::<Vec<_>>(), "findings": findings })
}

fn write(args: &ResolveArgs, pinned: &[(&Manifests, String)]) -> anyhow::Result<()> {
    if args.in_place {
        for (file, text) in pinned.iter().filter(|(file, text)| file.text != *text) {
            // What a link leads to is what is meant, and the link stays one.
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
    fn names_without_a_registry_are_docker_hubs() {
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
