//! Rules times mutants: for each rule a layout that breaks it, and exactly what that trips.

use std::io::Write as _;

use flate2::Compression;

use super::check;
use crate::digest::Sha256;
use crate::fixtures;
use crate::gzip::gzip;
use crate::oci::layout::Layout;
use crate::oci::model::{
    CONFIG, Descriptor, INDEX, ImageConfig, ImageIndex, ImageManifest, MANIFEST, PlatformFields,
    encode,
};
use crate::target::{Arch, Platform, TARGETS};
use crate::ustar::{self, Entry};

/// An image taken apart, so that a mutant can change one thing and have all digests fit again.
struct Parts {
    index: ImageIndex,
    manifests: Vec<ImageManifest>,
    configs: Vec<ImageConfig>,
    /// The layers of each image.
    layers: Vec<Vec<Layer>>,
    references: Vec<crate::oci::reference::Reference>,
}

#[derive(Clone)]
struct Layer {
    media_type: String,
    packed: Vec<u8>,
    tar: Vec<u8>,
}

fn clean() -> Layout {
    fixtures::image()
}

impl Parts {
    fn of(layout: &Layout) -> Self {
        let read = |descriptor: &Descriptor| layout.blob(&descriptor.digest).unwrap().to_vec();
        let index: ImageIndex =
            serde_json::from_slice(&read(&layout.image_index().unwrap())).unwrap();
        let manifests: Vec<ImageManifest> = index
            .manifests
            .iter()
            .map(|child| serde_json::from_slice(&read(child)).unwrap())
            .collect();
        let configs = manifests
            .iter()
            .map(|image| serde_json::from_slice(&read(&image.config)).unwrap())
            .collect();
        let layers = manifests.iter().map(|image| {
            let layer = |layer: &Descriptor| {
                let packed = read(layer);
                let tar = crate::gzip::gunzip(&packed).unwrap();
                Layer {
                    media_type: layer.media_type.clone(),
                    packed,
                    tar,
                }
            };
            image.layers.iter().map(layer).collect()
        });
        let layers = layers.collect();
        Self {
            layers,
            configs,
            manifests,
            index,
            references: fixtures::linux_plan().image.unwrap().references,
        }
    }

    /// Replaces the app layer of an image.
    fn set_app(&mut self, image: usize, entries: &[Entry]) {
        let tar = ustar::write(entries, 1_767_225_600).unwrap();
        self.set_layer(image, gzip(&tar).unwrap(), tar);
    }

    fn set_layer(&mut self, image: usize, packed: Vec<u8>, tar: Vec<u8>) {
        self.configs[image].rootfs.diff_ids[1] = Sha256::of(&tar).oci();
        let media_type = self.layers[image][1].media_type.clone();
        self.layers[image][1] = Layer {
            media_type,
            packed,
            tar,
        };
    }

    /// Compresses the app layer of an image in another way.
    fn repack(&mut self, image: usize, pack: impl Fn(&[u8]) -> Vec<u8>) {
        let tar = self.layers[image][1].tar.clone();
        self.set_layer(image, pack(&tar), tar);
    }

    /// Puts one more layer on top of an image.
    fn add_layer(&mut self, image: usize, entries: &[Entry]) {
        let tar = ustar::write(entries, 1_767_225_600).unwrap();
        let media_type = self.layers[image][1].media_type.clone();
        self.configs[image]
            .rootfs
            .diff_ids
            .push(Sha256::of(&tar).oci());
        let line = self.configs[image].history[0].clone();
        self.configs[image].history.push(line);
        let last = self.manifests[image].layers[1].clone();
        self.manifests[image].layers.push(last);
        self.layers[image].push(Layer {
            media_type,
            packed: gzip(&tar).unwrap(),
            tar,
        });
    }

    fn set_entrypoint(&mut self, image: usize, path: &str) {
        self.configs[image].config.as_mut().unwrap().entrypoint = Some(vec![path.to_owned()]);
    }

    /// Puts everything together with digests and sizes that fit.
    fn seal(mut self) -> Layout {
        let mut layout = Layout::empty();
        for (number, image) in self.manifests.iter_mut().enumerate() {
            let config = encode(&self.configs[number]);
            let media_type = image.config.media_type.clone();
            image.config = Descriptor {
                media_type,
                ..Descriptor::of(CONFIG, &config)
            };
            for (descriptor, layer) in image.layers.iter_mut().zip(&self.layers[number]) {
                let sealed = Descriptor::of(&layer.media_type, &layer.packed);
                *descriptor = Descriptor {
                    urls: descriptor.urls.clone(),
                    data: descriptor.data.clone(),
                    ..sealed
                };
                layout.add_blob(layer.packed.clone());
            }
            let manifest = encode(image);
            if let Some(child) = self.index.manifests.get_mut(number) {
                let sealed = Descriptor::of(&child.media_type, &manifest);
                *child = Descriptor {
                    platform: child.platform.clone(),
                    ..sealed
                };
                layout.add_blob(config);
                layout.add_blob(manifest);
            }
        }
        let index = encode(&self.index);
        layout.name(&Descriptor::of(INDEX, &index), &self.references);
        layout.add_blob(index);
        layout
    }
}

/// Breaks an image in parts, with digests that fit.
fn parts(change: impl Fn(&mut Parts)) -> Layout {
    let mut parts = Parts::of(&clean());
    change(&mut parts);
    parts.seal()
}

/// Breaks the files of a layout.
fn raw(change: impl Fn(&mut Layout)) -> Layout {
    let mut layout = clean();
    change(&mut layout);
    layout
}

/// Replaces the image index by other bytes, as `index.json` sees it.
fn with_index(change: impl Fn(&str) -> String) -> Layout {
    raw(|layout| {
        let old = layout.image_index().unwrap();
        let text = String::from_utf8(layout.blob(&old.digest).unwrap().to_vec()).unwrap();
        let new = change(&text).into_bytes();
        layout
            .files
            .remove(&format!("blobs/{}", old.digest.replace(':', "/")));
        layout.name(
            &Descriptor::of(INDEX, &new),
            &fixtures::linux_plan().image.unwrap().references,
        );
        layout.add_blob(new);
    })
}

fn first_layer_name(layout: &Layout) -> String {
    let parts = Parts::of(layout);
    format!(
        "blobs/{}",
        parts.manifests[0].layers[1].digest.replace(':', "/")
    )
}

fn first_layer(layout: &mut Layout) -> &mut Vec<u8> {
    let name = first_layer_name(layout);
    layout.files.get_mut(&name).unwrap()
}

fn with_helper(mut app: Vec<Entry>) -> Vec<Entry> {
    app.push(Entry::file("usr/bin/helper", 0o755, elf(Arch::Aarch64)));
    app
}

fn app(binary: Vec<u8>, mode: u32) -> Vec<Entry> {
    vec![
        Entry::folder("usr", 0o755),
        Entry::folder("usr/bin", 0o755),
        Entry::file("usr/bin/noetl", mode, binary),
    ]
}

fn elf(arch: Arch) -> Vec<u8> {
    fixtures::elf(arch, &fixtures::stamp(&TARGETS[0]))
}

#[rustfmt::skip] // One mutant a line.
fn mutants() -> Vec<(&'static str, Layout, &'static [&'static str])> {
    let [amd64, arm64] = [0, 1];
    vec![
        ("S1", raw(|it| first_layer(it)[200] ^= 1), &["S1", "S8"]),
        ("S1", raw(|it| *first_layer(it) = gzip(b"other").unwrap()), &["S1", "S2", "S3", "S8"]),
        ("S2", with_index(|it| it.replacen("\"size\":", "\"size\":1", 1)), &["S2"]),
        ("S3", parts(|it| it.configs[arm64].rootfs.diff_ids[0] = Sha256::of(b"x").oci()), &["S3"]),
        ("S3", parts(|it| drop(it.configs[arm64].rootfs.diff_ids.pop())), &["S3"]),
        ("S4", parts(|it| drop(it.configs[amd64].history.pop())), &["S4"]),
        ("S5", parts(|it| it.manifests[amd64].media_type = None), &["S5"]),
        ("S5", parts(|it| it.index.media_type = Some(MANIFEST.into())), &["S5"]),
        ("S6", parts(|it| it.manifests[amd64].config.media_type = DOCKER_CONFIG.into()), &["S5", "S6"]),
        ("S7", with_index(|it| it.replacen('{', "{\"extra\":1,", 1)), &["S12", "S7"]),
        ("S7", parts(|it| it.index.schema_version = 1), &["S7"]),
        ("S7", raw(|it| drop(it.files.insert("oci-layout".into(), b"garbage".to_vec()))), &["S7"]),
        ("S6", parts(|it| it.index.manifests[arm64].media_type = "application/vnd.oci.image.manifest.v9+json".into()), &["S12", "S6"]),
        ("P1", raw(name_a_child_beside_the_index), &["P1"]),
        ("S8", parts(|it| it.repack(amd64, <[u8]>::to_vec)), &["S8"]),
        ("S9", parts(|it| it.layers[amd64][1].media_type.push('x')), &["S9"]),
        ("S10", parts(|it| it.repack(amd64, gzip_with_time)), &["S10"]),
        ("S10", parts(|it| it.repack(amd64, gzip_in_two_members)), &["S10"]),
        ("S10", parts(|it| it.repack(amd64, |tar| [gzip(tar).unwrap(), b"tail".to_vec()].concat())), &["S10"]),
        ("S11", with_index(|it| it.replacen(":2,", ": 2,", 1)), &["S11"]),
        ("S11", with_index(|it| it.replacen('{', "{\"schemaVersion\":2,", 1)), &["S11", "S12"]),
        ("S12", raw(|it| it.add_blob(b"orphan".to_vec())), &["S12"]),
        ("S12", raw(|it| { let name = first_layer_name(it); it.files.remove(&name); }), &["S12"]),
        ("S12", raw(|it| drop(it.files.insert("notes.txt".into(), Vec::new()))), &["S12"]),
        ("S13", parts(|it| drop(it.index.annotations.insert("big".into(), "x".repeat(4 << 20)))), &["S13"]),
        ("S14", parts(|it| it.manifests[amd64].layers[0].urls.push("https://example.com/layer".into())), &["S14"]),
        ("S14", parts(|it| it.manifests[amd64].layers[0].data = Some("b3RoZXI=".into())), &["S14"]),
        ("P1", parts(|it| { it.index.manifests.pop(); it.manifests.pop(); }), &["P1"]),
        ("P2", parts(|it| it.index.manifests[arm64].platform = None), &["P1", "P2"]),
        ("P3", parts(|it| *platform(it, arm64) = platform(it, amd64).clone()), &["P1", "P3", "P4", "P5"]),
        ("P4", parts(|it| it.configs[arm64].os = "freebsd".into()), &["P4"]),
        ("P5", parts(|it| { let armv8 = Some("armv8".to_owned()); it.configs[arm64].variant.clone_from(&armv8); platform(it, arm64).variant = armv8; }), &["P5"]),
        ("P5", parts(|it| it.configs[arm64].variant = None), &["P4", "P5"]),
        ("P6", parts(|it| it.set_app(amd64, &app(elf(Arch::Aarch64), 0o755))), &["P6"]),
        ("P6", parts(|it| it.set_app(arm64, &app(b"#!/bin/sh\n".to_vec(), 0o755))), &["P6"]),
        ("P7", parts(|it| it.set_app(amd64, &with_helper(app(elf(Arch::X86_64), 0o755)))), &["P7"]),
        ("P9", parts(|it| it.set_app(amd64, &app(elf(Arch::X86_64), 0o640))), &["P9"]),
        ("P6", parts(|it| it.set_app(amd64, &app(cut_short(), 0o755))), &["P6"]),
        ("P9", parts(|it| it.set_app(amd64, &with_folders(0o700))), &["P9"]),
        ("P9", parts(|it| it.configs[amd64].config.as_mut().unwrap().user = Some("nonroot".into())), &["P9"]),
        ("P9", parts(|it| it.add_layer(amd64, &[Entry::folder("usr", 0o755), Entry::folder("usr/bin", 0o755), Entry::file("usr/bin/.wh.noetl", 0o644, "")])), &["P9"]),
        ("P6", parts(|it| it.add_layer(amd64, &app(b"#!/bin/sh\n".to_vec(), 0o755))), &["P6"]),
        ("P9", parts(|it| it.set_entrypoint(amd64, "noetl")), &["P9"]),
        ("P9", parts(|it| it.set_entrypoint(amd64, "/noetl")), &["P9"]),
    ]
}

const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

fn platform(parts: &mut Parts, image: usize) -> &mut PlatformFields {
    parts.index.manifests[image].platform.as_mut().unwrap()
}

fn cut_short() -> Vec<u8> {
    let mut program = elf(Arch::X86_64);
    program.truncate(program.len() - 200);
    program
}

fn with_folders(mode: u32) -> Vec<Entry> {
    let mut app = app(elf(Arch::X86_64), 0o755);
    app.iter_mut().take(2).for_each(|folder| folder.mode = mode);
    app
}

/// index.json with a single image before the index: clients that take the first get one platform.
fn name_a_child_beside_the_index(layout: &mut Layout) {
    let mut index = layout.index_json().unwrap();
    let child = Parts::of(layout).index.manifests[0].clone();
    index.manifests.insert(0, child);
    layout.files.insert("index.json".to_owned(), encode(&index));
}

fn gzip_with_time(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::GzBuilder::new()
        .mtime(1)
        .write(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gzip_in_two_members(bytes: &[u8]) -> Vec<u8> {
    [gzip(&bytes[..1024]).unwrap(), gzip(&bytes[1024..]).unwrap()].concat()
}

#[test]
fn a_clean_image_breaks_no_rule() {
    assert_eq!(
        check(&clean(), &Platform::all()).lines(),
        Vec::<String>::new()
    );
    assert_eq!(
        Parts::of(&clean()).seal(),
        clean(),
        "taking apart and putting together changes nothing"
    );
}

#[test]
fn each_mutant_trips_its_rule_and_exactly_what_follows_from_it() {
    let mut wrong = Vec::new();
    for (number, (rule, layout, expected)) in mutants().into_iter().enumerate() {
        let findings = check(&layout, &Platform::all());
        if findings.ids() != expected || !expected.contains(&rule) {
            wrong.push(format!(
                "mutant {number} of {rule}, not {expected:?} but {:#?}",
                findings.lines()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_on_images_has_a_mutant() {
    let mut covered: Vec<_> = mutants().iter().map(|(rule, ..)| *rule).collect();
    covered.push("P8");
    for rule in crate::check::rules::all().filter(|rule| rule.id.starts_with(['S', 'P'])) {
        assert!(covered.contains(&rule.id), "{}", rule.id);
    }
}

/// This very test is a dynamic program, on Linux an ELF one.
#[test]
#[cfg(target_os = "linux")]
fn a_dynamic_entry_point_trips_p8() {
    let program = std::env::current_exe().unwrap();
    let program = crate::files::read(camino::Utf8Path::from_path(&program).unwrap()).unwrap();
    let image = usize::from(cfg!(target_arch = "aarch64"));
    let findings = check(
        &parts(|it| it.set_app(image, &app(program.clone(), 0o755))),
        &Platform::all(),
    );
    assert_eq!(findings.ids(), ["P8"], "{:#?}", findings.lines());
}

#[test]
fn a_single_platform_is_fine_where_it_was_asked_for() {
    let single = parts(|it| {
        it.index.manifests.pop();
        it.manifests.pop();
    });
    assert_eq!(
        check(&single, &Platform::all()[..1]).lines(),
        Vec::<String>::new()
    );
    assert_eq!(check(&clean(), &Platform::all()[..1]).ids(), ["P1"]);
}
