//! `scale`: images on large bases, and a repository with many tags. Time grows with the input, and memory does not.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use camino::Utf8Path;
use noetl_oci::media_type::{CONFIG, INDEX, LAYER_GZIP, MANIFEST};
use noetl_oci::tar::Entry;
use noetl_oci::{
    Annotations, Blob, Descriptor, ImageIndex, ImageManifest, ImageSpec, LayerCache, LayerSpec,
    Platform, PlatformSpec, RunConfig, assemble, encode,
};
use serde_json::json;

use super::figure::{Reading, Unit};
use super::{Bench, Round, images};
use crate::host::files;
use crate::publish::standins::server::{self, Received, Reply};

/// The bytes of the bases' files; quick rounds take the first.
const BASES: [u64; 3] = [200_000_000, 1_000_000_000, 4_000_000_000];

/// The layers of a base.
const LAYERS: u64 = 10;

/// The tags of the repository; quick rounds take the first number.
const TAGS: [usize; 2] = [1_000, 10_000];

/// Assembles and checks the image on each base, and audits a repository.
pub(super) fn scale<'b>(bench: &'b Bench<'_>) -> anyhow::Result<Round<'b>> {
    let context = images::binaries(bench)?;
    let bases = &BASES[..if bench.is_quick { 1 } else { BASES.len() }];
    let tags = TAGS[usize::from(!bench.is_quick)];
    Ok(Box::new(move |_| {
        let mut readings = Vec::new();
        for bytes in bases {
            let folder = bench.folder.join("scale");
            let measured = image_on(bench, &folder, &context, *bytes);
            files::remove(&folder)?;
            readings.extend(measured?);
        }
        readings.extend(audit(bench, tags)?);
        Ok(readings)
    }))
}

/// Makes an image of both platforms on a base of `bytes`, in a target directory of its own.
fn image_on(
    bench: &Bench<'_>,
    folder: &Utf8Path,
    context: &Utf8Path,
    bytes: u64,
) -> anyhow::Result<Vec<Reading>> {
    let base = folder.join("base");
    write_base(&base, folder, bytes)?;
    let mut make = bench.xtask(["image", "--attest", "none", "--base", base.as_str()]);
    for (arch, _) in images::PLATFORMS {
        make = make.args(["--binary", &format!("linux/{arch}={context}/noetl-{arch}")]);
    }
    let make = make.env("CARGO_TARGET_DIR", folder.join("target").as_str());
    let took = bench.measure(make)?;
    let work = format!("image on a base of {} GB", bytes as f64 / 1e9);
    Ok(vec![
        Reading::new(&work, Unit::Seconds, took.seconds),
        Reading::new(&work, Unit::Bytes, took.memory_kib * 1024.0),
    ])
}

/// Writes a base for both platforms, whose layers hold files that do not compress.
fn write_base(base: &Utf8Path, folder: &Utf8Path, bytes: u64) -> anyhow::Result<()> {
    let content = folder.join("content");
    let layers = (0..LAYERS).map(|number| {
        let path = content.join(number.to_string());
        // gzip looks back 32 KiB, and finds none of it again.
        let noise = noise(number + 1, 1 << 20);
        files::write(&path, noise.repeat((bytes / LAYERS) as usize >> 20))?;
        Ok(LayerSpec {
            name: format!("content {number}"),
            entries: vec![Entry::file(
                &number.to_string(),
                0o644,
                Blob::of_file(&path)?,
            )],
        })
    });
    let layers = layers.collect::<anyhow::Result<Vec<_>>>()?;
    let platforms = images::PLATFORMS.map(|(arch, _)| PlatformSpec {
        platform: Platform::new("linux", arch, None),
        run: RunConfig::default(),
        layers: layers.clone(),
    });
    let spec = ImageSpec {
        maker: noetl_oci::MAKER.to_owned(),
        created: 0,
        annotations: Annotations::new(),
        names: vec!["localhost/base:1".parse()?],
        base: None,
        platforms: platforms.into(),
    };
    let packed = folder.join("layers");
    assemble(&spec, &LayerCache::at(&packed))?.write_folder(base)?;
    files::remove(&packed)?;
    files::remove(&content)
}

/// Returns random bytes by xorshift64.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut noise = Vec::with_capacity(length);
    while noise.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend(state.to_le_bytes());
    }
    noise
}

/// Audits a repository on loopback in which each tag has an image of two platforms.
fn audit(bench: &Bench<'_>, tags: usize) -> anyhow::Result<Vec<Reading>> {
    let repository = Arc::new(Repository::with(tags)?);
    let address = server::start(Arc::new(move |request| repository.answer(&request)))?;
    let took = bench.measure(bench.xtask(["image", "audit", &format!("{address}/many")]))?;
    let work = format!("audit of {tags} tags");
    Ok(vec![
        Reading::new(&work, Unit::Seconds, took.seconds),
        Reading::new(&work, Unit::Bytes, took.memory_kib * 1024.0),
    ])
}

/// A repository of images whose blobs are not there to be read, but to be asked for.
#[derive(Default)]
struct Repository {
    /// The digest of each tag, in the order of the list of tags.
    tags: BTreeMap<String, String>,
    /// Media type and bytes of each manifest by its digest.
    manifests: BTreeMap<String, (&'static str, Vec<u8>)>,
    /// The sizes of the blobs.
    blobs: BTreeMap<String, u64>,
}

impl Repository {
    fn with(tags: usize) -> anyhow::Result<Self> {
        let mut repository = Self::default();
        for number in 0..tags {
            let children = images::PLATFORMS.map(|(arch, _)| {
                let blob = |kind, what: &str| {
                    Descriptor::of(kind, format!("{what} {number} {arch}").as_bytes())
                };
                let (config, layer) = (blob(CONFIG, "config"), blob(LAYER_GZIP, "layer"));
                for blob in [&config, &layer] {
                    repository.blobs.insert(blob.digest.clone(), blob.size);
                }
                let manifest = ImageManifest::new(config, vec![layer], Annotations::new());
                Descriptor {
                    platform: Some(Platform::new("linux", arch, None)),
                    ..repository.add(MANIFEST, encode(&manifest))
                }
            });
            let index = ImageIndex::new(children.into(), Annotations::new());
            let digest = repository.add(INDEX, encode(&index)).digest;
            repository.tags.insert(format!("v{number}"), digest);
        }
        Ok(repository)
    }

    fn add(&mut self, kind: &'static str, bytes: Vec<u8>) -> Descriptor {
        let descriptor = Descriptor::of(kind, &bytes);
        let digest = descriptor.digest.clone();
        self.manifests.insert(digest, (kind, bytes));
        descriptor
    }

    /// Answers as a registry without the referrers API does (distribution-spec 1.1).
    fn answer(&self, request: &Received) -> Reply {
        let parts = request.parts();
        let parts: Vec<_> = parts.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["v2"] => Reply::json(200, &json!({})),
            ["v2", name, "tags", "list"] => self.page(name, request),
            ["v2", _, "manifests", name] => {
                let digest = self.tags.get(*name).map_or(*name, String::as_str);
                match self.manifests.get(digest) {
                    Some((kind, bytes)) => Reply::status(200)
                        .header("docker-content-digest", digest)
                        .header("content-type", *kind)
                        .header("content-length", bytes.len().to_string())
                        .body(bytes.clone()),
                    None => Reply::refusal(404, "MANIFEST_UNKNOWN"),
                }
            }
            ["v2", _, "blobs", digest] if request.method == "HEAD" => match self.blobs.get(*digest)
            {
                Some(size) => Reply::status(200).header("content-length", size.to_string()),
                None => Reply::refusal(404, "BLOB_UNKNOWN"),
            },
            _ => Reply::refusal(404, "UNSUPPORTED"),
        }
    }

    fn page(&self, name: &str, request: &Received) -> Reply {
        let last = request.parameter("last").unwrap_or_default();
        let most = request.parameter("n").and_then(|most| most.parse().ok());
        let after = (Bound::Excluded(last), Bound::Unbounded);
        let rest = self.tags.range::<String, _>(after).map(|(tag, _)| tag);
        let page: Vec<_> = rest.take(most.unwrap_or(100)).collect();
        let reply = Reply::json(200, &json!({ "name": name, "tags": page }));
        match page
            .last()
            .filter(|last| self.tags.keys().next_back() != Some(last))
        {
            Some(last) => {
                let most = page.len();
                let next = format!("</v2/{name}/tags/list?n={most}&last={last}>; rel=\"next\"");
                reply.header("link", next)
            }
            None => reply,
        }
    }
}
