//! `cargo xtask image push`: publishes an image that is there already, such as the one in dist/.

use camino::Utf8PathBuf;
use clap::Args;
use noetl_oci::registry::{Moved, Published, PushOptions, Trust};
use noetl_oci::{KnownLayers, Layout, Platform, Reference};
use serde_json::json;

use crate::host::ctx::Ctx;
use crate::host::output;
use crate::image::publish;
use crate::image::rules::ImageStandard;
use crate::release::version::Release;
use crate::release::{target, verify};
use crate::tasks::image::{NAME, REGISTRY, in_order, outputs};

#[derive(Debug, Args)]
#[command(
    after_help = "Checks the image first, by the same rules as `image check`. Tags move last and together: when one \
    does not, or\nwhat is served is not what was sent, those that have moved go back. Signs in with what docker login, podman login, a credential helper or \
    GITHUB_TOKEN left.\n\nExamples:\n  \
    cargo xtask image push dist/noetl-v0.1.0-image.tar --tag 0.1.0 --tag latest\n  \
    cargo xtask image push target/xtask/image --registry 127.0.0.1:5000 --tag try"
)]
pub(super) struct PushArgs {
    /// Folder or tar [default: what `image` made]
    image: Option<Utf8PathBuf>,
    /// Registry and path above the image's name `noetl`; a final slash does not matter
    #[arg(long, default_value = REGISTRY)]
    registry: String,
    /// Tag, repeatable; the version when none is given
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// Platforms it should be for, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "linux/amd64,linux/arm64", value_parser = target::parse_platform)]
    platforms: Vec<Platform>,
    /// Print JSON: references, index digest, bytes sent, tags moved and where they were
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    how: PushHow,
}

/// What a push may do beyond the usual.
#[derive(Debug, Args)]
pub(super) struct PushHow {
    /// Move version and commit tags that point to another image
    #[arg(long)]
    force_retag: bool,
    /// Do not pull it back afterwards to check what the registry serves
    #[arg(long)]
    no_check: bool,
    /// Ask for every blob and image again, and send what was deleted
    #[arg(long)]
    repair: bool,
}

impl PushHow {
    /// Reads it back and checks it, unless that is not wanted; the tags go back when it is not what was sent.
    pub(super) fn prove(
        &self,
        ctx: &Ctx,
        published: &Published,
        pushed: &Layout,
        references: &[Reference],
        standard: &ImageStandard,
        known: &KnownLayers,
    ) -> anyhow::Result<()> {
        if self.no_check {
            return Ok(());
        }
        output::step(ctx, "pull it back and check what is served", || {
            published.keep_if(publish::prove(ctx, pushed, references, standard, known))
        })
    }

    /// Returns it as a push takes it.
    pub(super) fn options(&self) -> PushOptions {
        PushOptions {
            moved: if self.force_retag {
                Moved::Forced
            } else {
                Moved::Refused
            },
            trust: if self.repair {
                Trust::Nothing
            } else {
                Trust::Index
            },
        }
    }
}

pub(super) fn run(ctx: &Ctx, args: &PushArgs) -> anyhow::Result<()> {
    let path = args.image.clone().unwrap_or_else(|| outputs(ctx).0);
    let standard = ImageStandard::without_project(&in_order(&args.platforms));
    let known = KnownLayers::default();
    let references = references(&args.registry, &args.tags, &Release::read(ctx)?)?;
    let verified = output::step(ctx, &format!("check {path}"), || {
        verify::image(&path, standard.rules(), &known)
    })?;
    let published = output::step(ctx, &format!("push to {}", args.registry), || {
        publish::publish(ctx, &verified, &references, args.how.options())
    })?;
    narrate(ctx, &published);
    let layout = verified.value();
    args.how
        .prove(ctx, &published, layout, &references, &standard, &known)?;
    report(args, &references, &published)
}

/// Returns the names to push to, once each.
pub(super) fn references(
    registry: &str,
    tags: &[String],
    release: &Release,
) -> anyhow::Result<Vec<Reference>> {
    let tags = match tags {
        [] => vec![release.version.clone()],
        tags => tags.to_vec(),
    };
    let mut references = Vec::new();
    for tag in tags {
        let reference = Reference::join(registry, NAME, &tag)?;
        if !references.contains(&reference) {
            references.push(reference);
        }
    }
    Ok(references)
}

/// Prints what was sent and which tags moved from where, so that they can be put back by hand.
pub(super) fn narrate(ctx: &Ctx, published: &Published) {
    let (digest, sent) = (&published.digest, published.sent_bytes);
    output::note(ctx, &format!("{digest}: {sent} bytes sent"));
    for (tag, before) in published.moved() {
        let before = before.as_deref().unwrap_or("a new tag");
        output::note(ctx, &format!("{tag}: {before} -> {digest}"));
    }
}

fn report(args: &PushArgs, references: &[Reference], published: &Published) -> anyhow::Result<()> {
    let digest = &published.digest;
    if args.json {
        let object = json!({
            "references": references, "index_digest": digest, "sent_bytes": published.sent_bytes,
            "moved": published.moved().iter().map(|(tag, before)| json!({"tag": tag, "before": before}))
                .collect::<Vec<_>>(),
        });
        return output::json(&object);
    }
    let mut references = references.iter();
    references.try_for_each(|reference| output::line(format!("{reference}@{digest}")))
}
