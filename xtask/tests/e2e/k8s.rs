//! `cargo xtask k8s check` and `deploy`: manifests that a cluster would reject are errors before anything is applied.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::standin::Cluster;
use crate::support::{Dist, show, succeed, tool, variable, xtask};

/// A `noetl`, an image and a fake cluster, in a folder that is deleted when dropped.
struct Stage {
    folder: TempDir,
    noetl: PathBuf,
    image: PathBuf,
    cluster: Cluster,
}

impl Stage {
    fn new(architectures: &[&str]) -> Option<Self> {
        let dist = Dist::find()?;
        tool("kubectl")?;
        let (image, _) = dist.image()?;
        let folder = tempfile::tempdir().unwrap();
        let archive = dist.archive(&format!("{}-unknown-linux-musl", std::env::consts::ARCH))?;
        let noetl = archive.unpack(folder.path())?;
        let cluster = Cluster::start(architectures);
        cluster.kubeconfig(&folder.path().join("kubeconfig"), &["kind-noetl"]);
        Some(Self {
            folder,
            noetl,
            image,
            cluster,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs xtask with this noetl and this cluster. Returns its output.
    fn xtask(&self, args: &[&str]) -> String {
        let mut command = xtask(&[&["--quiet"], args].concat());
        command.arg("--noetl").arg(&self.noetl);
        command
            .env("KUBECONFIG", self.path("kubeconfig"))
            .env("KUBECACHEDIR", self.path("cache"));
        show(&mut command)
    }

    /// Checks the manifests of `noetl k8s render` with one text replaced.
    fn check(&self, from: &str, to: &str) -> String {
        let rendered = succeed(crate::support::command(&self.noetl).args(["k8s", "render"]));
        assert!(rendered.contains(from), "{from} is not in\n{rendered}");
        let path = self.path(&format!("{}.yaml", from.replace(['/', ' ', ':'], "-")));
        fs::write(&path, rendered.replace(from, to)).unwrap();
        let image = self.image.to_str().unwrap();
        self.xtask(&[
            "k8s",
            "check",
            path.to_str().unwrap(),
            "--image",
            image,
            "--python-image",
            image,
        ])
    }
}

#[test]
fn every_rendering_is_valid_and_fits_the_image() {
    let Some(stage) = Stage::new(&["amd64", "arm64"]) else {
        return;
    };
    let image = stage.image.to_str().unwrap();
    let text = stage.xtask(&[
        "k8s",
        "check",
        "--image",
        image,
        "--python-image",
        image,
        "--context",
        "kind-noetl",
    ]);
    for name in ["sqlite", "postgresql"] {
        assert!(
            text.contains(&format!(
                "{name}.yaml: valid for Kubernetes 1.33, 1.35, 1.37\n"
            )),
            "{text}"
        );
    }
    assert!(
        text.ends_with("[exit 0]") && stage.cluster.changes().is_empty(),
        "{text}"
    );
    // A real cluster checks them as well, if there is one.
    if let Some(kubeconfig) = variable("KUBECONFIG") {
        let rendered = succeed(crate::support::command(&stage.noetl).args([
            "k8s",
            "render",
            "--namespace",
            "default",
        ]));
        let path = stage.path("real.yaml");
        fs::write(&path, rendered).unwrap();
        let dry_run = [
            "apply",
            "--server-side",
            "--dry-run=server",
            "--field-manager=noetl",
            "--filename",
        ];
        succeed(
            crate::support::command("kubectl")
                .args(dry_run)
                .arg(&path)
                .env("KUBECONFIG", kubeconfig),
        );
    }
}

#[test]
fn manifests_that_a_cluster_would_reject_are_errors() {
    let Some(stage) = Stage::new(&["amd64"]) else {
        return;
    };
    for (from, to, finding) in [
        (
            "enableServiceLinks",
            "enableServiceLink",
            "'enableServiceLink' was unexpected",
        ),
        (
            "apiVersion: apps/v1",
            "apiVersion: apps/v1beta9",
            "schema for kind Deployment with api version apps/v1beta9",
        ),
        (
            "enableServiceLinks: false",
            "nodeSelector: {kubernetes.io/arch: riscv64}",
            "asks for nodes of riscv64, and ",
        ),
        (
            "runAsUser: 65532",
            "runAsUser: 0",
            "securityContext.runAsUser: is root, and runAsNonRoot refuses root",
        ),
        (
            "containerPort: 8082",
            "containerPort: 8080",
            "ports[0].containerPort: is 8080, and ",
        ),
        (
            "path: /api/health",
            "path: /healthz",
            "readinessProbe.httpGet.path: noetl does not answer /healthz",
        ),
        (
            "mountPath: /tmp",
            "mountPath: /var/tmp",
            "nothing is mounted at /tmp, where ",
        ),
        (
            "targetPort: http",
            "targetPort: web",
            "spec.ports[0].targetPort: no selected pod has the port web",
        ),
    ] {
        let text = stage.check(from, to);
        assert!(
            text.contains(finding) && text.ends_with("[exit 1]"),
            "{from} -> {to}:\n{text}"
        );
    }
    let good = stage.check("cpu: 100m", "cpu: 200m");
    assert!(good.ends_with("[exit 0]"), "{good}");
}

/// Copies the image for arm64 alone into a layout, with skopeo.
fn copy_arm64(tar: &Path, to: &Path) -> Option<()> {
    let mut skopeo = tool("skopeo")?;
    skopeo.args(["copy", "--quiet", "--override-arch", "arm64"]);
    succeed(
        skopeo
            .arg(format!("oci-archive:{}", tar.display()))
            .arg(format!("oci:{}:x", to.display())),
    );
    Some(())
}

#[test]
fn an_image_without_a_nodes_architecture_is_not_deployed() {
    let Some(stage) = Stage::new(&["amd64", "arm64"]) else {
        return;
    };
    let single = stage.path("arm64");
    if copy_arm64(&stage.image, &single).is_none() {
        return;
    }
    let deploy = |image: &Path| {
        let image = format!("localhost/noetl:t={}", image.display());
        let python = image.replace("noetl:t", "noetl:t-python");
        stage.xtask(&[
            "deploy",
            "--image",
            &image,
            "--python-image",
            &python,
            "--no-smoke",
        ])
    };
    let text = deploy(&single);
    let said = "containers[0].image: can be scheduled on node-0, which is amd64, and localhost/noetl:t is only for arm64";
    assert!(
        text.contains(said) && text.contains("help: nothing was applied"),
        "{text}"
    );
    assert!(
        text.ends_with("[exit 1]") && stage.cluster.changes().is_empty(),
        "{text}"
    );
    // With both platforms it is deployed.
    let text = deploy(&stage.image);
    assert!(text.ends_with("[exit 0]"), "{text}");
    let deployment = stage
        .cluster
        .object("deployments", "noetl", "noetl-server")
        .unwrap();
    assert_eq!(
        deployment["spec"]["template"]["spec"]["containers"][0]["image"],
        "localhost/noetl:t"
    );
}

#[test]
fn a_deploy_without_kubectl_is_reported_as_not_run() {
    let empty = tempfile::tempdir().unwrap();
    let mut command = xtask(&["deploy", "--cluster", "kind"]);
    // PATH has no programs, so that kubectl is not found.
    let text = show(command.env("PATH", empty.path()));
    assert!(
        text.contains(
            "error: not run: nothing was deployed\ncaused by: `kubectl` is not installed\nhelp: "
        ),
        "{text}"
    );
    assert!(text.ends_with("[exit 3]"), "{text}");
}

#[test]
fn the_plan_of_a_deploy_is_shell() {
    let Some(stage) = Stage::new(&["arm64", "amd64"]) else {
        return;
    };
    let text = stage.xtask(&[
        "deploy",
        "--registry",
        "127.0.0.1:5000",
        "--tag",
        "t",
        "--dry-run",
    ]);
    let first = "cargo xtask image --json --tag t --platforms linux/amd64,linux/arm64 --registry 127.0.0.1:5000 --push\n";
    assert!(
        text.starts_with(first) && text.ends_with("[exit 0]"),
        "{text}"
    );
    assert!(
        text.contains("\nnoetl k8s deploy --context kind-noetl "),
        "{text}"
    );
    assert!(stage.cluster.changes().is_empty());
}
