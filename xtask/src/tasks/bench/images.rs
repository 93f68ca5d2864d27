//! `image`, `push` and `check`: the image of both platforms, beside buildx, crane and skopeo.

use anyhow::Context as _;
use camino::Utf8PathBuf;
use noetl_help::Help as _;

use super::figure::{Reading, Unit};
use super::meter::{self, Usage};
use super::{Bench, Round};
use crate::host::command::CommandLine;
use crate::host::{ctx, files, output, run};
use crate::release::dist_manifest::image_name;

/// The platforms with the targets of their binaries.
pub(super) const PLATFORMS: [(&str, &str); 2] = [
    ("amd64", "x86_64-unknown-linux-musl"),
    ("arm64", "aarch64-unknown-linux-musl"),
];

/// Makes and pushes the image from ready binaries to a repository that is empty; nothing is taken from a cache.
pub(super) fn image<'b>(bench: &'b Bench<'_>) -> anyhow::Result<Round<'b>> {
    let registry = bench.registry()?;
    let context = binaries(bench)?;
    let buildx = bench.has("docker");
    let crane = bench.has("crane");
    Ok(Box::new(move |number| {
        let repository = format!("{registry}/bench-{}-{number}", std::process::id());
        let mut ours = bench.xtask(["image", "--no-cache", "--push", "--tag", "bench"]);
        ours = ours.args(["--attest", "none"]);
        ours = ours.args(["--registry", &format!("{repository}/ours")]);
        for (arch, _) in PLATFORMS {
            ours = ours.args(["--binary", &format!("linux/{arch}={context}/noetl-{arch}")]);
        }
        let ours = bench.measure(ours)?;
        let mut reading = Reading::new("two platforms, pushed", Unit::Seconds, ours.seconds);
        let processor = Reading::new("two platforms, pushed", Unit::CpuSeconds, ours.cpu_seconds);
        if buildx {
            let image = format!("{repository}/buildx:bench");
            let platforms = PLATFORMS.map(|(arch, _)| format!("linux/{arch}")).join(",");
            let build = CommandLine::new("docker").args(["buildx", "build", "--no-cache"]);
            let build = build.args(["--platform", &platforms, "--tag", &image, "--push"]);
            let seconds = bench.measure(build.arg(context.as_str()))?.seconds;
            reading = reading.beside("docker buildx", seconds);
            let remove = CommandLine::new("docker").args(["image", "rm", "--force", &image]);
            run::read(bench.ctx, &remove)?;
        }
        if crane {
            let image = format!("{repository}/crane:bench");
            let script = CommandLine::new("sh").args(["-ec", CRANE, "crane", &image]);
            reading = reading.beside("crane", bench.measure(script.cwd(&context))?.seconds);
        }
        Ok(vec![reading, processor])
    }))
}

/// What people write with crane for the same image: a layer for each platform, and an index.
const CRANE: &str = r#"
for arch in amd64 arm64; do
  mkdir -p crane-$arch && cp noetl-$arch crane-$arch/noetl
  tar -C crane-$arch -czf crane-$arch.tar.gz noetl
  crane append --insecure -f crane-$arch.tar.gz -t $1-$arch >/dev/null
  crane mutate --insecure --set-platform linux/$arch --entrypoint /noetl -t $1-$arch $1-$arch >/dev/null
done
crane index append --insecure -m $1-amd64 -m $1-arm64 -t $1 >/dev/null
"#;

/// Pushes an image that the registry has already.
pub(super) fn push<'b>(bench: &'b Bench<'_>) -> anyhow::Result<Round<'b>> {
    let registry = bench.registry()?;
    let tar = bench.image_tar()?;
    let repository = format!("{registry}/bench-{}", std::process::id());
    let (own, peer) = (
        format!("{repository}/ours"),
        format!("{repository}/skopeo:bench"),
    );
    let push = bench.xtask([
        "image",
        "push",
        tar.as_str(),
        "--registry",
        &own,
        "--tag",
        "bench",
        // skopeo does not read back what it has pushed either.
        "--no-check",
    ]);
    bench.measure(push.clone())?;
    let source = format!("oci-archive:{tar}");
    let copy = CommandLine::new("skopeo").args(["copy", "--all", "--dest-tls-verify=false"]);
    let copy = copy.args([source, format!("docker://{peer}")]);
    let skopeo = bench.has("skopeo");
    if skopeo {
        bench.measure(copy.clone())?;
    }
    Ok(Box::new(move |_| {
        let ours = bench.measure(push.clone())?;
        let mut reading = Reading::new("the same image again", Unit::Seconds, ours.seconds);
        if skopeo {
            reading = reading.beside("skopeo", bench.measure(copy.clone())?.seconds);
        }
        Ok(vec![reading])
    }))
}

/// Checks the image's tar against every rule.
pub(super) fn check<'b>(bench: &'b Bench<'_>) -> anyhow::Result<Round<'b>> {
    let tar = bench.image_tar()?;
    Ok(Box::new(move |_| {
        let Usage {
            seconds,
            memory_kib,
            ..
        } = bench.measure(bench.xtask(["image", "check", tar.as_str()]))?;
        let work = "the tar of two platforms";
        Ok(vec![
            Reading::new(work, Unit::Seconds, seconds),
            Reading::new(work, Unit::Bytes, memory_kib * 1024.0),
        ])
    }))
}

/// Unpacks the Linux binaries of the dist beside a Dockerfile for buildx. Returns the folder.
pub(super) fn binaries(bench: &Bench<'_>) -> anyhow::Result<Utf8PathBuf> {
    let folder = bench.folder.join("image");
    files::create_folder(&folder)?;
    let dist = bench.dist()?;
    for (arch, triple) in PLATFORMS {
        let (archive, member) = dist.binary_of(triple)?;
        let unpack = CommandLine::new("tar").args(["-xzf", archive.as_str(), "-C"]);
        run::read(bench.ctx, &unpack.args([folder.as_str(), member]))?;
        let to = folder.join(format!("noetl-{arch}"));
        files::copy_executable(&folder.join(member), &to)?;
    }
    let dockerfile =
        "FROM scratch\nARG TARGETARCH\nCOPY noetl-$TARGETARCH /noetl\nENTRYPOINT [\"/noetl\"]\n";
    files::write(&folder.join("Dockerfile"), dockerfile)?;
    files::write(&folder.join(".dockerignore"), "*\n!noetl-*\n")?;
    Ok(folder)
}

impl Bench<'_> {
    /// Whether a peer is installed; one that is not is named and left out.
    pub(super) fn has(&self, peer: &str) -> bool {
        let found = ctx::find_program(peer).is_some();
        if !found {
            output::note(self.ctx, &format!("{peer} is not installed: left out"));
        }
        found
    }

    /// Returns what a command takes.
    pub(super) fn measure(&self, command: CommandLine) -> anyhow::Result<Usage> {
        meter::measure(self.ctx, command)
    }

    /// Returns a command of this xtask.
    pub(super) fn xtask<S: Into<String>>(&self, args: impl IntoIterator<Item = S>) -> CommandLine {
        CommandLine::new(self.xtask.as_str()).args(args)
    }

    fn image_tar(&self) -> anyhow::Result<Utf8PathBuf> {
        let dist = self.dist()?;
        let tar = dist.folder.join(image_name(&dist.manifest.release));
        let found = tar.is_file().then_some(tar);
        found
            .with_context(|| format!("{} has no image", dist.folder))
            .help("cargo xtask dist --targets linux")
    }
}
