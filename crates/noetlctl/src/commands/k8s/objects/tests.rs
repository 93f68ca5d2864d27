//! Properties of the rendered objects.

use serde_json::{Value, json};

use super::super::values::schema::Values;
use super::super::values::{self, CheckedValues};
use super::{Object, render};
use crate::cli::k8s::ValuesArgs;

fn values(change: impl FnOnce(&mut ValuesArgs)) -> CheckedValues {
    let mut args = ValuesArgs {
        image: None,
        python_image: None,
        namespace: None,
        replicas: None,
        workers: None,
        database_secret: None,
        node_port: None,
        values: None,
    };
    change(&mut args);
    values::read(&args).unwrap()
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
fn objects_keep_the_names_of_earlier_versions() {
    let objects = render(&values(|_| {})).unwrap();
    let expected = [
        ("Namespace", vec!["noetl"]),
        ("Deployment", vec!["noetl-server", "noetl-worker"]),
        ("Service", vec!["noetl"]),
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
    let with_port = render(&values(|values| values.node_port = Some(30082))).unwrap();
    let port = &find(&with_port, "Service", "noetl-ext")["spec"]["ports"][0]["nodePort"];
    assert_eq!(port, 30082);
    // The namespace comes before what is in it.
    assert_eq!(objects[0].kind, "Namespace");
}

#[test]
fn pods_take_what_clusters_need() {
    let objects = render(&values(|_| {})).unwrap();
    let pod = |objects: &[Object], name: &str| {
        find(objects, "Deployment", name)["spec"]["template"].clone()
    };
    let arm = json!([{"effect": "NoSchedule", "key": "kubernetes.io/arch", "operator": "Equal", "value": "arm64"}]);
    for name in ["noetl-server", "noetl-worker"] {
        assert_eq!(pod(&objects, name)["spec"]["tolerations"], arm, "{name}");
    }
    let set = |values: &mut Values| {
        values.tolerations.clear();
        values.priority_class_name = Some("high".to_owned());
        values.labels.insert("team".to_owned(), "data".to_owned());
        values
            .annotations
            .insert("example.org/a".to_owned(), "b".to_owned());
        let object = |value: Value| value.as_object().unwrap().clone();
        values.affinity = object(json!({"nodeAffinity": {}}));
        values.security_context =
            object(json!({"runAsUser": null, "fsGroup": null, "readOnlyRootFilesystem": false}));
        values.pod_security_context =
            object(json!({"runAsGroup": null, "supplementalGroups": [7]}));
    };
    let mut changed = values(|_| {});
    set(&mut changed.values);
    let objects = render(&changed).unwrap();
    for name in ["noetl-server", "noetl-worker"] {
        let template = pod(&objects, name);
        let (metadata, spec) = (&template["metadata"], &template["spec"]);
        assert!(spec.get("tolerations").is_none());
        assert_eq!(spec["priorityClassName"], "high");
        assert_eq!(spec["affinity"], json!({"nodeAffinity": {}}));
        assert_eq!(
            (&metadata["labels"]["team"], &metadata["labels"]["app"]),
            (&json!("data"), &json!(name))
        );
        assert_eq!(metadata["annotations"]["example.org/a"], "b");
        let context = &spec["securityContext"];
        for removed in ["runAsUser", "runAsGroup", "fsGroup"] {
            assert!(context.get(removed).is_none(), "{removed}");
        }
        assert_eq!(
            (&context["runAsNonRoot"], &context["supplementalGroups"]),
            (&json!(true), &json!([7]))
        );
        let context = &spec["containers"][0]["securityContext"];
        assert_eq!(context["readOnlyRootFilesystem"], false);
        assert_eq!(context["allowPrivilegeEscalation"], false);
    }
}

#[test]
fn pods_have_restricted_rights() {
    let objects = render(&values(|_| {})).unwrap();
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
            "pods run on any node"
        );
    }
    let labels = &objects[0].document["metadata"]["labels"];
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
}

#[test]
fn manifests_refer_to_secrets_without_their_values() {
    let objects = render(&values(|args| {
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
fn sqlite_allows_one_server_and_postgresql_several() {
    let alone = render(&values(|_| {})).unwrap();
    let spec = &find(&alone, "Deployment", "noetl-server")["spec"];
    assert_eq!(
        (&spec["strategy"]["type"], &spec["replicas"]),
        (&json!("Recreate"), &json!(1))
    );
    let egress = &find(&alone, "NetworkPolicy", "noetl-server")["spec"]["egress"];
    assert_eq!(egress, &json!([]), "the server connects to nothing");

    let many = values(|args| {
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
        "8 is already the maximum"
    );
    assert_eq!(
        find(&many, "Deployment", "noetl-worker")["spec"]["replicas"],
        8
    );
}

#[test]
fn changed_settings_change_the_pod_template() {
    let annotation = |values: &CheckedValues| {
        let objects = render(values).unwrap();
        let template = &find(&objects, "Deployment", "noetl-server")["spec"]["template"];
        template["metadata"]["annotations"]["noetl.io/config-sha256"].clone()
    };
    let plain = values(|_| {});
    let mut debug = plain.clone();
    let variable = ("NOETL_DEBUG".to_owned(), "true".to_owned());
    debug.values.server.env.extend([variable]);
    assert_ne!(annotation(&plain), annotation(&debug));
    assert_eq!(annotation(&plain), annotation(&plain.clone()));
}

#[test]
fn a_server_without_a_node_port_accepts_its_namespace_alone() {
    let mut values = values(|_| {});
    values.values.node_port = None;
    let objects = render(&values).unwrap();
    assert_eq!(names(&objects, "Service"), ["noetl"]);
    let ingress = &find(&objects, "NetworkPolicy", "noetl-server")["spec"]["ingress"][0];
    assert_eq!(ingress["from"], json!([{"podSelector": {}}]));
}
