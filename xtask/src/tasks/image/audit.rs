//! `cargo xtask image audit`: what is missing in a repository, and what may be deleted from it.

use anyhow::anyhow;
use clap::Args;

use crate::check::audit::judge;
use crate::ctx::Ctx;
use crate::error::WithHelp as _;
use crate::oci::reference::Reference;
use crate::registry::audit::{self, Audit, Remark};

#[derive(Debug, Args)]
#[command(
    after_help = "Follows every tag to its images, blobs and attachments. Whatever a tag leads to and the registry \
    lacks is\nlisted as dangling, and the command fails. Deletes nothing. A registry lists tags alone, so that untagged \
    images are\nknown when a tag leads there, or when you name them.\n\nExamples:\n  \
    cargo xtask image audit ghcr.io/noetl/noetl\n  \
    cargo xtask image audit 127.0.0.1:5000/noetl --candidate sha256:…    may it be deleted?"
)]
pub(super) struct AuditArgs {
    /// Registry and repository, such as ghcr.io/noetl/noetl
    repository: Reference,
    /// Digest of an untagged image or index that may be in nobody's use, repeatable
    #[arg(long = "candidate", value_name = "DIGEST", value_parser = digest)]
    candidates: Vec<String>,
    /// Print JSON: what dangles, what must stay, what may go, each with why
    #[arg(long)]
    json: bool,
}

pub(super) fn run(ctx: &Ctx, args: &AuditArgs) -> anyhow::Result<()> {
    let reference = &args.repository;
    let name = format!("{}/{}", reference.registry, reference.repository);
    let repository = audit::walk(ctx, reference, &args.candidates)?;
    let audit = judge(&name, &repository, &args.candidates);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&audit)?);
    } else {
        lines(&audit).iter().for_each(|line| println!("{line}"));
    }
    let number = audit.dangling.len();
    let dangles = || anyhow!("{name}: {number} dangling");
    (number == 0).then_some(()).ok_or_else(dangles).help(
        "push that release again with `cargo xtask image push LAYOUT --repair`, or delete the tag",
    )
}

fn lines(audit: &Audit) -> Vec<String> {
    let Audit {
        repository,
        tags,
        documents,
        blobs,
        ..
    } = audit;
    let first = format!(
        "{repository}: {tags} tags, {documents} images, indexes and attachments, {blobs} blobs"
    );
    let told = |word: &'static str, remarks: &[Remark]| {
        let line = |remark: &Remark| format!("{word:<9} {} {}", remark.digest, remark.because);
        remarks.iter().map(line).collect::<Vec<_>>()
    };
    let all = [
        ("dangling", &audit.dangling),
        ("keep", &audit.keep),
        ("deletable", &audit.deletable),
    ];
    let rest = all
        .into_iter()
        .flat_map(|(word, remarks)| told(word, remarks));
    std::iter::once(first).chain(rest).collect()
}

fn digest(text: &str) -> anyhow::Result<String> {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    hex.parse::<crate::digest::Sha256>()?;
    Ok(text.to_owned())
}
