//! What `cargo xtask image` says of the image it made: SBOM and provenance, as files or attached in the
//! registry, and signatures, which cosign makes.

use anyhow::{Context as _, anyhow};
use camino::Utf8Path;
use clap::{Args, ValueEnum};

use crate::command::CommandLine;
use crate::ctx::{self, Ctx};
use crate::error::{MissingTool, WithHelp as _};
use crate::evidence::Evidence;
use crate::evidence::collect::evidence;
use crate::oci::layout::{CONTAINERD_NAME, Layout};
use crate::oci::reference::Reference;
use crate::release::Release;
use crate::tasks::image::{open, outputs};
use crate::{files, sh};

#[derive(Debug, Clone, Args)]
pub(super) struct AttestArgs {
    /// SBOM and provenance: beside the image, or not made [default: with --push beside it, else none]
    #[arg(long, value_enum, value_name = "WHERE")]
    attest: Option<Attest>,
    /// Sign what is in the registry: `cosign sign` with this key, whose password is COSIGN_PASSWORD
    #[arg(long, value_name = "KEY")]
    sign_key: Option<String>,
    /// Sign what is in the registry without a key: cosign asks who runs this, as in GitHub Actions
    #[arg(long, value_enum, conflicts_with = "sign_key")]
    sign: Option<Sign>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The image must be of this very commit, since the sources say what is in it; each SBOM is compared with\n\
    the program that it speaks of. Of a layout or a tar, files are written beside it.\n\nExamples:\n  \
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
    /// image.sbom.linux-amd64.cdx.json and the like, beside the image
    File,
    /// Nowhere: it is not made
    None,
}

/// How to sign without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sign {
    /// By identity, with a certificate for this moment and an entry in the public log
    Keyless,
}

impl AttestArgs {
    /// Refuses what could not be carried out, before anything is built for it.
    pub(super) fn preflight(&self, push: bool) -> anyhow::Result<()> {
        if self.signs() && !push {
            return Err(anyhow!("only an image in a registry can be signed")).help("add --push");
        }
        if self.signs() && ctx::find_program("cosign").is_none() {
            return Err(MissingTool("cosign".to_owned()))
                .help("install cosign as docs.sigstore.dev says");
        }
        Ok(())
    }

    fn signs(&self) -> bool {
        self.sign_key.is_some() || self.sign.is_some()
    }

    /// Where evidence goes.
    fn place(&self, push: bool) -> Attest {
        self.attest
            .unwrap_or(if push { Attest::File } else { Attest::None })
    }
}

/// Makes evidence on an image that is there already.
pub(super) fn run(ctx: &Ctx, args: &AttestImageArgs) -> anyhow::Result<()> {
    let image = args
        .image
        .clone()
        .unwrap_or_else(|| outputs(ctx).0.into_string());
    let path = Utf8Path::new(&image);
    let is_file = path.exists();
    args.attest.preflight(!is_file)?;
    let layout = open(ctx, &image)?;
    let (name, folder) = if is_file {
        let index = layout.index_json()?;
        let entry = index.manifests.first().context("it holds no image")?;
        let name = entry.annotations.get(CONTAINERD_NAME);
        let name = name.context("the layout does not say what its image is called")?;
        let folder = image.strip_suffix(".tar").unwrap_or(&image);
        (name.parse::<Reference>()?, folder.into())
    } else {
        (image.parse::<Reference>()?, outputs(ctx).0)
    };
    let args = AttestArgs {
        attest: Some(match args.attest.place(!is_file) {
            // Somebody asked for it by name.
            Attest::None if args.attest.attest.is_none() => Attest::File,
            place => place,
        }),
        ..args.attest.clone()
    };
    attest(ctx, &args, !is_file, &layout, &[name], &folder)
}

/// Makes the evidence on the image that `folder` holds and puts it where `args` say; then signs.
pub(super) fn attest(
    ctx: &Ctx,
    args: &AttestArgs,
    push: bool,
    layout: &Layout,
    names: &[Reference],
    folder: &Utf8Path,
) -> anyhow::Result<()> {
    let name = names.first().context("the image has no name")?;
    let place = args.place(push);
    remove_files(folder)?;
    if place != Attest::None {
        let all = sh::step(ctx, "make SBOM and provenance and check them", || {
            // What the tree is, not what the image says: the sources are read from there.
            evidence(ctx, &Release::read(ctx)?, layout, name)
        })?;
        write_files(ctx, &all, folder)?;
    }
    if args.signs() {
        let digest = layout.image_index()?.digest;
        let command = plan_sign(args.sign_key.as_deref(), name, &digest);
        sh::step(ctx, "sign what was pushed", || sh::run(ctx, &command))?;
    }
    Ok(())
}

/// Evidence of an image that is no more would be taken for that of the one beside it.
fn remove_files(folder: &Utf8Path) -> anyhow::Result<()> {
    let Some(above) = folder.parent() else {
        return Ok(());
    };
    let name = folder.file_name().unwrap_or_default();
    for entry in above.read_dir_utf8().into_iter().flatten() {
        let entry = entry.with_context(|| format!("cannot list {above}"))?;
        let rest = entry.file_name().strip_prefix(name);
        if rest.is_some_and(|rest| rest.starts_with(".sbom.") || rest == ".provenance.json") {
            files::remove(entry.path())?;
        }
    }
    Ok(())
}

fn write_files(ctx: &Ctx, all: &[Evidence], folder: &Utf8Path) -> anyhow::Result<()> {
    let name = folder.file_name().unwrap_or_default();
    for evidence in all {
        let path = folder.with_file_name(format!("{name}.{}", evidence.name));
        files::write(&path, &evidence.document)?;
        sh::note(ctx, path.as_str());
    }
    Ok(())
}

/// `cosign sign` of an index and all below it. With a key nothing goes to the public log, which would
/// tell everybody the names of private registries; without one the log is what the signature rests on.
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

    fn name(text: &str) -> Reference {
        text.parse().unwrap()
    }

    #[test]
    fn cosign_is_told_the_digest_and_no_password() {
        let (ghcr, local) = (
            name("ghcr.io/noetl/noetl:1"),
            name("127.0.0.1:5000/noetl:1"),
        );
        insta::assert_snapshot!(plan_sign(Some("env://KEY"), &local, "sha256:d"), @"cosign sign --yes --recursive --key env://KEY --tlog-upload=false --allow-http-registry 127.0.0.1:5000/noetl@sha256:d");
        insta::assert_snapshot!(plan_sign(None, &ghcr, "sha256:d"), @"cosign sign --yes --recursive ghcr.io/noetl/noetl@sha256:d");
    }

    #[test]
    fn nothing_is_made_or_signed_that_nobody_could_use() {
        let args = AttestArgs {
            attest: None,
            sign_key: Some("key".to_owned()),
            sign: None,
        };
        assert_eq!(args.place(false), Attest::None);
        assert_eq!(args.place(true), Attest::File);
        let refused = args.preflight(false).unwrap_err();
        assert!(format!("{refused:#}").contains("only an image in a registry"));
    }

    #[test]
    fn evidence_of_another_image_does_not_stay() {
        let guard = tempfile::tempdir().unwrap();
        let above = Utf8Path::from_path(guard.path()).unwrap();
        let names = [
            "image.sbom.linux-amd64.cdx.json",
            "image.provenance.json",
            "image.tar",
            "image-python.provenance.json",
        ];
        for name in names {
            files::write(&above.join(name), "x").unwrap();
        }
        remove_files(&above.join("image")).unwrap();
        assert_eq!(
            files::below(above).unwrap(),
            ["image-python.provenance.json", "image.tar"]
        );
    }
}
