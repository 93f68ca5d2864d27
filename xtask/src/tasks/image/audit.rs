//! `cargo xtask image audit`: lists what is missing in a repository, and what may be deleted from it.

use anyhow::{Context as _, anyhow};
use clap::Args;
use noetl_help::Help as _;
use noetl_oci::registry::take_inventory;
use noetl_oci::rules::audit::{Audit, Remark, audit};
use noetl_oci::{Reference, Sha256};

use crate::host::ctx::Ctx;
use crate::host::{output, sign_ins};

#[derive(Debug, Args)]
#[command(
    after_help = "Follows every tag to its images, blobs and attachments. What a tag leads to and the registry does \
    not have is\nlisted as dangling, and the command fails. Deletes nothing. A registry lists only its tags, so an untagged \
    image is\nfound when a tag leads to it, or when --candidate names it.\n\nExamples:\n  \
    cargo xtask image audit ghcr.io/noetl/noetl\n  \
    cargo xtask image audit 127.0.0.1:5000/noetl --candidate sha256:…    may it be deleted?"
)]
pub(super) struct AuditArgs {
    /// Registry and repository, such as ghcr.io/noetl/noetl
    repository: Reference,
    /// Digest of an untagged image or index that may be unused, repeatable
    #[arg(long = "candidate", value_name = "DIGEST", value_parser = digest)]
    candidates: Vec<String>,
    /// Print JSON: dangling, needed and deletable digests, each with the reason
    #[arg(long)]
    json: bool,
}

pub(super) fn run(ctx: &Ctx, args: &AuditArgs) -> anyhow::Result<()> {
    let reference = &args.repository;
    let name = format!("{}/{}", reference.registry, reference.repository);
    let client = sign_ins::client(ctx);
    let inventory = take_inventory(&client, reference, &args.candidates)?;
    let audit = audit(&name, &inventory, &args.candidates);
    if args.json {
        output::json(&audit)?;
    } else {
        lines(&audit).iter().try_for_each(output::line)?;
    }
    match audit.dangling.len() {
        0 => Ok(()),
        number => Err(anyhow!("{name}: {number} dangling")).help(
            "push that release again with `cargo xtask image push LAYOUT --repair`, or delete the tag",
        ),
    }
}

fn lines(audit: &Audit) -> Vec<String> {
    let (tags, documents, blobs) = (audit.tags, audit.documents, audit.blobs);
    let mut lines = vec![format!(
        "{}: {tags} tags, {documents} images, indexes and attachments, {blobs} blobs",
        audit.repository
    )];
    for (word, remarks) in [
        ("dangling", &audit.dangling),
        ("keep", &audit.keep),
        ("deletable", &audit.deletable),
    ] {
        let line = |Remark { digest, because }: &Remark| format!("{word:<9} {digest} {because}");
        lines.extend(remarks.iter().map(line));
    }
    lines
}

fn digest(text: &str) -> anyhow::Result<String> {
    let sha256 = Sha256::from_digest(text).context("it is not `sha256:` and 64 hex digits")?;
    Ok(sha256.digest())
}
