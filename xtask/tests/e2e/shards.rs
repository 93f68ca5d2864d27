//! The dist that several machines build in parts is identical to that of one machine.

use std::fs;

use serde_json::Value;

use crate::fixture::Fixture;
use crate::support::{show, succeed};

/// Returns the checksums of a dist and the digest of its image.
fn bytes(fixture: &Fixture, dist: &str) -> (String, Value) {
    let dist = fixture.root().join(dist);
    let sums = fs::read_to_string(dist.join("SHA256SUMS")).unwrap();
    let manifest = fs::read(dist.join("dist-manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let artifacts = manifest["artifacts"].as_array().unwrap();
    let mut digests = artifacts
        .iter()
        .map(|artifact| artifact["content"]["image"]["index_digest"].clone())
        .filter(Value::is_string);
    (sums, digests.next().unwrap())
}

#[test]
fn merged_shards_have_the_bytes_of_one_run() {
    let Some(one) = Fixture::new() else { return };
    let Some(many) = one.another() else { return };
    succeed(&mut one.xtask(&["--quiet", "ci-multiarch"]));
    let whole = bytes(&one, "dist");
    assert_eq!(
        whole.0.lines().count(),
        40,
        "five files of each target, deb and rpm of two, npm's noetl, sources, installers, the image, the manifest"
    );
    for count in [1, 2, 3, 6] {
        let shards = many.root().join("target/xtask/shards");
        if shards.exists() {
            fs::remove_dir_all(&shards).unwrap();
        }
        for index in 1..=count {
            let shard = format!("{index}/{count}");
            succeed(&mut many.xtask(&["--quiet", "ci-multiarch", "--shard", &shard]));
        }
        let Some(merging) = one.another() else { return };
        let shards = shards.display().to_string();
        succeed(&mut merging.xtask(&["--quiet", "ci-multiarch", "--merge", &shards]));
        assert_eq!(bytes(&merging, "dist"), whole, "{count} shards");
        let summary = fs::read_to_string(merging.root().join("target/xtask/summary/summary.md"));
        assert!(summary.unwrap().contains(whole.1.as_str().unwrap()));
    }
    // A shard is missing.
    fs::remove_dir_all(many.root().join("target/xtask/shards/1-of-6")).unwrap();
    let shards = many
        .root()
        .join("target/xtask/shards")
        .display()
        .to_string();
    let said = show(&mut one.xtask(&["--quiet", "ci-multiarch", "--merge", &shards]));
    assert!(
        said.contains("no shard has built x86_64-unknown-linux-musl"),
        "{said}"
    );
    assert!(
        said.ends_with("[exit 1]") && said.contains("help: "),
        "{said}"
    );
    assert_eq!(bytes(&one, "dist"), whole, "what was there is untouched");
}
