//! For each finding, a manifest with it and a similar one without it.

use super::*;
use crate::kube::fixtures::{images, lines, pod};

/// Returns the findings on a pod with one container, as `field: message`.
fn findings(fields: &str, container: &str, images: &BTreeMap<String, ImageFacts>) -> Vec<String> {
    let workloads = pod(&format!(
        "{fields} containers: [{{image: i:1, {container}}}]"
    ));
    let found = check(&workloads, images, &[]);
    for finding in &found {
        let (file, object) = (&*finding.file, &*finding.object);
        assert_eq!((file, finding.line, object), ("f.yaml", 3, "Pod p"));
    }
    lines(&found)
}

/// Returns an image for amd64 that is not NoETL's.
fn foreign() -> BTreeMap<String, ImageFacts> {
    let mut images = images(&["amd64"], "65532");
    images.get_mut("i:1").unwrap().platforms[0].is_noetl = false;
    images
}

#[test]
fn architecture_that_the_image_is_not_for_is_refused() {
    let both = images(&["amd64", "arm64"], "65532");
    let one = images(&["amd64"], "65532");
    for label in ARCH_LABELS {
        let selector = format!("nodeSelector: {{{label}: arm64}},");
        assert_eq!(findings(&selector, "", &both), [""; 0]);
        let message = "asks for nodes of arm64, and i:1 is only for amd64";
        let finding = format!("spec.nodeSelector.{label}: {message}");
        assert_eq!(findings(&selector, "", &one), [finding]);
    }
    const IN: &str = "operator: In, values: [amd64, arm64]";
    const NOT_IN: &str = "operator: NotIn, values: [amd64, s390x]";
    let required = "required*: {nodeSelectorTerms: [TERM]}";
    let preferred = "preferred*: [{weight: 1, preference: TERM}]";
    for (affinity, expression) in [(required, IN), (preferred, IN), (required, NOT_IN)] {
        let term = format!("{{matchExpressions: [{{key: kubernetes.io/arch, {expression}}}]}}");
        let affinity = affinity.replace("TERM", &term);
        let affinity = affinity.replace('*', "DuringSchedulingIgnoredDuringExecution");
        let affinity = format!("affinity: {{nodeAffinity: {{{affinity}}}}},");
        assert_eq!(findings(&affinity, "", &both), [""; 0], "{affinity}");
        assert_eq!(findings(&affinity, "", &one).len(), 1, "{affinity}");
    }
    let other = "nodeSelector: {disk: ssd, kubernetes.io/os: linux},";
    assert_eq!(findings(other, "", &one), [""; 0]);
}

#[test]
fn port_on_which_the_image_does_not_listen_is_refused() {
    let image = images(&["amd64"], "65532");
    let port = |number: u16, more: &str| {
        let container = format!("ports: [{{containerPort: {number}}}], {more}");
        findings("", &container, &image)
    };
    assert_eq!(port(8082, ""), [""; 0]);
    let finding = "spec.containers[0].ports[0].containerPort: is 8080, and i:1 listens on 8082";
    assert_eq!(port(8080, ""), [finding]);
    for setting in [
        "env: [{name: NOETL_PORT, value: \"9000\"}]",
        "args: [server, start, --port, \"9000\"]",
        "args: [server, start, --port=9000]",
    ] {
        assert_eq!(port(9000, setting), [""; 0], "{setting}");
        assert_eq!(port(8082, setting).len(), 1, "{setting}");
    }
    for unknown in [
        "env: [{name: NOETL_PORT, valueFrom: {configMapKeyRef: {name: a, key: b}}}]",
        "envFrom: [{configMapRef: {name: a}}]",
        "command: [/bin/sh, -c, x]",
    ] {
        assert_eq!(port(8080, unknown), [""; 0], "{unknown}");
    }
    let udp = "ports: [{containerPort: 8125, protocol: UDP}]";
    assert_eq!(findings("", udp, &image), [""; 0]);
    let any = "ports: [{containerPort: 1}]";
    assert_eq!(findings("", any, &foreign()), [""; 0]);
}

#[test]
fn variables_of_config_maps_in_the_same_files_are_known() {
    let map = "kind: ConfigMap\nmetadata: {name: here}\ndata: {NOETL_PORT: '9000'}\n";
    let documents = noetl_yaml::parse(map).unwrap();
    let image = images(&["amd64"], "65532");
    let here = "{configMapRef: {name: here}}";
    let elsewhere = "{configMapRef: {name: elsewhere}}";
    let own = "env: [{name: NOETL_PORT, value: '8082'}]";
    for (from, env, port, count) in [
        (here, "", 9000, 0),
        (here, "", 8082, 1),
        (here, own, 8082, 0),
        (elsewhere, "", 8082, 0),
        (&format!("{elsewhere}, {here}"), "", 8082, 1),
        ("{prefix: X_, configMapRef: {name: here}}", "", 8082, 0),
    ] {
        let container = format!("ports: [{{containerPort: {port}}}], envFrom: [{from}], {env}");
        let workloads = pod(&format!("containers: [{{image: i:1, {container}}}]"));
        let found = check(&workloads, &image, &documents);
        assert_eq!(found.len(), count, "{container}");
    }
}

#[test]
fn read_only_container_needs_volumes_to_write_to() {
    let image = images(&["amd64"], "65532");
    let read_only = "securityContext: {readOnlyRootFilesystem: true}";
    let data = "env: [{name: NOETL_DATA_DIR, value: /data}]";
    let mounts: [(&[&str], _, _); 8] = [
        (&[], "", 2),
        (&["/tmp"], "", 1),
        (&["/tmp", "/home/nonroot/"], "", 0),
        (&["/tmp", "/home"], "", 0),
        (&["/tmp", "/home/non"], "", 1),
        (&["/tmp", "/home, readOnly: true"], "", 1),
        (&["/tmp", "/data"], data, 0),
        (&["/tmp", "/home"], data, 1),
    ];
    for (paths, env, count) in mounts {
        let mount = |path: &&str| format!("{{name: v, mountPath: {path}}}, ");
        let mounts: String = paths.iter().map(mount).collect();
        let container = format!("{read_only}, volumeMounts: [{mounts}], {env}");
        assert_eq!(findings("", &container, &image).len(), count, "{container}");
    }
    assert_eq!(findings("", read_only, &foreign()), [""; 0]);
}
