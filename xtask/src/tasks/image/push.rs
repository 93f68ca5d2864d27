//! `cargo xtask image push`: publishes an image that exists already, such as the one in dist/.

use camino::Utf8PathBuf;
use clap::Args;
use noetl_oci::registry::{Begun, Overwrite, Published, PushOptions, Silent, Trust};
use noetl_oci::{Image, KnownLayers, Layout, Platform, Reference};
use serde_json::json;

use crate::host::ctx::Ctx;
use crate::host::output;
use crate::image::rules::ImageStandard;
use crate::image::{flavours, publish};
use crate::release::target;
use crate::release::verify::{self, Verified};
use crate::release::workspace;
use crate::tasks::image::{in_order, outputs, references};

#[derive(Debug, Args)]
#[command(
    after_help = "Checks the image first, by the same rules as `image check`; with --no-check, only when the registry lacks it.\n\
    Tags move last and together: when one does not, or\nthe registry serves something else than was sent, those that have moved go back. Takes credentials of docker login, \
    podman login,\ncredential helpers and GITHUB_TOKEN.\n\nExamples:\n  \
    cargo xtask image push dist/noetl-v0.1.0-image.tar --tag 0.1.0 --tag latest\n  \
    cargo xtask image push target/xtask/image --registry 127.0.0.1:5000 --tag try"
)]
pub(super) struct PushArgs {
    /// Folder or tar [default: what `image` made]
    image: Option<Utf8PathBuf>,
    /// Registry and path above the image's name `noetl`; a final slash does not matter
    #[arg(long, default_value = workspace::registry())]
    registry: String,
    /// Tag, repeatable [default: the version]
    #[arg(long = "tag")]
    tags: Vec<String>,
    /// Platforms that the image must be for, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "linux/amd64,linux/arm64", value_parser = target::parse_platform)]
    platforms: Vec<Platform>,
    /// Print JSON: references, index digest, bytes sent, tags that moved and their digests before
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    how: PushHow,
}

/// How to push.
#[derive(Debug, Args)]
pub(super) struct PushHow {
    /// Move version and commit tags that point to another image
    #[arg(long)]
    force_retag: bool,
    /// Skip the check of what the registry serves afterwards, and of an image that it has under every name already
    #[arg(long)]
    no_check: bool,
    /// Ask the registry for every blob and image, and send those that were deleted
    #[arg(long)]
    repair: bool,
}

impl PushHow {
    /// Pushes an image and prints what was sent and which tags moved. Unless --no-check is given, checks what the
    /// registry serves, and moves the tags back when that is something else.
    pub(super) fn publish(
        &self,
        ctx: &Ctx,
        registry: &str,
        image: &Verified<Layout>,
        names: &[Reference],
        standard: &ImageStandard,
        known: &KnownLayers,
    ) -> anyhow::Result<Published> {
        let options = self.options();
        let published = output::step(ctx, &format!("push to {registry}"), || {
            publish::publish(ctx, image, names, options)
        })?;
        tell(ctx, &published);
        if !self.no_check {
            output::step(ctx, "pull it back and check what is served", || {
                let proof = publish::prove(ctx, image.value(), names, standard, known);
                published.keep_if(proof)
            })?;
        }
        Ok(published)
    }

    /// Sends nothing, and checks nothing, when the registry has the image under every name; else does as
    /// [`PushHow::publish`] with --no-check.
    fn publish_unless_there(
        &self,
        ctx: &Ctx,
        registry: &str,
        layout: &Layout,
        begun: Begun,
        check: impl FnOnce() -> anyhow::Result<Verified<Layout>>,
    ) -> anyhow::Result<Published> {
        let options = self.options();
        let published = if begun.is_published() {
            begun.finish(layout, options, &Silent)?
        } else {
            let verified = check()?;
            output::step(ctx, &format!("push to {registry}"), || {
                publish::finish(ctx, &verified, begun, options)
            })?
        };
        tell(ctx, &published);
        Ok(published)
    }

    fn options(&self) -> PushOptions {
        let mut options = PushOptions::default();
        if self.force_retag {
            options.overwrite = Overwrite::Forced;
        }
        if self.repair {
            options.trust = Trust::Nothing;
        }
        options
    }
}

/// Prints what was sent and which tags moved.
fn tell(ctx: &Ctx, published: &Published) {
    let (digest, sent) = (&published.digest, published.sent_bytes);
    output::note(ctx, &format!("{digest}: {sent} bytes sent"));
    for (tag, before) in published.moved() {
        let before = before.as_deref().unwrap_or("a new tag");
        output::note(ctx, &format!("{tag}: {before} -> {digest}"));
    }
}

pub(super) fn run(ctx: &Ctx, args: &PushArgs) -> anyhow::Result<()> {
    let (registry, flavour) = (&args.registry, flavours::plain());
    let (made, _) = outputs(ctx, flavour);
    let path = args.image.as_ref().unwrap_or(&made);
    let standard = ImageStandard::any_release(&in_order(&args.platforms));
    let known = KnownLayers::default();
    let names = match args.tags.as_slice() {
        [] => references(registry, &[workspace::version(ctx)?], flavour)?,
        tags => references(registry, tags, flavour)?,
    };
    let how = &args.how;
    let check = || {
        output::step(ctx, &format!("check {path}"), || {
            verify::image(path, standard.rules(), &known)
        })
    };
    let layout = Layout::open(path)?;
    // The digest that the registry is asked for is that of the documents only when they are intact; the check names what is not.
    let is_intact = Image::read(&layout).is_ok_and(|image| image.check_digests().is_ok());
    let published = if how.no_check && !how.repair && is_intact {
        let begun = publish::begin(ctx, &layout, &names)?;
        how.publish_unless_there(ctx, registry, &layout, begun, check)?
    } else {
        how.publish(ctx, registry, &check()?, &names, &standard, &known)?
    };
    let (digest, sent) = (&published.digest, published.sent_bytes);
    if args.json {
        let moved = published.moved().into_iter();
        let moved = moved.map(|(tag, before)| json!({"tag": tag, "before": before}));
        return output::json(&json!({
            "references": names, "index_digest": digest, "sent_bytes": sent,
            "moved": moved.collect::<Vec<_>>(),
        }));
    }
    let mut lines = names.iter().map(|name| format!("{name}@{digest}"));
    lines.try_for_each(output::line)
}
