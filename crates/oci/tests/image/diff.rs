//! Changes one thing of an image, and compares it with the unchanged image.

use std::sync::atomic::{AtomicUsize, Ordering};

use noetl_oci::diff::{Description, Side, images, platforms};
use noetl_oci::gzip::gzip;
use noetl_oci::tar::write::{Entry, to_bytes};
use noetl_oci::{Blob, BlobReader, Descriptor, Image, ImageSource, Machine};
use noetl_oci_mutants::Parts;
use serde_json::json;

use crate::fixture::{SECTION, app, clean, program};

/// A clean image, in which one thing of arm64 can be changed.
struct Changed {
    parts: Parts,
    app: Vec<Entry>,
    mtime: u64,
    pack: fn(&[u8]) -> Vec<u8>,
}

impl Changed {
    fn clean() -> Self {
        Self {
            parts: Parts::of(&clean()).unwrap(),
            app: app(program(Machine::Arm64, "clean")),
            mtime: super::fixture::TIME,
            pack: |tar| gzip(tar).unwrap(),
        }
    }

    fn layout(mut self) -> noetl_oci::layout::Layout {
        let tar = to_bytes(&self.app, self.mtime).unwrap();
        let mut configs = self.parts.configs.iter();
        let arm64 = configs
            .position(|config| config.architecture == "arm64")
            .unwrap();
        self.parts
            .set_layer(arm64, 1, (self.pack)(&tar), tar)
            .unwrap();
        if self.parts.index.manifests.len() < 2 {
            self.parts.manifests.truncate(1);
        }
        self.parts.seal().unwrap()
    }
}

/// Returns the description in a program of the fixture.
fn describe(program: &[u8]) -> Option<Description> {
    use object::{Object as _, ObjectSection as _};
    let file = object::File::parse(program).ok()?;
    let says = file.section_by_name(SECTION)?.data().ok()?;
    Some(Description {
        name: "note",
        section: SECTION,
        value: json!({"says": String::from_utf8_lossy(says)}),
    })
}

/// Returns the lines for what `change` did.
fn explained(change: impl Fn(&mut Changed)) -> Vec<String> {
    let mut changed = Changed::clean();
    change(&mut changed);
    let (one, other) = (Changed::clean().layout(), changed.layout());
    let (one_image, other_image) = (Image::read(&one).unwrap(), Image::read(&other).unwrap());
    let one = Side {
        image: &one_image,
        source: &one,
    };
    let other = Side {
        image: &other_image,
        source: &other,
    };
    let lines = |one, other| -> Vec<String> {
        let changes = images(one, other, Some(describe)).unwrap();
        changes.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        lines(one, other).len(),
        lines(other, one).len(),
        "the number of changes does not depend on the order"
    );
    lines(one, other)
}

#[test]
fn equal_images_have_no_differences() {
    assert!(explained(|_| {}).is_empty());
}

#[test]
fn each_change_is_one_line_with_its_place() {
    let arm = "linux/arm64/v8";
    let one = |change: fn(&mut Changed)| {
        let lines = explained(change);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        lines[0].clone()
    };
    assert_eq!(
        one(|it| drop(it.parts.index.annotations.insert("a.b".into(), "c".into()))),
        "+ index annotations.a.b: c"
    );
    assert_eq!(
        one(|it| drop(
            it.parts.manifests[1]
                .annotations
                .insert("a".into(), "c".into())
        )),
        format!("+ {arm} image manifest annotations.a: c")
    );
    let env = |it: &mut Changed, at: usize, text: &str| {
        it.parts.configs[1]
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
        one(|it| it.app[2].mode = 0o4755),
        format!("~ {arm} layer 1 usr/bin/app mode: 0755 -> 4755")
    );
    assert_eq!(
        one(|it| it.app[0].owner = 5),
        format!("~ {arm} layer 1 usr owner: 0:0 -> 5:5")
    );
    assert_eq!(
        one(|it| it.app.push(Entry::file("usr/x", 0o644, "hi"))),
        format!("+ {arm} layer 1 usr/x: file 0644 0:0, 2 bytes")
    );
    assert_eq!(
        one(|it| it.app[2].content = program(Machine::Arm64, "other").into()),
        format!("~ {arm} layer 1 usr/bin/app note.says: clean -> other")
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
        one(|it| it.parts.index.manifests.truncate(1))
            .starts_with(&format!("- index {arm}: sha256:"))
    );
    let reversed = one(|it| reverse(&mut it.parts));
    assert_eq!(
        reversed,
        "~ index order of platforms: linux/amd64, linux/arm64/v8 -> linux/arm64/v8, linux/amd64"
    );
}

/// Reverses the order of the platforms.
fn reverse(parts: &mut Parts) {
    parts.index.manifests.reverse();
    parts.manifests.reverse();
    parts.configs.reverse();
    parts.layers.reverse();
}

#[test]
fn platforms_of_one_image_are_compared() {
    let layout = clean();
    let image = Image::read(&layout).unwrap();
    let side = Side {
        image: &image,
        source: &layout,
    };
    let changes = platforms(side, Some(describe)).unwrap();
    let lines: Vec<_> = changes.iter().map(ToString::to_string).collect();
    assert!(
        lines
            .iter()
            .any(|line| line == "~ linux/arm64/v8 config architecture: amd64 -> arm64"),
        "{lines:#?}"
    );
}

#[test]
fn sections_are_compared_when_there_is_no_description() {
    let lines = |says: &str| {
        let mut changed = Changed::clean();
        changed.app[2].content = program(Machine::Arm64, says).into();
        let (one, other) = (Changed::clean().layout(), changed.layout());
        let (one_image, other_image) = (Image::read(&one).unwrap(), Image::read(&other).unwrap());
        let (one, other) = (
            Side {
                image: &one_image,
                source: &one,
            },
            Side {
                image: &other_image,
                source: &other,
            },
        );
        let changes = images(one, other, None).unwrap();
        changes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let place = "~ linux/arm64/v8 layer 1 usr/bin/app .note.test:";
    assert_eq!(
        lines("cleaN"),
        [format!("{place} 5 bytes -> 5 bytes, 1 of them different")]
    );
    let long = "a".repeat(3000);
    assert_eq!(
        lines(&long),
        [format!("{place} 5 bytes -> 3000 bytes (+2.9 KiB)")]
    );
}

/// A layout that counts how often a layer is opened.
#[derive(Debug)]
struct Counted {
    layout: noetl_oci::Layout,
    opened: AtomicUsize,
}

impl ImageSource for Counted {
    fn index_json(&self) -> anyhow::Result<Option<Vec<u8>>> {
        self.layout.index_json()
    }

    fn document(&self, descriptor: &Descriptor) -> anyhow::Result<Option<Vec<u8>>> {
        self.layout.document(descriptor)
    }

    fn open(&self, descriptor: &Descriptor) -> anyhow::Result<Option<BlobReader>> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        ImageSource::open(&self.layout, descriptor)
    }

    fn blob(&self, descriptor: &Descriptor) -> anyhow::Result<Option<Blob>> {
        ImageSource::blob(&self.layout, descriptor)
    }
}

#[test]
fn a_layer_is_opened_as_often_however_many_files_differ() {
    let opened = |files: usize| {
        let side = |content: &str| {
            let mut changed = Changed::clean();
            for number in 0..files {
                let text = format!("{content} {number}").into_bytes();
                changed
                    .app
                    .push(Entry::file(&format!("file-{number}"), 0o644, text));
            }
            Counted {
                layout: changed.layout(),
                opened: AtomicUsize::new(0),
            }
        };
        let (one, other) = (side("one"), side("other"));
        let (before, after) = (Image::read(&one).unwrap(), Image::read(&other).unwrap());
        let before = Side {
            image: &before,
            source: &one,
        };
        let after = Side {
            image: &after,
            source: &other,
        };
        let changes = images(before, after, Some(describe)).unwrap();
        assert_eq!(changes.len(), files, "{changes:#?}");
        one.opened.into_inner() + other.opened.into_inner()
    };
    assert_eq!(opened(3), opened(300));
}
