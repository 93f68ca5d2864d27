//! What `cargo xtask image` says of the image it made: SBOM and provenance, as files or attached in the
//! registry, and signatures, which cosign makes.

use anyhow::{Context as _, anyhow};
use camino::Utf8Path;
use clap::{Args, ValueEnum};
use noetl_help::Help as _;
use noetl_oci::{Artifact, Image, ImageSource, Reference, registry};

use crate::host::command::CommandLine;
use crate::host::ctx::{self, Ctx};
use crate::host::error::MissingTool;
use crate::host::{files, output, run, sign_ins};
use crate::image::evidence::Evidence;
use crate::image::evidence::collect::evidence;
use crate::release::version::Release;
use crate::tasks::image::open::Opened;
use crate::tasks::image::outputs;

#[derive(Debug, Clone, Args)]
pub(super) struct AttestArgs {
    /// SBOM and provenance: in the registry, beside the image, or not made [default: with --push in
    /// the registry, but as files for ghcr.io, whose page would show them as the newest tag; else none]
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
    the program that it is about. Of a layout or a tar, files are written beside it.\n\nExamples:\n  \
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
        if self.attest == Some(Attest::Referrers) && !push {
            return Err(anyhow!(
                "--attest referrers attaches to an image in a registry"
            ))
            .help("add --push, or write files: --attest file");
        }
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

    /// Returns where evidence goes when the image goes to `name`.
    fn place(&self, push: bool, name: &Reference) -> Attest {
        let default = match (push, name.registry.as_str()) {
            (false, _) => Attest::None,
            (true, "ghcr.io") => Attest::File,
            (true, _) => Attest::Referrers,
        };
        self.attest.unwrap_or(default)
    }
}

/// Makes evidence on an image that is there already.
pub(super) fn run(ctx: &Ctx, args: &AttestImageArgs) -> anyhow::Result<()> {
    let image = args
        .image
        .clone()
        .unwrap_or_else(|| outputs(ctx).0.into_string());
    let opened = Opened::new(ctx, &image)?;
    let is_file = matches!(opened, Opened::Layout(_));
    args.attest.preflight(!is_file)?;
    let (name, folder) = match &opened {
        Opened::Layout(_) => {
            let names = opened.image()?.full_names();
            let name = names
                .first()
                .context("the layout does not say what its image is called")?;
            let folder = image.strip_suffix(".tar").unwrap_or(&image);
            (name.parse::<Reference>()?, folder.into())
        }
        Opened::Registry(image) => (image.reference().clone(), outputs(ctx).0),
    };
    let args = AttestArgs {
        attest: Some(match args.attest.place(!is_file, &name) {
            // This command is for nothing else.
            Attest::None if args.attest.attest.is_none() => Attest::File,
            place => place,
        }),
        ..args.attest.clone()
    };
    attest(ctx, &args, !is_file, opened.source(), &[name], &folder)
}

/// Makes the evidence on the image that `folder` holds and puts it where `args` say; then signs.
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
            // What the tree is, not what the image says: the sources are read from there.
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
        output::step(ctx, "sign what was pushed", || run::run(ctx, &command))?;
    }
    Ok(())
}

/// Removes evidence of an earlier image, which would be taken for that of this one.
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
        output::note(ctx, path.as_str());
    }
    Ok(())
}

fn attach(ctx: &Ctx, all: &[Evidence], name: &Reference) -> anyhow::Result<()> {
    let artifacts: Vec<Artifact> = all.iter().flat_map(Evidence::artifacts).collect();
    let title = format!("attach them to {}/{}", name.registry, name.repository);
    let client = sign_ins::client(ctx);
    output::step(ctx, &title, || registry::attach(&client, name, &artifacts))?;
    Ok(())
}

/// Returns the `cosign sign` of an index and all below it. With a key nothing goes to the public log, which would publish
/// the names of private registries; without one the log is what proves the signature.
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
    fn evidence_goes_where_it_does_no_harm() {
        let args = |attest| AttestArgs {
            attest,
            sign_key: None,
            sign: None,
        };
        let (ghcr, local) = (
            name("ghcr.io/noetl/noetl:1"),
            name("127.0.0.1:5000/noetl:1"),
        );
        assert_eq!(args(None).place(false, &local), Attest::None);
        assert_eq!(args(None).place(true, &local), Attest::Referrers);
        assert_eq!(args(None).place(true, &ghcr), Attest::File);
        let wanted = args(Some(Attest::Referrers));
        assert_eq!(wanted.place(true, &ghcr), Attest::Referrers);
        assert!(wanted.preflight(true).is_ok());
        assert!(wanted.preflight(false).is_err());
        let signed = AttestArgs {
            sign_key: Some("key".to_owned()),
            ..args(None)
        };
        let refused = signed.preflight(false).unwrap_err();
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
            files::list(above).unwrap(),
            ["image-python.provenance.json", "image.tar"]
        );
    }
}
