//! The image read by skopeo and podman, and `image check` of broken images.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Dist, copy, flip, not_run, show, succeed, tool, variable, xtask};

/// Returns a copy of the layout that `cargo xtask image` makes of this tree, one for all tests: other tests
/// overwrite the original meanwhile.
pub(crate) fn layout() -> Option<&'static Path> {
    static LAYOUT: OnceLock<Option<(TempDir, PathBuf)>> = OnceLock::new();
    let layout = LAYOUT.get_or_init(|| {
        variable("NOETL_TEST_DIST")?;
        let folder = tempfile::tempdir().unwrap();
        let copied = folder.path().join("image");
        let made = succeed(&mut xtask(&["--quiet", "image", "--json"]));
        let made: Value = serde_json::from_str(&made).unwrap();
        let tar = made["tar"].as_str().unwrap();
        fs::create_dir(&copied).unwrap();
        succeed(tool("tar")?.args(["-xf", tar, "-C"]).arg(&copied));
        // Docker's manifest.json is only part of a tar, and not of a layout in a folder.
        fs::remove_file(copied.join("manifest.json")).unwrap();
        Some((folder, copied))
    });
    if layout.is_none() {
        not_run("no dist: `cargo xtask test` prepares one");
    }
    layout.as_ref().map(|(_, path)| path.as_path())
}

#[test]
fn skopeo_sees_both_platforms_and_the_same_digest() {
    let Some((tar, image)) = Dist::find().and_then(|dist| dist.image()) else {
        return;
    };
    let Some(mut skopeo) = tool("skopeo") else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    let copied = work.path().join("copied");
    let source = format!("oci-archive:{}", tar.display());
    succeed(
        skopeo
            .args(["copy", "--quiet", "--all", &source])
            .arg(format!("oci:{}", copied.display())),
    );
    let index: Value =
        serde_json::from_slice(&fs::read(copied.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["digest"], image["index_digest"]);
    for (architecture, platform) in [("amd64", "linux/amd64"), ("arm64", "linux/arm64/v8")] {
        let Some(mut skopeo) = tool("skopeo") else {
            return;
        };
        let config = [
            "--override-os",
            "linux",
            "--override-arch",
            architecture,
            "inspect",
            "--config",
        ];
        let config: Value =
            serde_json::from_str(&succeed(skopeo.args(config).arg(&source))).unwrap();
        assert_eq!(config["architecture"], architecture);
        assert_eq!(config["config"]["User"], "65532:65532");
        assert_eq!(
            config["config"]["Entrypoint"],
            serde_json::json!(["/usr/bin/noetl"])
        );
        assert!(
            image["platforms"]
                .as_array()
                .unwrap()
                .iter()
                .any(|image| image["platform"] == platform)
        );
    }
}

#[test]
fn podman_loads_it_under_its_name() {
    let Some((tar, image)) = Dist::find().and_then(|dist| dist.image()) else {
        return;
    };
    let Some(mut podman) = tool("podman") else {
        return;
    };
    let store = tempfile::tempdir().unwrap();
    let root = store.path().join("root");
    let runroot = store.path().join("run");
    let storage = ["--storage-driver", "vfs", "--root"];
    podman
        .args(storage)
        .arg(&root)
        .arg("--runroot")
        .arg(&runroot);
    let loaded = succeed(podman.arg("load").arg("--input").arg(tar));
    assert!(
        loaded.contains(image["references"][0].as_str().unwrap()),
        "{loaded}"
    );
}

#[test]
fn the_dist_image_is_the_image_of_this_tree() {
    let (Some((_, image)), Some(layout)) = (Dist::find().and_then(|dist| dist.image()), layout())
    else {
        return;
    };
    let index: Value =
        serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["digest"], image["index_digest"]);
}

#[test]
fn a_flipped_bit_in_any_blob_is_an_error() {
    let Some(layout) = layout() else { return };
    let work = tempfile::tempdir().unwrap();
    let clean = show(xtask(&["image", "check"]).arg(layout));
    assert!(clean.ends_with("no rule is broken\n[exit 0]"), "{clean}");
    for blob in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        let name = blob.unwrap().file_name();
        let broken = work.path().join(&name);
        copy(layout, &broken);
        flip(&broken.join("blobs/sha256").join(&name));
        let text = show(xtask(&["image", "check"]).arg(&broken));
        assert!(
            text.contains("error S1 blobs/sha256/") && text.ends_with("[exit 1]"),
            "{text}"
        );
        fs::remove_dir_all(broken).unwrap();
    }
}

#[test]
fn an_unexpected_platform_or_missing_file_is_an_error() {
    let Some(layout) = layout() else { return };
    let text = show(xtask(&["image", "check", "--platforms", "linux/amd64"]).arg(layout));
    assert!(
        text.contains("error P1") && text.contains("linux/arm64 is not expected"),
        "{text}"
    );
    let json = show(xtask(&["image", "check", "--json", "--platforms", "linux/amd64"]).arg(layout));
    assert!(
        json.contains("\"rule\": \"P1\"") && json.ends_with("[exit 1]"),
        "{json}"
    );
    let nothing = show(&mut xtask(&["image", "check", "no-such-image"]));
    assert!(
        nothing.contains("error: there is no file no-such-image, and it is not an image name"),
        "{nothing}"
    );
}
