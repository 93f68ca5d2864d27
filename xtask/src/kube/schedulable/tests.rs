//! Each refusal with a manifest that trips it and one, a word away, that does not.

use super::*;
use crate::kube::workload::workloads;
use noetl_yaml::parse;

fn facts(architectures: &[&str], user: &str, is_noetl: bool) -> ImageFacts {
    let platform = |architecture: &&str| PlatformFacts {
        architecture: (*architecture).to_owned(),
        user: user.to_owned(),
        ports: vec![8082],
        env: BTreeMap::from([("HOME".to_owned(), "/home/nonroot".to_owned())]),
        is_noetl,
    };
    ImageFacts {
        digest: format!("sha256:{}", "0".repeat(64)),
        platforms: architectures.iter().map(platform).collect(),
    }
}

/// Findings on a pod whose one container is `container`, as `field: message`.
fn judged(pod: &str, container: &str, image: &ImageFacts) -> Vec<String> {
    let text = format!(
        "kind: Pod\nmetadata: {{name: p}}\nspec: {{{pod} containers: [{{image: i:1, {container}}}]}}\n"
    );
    let images = BTreeMap::from([("i:1".to_owned(), image.clone())]);
    let found = check(&workloads("f.yaml", &parse(&text).unwrap()), &images);
    assert!(
        found.iter().all(|finding| finding.object == "Pod p"
            && finding.file == "f.yaml"
            && finding.line == 3)
    );
    found
        .into_iter()
        .map(|finding| format!("{}: {}", finding.field, finding.message))
        .collect()
}

fn affinity(kind: &str, operator: &str, values: &str) -> String {
    let expressions = format!(
        "{{matchExpressions: [{{key: kubernetes.io/arch, operator: {operator}, values: [{values}]}}]}}"
    );
    let terms = match kind {
        "required" => format!(
            "requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: [{expressions}]}}"
        ),
        _ => format!(
            "preferredDuringSchedulingIgnoredDuringExecution: [{{weight: 1, preference: {expressions}}}]"
        ),
    };
    format!("affinity: {{nodeAffinity: {{{terms}}}}},")
}

#[test]
fn an_architecture_that_the_image_lacks_is_refused() {
    let (both, one) = (
        facts(&["amd64", "arm64"], "65532", true),
        facts(&["amd64"], "65532", true),
    );
    for label in ARCH_LABELS {
        let pod = format!("nodeSelector: {{{label}: arm64}},");
        assert!(judged(&pod, "", &both).is_empty());
        assert_eq!(
            judged(&pod, "", &one),
            [format!(
                "spec.nodeSelector.{label}: asks for nodes of arm64, and i:1 is for amd64 alone"
            )]
        );
    }
    for kind in ["required", "preferred"] {
        let named = affinity(kind, "In", "amd64, arm64");
        assert!(judged(&named, "", &both).is_empty());
        assert_eq!(judged(&named, "", &one).len(), 1, "{kind}");
    }
    let excluded = affinity("required", "NotIn", "amd64, s390x");
    assert!(judged(&excluded, "", &both).is_empty());
    assert_eq!(judged(&excluded, "", &one).len(), 1);
    let other = "nodeSelector: {disk: ssd, kubernetes.io/os: linux},";
    assert!(judged(other, "", &one).is_empty());
}

#[test]
fn a_port_on_which_the_image_does_not_listen_is_refused() {
    let image = facts(&["amd64"], "65532", true);
    let port = |number: u16, more: &str| {
        judged(
            "",
            &format!("ports: [{{containerPort: {number}}}], {more}"),
            &image,
        )
    };
    assert!(port(8082, "").is_empty());
    assert_eq!(
        port(8080, ""),
        ["spec.containers[0].ports[0].containerPort: is 8080, and i:1 listens on 8082"]
    );
    let variable = "env: [{name: NOETL_PORT, value: \"9000\"}]";
    assert!(port(9000, variable).is_empty());
    assert_eq!(port(8082, variable).len(), 1);
    assert!(port(9000, "args: [server, start, --port, \"9000\"]").is_empty());
    assert!(port(9000, "args: [server, start, --port=9000]").is_empty());
    assert_eq!(port(8082, "args: [server, start, --port=9000]").len(), 1);
    // What cannot be known is not judged.
    for unknown in [
        "env: [{name: NOETL_PORT, valueFrom: {configMapKeyRef: {name: a, key: b}}}]",
        "envFrom: [{configMapRef: {name: a}}]",
        "command: [/bin/sh, -c, x]",
    ] {
        assert!(port(8080, unknown).is_empty(), "{unknown}");
    }
    let udp = "ports: [{containerPort: 8125, protocol: UDP}]";
    assert!(judged("", udp, &image).is_empty());
    let foreign = facts(&["amd64"], "65532", false);
    assert!(judged("", "ports: [{containerPort: 1}]", &foreign).is_empty());
}

#[test]
fn a_read_only_container_needs_places_to_write() {
    let image = facts(&["amd64"], "65532", true);
    let with = |mounts: &str, more: &str| {
        let container = format!(
            "securityContext: {{readOnlyRootFilesystem: true}}, volumeMounts: [{mounts}], {more}"
        );
        judged("", &container, &image).len()
    };
    let tmp = "{name: t, mountPath: /tmp}";
    assert_eq!(with("", ""), 2);
    assert_eq!(with(tmp, ""), 1);
    assert_eq!(
        with(
            &format!("{tmp}, {{name: h, mountPath: /home/nonroot/}}"),
            ""
        ),
        0
    );
    assert_eq!(
        with(&format!("{tmp}, {{name: h, mountPath: /home}}"), ""),
        0
    );
    assert_eq!(
        with(&format!("{tmp}, {{name: h, mountPath: /home/non}}"), ""),
        1
    );
    let read_only = "{name: h, mountPath: /home, readOnly: true}";
    assert_eq!(with(&format!("{tmp}, {read_only}"), ""), 1);
    let data = "env: [{name: NOETL_DATA_DIR, value: /data}]";
    assert_eq!(
        with(&format!("{tmp}, {{name: d, mountPath: /data}}"), data),
        0
    );
    assert_eq!(
        with(&format!("{tmp}, {{name: h, mountPath: /home}}"), data),
        1
    );
    let foreign = facts(&["amd64"], "65532", false);
    let read_only = "securityContext: {readOnlyRootFilesystem: true}";
    assert!(judged("", read_only, &foreign).is_empty());
}
