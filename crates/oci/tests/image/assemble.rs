//! Assembling images with and without a base.

use camino::Utf8Path;
use noetl_oci::annotation::{BASE_DIGEST, BASE_NAME};
use noetl_oci::gzip::gzip;
use noetl_oci::media_type::{
    CONFIG, DOCKER_CONFIG, DOCKER_INDEX, DOCKER_LAYER_GZIP, DOCKER_MANIFEST, INDEX, LAYER_GZIP,
    LAYER_ZSTD, MANIFEST,
};
use noetl_oci::tar::write::{Entry, to_bytes};
use noetl_oci::{
    Base, Descriptor, Image, ImageSpec, KnownLayers, LayerCache, Layout, Platform, Sha256,
    assemble, encode,
};
use serde_json::json;

use crate::fixture::{platforms, spec};
use crate::rules::{any_maker, check};

/// Returns a base image in Docker's or OCI's format, as other tools write it.
fn base_layout(docker: bool, platforms: &[Platform], layer_type: &str, history: bool) -> Layout {
    let [config_type, manifest_type, index_type] = if docker {
        [DOCKER_CONFIG, DOCKER_MANIFEST, DOCKER_INDEX]
    } else {
        [CONFIG, MANIFEST, INDEX]
    };
    let entries = [
        Entry::folder("etc", 0o755),
        Entry::file("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/bash\n"),
        Entry::file("etc/group", 0o644, "root:x:0:\n"),
        Entry::folder("tmp", 0o1777),
    ];
    let tar = to_bytes(&entries, 3).unwrap();
    let layer = gzip(&tar).unwrap();
    let mut layout = Layout::default();
    let mut children = Vec::new();
    for platform in platforms {
        let lines = json!([
            {"created_by": "ADD rootfs"},
            {"created_by": "CMD bash", "empty_layer": true},
        ]);
        let config = encode(&json!({
            "architecture": platform.architecture, "os": platform.os, "docker_version": "1",
            "config": {"Env": ["LANG=C.UTF-8"], "Volumes": {"/data": {}}},
            "rootfs": {"type": "layers", "diff_ids": [Sha256::of(&tar).digest()]},
            "history": if history { lines } else { json!([]) },
        }));
        let manifest = encode(&json!({
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": Descriptor::of(config_type, &config),
            "layers": [Descriptor::of(layer_type, &layer)],
        }));
        children.push(Descriptor {
            platform: Some(platform.clone()),
            ..Descriptor::of(manifest_type, &manifest)
        });
        layout.add(config);
        layout.add(manifest);
    }
    let index =
        encode(&json!({"schemaVersion": 2, "mediaType": index_type, "manifests": children}));
    let names = ["ghcr.io/some/base:1".parse().unwrap()];
    layout.set_names(&Descriptor::of(index_type, &index), &names);
    layout.add(index);
    layout.add(layer);
    layout
}

fn read(layout: &Layout, platforms: &[Platform]) -> anyhow::Result<Base> {
    Base::read(layout, platforms, &KnownLayers::default())
}

fn oci_base() -> Base {
    read(
        &base_layout(false, &platforms(), LAYER_GZIP, true),
        &platforms(),
    )
    .unwrap()
}

fn with_large_programs(base: Option<Base>) -> ImageSpec {
    let mut spec = ImageSpec { base, ..spec() };
    for platform in &mut spec.platforms {
        // More than one block, so that several threads are used.
        let large = Entry::file("usr/large", 0o644, vec![7; 3 << 20]);
        platform.layers[1].entries.push(large);
    }
    spec
}

fn digest(spec: &ImageSpec, layers: &LayerCache) -> String {
    let layout = assemble(spec, layers).unwrap();
    Image::read(&layout).unwrap().root().unwrap().digest.clone()
}

#[test]
fn threads_and_cache_do_not_change_the_digest() {
    let folder = tempfile::tempdir().unwrap();
    let kept = LayerCache::at(Utf8Path::from_path(folder.path()).unwrap());
    let mut digests = Vec::new();
    for base in [None, Some(oci_base())] {
        let spec = with_large_programs(base);
        let one = digest(&spec, &LayerCache::none().threads(1));
        for threads in [2, 8] {
            let cache = LayerCache::none().threads(threads);
            assert_eq!(digest(&spec, &cache), one, "{threads}");
        }
        assert_eq!(digest(&spec, &kept), one, "made for the cache");
        assert_eq!(digest(&spec, &kept), one, "taken from the cache");
        digests.push(one);
    }
    assert_ne!(digests[0], digests[1]);
}

#[test]
fn the_layers_of_a_base_are_used_unchanged() {
    for docker in [false, true] {
        let layer_type = if docker {
            DOCKER_LAYER_GZIP
        } else {
            LAYER_GZIP
        };
        let source = base_layout(docker, &platforms(), layer_type, true);
        let base = read(&source, &platforms()).unwrap();
        let passwd = base.images[0].text("/etc/passwd").unwrap();
        assert!(passwd.starts_with("root:"));
        let spec = ImageSpec {
            base: Some(base.clone()),
            ..spec()
        };
        let layout = assemble(&spec, &LayerCache::none()).unwrap();
        let findings = check(&layout, &any_maker());
        assert_eq!(findings.errors(), 0, "{:?}", findings.lines());
        let image = Image::read(&layout).unwrap();
        for (platform, below) in image.platforms.iter().zip(&base.images) {
            let manifest = &platform.manifest.as_ref().unwrap().value;
            let config = &platform.config.as_ref().unwrap().value;
            assert_eq!(manifest.layers[0], below.layers[0], "the blob is unchanged");
            assert_eq!(manifest.layers[0].media_type, LAYER_GZIP);
            assert_eq!(manifest.annotations[BASE_NAME], "ghcr.io/some/base:1");
            assert_eq!(manifest.annotations[BASE_DIGEST], below.digest);
            assert_eq!(
                config.history.len(),
                4,
                "two lines of the base, and two own lines"
            );
            assert!(config.other.is_empty(), "{:?}", config.other);
        }
        let index = &image.indexes[0].document.value;
        assert_eq!(index.annotations[BASE_DIGEST], base.digest);
    }
}

#[test]
fn a_base_without_history_gets_a_line_for_each_layer() {
    let source = base_layout(false, &platforms(), LAYER_GZIP, false);
    let spec = ImageSpec {
        base: Some(read(&source, &platforms()).unwrap()),
        ..spec()
    };
    let image = Image::read(&assemble(&spec, &LayerCache::none()).unwrap()).unwrap();
    let config = &image.platforms[0].config.as_ref().unwrap().value;
    let by: Vec<_> = config
        .history
        .iter()
        .filter_map(|it| it.created_by.clone())
        .collect();
    assert!(by[0].starts_with("noetl-oci: base layer sha256:"), "{by:?}");
    assert_eq!(by[1..], ["noetl-oci: system", "noetl-oci: app"]);
}

#[test]
fn a_base_without_a_platform_is_refused_and_its_platforms_are_listed() {
    let all = platforms();
    let source = base_layout(false, &all[..1], LAYER_GZIP, true);
    let error = format!("{:#}", read(&source, &all).unwrap_err());
    assert_eq!(error, "it has no image for linux/arm64; it has linux/amd64");
    assert!(read(&source, &all[..1]).is_ok());
}

#[test]
fn a_base_that_cannot_be_used_is_refused() {
    let all = platforms();
    let zstd = base_layout(false, &all, LAYER_ZSTD, true);
    let error = format!("{:#}", read(&zstd, &all).unwrap_err());
    assert!(error.contains("older engines cannot load"), "{error}");
    let mut damaged = base_layout(false, &all, LAYER_GZIP, true);
    let layer = read(&damaged, &all).unwrap().images[0].layers[0]
        .digest
        .clone();
    damaged.add_blob(&layer, gzip(b"other").unwrap().into());
    let error = format!("{:#}", read(&damaged, &all).unwrap_err());
    assert!(error.contains("has the content of sha256:"), "{error}");
    damaged.files.remove(&noetl_oci::layout::blob_path(&layer));
    let error = format!("{:#}", read(&damaged, &all).unwrap_err());
    assert!(error.contains("is missing"), "{error}");
}
