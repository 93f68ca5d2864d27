//! Credentials: passwords and credential helpers, and that no other host gets them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::registry::{Registry, image, is_whole, push_command, tag};
use crate::registry_proxy::{Action, Location, Proxy};
use crate::support::{show, variable, xtask};

pub(crate) const USER: &str = "noetl-robot";
pub(crate) const PASSWORD: &str = "correct horse battery";
/// The bcrypt hash of the password, the only kind of hash that docker-registry accepts.
const HTPASSWD: &str = "noetl-robot:$2b$05$UdvXisGNd9slgwC9qHt9WemtR7jlDHXt8qiBFBO1FSnuIhanaVuAy\n";

/// Writes docker's config.json. Returns its folder, for DOCKER_CONFIG.
pub(crate) fn docker_config(config: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    folder
}

pub(crate) fn auths(host: &str, user: &str, password: &str) -> Value {
    json!({"auths": {host: {"auth": STANDARD.encode(format!("{user}:{password}"))}}})
}

/// Pushes with the credentials of one folder and none of this machine's. Returns the output.
pub(crate) fn push_as(
    tar: &Path,
    registry: &str,
    config: &Path,
    more: &[(&str, String)],
) -> String {
    let mut command = push_command(tar, registry, &["latest"]);
    command.env("DOCKER_CONFIG", config);
    for name in ["REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "GITHUB_TOKEN"] {
        command.env_remove(name);
    }
    command.arg("--no-check").envs(more.iter().cloned());
    let text = show(&mut command);
    let encoded = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    assert!(
        !text.contains(PASSWORD) && !text.contains(&encoded),
        "a secret is shown: {text}"
    );
    text
}

/// The configuration of a registry with passwords, and the file it names.
pub(crate) const PASSWORDS: &str = "auth: {htpasswd: {realm: test, path: FOLDER/htpasswd}}";

pub(crate) fn passwords(folder: &TempDir) {
    fs::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
}

#[test]
fn a_push_signs_in_with_a_password() {
    let (Some((tar, image)), Some(registry)) = (image(), Registry::with("", PASSWORDS, passwords))
    else {
        return;
    };
    let (host, digest) = (&registry.address, image["index_digest"].as_str().unwrap());
    let none = docker_config(&json!({}));
    let text = push_as(&tar, host, none.path(), &[]);
    let expected = format!(
        "{host} requires credentials, and there are none for it in {}/config.json",
        none.path().display()
    );
    assert!(text.contains(&expected), "{text}");
    assert!(
        text.ends_with(&format!("help: sign in: docker login {host}\n[exit 1]")),
        "{text}"
    );

    let wrong = docker_config(&auths(host, USER, "hunter2"));
    let text = push_as(&tar, host, wrong.path(), &[]);
    assert!(
        text.contains(&format!("{host} refuses user `{USER}` (credentials from ")),
        "{text}"
    );
    assert!(
        !text.contains("hunter2") && text.ends_with("[exit 1]"),
        "{text}"
    );

    let right = docker_config(&auths(&format!("http://{host}/v1/"), USER, PASSWORD));
    let proxy = Proxy::start(host, |_| Action::Pass);
    let text = push_as(&tar, host, right.path(), &[]);
    assert!(
        text.contains(&format!("@{digest}\n")) && text.ends_with("[exit 0]"),
        "{text}"
    );

    // podman's file, named by REGISTRY_AUTH_FILE.
    let podman = none.path().join("auth.json");
    fs::write(
        &podman,
        auths(&format!("{}/noetl", proxy.address), USER, PASSWORD).to_string(),
    )
    .unwrap();
    let file = podman.to_str().unwrap().to_owned();
    let text = push_as(
        &tar,
        &proxy.address,
        none.path(),
        &[("REGISTRY_AUTH_FILE", file)],
    );
    assert!(text.ends_with("[exit 0]"), "{text}");
    let seen: Vec<_> = proxy
        .seen()
        .into_iter()
        .map(|seen| (seen.kind, seen.headers.contains_key("authorization")))
        .collect();
    assert_eq!(
        seen,
        [
            ("HEAD tag".to_owned(), false),
            ("HEAD tag".to_owned(), true)
        ],
        "credentials are sent only after a challenge"
    );

    // The image cannot be pulled without credentials.
    let mut check = xtask(&["image", "check", &format!("{host}/noetl:latest")]);
    let text = show(check.env("DOCKER_CONFIG", right.path()));
    assert!(
        text.contains(&format!("warning R7 {host}/noetl: "))
            && text.contains("does not serve clients without credentials"),
        "{text}"
    );
    assert!(text.ends_with("[exit 0]"), "{text}");
}

/// Writes a credential helper with credentials for one host. Returns the PATH on which it is found.
pub(crate) fn helper(
    folder: &Path,
    host: &str,
    user: &str,
    secret: &str,
) -> (&'static str, String) {
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = get ] || exit 9\nread -r host\nif [ \"$host\" = {host} ]; then\n\
         echo '{{\"ServerURL\":\"{host}\",\"Username\":\"{user}\",\"Secret\":\"{secret}\"}}'\n\
         else echo 'credentials not found in native keychain'; exit 1; fi\n"
    );
    let path = folder.join("docker-credential-test");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (
        "PATH",
        format!("{}:{}", folder.display(), variable("PATH").unwrap()),
    )
}

#[test]
fn a_credential_helper_is_used() {
    let (Some((tar, _)), Some(registry)) = (image(), Registry::with("", PASSWORDS, passwords))
    else {
        return;
    };
    let host = &registry.address;
    let config = docker_config(&json!({"credHelpers": {host: "test"}, "auths": {host: {}}}));
    let path = helper(config.path(), host, USER, PASSWORD);
    let text = push_as(&tar, host, config.path(), &[path]);
    assert!(text.ends_with("[exit 0]"), "{text}");

    let path = helper(config.path(), "another.example", USER, PASSWORD);
    let text = push_as(&tar, host, config.path(), &[path]);
    assert!(
        text.contains("docker-credential-test (has none)") && text.ends_with("[exit 1]"),
        "{text}"
    );
    let missing = docker_config(&json!({"credsStore": "nowhere-to-be-found"}));
    let text = push_as(&tar, host, missing.path(), &[]);
    assert!(
        text.contains("docker-credential-nowhere-to-be-found (not installed)"),
        "{text}"
    );

    let broken = config.path().join("docker-credential-test");
    fs::write(broken, format!("#!/bin/sh\necho {PASSWORD}\n")).unwrap();
    let path = (
        "PATH",
        format!("{}:{}", config.path().display(), variable("PATH").unwrap()),
    );
    let text = push_as(&tar, host, config.path(), &[path]);
    assert!(
        text.contains("docker-credential-test did not print a user name and a secret"),
        "{text}"
    );
}

#[test]
fn no_other_host_gets_credentials() {
    let (Some((tar, image)), Some(registry)) = (image(), Registry::with("", PASSWORDS, passwords))
    else {
        return;
    };
    // To the client, localhost is another host than 127.0.0.1. First it is the token server …
    let elsewhere = Proxy::start("127.0.0.1:9", |_| {
        Action::Answer(200, Vec::new(), json!({"token": "t"}).to_string())
    });
    let port = elsewhere.address.rsplit(':').next().unwrap().to_owned();
    let challenge = format!(r#"Bearer realm="http://localhost:{port}/token",service="s""#);
    let proxy = Proxy::start(&registry.address, move |_| {
        Action::Answer(
            401,
            vec![("www-authenticate", challenge.clone())],
            String::new(),
        )
    });
    let config = docker_config(&auths(&proxy.address, USER, PASSWORD));
    let text = push_as(&tar, &proxy.address, config.path(), &[]);
    assert!(text.ends_with("[exit 1]"), "{text}");
    assert!(!elsewhere.seen().is_empty());
    assert!(
        elsewhere
            .seen()
            .iter()
            .all(|seen| !seen.headers.contains_key("authorization")),
        "{:?}",
        elsewhere.seen()
    );

    // … and then the host of an upload, which gets the blob and no password.
    let basic = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let store = Proxy::start(&registry.address, move |_| {
        Action::Signed(format!("Basic {basic}"))
    });
    let port = store.address.rsplit(':').next().unwrap().to_owned();
    let proxy = Proxy::start(&registry.address, move |seen| match seen.kind.as_str() {
        "POST upload" => Action::Location(Location::Elsewhere(format!("http://localhost:{port}"))),
        _ => Action::Pass,
    });
    let config = docker_config(&auths(&proxy.address, USER, PASSWORD));
    let text = push_as(&tar, &proxy.address, config.path(), &[]);
    assert!(text.ends_with("[exit 0]"), "{text}");
    assert_eq!(store.count("PUT blob"), 5);
    assert!(
        store
            .seen()
            .iter()
            .all(|seen| !seen.headers.contains_key("authorization"))
    );
    let digest = image["index_digest"].as_str().unwrap();
    let signed = Proxy::start(&registry.address, {
        let basic = STANDARD.encode(format!("{USER}:{PASSWORD}"));
        move |_| Action::Signed(format!("Basic {basic}"))
    });
    assert!(is_whole(&signed.address, "noetl", digest));
    assert_eq!(
        tag(&signed.address, "noetl", "latest").as_deref(),
        Some(digest)
    );
}
