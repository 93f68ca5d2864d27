//! A clean image for two platforms with small programs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use noetl_oci::annotation::{DESCRIPTION, LICENSES, REVISION, SOURCE, TITLE, VERSION};
use noetl_oci::tar::Entry;
use noetl_oci::{
    Annotations, DockerImage, Image, ImageSpec, LayerCache, LayerSpec, Layout, MAKER, Machine,
    Platform, PlatformSpec, RunConfig, assemble,
};
use noetl_oci_mutants::Parts;
use noetl_oci_mutants::elf::small_program;
use serde_json::json;

/// 2026-01-01T00:00:00Z.
pub(super) const TIME: u64 = 1_767_225_600;

/// The section that programs of the fixture have.
pub(super) const SECTION: &str = ".note.test";

pub(super) fn platforms() -> Vec<Platform> {
    vec![
        Platform::new("linux", "amd64", None),
        Platform::new("linux", "arm64", Some("v8")),
    ]
}

/// Returns a program for a machine, with one section of the given content.
pub(super) fn program(machine: Machine, content: &str) -> Vec<u8> {
    small_program(machine, SECTION, content.as_bytes())
}

/// Returns a bundle of 120 certificates, each a sequence of two sequences and a bit string.
pub(super) fn ca_bundle() -> String {
    let der = [0x30, 9, 0x30, 1, 5, 0x30, 1, 5, 0x03, 1, 0];
    let body = STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n").repeat(120)
}

pub(super) fn system() -> Vec<Entry> {
    vec![
        Entry::folder("etc", 0o755),
        Entry::file("etc/group", 0o644, "root:x:0:\nnonroot:x:65532:\n"),
        Entry::file("etc/nsswitch.conf", 0o644, "hosts: files dns\n"),
        Entry::file(
            "etc/passwd",
            0o644,
            "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n",
        ),
        Entry::folder("etc/ssl", 0o755),
        Entry::folder("etc/ssl/certs", 0o755),
        Entry::file("etc/ssl/certs/ca-certificates.crt", 0o644, ca_bundle()),
        Entry::folder("home", 0o755),
        Entry::folder("home/nonroot", 0o700).owned_by(65532),
        Entry::folder("tmp", 0o1777),
    ]
}

pub(super) fn app(program: Vec<u8>) -> Vec<Entry> {
    vec![
        Entry::folder("usr", 0o755),
        Entry::folder("usr/bin", 0o755),
        Entry::file("usr/bin/app", 0o755, program),
    ]
}

pub(super) fn labels() -> Annotations {
    let labels = [
        (DESCRIPTION, "a test"),
        (LICENSES, "MIT"),
        (REVISION, "0123456789abcdef0123456789abcdef01234567"),
        (SOURCE, "https://example.com/test"),
        (TITLE, "test"),
        (VERSION, "1.2.3"),
    ];
    let pairs = labels.into_iter();
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Returns the description of an image with two layers for each platform: the same system, and a program.
pub(super) fn spec() -> ImageSpec {
    let platforms = platforms().into_iter().map(|platform| {
        let machine = Machine::of_architecture(&platform.architecture);
        let layer = |name: &str, entries| LayerSpec {
            name: name.to_owned(),
            entries,
        };
        PlatformSpec {
            platform,
            run: RunConfig {
                user: Some("65532:65532".to_owned()),
                exposed_ports: Some([("8080/tcp".to_owned(), json!({}))].into()),
                env: Some(vec![
                    "HOME=/home/nonroot".to_owned(),
                    "PATH=/usr/local/bin:/usr/bin:/bin".to_owned(),
                ]),
                entrypoint: Some(vec!["/usr/bin/app".to_owned()]),
                cmd: Some(vec!["serve".to_owned()]),
                working_dir: Some("/home/nonroot".to_owned()),
                labels: Some(labels()),
                stop_signal: Some("SIGTERM".to_owned()),
                ..RunConfig::default()
            },
            layers: vec![
                layer("system", system()),
                layer("app", app(program(machine, "clean"))),
            ],
        }
    });
    ImageSpec {
        maker: MAKER.to_owned(),
        created: TIME,
        annotations: labels(),
        names: vec!["ghcr.io/some/image:1.2.3".parse().unwrap()],
        base: None,
        platforms: platforms.collect(),
    }
}

pub(super) fn clean() -> Layout {
    assemble(&spec(), &LayerCache::none()).unwrap()
}

/// Returns the clean image with `manifest.json`, as in a tar.
pub(super) fn clean_tar() -> Layout {
    let mut layout = clean();
    let image = Image::read(&layout).unwrap();
    let manifest = &image.platforms[0].manifest.as_ref().unwrap().value;
    let names = vec!["ghcr.io/some/image:1.2.3".to_owned()];
    layout.set_docker_image(&DockerImage::new(&manifest.config, &manifest.layers, names));
    layout
}

/// Changes documents or layers of a clean image, and computes its digests again.
pub(super) fn parts(change: impl Fn(&mut Parts)) -> Layout {
    let mut parts = Parts::of(&clean()).unwrap();
    change(&mut parts);
    parts.seal().unwrap()
}
