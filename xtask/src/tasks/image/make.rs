//! Assembling the image, proving it, and publishing it when asked.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::json;

use crate::cargo::Host;
use crate::check::expect::Expectations;
use crate::ctx::{Ctx, Wanted};
use crate::oci::layout::Layout;
use crate::oci::reference::Reference;
use crate::plan::{Plan, Products, Request, plan};
use crate::registry::push;
use crate::release::Release;
use crate::target::Platform;
use crate::tasks::build;
use crate::tasks::image::{ImageArgs, NAME, check, in_order, outputs};
use crate::verify::Verified;
use crate::{files, package, sh, verify};

pub(super) fn run(ctx: &Ctx, args: &ImageArgs) -> anyhow::Result<()> {
    let platforms = in_order(&args.platforms);
    let (folder, tar) = outputs(ctx);
    if args.preview.wanted() {
        let plan = plan_image(ctx, args, &platforms)?;
        return args
            .preview
            .show(&plan, &[folder.to_string(), tar.to_string()]);
    }
    let _lock = sh::lock(ctx)?;
    let plan = plan_image(ctx, args, &platforms)?;
    let references = plan
        .image
        .iter()
        .flat_map(|image| image.references.clone())
        .collect::<Vec<_>>();
    if args.push {
        push::preflight(&plan.release, &references)?;
    }
    if plan.release.is_dirty() {
        sh::warn(&format!(
            "the tree differs from its commit; the image's revision is {}",
            plan.release.commit
        ));
    }
    let expected = check::expectations(ctx, &plan.release, &platforms)?;
    let binaries = build::binaries(ctx, &plan, Wanted::Yes)?;
    let verified = sh::step(ctx, "assemble the image and check it", || {
        let (layout, bytes) = package::image(&plan, &binaries)?.expect("an image was asked for");
        replace(&layout, &bytes, &folder, &tar, &expected)
    })?;
    if args.push {
        let published = sh::step(ctx, &format!("push to {}", args.registry), || {
            push::publish(ctx, &verified, &references)
        })?;
        sh::note(
            ctx,
            &format!("{}: {} bytes sent", published.digest, published.sent_bytes),
        );
    }
    report(args, &plan, verified.value(), [&folder, &tar])
}

fn plan_image(ctx: &Ctx, args: &ImageArgs, platforms: &[Platform]) -> anyhow::Result<Plan> {
    let (release, host) = (Release::read(ctx)?, Host::read(ctx)?);
    let mut tags = args.tags.clone();
    if tags.is_empty() {
        tags.push(release.version.clone());
    }
    let mut references = Vec::new();
    for tag in tags {
        let reference = Reference::join(&args.registry, NAME, &tag)?;
        if !references.contains(&reference) {
            references.push(reference);
        }
    }
    let targets = platforms.iter().map(Platform::target).collect();
    let request = Request {
        targets,
        products: Products::Image,
        references,
        ui: Wanted::Yes,
    };
    Ok(plan(&host, &release, &request))
}

/// Writes both forms under other names, proves both from disk, and only then puts them in place.
fn replace(
    layout: &Layout,
    tar_bytes: &[u8],
    folder: &Utf8Path,
    tar: &Utf8Path,
    expected: &Expectations,
) -> anyhow::Result<Verified<Layout>> {
    let (new_folder, new_tar) = (folder.with_extension("new"), tar.with_extension("tar.new"));
    layout.write_folder(&new_folder)?;
    files::write(&new_tar, tar_bytes)?;
    let verified =
        verify::image(&new_tar, expected).and_then(|_| verify::image(&new_folder, expected));
    if verified.is_ok() {
        files::swap_folder(&new_folder, folder)?;
        files::swap_folder(&new_tar, tar)?;
    } else {
        files::remove(&new_folder)?;
        files::remove(&new_tar)?;
    }
    verified
}

fn report(
    args: &ImageArgs,
    plan: &Plan,
    layout: &Layout,
    files: [&Utf8PathBuf; 2],
) -> anyhow::Result<()> {
    let image = plan.image.as_ref().expect("an image was asked for");
    let digest = layout.image_index()?.digest;
    if args.json {
        let platforms: Vec<_> = image.platforms.iter().map(ToString::to_string).collect();
        let object = json!({
            "references": image.references, "index_digest": digest, "platforms": platforms,
            "layout": files[0], "tar": files[1], "pushed": args.push,
        });
        println!("{}", serde_json::to_string_pretty(&object)?);
        return Ok(());
    }
    files.into_iter().for_each(|path| println!("{path}"));
    for reference in &image.references {
        println!("{reference}@{digest}");
    }
    Ok(())
}
