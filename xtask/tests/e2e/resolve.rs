//! `image resolve`: digests replace tags, and invalid manifests are errors before they are applied.

use std::fs;
use std::path::{Path, PathBuf};

use crate::explain::copy_to;
use crate::support::{Dist, engine, show, succeed, xtask};

/// Returns a server's manifest with two documents, comments and Windows line ends.
fn server(image: &str) -> String {
    let text = format!(
        "# the server\n\
         apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata: {{name: server, namespace: noetl}}\n\
         spec:\n\
         \x20 template:\n\
         \x20   spec:\n\
         \x20     nodeSelector: {{kubernetes.io/arch: arm64}}\n\
         \x20     securityContext: {{runAsNonRoot: true}}\n\
         \x20     containers:\n\
         \x20       - name: server\n\
         \x20         image: \"{image}\" # moved by the release\n\
         \x20         ports: [{{containerPort: 8082}}]\n\
         \x20         securityContext: {{readOnlyRootFilesystem: true}}\n\
         \x20         volumeMounts: [{{name: tmp, mountPath: /tmp}}, {{name: data, mountPath: /home/nonroot}}]\n\
         ---\n\
         kind: Service\n"
    );
    text.replace('\n', "\r\n")
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn resolve_adds_digests_and_changes_nothing_else() {
    let Some((tar, image)) = Dist::find().and_then(|dist| dist.image()) else {
        return;
    };
    let digest = image["index_digest"].as_str().unwrap();
    let name = "ghcr.io/noetl/noetl:1.2.3";
    let source = format!("{name}={}", tar.display());
    let work = tempfile::tempdir().unwrap();
    let file = write(work.path(), "server.yaml", &server(name));
    let expected = server(&format!("{name}@{digest}"));
    let resolve = ["image", "resolve", "--image", &source];
    assert_eq!(succeed(xtask(&resolve).arg(&file)), expected);
    assert_eq!(fs::read_to_string(&file).unwrap(), server(name));
    let other = write(work.path(), "other.yaml", "kind: ConfigMap\n");
    let both = succeed(xtask(&resolve).arg(&file).arg(&other));
    assert_eq!(both, format!("{expected}---\nkind: ConfigMap\n"));
    let printed = succeed(xtask(&resolve).arg("--in-place").arg(&file).arg(&other));
    assert_eq!(printed, "");
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
}

#[test]
fn all_problems_of_a_manifest_are_reported_together() {
    let Some((tar, _)) = Dist::find().and_then(|dist| dist.image()) else {
        return;
    };
    let name = "ghcr.io/noetl/noetl:1.2.3";
    let source = format!("{name}={}", tar.display());
    let work = tempfile::tempdir().unwrap();
    let broken = server(name)
        .replace("arm64", "s390x")
        .replace("8082", "80")
        .replace("mountPath: /tmp", "mountPath: /var/tmp")
        .replace("runAsNonRoot: true", "runAsNonRoot: true, runAsUser: 0");
    let file = write(work.path(), "server.yaml", &broken);
    let good = write(work.path(), "good.yaml", &server(name));
    let mut resolve = xtask(&["image", "resolve", "--in-place", "--image", &source]);
    let text = show(resolve.arg(&file).arg(&good));
    assert!(
        text.contains("error: 4 things that no node could run"),
        "{text}"
    );
    assert!(text.ends_with("[exit 1]"), "{text}");
    for (line, field) in [
        (
            8,
            "spec.template.spec.nodeSelector.kubernetes.io/arch: asks for nodes of s390x",
        ),
        (9, "spec.template.spec.securityContext.runAsUser: is root"),
        (
            13,
            "spec.template.spec.containers[0].ports[0].containerPort: is 80,",
        ),
        (
            14,
            "spec.template.spec.containers[0].securityContext.readOnlyRootFilesystem: ",
        ),
    ] {
        let expected = format!(
            "{}:{line}: Deployment noetl/server: {field}",
            file.display()
        );
        assert!(text.contains(&expected), "{expected} is not in\n{text}");
    }
    assert_eq!(
        fs::read_to_string(&good).unwrap(),
        server(name),
        "nothing was written"
    );
}

#[test]
fn digests_are_read_from_a_registry_and_checked() {
    let (Some(registry), Some((tar, image))) =
        (engine(), Dist::find().and_then(|dist| dist.image()))
    else {
        return;
    };
    let Some(name) = copy_to(&registry, &tar, "xtask-resolve") else {
        return;
    };
    let digest = image["index_digest"].as_str().unwrap();
    let work = tempfile::tempdir().unwrap();
    let pinned = format!("{name}@{digest}");
    for image in [&name, &pinned] {
        let file = write(work.path(), "server.yaml", &server(image));
        let text = succeed(xtask(&["image", "resolve"]).arg(&file));
        assert_eq!(text, server(&pinned));
    }
    let gone = format!("{name}@sha256:{}", "0".repeat(64));
    let file = write(work.path(), "server.yaml", &server(&gone));
    let text = show(xtask(&["image", "resolve"]).arg(&file));
    let expected = format!(
        "server.yaml:12: Deployment noetl/server: spec.template.spec.containers[0].image: cannot read {gone}"
    );
    assert!(
        text.contains(&expected) && text.ends_with("[exit 1]"),
        "{text}"
    );
    // A missing digest in a reachable registry is not the same as an unreachable registry.
    let skipping = || show(xtask(&["image", "resolve", "--skip-unreachable"]).arg(&file));
    assert!(skipping().ends_with("[exit 1]"), "{}", skipping());
    let silent = format!("127.0.0.1:1/xtask-resolve@{digest}");
    write(work.path(), "server.yaml", &server(&silent));
    let skipped = skipping();
    assert!(
        skipped.contains("warning: ") && skipped.ends_with("[exit 0]"),
        "{skipped}"
    );
}
