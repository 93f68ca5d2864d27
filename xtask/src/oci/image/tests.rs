//! One image for any number of threads, with and without a base; what a base leaves in it.

use serde_json::json;

use super::*;
use crate::check::expect::Expectations;
use crate::digest::Sha256;
use crate::fixtures;
use crate::gzip::gzip;
use crate::oci::model::{ImageConfig, LAYER_GZIP, RunConfig};
use crate::ustar;

/// A base in Docker's or OCI's format for some platforms, as other tools write them.
fn base_layout(docker: bool, platforms: &[Platform]) -> Layout {
    let name = |oci: &'static str, name: &'static str| if docker { name } else { oci };
    let passwd = "root:x:0:0:root:/root:/bin/bash\n";
    let tar = ustar::write(
        &[
            Entry::folder("etc", 0o755),
            Entry::file("etc/passwd", 0o644, passwd),
            Entry::file("etc/group", 0o644, "root:x:0:\n"),
            Entry::folder("tmp", 0o1777),
        ],
        3,
    );
    let tar = tar.unwrap();
    let layer = gzip(&tar).unwrap();
    let mut layout = Layout::empty();
    let children = platforms.iter().map(|platform| {
        let config = json!({
            "architecture": platform.architecture, "os": platform.os, "docker_version": "1",
            "config": {
                "Env": ["LANG=C.UTF-8", "PATH=/opt/base/bin:/usr/bin", "HOME=/root"],
                "Cmd": ["bash"], "Labels": {"org.opencontainers.image.title": "base"},
                "Volumes": {"/data": {}}, "Healthcheck": {"Test": ["CMD", "true"]},
            },
            "rootfs": {"type": "layers", "diff_ids": [Sha256::of(&tar).oci()]},
            "history": [
                {"created_by": "ADD rootfs"},
                {"created_by": "CMD bash", "empty_layer": true},
            ],
        });
        let config = encode(&config);
        let manifest = encode(&json!({
            "schemaVersion": 2,
            "mediaType": name(MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"),
            "config": Descriptor::of(name(CONFIG, "application/vnd.docker.container.image.v1+json"), &config),
            "layers": [Descriptor::of(name(LAYER_GZIP, "application/vnd.docker.image.rootfs.diff.tar.gzip"), &layer)],
        }));
        let child = Descriptor {
            platform: Some((*platform).into()),
            ..Descriptor::of(name(MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"), &manifest)
        };
        layout.add_blob(config);
        layout.add_blob(manifest);
        child
    });
    let children: Vec<_> = children.collect();
    let list = name(
        INDEX,
        "application/vnd.docker.distribution.manifest.list.v2+json",
    );
    let index = encode(&json!({"schemaVersion": 2, "mediaType": list, "manifests": children}));
    layout.name(
        &Descriptor::of(list, &index),
        &["ghcr.io/some/base:1".parse().unwrap()],
    );
    layout.add_blob(index);
    layout.add_blob(layer);
    layout
}

fn plan() -> ImagePlan {
    fixtures::linux_plan().image.unwrap()
}

fn contents() -> Vec<Contents> {
    let platforms = Platform::all().into_iter();
    let binary = |platform: Platform| Contents {
        // More than one block, so that several threads have something to do.
        binary: [
            fixtures::elf(platform.target().arch, &fixtures::stamp(platform.target())),
            vec![7; 3 << 20],
        ]
        .concat(),
        packages: Vec::new(),
    };
    platforms.map(binary).collect()
}

fn digest(base: Option<&Base>, layers: &LayerCache) -> String {
    let layout = assemble(&plan(), base, contents(), layers).unwrap();
    layout.image_index().unwrap().digest
}

fn configs(layout: &Layout) -> Vec<(ImageManifest, ImageConfig)> {
    let read = |digest: &str| layout.blob(digest).unwrap().to_vec();
    let index: ImageIndex =
        serde_json::from_slice(&read(&layout.image_index().unwrap().digest)).unwrap();
    let image = |child: &Descriptor| {
        let manifest: ImageManifest = serde_json::from_slice(&read(&child.digest)).unwrap();
        let config = serde_json::from_slice(&read(&manifest.config.digest)).unwrap();
        (manifest, config)
    };
    index.manifests.iter().map(image).collect()
}

#[test]
fn threads_and_cache_decide_nothing() {
    let state = tempfile::tempdir().unwrap();
    let kept = LayerCache::below(camino::Utf8Path::from_path(state.path()).unwrap());
    let base = Base::read(
        &base_layout(false, &Platform::all()),
        None,
        &Platform::all(),
    )
    .unwrap();
    for base in [None, Some(&base)] {
        let one = digest(base, &LayerCache::none().on(1));
        for threads in [2, 8] {
            assert_eq!(
                digest(base, &LayerCache::none().on(threads)),
                one,
                "{threads}"
            );
        }
        assert_eq!(digest(base, &kept), one, "made for the cache");
        assert_eq!(digest(base, &kept), one, "taken from the cache");
    }
    assert_ne!(digest(None, &kept), digest(Some(&base), &kept));
}

#[test]
fn a_base_is_below_ours_and_loses_nothing_that_counts() {
    for docker in [false, true] {
        let base = Base::read(
            &base_layout(docker, &Platform::all()),
            None,
            &Platform::all(),
        )
        .unwrap();
        let layout = assemble(&plan(), Some(&base), contents(), &LayerCache::none()).unwrap();
        let found = crate::check::image::check(&layout, &Expectations::of(&Platform::all()));
        assert_eq!(found.errors(), 0, "{:?}", found.lines());
        let images = configs(&layout);
        for ((manifest, config), below) in images.iter().zip(&base.images) {
            assert_eq!(manifest.layers[0], below.layers[0], "its bytes as they are");
            assert_eq!(manifest.layers[0].media_type, LAYER_GZIP);
            assert_eq!(manifest.annotations[BASE_NAME], "ghcr.io/some/base:1");
            assert_eq!(manifest.annotations[BASE_DIGEST], below.digest);
            assert_eq!(
                config.history.len(),
                4,
                "two lines of the base, two of ours"
            );
            let run = config.config.clone().unwrap();
            let RunConfig {
                env,
                labels,
                other,
                cmd,
                ..
            } = run;
            assert_eq!(
                env.unwrap(),
                [
                    "LANG=C.UTF-8",
                    "PATH=/opt/base/bin:/usr/bin:/usr/local/bin:/bin",
                    "HOME=/home/nonroot",
                    "NOETL_HOST=0.0.0.0",
                    "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"
                ]
            );
            assert_eq!(labels.unwrap()["org.opencontainers.image.title"], "noetl");
            assert_eq!(cmd.unwrap(), ["server", "start"]);
            assert!(other.is_empty() && config.other.is_empty(), "{other:?}");
        }
        let index = layout.blob(&layout.image_index().unwrap().digest).unwrap();
        let index: ImageIndex = serde_json::from_slice(index).unwrap();
        assert_eq!(index.annotations[BASE_DIGEST], base.digest);
    }
}

#[test]
fn a_base_that_lacks_a_platform_is_refused_with_those_it_has() {
    let all = Platform::all();
    let error = Base::read(&base_layout(false, &all[..1]), None, &all).unwrap_err();
    let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
    assert!(
        causes.contains(&"it has no image for linux/arm64; it has linux/amd64".to_owned()),
        "{causes:?}"
    );
    assert!(Base::read(&base_layout(false, &all[..1]), None, &all[..1]).is_ok());
}

#[test]
fn a_base_with_a_layer_that_engines_cannot_load_is_refused() {
    let all = Platform::all();
    let mut layout = base_layout(false, &all);
    let index = layout.image_index().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let index: ImageIndex = serde_json::from_slice(layout.blob(&index.digest).unwrap()).unwrap();
    let mut children = Vec::new();
    for child in &index.manifests {
        let zstd = text(layout.blob(&child.digest).unwrap())
            .replace("tar+gzip", "tar+zstd")
            .into_bytes();
        children.push(Descriptor {
            platform: child.platform.clone(),
            ..Descriptor::of(MANIFEST, &zstd)
        });
        layout.add_blob(zstd);
    }
    let index = encode(&ImageIndex {
        manifests: children,
        ..index
    });
    layout.name(&Descriptor::of(INDEX, &index), &plan().references);
    layout.add_blob(index);
    let error = Base::read(&layout, None, &all).unwrap_err();
    assert!(
        format!("{error:#}").contains("older engines cannot load"),
        "{error:#}"
    );
}
