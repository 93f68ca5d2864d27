//! `cargo xtask image attest`, and the same after `image`: SBOM and provenance of the image, as files or attached in
//! the registry, and signatures by cosign.

use anyhow::{Context as _, anyhow};
use camino::Utf8Path;
use clap::{Args, ValueEnum};
use noetl_help::Help as _;
use noetl_oci::{Image, ImageSource, Reference, registry};

use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx};
use crate::host::error::MissingTool;
use crate::host::{files, output, run, sign_ins};
use crate::image::evidence::Evidence;
use crate::image::evidence::collect::evidence;
use crate::image::flavours;
use crate::release::version::Release;
use crate::tasks::image::open::{Opened, Place};
use crate::tasks::image::outputs;

#[derive(Debug, Clone, Args)]
pub(super) struct AttestArgs {
    /// Where SBOM and provenance go [default: with --push referrers, but file for ghcr.io, whose page would show them
    /// as the newest tag; else none]
    #[arg(long, value_enum, value_name = "WHERE")]
    attest: Option<Attest>,
    /// Sign the image in the registry: `cosign sign` with this key, whose password is COSIGN_PASSWORD
    #[arg(long, value_name = "KEY")]
    sign_key: Option<String>,
    /// Sign the image in the registry without a key: cosign takes the identity of the user or of the workflow
    #[arg(long, value_enum, conflicts_with = "sign_key")]
    sign: Option<Sign>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The image must be of this commit, since SBOM and provenance are made of the sources; each SBOM is compared\n\
    with its program. For a layout or a tar, files are written beside it.\n\nExamples:\n  \
    cargo xtask image attest dist/noetl-v0.1.0-image.tar\n  \
    cargo xtask image attest 127.0.0.1:5000/noetl:0.1.0 --sign-key cosign.key"
)]
pub(super) struct AttestImageArgs {
    /// Folder, tar or full image name [default: what `image` made]
    image: Option<String>,
    #[command(flatten)]
    attest: AttestArgs,
}

/// Where evidence goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Attest {
    /// Attached to the image and to each platform, by the referrers API or its fallback tag
    Referrers,
    /// image.sbom.linux-amd64.cdx.json and the like, beside the image
    File,
    /// Nowhere: neither is made
    None,
}

/// How to sign without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sign {
    /// By identity, with a short-lived certificate and an entry in the public log
    Keyless,
}

impl AttestArgs {
    /// Fails when the evidence could not be attached or the image not signed.
    pub(super) fn preflight(&self, push: bool) -> anyhow::Result<()> {
        if self.attest == Some(Attest::Referrers) && !push {
            let error = anyhow!("--attest referrers attaches to an image in a registry");
            return Err(error.help("add --push, or write files: --attest file"));
        }
        if self.signs() && !push {
            return Err(anyhow!("only an image in a registry can be signed")).help("add --push");
        }
        if self.signs() && ctx::find_program("cosign").is_none() {
            return Err(MissingTool("cosign".to_owned())).help("install cosign: docs.sigstore.dev");
        }
        Ok(())
    }

    fn signs(&self) -> bool {
        self.sign_key.is_some() || self.sign.is_some()
    }

    /// Returns where the evidence of the image `name` goes.
    fn place(&self, push: bool, name: &Reference) -> Attest {
        let default = match (push, name.registry.as_str()) {
            (false, _) => Attest::None,
            (true, "ghcr.io") => Attest::File,
            (true, _) => Attest::Referrers,
        };
        self.attest.unwrap_or(default)
    }
}

/// Makes evidence of an image that exists already.
pub(super) fn run(ctx: &Ctx, args: &AttestImageArgs) -> anyhow::Result<()> {
    let opened = Opened::new(ctx, args.image.as_deref())?;
    let mut args = args.attest.clone();
    args.preflight(matches!(opened.place, Place::Registry(_)))?;
    match &opened.place {
        Place::Layout(layout) => {
            let names = opened.image.full_names();
            let name = names.first().context("its layout has no name")?;
            let folder = opened.name.strip_suffix(".tar").unwrap_or(&opened.name);
            // A path with a parent also for a file of the working folder.
            let folder = Utf8Path::new(".").join(folder);
            args.attest.get_or_insert(Attest::File);
            attest(ctx, &args, false, layout, &[name.parse()?], &folder)
        }
        Place::Registry(image) => {
            let (folder, _) = outputs(ctx, flavours::plain());
            let name = image.reference().clone();
            attest(ctx, &args, true, image.as_ref(), &[name], &folder)
        }
    }
}

/// Makes the evidence of the image that is, or would be, in `folder`, puts it where `args` say, and then signs.
pub(super) fn attest(
    ctx: &Ctx,
    args: &AttestArgs,
    push: bool,
    source: &dyn ImageSource,
    names: &[Reference],
    folder: &Utf8Path,
) -> anyhow::Result<()> {
    let name = names.first().context("the image has no name")?;
    let place = args.place(push, name);
    remove_files(folder)?;
    if place != Attest::None {
        let all = output::step(ctx, "make SBOM and provenance and check them", || {
            // The release of the tree, whose sources the evidence is made of.
            evidence(ctx, &Release::read(ctx)?, source, name)
        })?;
        match place {
            Attest::Referrers => attach(ctx, &all, name)?,
            Attest::File | Attest::None => write_files(ctx, &all, folder)?,
        }
    }
    if args.signs() {
        let image = Image::read(source)?;
        let command = plan_sign(args.sign_key.as_deref(), name, &image.root()?.digest);
        output::step(ctx, "sign the image", || run::run(ctx, &command))?;
    }
    Ok(())
}

/// Removes the evidence of an earlier image.
fn remove_files(folder: &Utf8Path) -> anyhow::Result<()> {
    let (above, name) = (folder.parent(), folder.file_name().unwrap_or_default());
    let entries = above.and_then(|above| above.read_dir_utf8().ok());
    for entry in entries.into_iter().flatten() {
        let entry = entry.with_context(|| format!("cannot list the files beside {folder}"))?;
        let rest = entry.file_name().strip_prefix(name);
        if rest.is_some_and(|rest| rest.starts_with(".sbom.") || rest == ".provenance.json") {
            files::remove(entry.path())?;
        }
    }
    Ok(())
}

fn write_files(ctx: &Ctx, all: &[Evidence], folder: &Utf8Path) -> anyhow::Result<()> {
    let image = folder.file_name().unwrap_or_default();
    for Evidence { name, artifacts } in all {
        let path = folder.with_file_name(format!("{image}.{name}"));
        files::write(&path, &artifacts[0].document)?;
        output::note(ctx, path.as_str());
    }
    Ok(())
}

fn attach(ctx: &Ctx, all: &[Evidence], name: &Reference) -> anyhow::Result<()> {
    let artifacts: Vec<_> = all.iter().flat_map(|it| it.artifacts.clone()).collect();
    let title = format!("attach them to {}/{}", name.registry, name.repository);
    let client = sign_ins::client(ctx);
    output::step(ctx, &title, || registry::attach(&client, name, &artifacts))?;
    Ok(())
}

/// Returns the `cosign sign` of an index and its images. With a key nothing goes to the public log, which would publish
/// the names of private registries; without a key the log proves the signature.
fn plan_sign(key: Option<&str>, name: &Reference, digest: &str) -> CommandLine {
    let mut command = CommandLine::new("cosign").args(["sign", "--yes", "--recursive"]);
    if let Some(key) = key {
        command = command.args(["--key", key, "--tlog-upload=false"]);
    }
    if name.is_loopback() {
        command = command.arg("--allow-http-registry");
    }
    command.arg(format!("{}/{}@{digest}", name.registry, name.repository))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> [Reference; 2] {
        ["ghcr.io/noetl/noetl:1", "127.0.0.1:5000/noetl:1"].map(|name| name.parse().unwrap())
    }

    #[test]
    fn cosign_signs_a_digest_with_a_key_or_without() {
        let [ghcr, local] = names();
        insta::assert_snapshot!(plan_sign(Some("env://KEY"), &local, "sha256:d"), @"cosign sign --yes --recursive --key env://KEY --tlog-upload=false --allow-http-registry 127.0.0.1:5000/noetl@sha256:d");
        insta::assert_snapshot!(plan_sign(None, &ghcr, "sha256:d"), @"cosign sign --yes --recursive ghcr.io/noetl/noetl@sha256:d");
    }

    #[test]
    fn evidence_goes_into_registries_except_ghcr() {
        let mut args = AttestArgs {
            attest: None,
            sign_key: None,
            sign: None,
        };
        let [ghcr, local] = names();
        assert_eq!(args.place(false, &local), Attest::None);
        assert_eq!(args.place(true, &local), Attest::Referrers);
        assert_eq!(args.place(true, &ghcr), Attest::File);
        args.attest = Some(Attest::Referrers);
        assert_eq!(args.place(true, &ghcr), Attest::Referrers);
        assert!(args.preflight(true).is_ok() && args.preflight(false).is_err());
        (args.attest, args.sign_key) = (None, Some("key".to_owned()));
        let refused = args.preflight(false).unwrap_err();
        assert!(refused.to_string().contains("only an image in a registry"));
    }

    #[test]
    fn evidence_of_an_earlier_image_is_removed() {
        let guard = tempfile::tempdir().unwrap();
        let above = Utf8Path::from_path(guard.path()).unwrap();
        let removed = ["image.sbom.linux-amd64.cdx.json", "image.provenance.json"];
        let others = ["image-python.provenance.json", "image.tar"];
        for name in removed.iter().chain(&others) {
            files::write(&above.join(name), "x").unwrap();
        }
        remove_files(&above.join("image")).unwrap();
        assert_eq!(files::list(above).unwrap(), others);
    }
}
