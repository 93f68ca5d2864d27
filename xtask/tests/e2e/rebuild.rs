//! `image check --rebuild`: the same digest from a clone of the commit, and a finding for a different digest.

use serde_json::Value;

use crate::assembly::Binaries;
use crate::support::{show, succeed, xtask};

#[test]
fn an_image_is_rebuilt_from_a_clone_and_compared() {
    let Some(binaries) = Binaries::find() else {
        return;
    };
    let target = binaries.folder.path().join("target");
    let made = succeed(&mut binaries.xtask(&["--quiet", "image", "--json"], &target));
    let made: Value = serde_json::from_str(&made).unwrap();
    let (tar, digest) = (
        made["tar"].as_str().unwrap(),
        made["index_digest"].as_str().unwrap(),
    );
    let epoch = binaries.dist.manifest["release"]["commit_time"].to_string();
    let check = |expected: &str, recipe: &[String]| {
        let words = [
            "--quiet",
            "image",
            "check",
            tar,
            "--rule",
            "X1",
            "--rule",
            "X2",
            "--rebuild",
        ];
        let mut command = xtask(&[&words[..], &["--expect-digest", expected, "--"]].concat());
        command.args(recipe).env("CARGO_TARGET_DIR", &target);
        show(command.env("SOURCE_DATE_EPOCH", &epoch))
    };
    let same = check(digest, &binaries.flags);
    assert!(
        same.contains("no rule is broken") && same.ends_with("[exit 0]"),
        "{same}"
    );
    let half = check(digest, &binaries.flags[..2]);
    assert!(
        half.contains("error X1") && half.ends_with("[exit 1]"),
        "{half}"
    );
    let elsewhere = check("sha256:0", &binaries.flags);
    assert!(
        elsewhere.contains("error X2") && !elsewhere.contains("error X1"),
        "{elsewhere}"
    );
}
