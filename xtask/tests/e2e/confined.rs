//! Server and worker of the image, run with the security context of the manifests: group `engine`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::standin::Cluster;
use crate::support::{Dist, command, engine, show, succeed, tool};

const PLAYBOOK: &str = "apiVersion: noetl.io/v2
kind: Playbook
metadata: {name: confined, path: confined}
workflow:
  - step: write
    tool:
      kind: sqlite
      database: /tmp/confined.db
      query: CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (6), (7)
    next: [{step: read}]
  - step: read
    tool: {kind: sqlite, database: /tmp/confined.db, query: SELECT sum(n) AS total FROM t}
";

/// A container described by a Deployment's manifest, removed when dropped.
struct Confined {
    name: String,
    child: Child,
    first_line: String,
}

impl Confined {
    /// Starts it with the docker flags that correspond to the manifest.
    fn start(cluster: &Cluster, deployment: &str, over: &[(&str, &str)]) -> Self {
        let manifest = cluster.object("deployments", "noetl", deployment).unwrap();
        let name = format!("confined-{deployment}-{}", std::process::id());
        let flags = flags(cluster, &manifest, over);
        let mut child = command("docker")
            .args(["run", "--network", "host", "--name", &name])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first_line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut first_line)
            .unwrap();
        Self {
            name,
            child,
            first_line,
        }
    }

    /// Stops it like a kubelet, with two seconds to end, and checks that it wrote nothing outside its mounts.
    fn stops_cleanly(&mut self) {
        succeed(command("docker").args(["stop", "--time", "2", &self.name]));
        // After two seconds it is killed, and the code is 137.
        let code = self.child.wait().unwrap().code();
        assert_eq!(code, Some(0), "{} does not stop on SIGTERM", self.name);
        assert_eq!(self.written(), "", "{}", self.name);
    }

    /// Returns the container's changes outside its mounts.
    fn written(&self) -> String {
        let changes = succeed(command("docker").args(["diff", &self.name]));
        // Docker creates the mount points.
        let mounts = |line: &&str| {
            !["/opt", "/opt/noetl", "/opt/noetl/data", "/tmp"]
                .iter()
                .any(|path| line.ends_with(&format!(" {path}")))
        };
        changes.lines().filter(mounts).collect()
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        drop(
            command("docker")
                .args(["rm", "--force", &self.name])
                .output(),
        );
    }
}

fn flags(cluster: &Cluster, manifest: &Value, over: &[(&str, &str)]) -> Vec<String> {
    let pod = &manifest["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let (of_pod, own) = (&pod["securityContext"], &container["securityContext"]);
    let mut flags = vec![
        "--user".to_owned(),
        format!("{}:{}", of_pod["runAsUser"], of_pod["runAsGroup"]),
    ];
    if own["readOnlyRootFilesystem"] == true {
        flags.push("--read-only".to_owned());
    }
    if own["allowPrivilegeEscalation"] == false {
        flags.extend(["--security-opt", "no-new-privileges"].map(str::to_owned));
    }
    for capability in own["capabilities"]["drop"].as_array().unwrap() {
        flags.extend([
            "--cap-drop".to_owned(),
            capability.as_str().unwrap().to_owned(),
        ]);
    }
    for mount in container["volumeMounts"].as_array().unwrap() {
        // Like a volume, it belongs to root and to the group of fsGroup.
        let options = format!(
            "{}:gid={},mode=2775",
            mount["mountPath"].as_str().unwrap(),
            of_pod["fsGroup"]
        );
        flags.extend(["--tmpfs".to_owned(), options]);
    }
    let config = container["envFrom"][0]["configMapRef"]["name"]
        .as_str()
        .unwrap();
    let config = cluster.object("configmaps", "noetl", config).unwrap();
    let mut variables: Vec<(String, String)> = config["data"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    let secret = cluster.object("secrets", "noetl", "noetl-secret").unwrap();
    for variable in container["env"].as_array().unwrap() {
        let key = variable["valueFrom"]["secretKeyRef"]["key"]
            .as_str()
            .unwrap();
        let value = secret["data"][key].as_str().unwrap();
        variables.push((
            variable["name"].as_str().unwrap().to_owned(),
            value.to_owned(),
        ));
    }
    variables.extend(
        over.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    for (name, value) in variables {
        flags.extend(["--env".to_owned(), format!("{name}={value}")]);
    }
    flags.push(container["image"].as_str().unwrap().to_owned());
    let arguments = container["args"].as_array().unwrap();
    flags.extend(
        arguments
            .iter()
            .map(|word| word.as_str().unwrap().to_owned()),
    );
    flags
}

#[test]
fn server_and_worker_run_with_the_security_context_of_their_manifests() {
    let (Some(_), Some(dist)) = (engine(), Dist::find()) else {
        return;
    };
    let (Some((tar, image)), Some(mut docker), Some(_)) =
        (dist.image(), tool("docker"), tool("kubectl"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let Some(archive) = dist.archive(&format!("{}-unknown-linux-musl", std::env::consts::ARCH))
    else {
        return;
    };
    let noetl = archive.unpack(folder.path()).unwrap();
    succeed(docker.arg("load").arg("--input").arg(tar));
    let image = image["references"][0].as_str().unwrap();

    // Deploy to a fake cluster, which returns the manifests with their defaults.
    let cluster = Cluster::start(&["amd64"]);
    let kubeconfig = folder.path().join("kubeconfig");
    cluster.kubeconfig(&kubeconfig, &["kind-noetl"]);
    let home = |command: &mut std::process::Command| {
        command
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .env("KUBECONFIG", &kubeconfig);
    };
    let mut deploy = command(&noetl);
    home(&mut deploy);
    succeed(deploy.args(["k8s", "deploy", "--image", image, "--python-image", image]));

    let mut server = Confined::start(&cluster, "noetl-server", &[("NOETL_PORT", "0")]);
    let port = server
        .first_line
        .trim()
        .rsplit(':')
        .next()
        .unwrap()
        .to_owned();
    let url = format!("http://127.0.0.1:{port}");
    let mut worker = Confined::start(&cluster, "noetl-worker", &[("NOETL_SERVER_URL", &url)]);
    assert!(
        worker.first_line.contains(" runs commands of "),
        "{}",
        worker.first_line
    );

    let secret = cluster.object("secrets", "noetl", "noetl-secret").unwrap();
    let playbook = folder.path().join("confined.yaml");
    std::fs::write(&playbook, PLAYBOOK).unwrap();
    let ask = |args: &[&str]| {
        let mut command = command(&noetl);
        home(&mut command);
        command.env(
            "NOETL_API_TOKEN",
            secret["data"]["NOETL_API_TOKEN"].as_str().unwrap(),
        );
        show(command.args(args).args(["--server-url", &url]))
    };
    let text = ask(&["register", "playbook", "--file", playbook.to_str().unwrap()]);
    assert!(text.ends_with("[exit 0]"), "{text}");
    let text = ask(&["execute", "playbook", "confined", "--watch"]);
    assert!(
        text.contains("COMPLETED") && text.ends_with("[exit 0]"),
        "{text}"
    );

    worker.stops_cleanly();
    server.stops_cleanly();
}
