//! `image inspect` and `image diff`: the lines of docker's imagetools, and all differences with their place.

use std::path::Path;

use serde_json::Value;

use crate::support::{Dist, command, engine, show, succeed, tool, xtask};

/// Copies the dist's image into the registry with all platforms and unchanged digests. Returns its name there.
pub(crate) fn copy_to(registry: &str, tar: &Path, name: &str) -> Option<String> {
    let mut skopeo = tool("skopeo")?;
    let name = format!("{registry}/{name}:{}", std::process::id());
    let copy = ["copy", "--quiet", "--all", "--dest-tls-verify=false"];
    succeed(
        skopeo
            .args(copy)
            .arg(format!("oci-archive:{}", tar.display()))
            .arg(format!("docker://{name}")),
    );
    Some(name)
}

#[test]
fn inspect_agrees_with_dist_manifest() {
    let Some((tar, image)) = Dist::find().and_then(|dist| dist.image()) else {
        return;
    };
    let text = succeed(xtask(&["image", "inspect"]).arg(&tar));
    assert!(text.contains("\nBuilds:    equal\n"), "{text}");
    let json = succeed(xtask(&["image", "inspect", "--json"]).arg(&tar));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["digest"], image["index_digest"]);
    let platforms = |list: &Value| -> Vec<Value> {
        let children = list.as_array().unwrap().iter();
        children.map(|child| child["platform"].clone()).collect()
    };
    assert_eq!(
        platforms(&json["manifests"]),
        platforms(&image["platforms"])
    );
    for child in json["manifests"].as_array().unwrap() {
        assert_eq!(child["stamp"]["name"], "noetl");
        assert!(child["size"].as_u64() < json["total_size"].as_u64());
    }
}

#[test]
fn inspect_prints_every_line_that_imagetools_prints() {
    let (Some(registry), Some((tar, _))) = (engine(), Dist::find().and_then(|dist| dist.image()))
    else {
        return;
    };
    let (Some(name), Some(mut docker)) =
        (copy_to(&registry, &tar, "xtask-inspect"), tool("docker"))
    else {
        return;
    };
    let theirs = succeed(docker.args(["buildx", "imagetools", "inspect", &name]));
    let ours = succeed(&mut xtask(&["image", "inspect", &name]));
    let mut lines = ours.lines().map(str::trim_end);
    let mut found = 0;
    for line in theirs
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.trim().is_empty())
    {
        assert!(lines.any(|own| own == line), "{line} is not in\n{ours}");
        found += 1;
    }
    assert_eq!(found, 3 + 1 + 2 * 3, "{theirs}");
}

#[test]
fn platforms_of_the_dist_differ_in_architecture_and_program_only() {
    let Some((tar, _)) = Dist::find().and_then(|dist| dist.image()) else {
        return;
    };
    let text = show(xtask(&["image", "diff", "--arches"]).arg(tar));
    let end = "platforms differ in architecture and program only\n[exit 0]";
    assert!(text.ends_with(end), "{text}");
    for place in [
        "config architecture: ",
        "usr/bin/noetl .text: ",
        "stamp.target: ",
    ] {
        assert!(text.contains(place), "{place} is not in\n{text}");
    }
}

#[test]
fn diff_finds_a_missing_platform_and_no_difference_to_a_registry() {
    let (Some(registry), Some((tar, _))) = (engine(), Dist::find().and_then(|dist| dist.image()))
    else {
        return;
    };
    let Some(name) = copy_to(&registry, &tar, "xtask-diff") else {
        return;
    };
    let same = show(xtask(&["image", "diff", &name]).arg(&tar));
    assert_eq!(same, "[exit 0]");
    let work = tempfile::tempdir().unwrap();
    let half = work.path().join("half");
    let from = format!("docker://{name}");
    let single = [
        "copy",
        "--quiet",
        "--src-tls-verify=false",
        "--override-arch",
        "arm64",
    ];
    succeed(
        command("skopeo")
            .args(single)
            .arg(from)
            .arg(format!("oci:{}:x", half.display())),
    );
    let text = show(xtask(&["image", "diff", "--json"]).arg(&tar).arg(&half));
    assert!(text.ends_with("[exit 1]"), "{text}");
    let end = text.find("\n}").unwrap() + 2;
    let report: Value = serde_json::from_str(&text[..end]).unwrap();
    let gone = |change: &Value| change["field"] == "linux/amd64" && change["after"].is_null();
    let changes = report["changes"].as_array().unwrap();
    assert!(changes.iter().any(gone), "{text}");
    assert!(
        changes.iter().any(|change| change["field"] == "mediaType"),
        "{text}"
    );
}
