//! One change at a time to an image, and the one line that explains it.

use super::*;
use crate::digest::Sha256;
use crate::fixtures;
use crate::gzip::gzip;
use crate::oci::model::{
    CONFIG, Descriptor, INDEX, ImageConfig, ImageIndex, ImageManifest, LAYER_GZIP, MANIFEST, encode,
};
use crate::oci::rootfs;
use crate::target::TARGETS;
use crate::ustar::{self, Entry};

/// An image whose arm64 platform can be changed in one thing, with all digests made to fit again.
struct Parts {
    index: ImageIndex,
    children: Vec<(ImageManifest, ImageConfig)>,
    app: Vec<Vec<Entry>>,
    pack: fn(&[u8]) -> Vec<u8>,
    mtime: u64,
    base: Vec<u8>,
}

impl Parts {
    fn clean() -> Self {
        let plan = fixtures::linux_plan();
        let program =
            |target: &crate::target::Target| fixtures::elf(target.arch, &fixtures::stamp(target));
        let binaries: Vec<_> = plan.targets.iter().map(|target| program(target)).collect();
        let layout = fixtures::image_of(binaries.clone());
        let image = Opened::of(&layout).unwrap();
        let read = |value: &Value| serde_json::from_value(value.clone()).unwrap();
        Self {
            index: read(&image.document),
            children: image
                .children
                .iter()
                .map(|child| {
                    let manifest = serde_json::from_value(child.image_manifest.clone()).unwrap();
                    (
                        manifest,
                        serde_json::from_value(child.config.clone()).unwrap(),
                    )
                })
                .collect(),
            app: binaries.into_iter().map(rootfs::app).collect(),
            pack: |tar| gzip(tar).unwrap(),
            mtime: 1_767_225_600,
            base: layout
                .blob(&image.children[0].layers[0].digest)
                .unwrap()
                .to_vec(),
        }
    }

    fn layout(mut self) -> Layout {
        let mut layout = Layout::empty();
        layout.add_blob(self.base.clone());
        for (position, (mut manifest, mut config)) in self.children.into_iter().enumerate() {
            let mtime = if position == 1 {
                self.mtime
            } else {
                1_767_225_600
            };
            let tar = ustar::write(&self.app[position], mtime).unwrap();
            let packed = if position == 1 {
                (self.pack)(&tar)
            } else {
                gzip(&tar).unwrap()
            };
            config.rootfs.diff_ids[1] = Sha256::of(&tar).oci();
            let architecture = config.architecture.clone();
            let config = encode(&config);
            manifest.layers[1] = Descriptor {
                annotations: manifest.layers[1].annotations.clone(),
                ..Descriptor::of(LAYER_GZIP, &packed)
            };
            manifest.config = Descriptor::of(CONFIG, &config);
            let manifest = encode(&manifest);
            let of_this = |child: &&mut Descriptor| {
                child.platform.as_ref().unwrap().architecture == architecture
            };
            if let Some(child) = self.index.manifests.iter_mut().find(of_this) {
                child.digest = Sha256::of(&manifest).oci();
                child.size = manifest.len() as u64;
                child.media_type = MANIFEST.to_owned();
            }
            for blob in [packed, config, manifest] {
                layout.add_blob(blob);
            }
        }
        let index = encode(&self.index);
        let descriptor = Descriptor::of(INDEX, &index);
        layout.add_blob(index);
        layout.name(&descriptor, &["ghcr.io/noetl/noetl:1".parse().unwrap()]);
        layout
    }

    /// Replaces the arm64 program by one with another stamp.
    fn restamp(&mut self, change: impl Fn(&mut crate::stamp::Stamp)) {
        let mut stamp = fixtures::stamp(&TARGETS[1]);
        change(&mut stamp);
        self.app[1] = rootfs::app(fixtures::elf(TARGETS[1].arch, &stamp));
    }
}

/// The lines that explain what `change` did.
fn explained(change: impl Fn(&mut Parts)) -> Vec<String> {
    let mut parts = Parts::clean();
    change(&mut parts);
    let (one, other) = (Parts::clean().layout(), parts.layout());
    let (one_image, other_image) = (Opened::of(&one).unwrap(), Opened::of(&other).unwrap());
    let one = Side {
        image: &one_image,
        layout: &one,
    };
    let other = Side {
        image: &other_image,
        layout: &other,
    };
    let lines = |one, other| -> Vec<String> {
        images(one, other).iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        lines(one, other).len(),
        lines(other, one).len(),
        "it is the same from both sides"
    );
    lines(one, other)
}

#[test]
fn equal_images_have_no_differences() {
    assert!(explained(|_| {}).is_empty());
}

#[test]
fn each_change_is_one_line_at_its_place() {
    let arm = "linux/arm64/v8";
    let one = |change: fn(&mut Parts)| {
        let lines = explained(change);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        lines[0].clone()
    };
    assert_eq!(
        one(|it| drop(it.index.annotations.insert("a.b".into(), "c".into()))),
        "+ index annotations.a.b: c"
    );
    assert_eq!(
        one(|it| drop(it.children[1].0.annotations.insert("a".into(), "c".into()))),
        format!("+ {arm} image manifest annotations.a: c")
    );
    let env = |it: &mut Parts, at: usize, text: &str| {
        it.children[1]
            .1
            .config
            .as_mut()
            .unwrap()
            .env
            .as_mut()
            .unwrap()[at] = text.to_owned();
    };
    assert_eq!(
        explained(|it| env(it, 0, "HOME=/root")),
        [format!(
            "~ {arm} config config.Env.HOME: /home/nonroot -> /root"
        )]
    );
    assert_eq!(
        one(|it| it.app[1][2].mode = 0o4755),
        format!("~ {arm} layer 1 usr/bin/noetl mode: 0755 -> 4755")
    );
    assert_eq!(
        one(|it| it.app[1][0].owner = 5),
        format!("~ {arm} layer 1 usr owner: 0:0 -> 5:5")
    );
    assert_eq!(
        one(|it| it.app[1].push(Entry::file("usr/x", 0o644, "hi"))),
        format!("+ {arm} layer 1 usr/x: file 0644 0:0, 2 bytes")
    );
    assert_eq!(
        one(|it| it.restamp(|stamp| stamp.commit = "f".repeat(40))),
        format!(
            "~ {arm} layer 1 usr/bin/noetl stamp.commit: 0123456789abcdef0123456789abcdef01234567 -> {}",
            "f".repeat(40)
        )
    );
    let packed = one(|it| {
        it.pack = |tar| {
            let mut packed = gzip(tar).unwrap();
            packed[9] = 3;
            packed
        }
    });
    assert!(
        packed.starts_with(&format!("~ {arm} layer 1 compression: sha256:")),
        "{packed}"
    );
    assert!(
        one(|it| it.index.manifests.truncate(1)).starts_with(&format!("- index {arm}: sha256:"))
    );
    let turned = one(|it| it.index.manifests.reverse());
    assert_eq!(
        turned,
        "~ index order of platforms: linux/amd64, linux/arm64/v8 -> linux/arm64/v8, linux/amd64"
    );
}
