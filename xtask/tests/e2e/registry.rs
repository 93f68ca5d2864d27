//! A docker-registry for one test, and requests to it that do not use xtask.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Dist, copy, show, tool, xtask};

/// A running docker-registry, stopped when dropped.
pub(crate) struct Registry {
    child: Child,
    pub(crate) address: String,
    /// Its configuration and data.
    folder: TempDir,
}

impl Registry {
    /// Starts one without authentication. Without the program it notes that the test is skipped and returns `None`.
    pub(crate) fn start() -> Option<Self> {
        Self::with("", "", |_| {})
    }

    /// Starts one with additions to `storage` and to the top level of its configuration. They may name files that
    /// `prepare` writes into the folder `FOLDER`.
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
        // Read all output, so that the registry never blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self {
            child,
            address,
            folder,
        })
    }

    /// Starts another registry with a copy of this one's data, and additions as in [`Registry::with`].
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

/// Returns the image's tar and its entry in the manifest of the dist.
pub(crate) fn image() -> Option<(PathBuf, Value)> {
    Dist::find()?.image()
}

/// Returns the command that pushes that image.
pub(crate) fn push_command(tar: &Path, registry: &str, tags: &[&str]) -> Command {
    let mut command = xtask(&["image", "push"]);
    command.arg(tar).args(["--registry", registry]);
    for tag in tags {
        command.args(["--tag", tag]);
    }
    command
}

/// Pushes that image. Returns the output.
pub(crate) fn push(tar: &Path, registry: &str, tags: &[&str], more: &[&str]) -> String {
    show(push_command(tar, registry, tags).args(more))
}

/// An answer of a registry.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) digest: Option<String>,
    pub(crate) body: Vec<u8>,
}

const TYPES: &str =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";

/// Sends a request for `path` below `/v2/`; the body has the media type of an index.
pub(crate) fn request(address: &str, method: &str, path: &str, body: Option<&[u8]>) -> Response {
    request_with_type(
        address,
        method,
        path,
        body,
        "application/vnd.oci.image.index.v1+json",
    )
}

/// Sends a request for `path` below `/v2/`; the body has this media type.
pub(crate) fn request_with_type(
    address: &str,
    method: &str,
    path: &str,
    body: Option<&[u8]>,
    media_type: &str,
) -> Response {
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
    Response {
        status: response.status().as_u16(),
        digest: digest.map(|digest| digest.to_str().unwrap().to_owned()),
        body: response.body_mut().read_to_vec().unwrap(),
    }
}

/// Returns the digest that a tag points to, or `None` if there is no such tag.
pub(crate) fn tag(address: &str, repository: &str, tag: &str) -> Option<String> {
    let answer = request(
        address,
        "HEAD",
        &format!("{repository}/manifests/{tag}"),
        None,
    );
    assert!(matches!(answer.status, 200 | 404), "{}", answer.status);
    answer.digest.filter(|_| answer.status == 200)
}

/// Whether an index exists with all images and blobs it refers to.
pub(crate) fn is_whole(address: &str, repository: &str, digest: &str) -> bool {
    let document = |digest: &str| {
        let answer = request(
            address,
            "GET",
            &format!("{repository}/manifests/{digest}"),
            None,
        );
        (answer.status == 200).then(|| serde_json::from_slice::<Value>(&answer.body).unwrap())
    };
    let has_blob = |blob: &Value| {
        let path = format!("{repository}/blobs/{}", blob["digest"].as_str().unwrap());
        request(address, "HEAD", &path, None).status == 200
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
