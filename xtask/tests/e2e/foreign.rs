//! Images built by other tools, and the rules that they break: group `engine`.

use std::fs;
use std::path::Path;

use crate::rules::broken;
use crate::support::{Dist, command, engine, succeed, tool};

/// An image like that of upstream's Dockerfile: root as user, a relative entry point, no system files.
const UPSTREAM: &str = "FROM scratch\n\
                        ARG TARGETARCH\n\
                        WORKDIR /app\n\
                        COPY noetl-${TARGETARCH} noetl-control-plane\n\
                        EXPOSE 8082\n\
                        ENTRYPOINT [\"./noetl-control-plane\"]\n";

/// The rules that it always breaks.
const OF_UPSTREAM: &[&str] = &["C1", "C6", "F2", "F3", "F4", "F5", "P9"];

/// Returns the registry, and a folder with a program for each platform.
fn prepared() -> Option<(String, tempfile::TempDir)> {
    let (Some(registry), Some(dist)) = (engine(), Dist::find()) else {
        return None;
    };
    tool("docker")?;
    let folder = tempfile::tempdir().unwrap();
    for (triple, arch) in [("x86_64", "amd64"), ("aarch64", "arm64")] {
        let archive = dist.archive(&format!("{triple}-unknown-linux-musl"))?;
        let program = archive.unpack(folder.path())?;
        fs::rename(program, folder.path().join(format!("noetl-{arch}"))).unwrap();
    }
    Some((registry, folder))
}

/// Builds with buildx; the time is fixed, since platforms with different times break a rule too.
fn buildx(context: &Path, dockerfile: &str, platforms: &str, name: &str, more: &[&str]) -> String {
    fs::write(context.join("Dockerfile"), dockerfile).unwrap();
    let mut docker = command("docker");
    docker.args(["buildx", "build", "--quiet", "--network", "host"]);
    docker.args(["--build-arg", "SOURCE_DATE_EPOCH=1767225600"]);
    docker.args(["--platform", platforms, "--tag", name]);
    succeed(docker.args(more).arg(context))
}

/// Returns the rules of OF_UPSTREAM and `more`, sorted.
fn with_upstream(more: &[&str]) -> Vec<String> {
    let mut rules: Vec<_> = OF_UPSTREAM
        .iter()
        .chain(more)
        .map(ToString::to_string)
        .collect();
    rules.sort_unstable();
    rules
}

#[test]
fn provenance_among_the_images_is_found() {
    let Some((_, context)) = prepared() else {
        return;
    };
    let tar = context.path().join("image.tar");
    let output = format!("type=oci,dest={}", tar.display());
    let more = ["--provenance", "mode=min", "--output", &output];
    let both = "linux/amd64,linux/arm64";
    buildx(context.path(), UPSTREAM, both, "example.com/noetl:1", &more);
    assert_eq!(
        broken(tar.to_str().unwrap(), &[]),
        with_upstream(&["C7", "P1"])
    );
}

#[test]
fn a_single_platform_and_a_program_for_another_are_found() {
    let Some((_, context)) = prepared() else {
        return;
    };
    let tar = context.path().join("image.tar");
    let output = format!("type=oci,dest={}", tar.display());
    let more = ["--provenance", "false", "--output", &output];
    buildx(
        context.path(),
        UPSTREAM,
        "linux/amd64",
        "example.com/noetl:1",
        &more,
    );
    let single = tar.to_str().unwrap();
    assert_eq!(broken(single, &[]), with_upstream(&["P1"]));
    // P1 remains because there is no index, even if one platform is enough.
    let only = ["--platforms", "linux/amd64", "--rule", "P1", "--rule", "P6"];
    assert_eq!(broken(single, &only), ["P1"]);

    let wrong = UPSTREAM.replace("${TARGETARCH}", "amd64");
    let both = "linux/amd64,linux/arm64";
    buildx(context.path(), &wrong, both, "example.com/noetl:1", &more);
    assert_eq!(
        broken(tar.to_str().unwrap(), &[]),
        with_upstream(&["C7", "P6"])
    );
}

/// One tag per platform, each with its provenance, and an index of both, as in upstream's release.yml.
#[test]
fn an_index_made_of_two_tags_brings_their_provenance() {
    let Some((registry, context)) = prepared() else {
        return;
    };
    let name = |tag: &str| format!("{registry}/foreign-{}/noetl:{tag}", std::process::id());
    let tags = ["amd64", "arm64"].map(|arch| {
        let tag = name(&format!("1-{arch}"));
        let more = ["--provenance", "mode=min", "--push"];
        buildx(
            context.path(),
            UPSTREAM,
            &format!("linux/{arch}"),
            &tag,
            &more,
        );
        tag
    });
    let create = ["buildx", "imagetools", "create", "--tag"];
    succeed(command("docker").args(create).arg(name("1")).args(&tags));
    let served = ["C7", "P1", "R5", "R10"];
    assert_eq!(broken(&name("1"), &[]), with_upstream(&served));
}

/// Differences in the encoding of another tool are reported as infos only.
#[test]
fn a_good_image_by_another_tool_passes() {
    let Some((registry, context)) = prepared() else {
        return;
    };
    let Some((tar, _)) = Dist::find().and_then(|dist| dist.image()) else {
        return;
    };
    let Some(mut skopeo) = tool("skopeo") else {
        return;
    };
    let name = |tag: &str| format!("{registry}/foreign-{}/good:{tag}", std::process::id());
    let from = format!("oci-archive:{}", tar.display());
    let copy = ["copy", "--quiet", "--all", "--dest-tls-verify=false"];
    succeed(
        skopeo
            .args(copy)
            .arg(from)
            .arg(format!("docker://{}", name("base"))),
    );
    let dockerfile = format!("FROM {}\nCOPY Dockerfile /etc/Dockerfile\n", name("base"));
    let set = |key: &str, value: &str| format!("index:org.opencontainers.image.{key}={value}");
    let annotations = [
        set("source", "https://github.com/noetl/noetl"),
        set("licenses", "MIT"),
        set("description", DESCRIPTION),
    ];
    let mut more = vec!["--provenance", "false", "--push"];
    more.extend(
        annotations
            .iter()
            .flat_map(|it| ["--annotation", it.as_str()]),
    );
    buildx(
        context.path(),
        &dockerfile,
        "linux/amd64,linux/arm64",
        &name("1"),
        &more,
    );
    let found = broken(&name("1"), &[]);
    // An image of a tree with uncommitted changes breaks C6.
    assert!(found.is_empty() || found == ["C6"], "{found:?}");
}

const DESCRIPTION: &str =
    "Workflow automation from YAML playbooks: server, web page and command line in one binary";
