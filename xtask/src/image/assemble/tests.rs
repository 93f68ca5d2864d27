//! The image alone and on a base: one digest for any number of threads, and what is left of a base's config.

use noetl_oci::{KnownLayers, MAKER, Platform, RunConfig};
use serde_json::json;

use super::*;
use crate::fixtures;
use crate::image::rules::ImageStandard;
use crate::release::target::{TARGETS, platforms};

/// A base as others make them, for these platforms.
fn base(platforms: &[Platform]) -> Layout {
    let entries = vec![
        Entry::folder("etc", 0o755),
        Entry::file("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/bash\n"),
        Entry::file("etc/group", 0o644, "root:x:0:\n"),
        Entry::folder("tmp", 0o1777),
    ];
    let words = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect());
    let title = (
        "org.opencontainers.image.title".to_owned(),
        "base".to_owned(),
    );
    let other = json!({"Volumes": {"/data": {}}, "Healthcheck": {"Test": ["CMD", "true"]}});
    let run = RunConfig {
        env: words(&["LANG=C.UTF-8", "PATH=/opt/base/bin:/usr/bin", "HOME=/root"]),
        cmd: words(&["bash"]),
        labels: Some([title].into()),
        other: serde_json::from_value(other).unwrap(),
        ..RunConfig::default()
    };
    let layer = LayerSpec {
        name: "system".to_owned(),
        entries,
    };
    let image = |platform: &Platform| PlatformSpec {
        platform: platform.clone(),
        run: run.clone(),
        layers: vec![layer.clone()],
    };
    let spec = ImageSpec {
        maker: MAKER.to_owned(),
        created: 3,
        annotations: [].into(),
        names: vec!["ghcr.io/some/base:1".parse().unwrap()],
        base: None,
        platforms: platforms.iter().map(image).collect(),
    };
    noetl_oci::assemble(&spec, &LayerCache::none()).unwrap()
}

fn on_base() -> Foundation {
    let known = KnownLayers::default();
    let base = Base::read(&base(&platforms()), &platforms(), &known).unwrap();
    Foundation {
        base: Some(base),
        packages: Vec::new(),
    }
}

fn made(foundation: Foundation, layers: &LayerCache) -> Layout {
    let program = |platform: &_| {
        let target = TARGETS
            .iter()
            .find(|it| it.platform().as_ref() == Some(platform));
        let elf = fixtures::elf(target.unwrap().arch, &fixtures::stamp(target.unwrap()));
        // More than one block, so that several threads have something to do.
        Blob::from([elf, vec![7; 3 << 20]].concat())
    };
    let plan = fixtures::image_plan();
    let programs = platforms().iter().map(program).collect();
    assemble_programs(&plan, programs, foundation, layers).unwrap()
}

fn digest(foundation: Foundation, layers: &LayerCache) -> String {
    let image = Image::read(&made(foundation, layers)).unwrap();
    image.root().unwrap().digest.clone()
}

#[test]
fn threads_and_cache_decide_nothing() {
    let state = tempfile::tempdir().unwrap();
    let kept = LayerCache::at(camino::Utf8Path::from_path(state.path()).unwrap());
    for foundation in [Foundation::default, on_base] {
        let one = digest(foundation(), &LayerCache::none().threads(1));
        for threads in [2, 8] {
            let layers = LayerCache::none().threads(threads);
            assert_eq!(digest(foundation(), &layers), one, "{threads}");
        }
        assert_eq!(digest(foundation(), &kept), one, "made for the cache");
        assert_eq!(digest(foundation(), &kept), one, "taken from the cache");
    }
    assert_ne!(
        digest(Foundation::default(), &kept),
        digest(on_base(), &kept)
    );
}

#[test]
fn of_a_base_the_variables_stay_and_nothing_else_of_its_config() {
    let layout = made(on_base(), &LayerCache::none());
    let standard = ImageStandard::without_project(&platforms());
    let findings = standard
        .rules()
        .check(&layout, &KnownLayers::default())
        .unwrap();
    assert_eq!(findings.errors(), 0, "{:?}", findings.lines());
    let image = Image::read(&layout).unwrap();
    assert_eq!(image.platforms.len(), 2);
    for platform in &image.platforms {
        let run = platform.run().unwrap().clone();
        assert_eq!(
            run.env.unwrap(),
            [
                "LANG=C.UTF-8",
                "PATH=/opt/base/bin:/usr/bin:/usr/local/bin:/bin",
                "HOME=/home/nonroot",
                "NOETL_HOST=0.0.0.0",
                "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"
            ]
        );
        assert_eq!(
            run.labels.unwrap()["org.opencontainers.image.title"],
            "noetl"
        );
        assert_eq!(run.cmd.unwrap(), ["server", "start"]);
        assert!(run.other.is_empty(), "{:?}", run.other);
    }
}

#[test]
fn a_base_that_lacks_a_platform_is_refused_with_those_it_has() {
    let (all, known) = (platforms(), KnownLayers::default());
    let error = Base::read(&base(&all[..1]), &all, &known).unwrap_err();
    let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
    assert!(
        causes.contains(&"it has no image for linux/arm64; it has linux/amd64".to_owned()),
        "{causes:?}"
    );
    assert!(Base::read(&base(&all[..1]), &all[..1], &known).is_ok());
}
