//! What holds for every rendering.

use serde_json::{Value, json};

use super::super::values::{self, Settled};
use super::{Object, render};
use crate::cli::k8s::ValuesArgs;

fn settled(change: impl FnOnce(&mut ValuesArgs)) -> Settled {
    let mut args = ValuesArgs {
        image: None,
        python_image: None,
        namespace: None,
        replicas: None,
        workers: None,
        database_secret: None,
        values: None,
    };
    change(&mut args);
    values::settle(&args).unwrap()
}

fn find<'a>(objects: &'a [Object], kind: &str, name: &str) -> &'a Value {
    let found = objects
        .iter()
        .find(|object| object.kind == kind && object.name == name);
    &found.unwrap_or_else(|| panic!("no {kind} {name}")).document
}

fn names(objects: &[Object], kind: &str) -> Vec<String> {
    objects
        .iter()
        .filter(|object| object.kind == kind)
        .map(|object| object.name.clone())
        .collect()
}

#[test]
fn everything_has_the_names_that_people_know() {
    let objects = render(&settled(|_| {})).unwrap();
    let expected = [
        ("Namespace", vec!["noetl"]),
        ("Deployment", vec!["noetl-server", "noetl-worker"]),
        ("Service", vec!["noetl", "noetl-ext"]),
        (
            "ConfigMap",
            vec!["noetl-server-config", "noetl-worker-config"],
        ),
        ("PersistentVolumeClaim", vec!["noetl-data"]),
        ("RoleBinding", vec!["noetl-worker-rolebinding"]),
        ("HorizontalPodAutoscaler", vec!["noetl-worker"]),
        ("PodDisruptionBudget", vec!["noetl-worker"]),
    ];
    for (kind, expected) in expected {
        assert_eq!(names(&objects, kind), expected, "{kind}");
    }
    let port = &find(&objects, "Service", "noetl-ext")["spec"]["ports"][0]["nodePort"];
    assert_eq!(port, 30082);
    // In the order in which a cluster can take them.
    assert_eq!(objects[0].kind, "Namespace");
}

#[test]
fn no_pod_may_do_more_than_it_needs() {
    let objects = render(&settled(|_| {})).unwrap();
    for name in ["noetl-server", "noetl-worker"] {
        let pod = &find(&objects, "Deployment", name)["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["enableServiceLinks"], false);
        assert_eq!(pod["securityContext"]["runAsUser"], 65532);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"],
            "RuntimeDefault"
        );
        let container = &pod["containers"][0];
        assert_eq!(
            container["securityContext"],
            json!({
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                "privileged": false, "readOnlyRootFilesystem": true,
            })
        );
        let mounts = container["volumeMounts"].as_array().unwrap();
        let paths: Vec<_> = mounts.iter().map(|mount| &mount["mountPath"]).collect();
        assert_eq!(paths, ["/opt/noetl/data", "/tmp"]);
        assert!(container["resources"]["requests"]["memory"].is_string());
        assert!(
            pod["nodeSelector"].is_null() && pod["affinity"].is_null(),
            "any node will do"
        );
    }
    let labels = &objects[0].document["metadata"]["labels"];
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
}

#[test]
fn secrets_are_named_and_never_shown() {
    let objects = render(&settled(|args| {
        args.database_secret = Some("pg/url".to_owned())
    }))
    .unwrap();
    assert!(names(&objects, "Secret").is_empty());
    let variables = |name: &str| {
        let pod = &find(&objects, "Deployment", name)["spec"]["template"]["spec"];
        let variables = pod["containers"][0]["env"].as_array().unwrap();
        variables
            .iter()
            .map(|variable| {
                let from = &variable["valueFrom"]["secretKeyRef"];
                assert!(variable["value"].is_null());
                format!("{} {} {}", variable["name"], from["name"], from["key"]).replace('"', "")
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        variables("noetl-server"),
        [
            "NOETL_API_TOKEN noetl-secret NOETL_API_TOKEN",
            "NOETL_ENCRYPTION_KEY noetl-secret NOETL_ENCRYPTION_KEY",
            "DATABASE_URL pg url"
        ]
    );
    assert_eq!(
        variables("noetl-worker"),
        ["NOETL_API_TOKEN noetl-secret NOETL_API_TOKEN"]
    );
}

#[test]
fn sqlite_has_one_server_and_postgresql_many() {
    let alone = render(&settled(|_| {})).unwrap();
    let spec = &find(&alone, "Deployment", "noetl-server")["spec"];
    assert_eq!(
        (&spec["strategy"]["type"], &spec["replicas"]),
        (&json!("Recreate"), &json!(1))
    );
    let egress = &find(&alone, "NetworkPolicy", "noetl-server")["spec"]["egress"];
    assert_eq!(egress, &json!([]), "it calls nobody");

    let many = settled(|args| {
        args.replicas = Some(3);
        args.workers = Some(8);
        args.database_secret = Some("pg".to_owned());
    });
    let many = render(&many).unwrap();
    let spec = &find(&many, "Deployment", "noetl-server")["spec"];
    assert_eq!(spec["replicas"], 3);
    assert_eq!(spec["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
    assert!(names(&many, "PersistentVolumeClaim").is_empty());
    assert_eq!(
        names(&many, "PodDisruptionBudget"),
        ["noetl-server", "noetl-worker"]
    );
    assert!(
        names(&many, "HorizontalPodAutoscaler").is_empty(),
        "8 is the most already"
    );
    assert_eq!(
        find(&many, "Deployment", "noetl-worker")["spec"]["replicas"],
        8
    );
}

#[test]
fn other_settings_are_another_pod() {
    let annotation = |settled: &Settled| {
        let objects = render(settled).unwrap();
        let template = &find(&objects, "Deployment", "noetl-server")["spec"]["template"];
        template["metadata"]["annotations"]["noetl.io/config-sha256"].clone()
    };
    let plain = settled(|_| {});
    let mut debug = plain.clone();
    let variable = ("NOETL_DEBUG".to_owned(), "true".to_owned());
    debug.values.server.env.extend([variable]);
    assert_ne!(annotation(&plain), annotation(&debug));
    assert_eq!(annotation(&plain), annotation(&plain.clone()));
}

#[test]
fn a_server_without_a_node_port_answers_its_namespace_alone() {
    let mut settled = settled(|_| {});
    settled.values.node_port = None;
    let objects = render(&settled).unwrap();
    assert_eq!(names(&objects, "Service"), ["noetl"]);
    let ingress = &find(&objects, "NetworkPolicy", "noetl-server")["spec"]["ingress"][0];
    assert_eq!(ingress["from"], json!([{"podSelector": {}}]));
}
