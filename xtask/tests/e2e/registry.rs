//! A docker-registry of a test's own, and what it says without xtask in between.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Dist, copy, show, tool, xtask};

/// A running docker-registry; gone when dropped.
pub(crate) struct Registry {
    child: Child,
    pub(crate) address: String,
    /// Its configuration and data, for as long as it runs.
    folder: TempDir,
}

impl Registry {
    /// Starts one that lets everybody in, or notes that the program is missing.
    pub(crate) fn start() -> Option<Self> {
        Self::with("", "", |_| {})
    }

    /// Starts one with more below `storage` and more at the top of its configuration, which may name files that
    /// `prepare` writes; `FOLDER` is where they are.
    pub(crate) fn with(storage: &str, top: &str, prepare: impl FnOnce(&TempDir)) -> Option<Self> {
        let mut command = tool("docker-registry")?;
        let folder = tempfile::tempdir().unwrap();
        prepare(&folder);
        let path = folder.path().join("config.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: info}}\nhttp: {{addr: 127.0.0.1:0}}\nstorage: {{filesystem: {{rootdirectory: FOLDER/data}}, \
             delete: {{enabled: true}}, {storage}}}\n{top}\n"
        );
        fs::write(
            &path,
            text.replace("FOLDER", folder.path().to_str().unwrap()),
        )
        .unwrap();
        let mut child = command
            .arg("serve")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let address = loop {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("docker-registry: {said:?}"))
                .unwrap();
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.split(['"', ',']).next().unwrap().to_owned();
            }
            said.push(line);
        };
        // Read on, so that it never waits for somebody to listen.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self {
            child,
            address,
            folder,
        })
    }

    /// Starts one that holds what this one holds, with more in its configuration as [`Registry::with`] has it.
    pub(crate) fn copy(
        &self,
        storage: &str,
        top: &str,
        prepare: impl FnOnce(&TempDir),
    ) -> Option<Self> {
        Self::with(storage, top, |folder| {
            copy(
                &self.folder.path().join("data"),
                &folder.path().join("data"),
            );
            prepare(folder);
        })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The tar of the image in the dist that `cargo xtask test` prepared.
pub(crate) fn image() -> Option<(PathBuf, Value)> {
    Dist::find()?.image()
}

/// The command that pushes that image.
pub(crate) fn push_command(tar: &Path, registry: &str, tags: &[&str]) -> Command {
    let mut command = xtask(&["image", "push"]);
    command.arg(tar).args(["--registry", registry]);
    for tag in tags {
        command.args(["--tag", tag]);
    }
    command
}

/// Pushes that image and shows everything that was printed.
pub(crate) fn push(tar: &Path, registry: &str, tags: &[&str], more: &[&str]) -> String {
    show(push_command(tar, registry, tags).args(more))
}

/// What a registry says, asked without xtask.
pub(crate) struct Asked {
    pub(crate) status: u16,
    pub(crate) digest: Option<String>,
    pub(crate) body: Vec<u8>,
}

const TYPES: &str =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";

/// Asks for `path` below `/v2/`; a body is an index.
pub(crate) fn ask(address: &str, method: &str, path: &str, body: Option<&[u8]>) -> Asked {
    ask_as(
        address,
        method,
        path,
        body,
        "application/vnd.oci.image.index.v1+json",
    )
}

/// Asks for `path` below `/v2/` with a body of a media type.
pub(crate) fn ask_as(
    address: &str,
    method: &str,
    path: &str,
    body: Option<&[u8]>,
    media_type: &str,
) -> Asked {
    let config = ureq::Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false);
    let agent: ureq::Agent = config.build().into();
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("http://{address}/v2/{path}"))
        .header("accept", TYPES)
        .header("content-type", media_type);
    let mut response = match body {
        Some(bytes) => agent.run(request.body(bytes).unwrap()),
        None => agent.run(request.body(()).unwrap()),
    }
    .unwrap();
    let digest = response.headers().get("docker-content-digest");
    Asked {
        status: response.status().as_u16(),
        digest: digest.map(|digest| digest.to_str().unwrap().to_owned()),
        body: response.body_mut().read_to_vec().unwrap(),
    }
}

/// Where a tag points to.
pub(crate) fn tag(address: &str, repository: &str, tag: &str) -> Option<String> {
    let asked = ask(
        address,
        "HEAD",
        &format!("{repository}/manifests/{tag}"),
        None,
    );
    assert!(matches!(asked.status, 200 | 404), "{}", asked.status);
    asked.digest.filter(|_| asked.status == 200)
}

/// Whether an index is there with everything below it.
pub(crate) fn is_whole(address: &str, repository: &str, digest: &str) -> bool {
    let document = |digest: &str| {
        let asked = ask(
            address,
            "GET",
            &format!("{repository}/manifests/{digest}"),
            None,
        );
        (asked.status == 200).then(|| serde_json::from_slice::<Value>(&asked.body).unwrap())
    };
    let has_blob = |blob: &Value| {
        let path = format!("{repository}/blobs/{}", blob["digest"].as_str().unwrap());
        ask(address, "HEAD", &path, None).status == 200
    };
    let child_is_whole = |child: &Value| {
        let manifest = document(child["digest"].as_str().unwrap());
        manifest.is_some_and(|manifest| {
            let layers = manifest["layers"].as_array().unwrap();
            layers.iter().chain([&manifest["config"]]).all(has_blob)
        })
    };
    document(digest).is_some_and(|index| {
        index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .all(child_is_whole)
    })
}
