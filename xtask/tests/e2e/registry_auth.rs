//! Signing in: by password, by token, by helper, by identity token; and to whom nothing is shown.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::registry::{
    Action, Location, Proxy, Registry, Seen, image, is_whole, push_command, tag,
};
use crate::support::{show, succeed, tool, variable, xtask};

const USER: &str = "noetl-robot";
const PASSWORD: &str = "correct horse battery";
/// That password by bcrypt, the only hash docker-registry takes.
const HTPASSWD: &str = "noetl-robot:$2b$05$UdvXisGNd9slgwC9qHt9WemtR7jlDHXt8qiBFBO1FSnuIhanaVuAy\n";

/// A folder with docker's config.json, for DOCKER_CONFIG.
fn docker_config(config: &Value) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    folder
}

fn auths(host: &str, user: &str, password: &str) -> Value {
    json!({"auths": {host: {"auth": STANDARD.encode(format!("{user}:{password}"))}}})
}

/// Pushes with the sign-ins of one folder and none of the machine's own.
fn push_as(tar: &Path, registry: &str, config: &Path, more: &[(&str, String)]) -> String {
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

fn with_passwords() -> Option<Registry> {
    let top = "auth: {htpasswd: {realm: test, path: FOLDER/htpasswd}}";
    Registry::with("", top, |folder| {
        fs::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
    })
}

#[test]
fn a_registry_with_passwords_is_signed_in_to() {
    let (Some((tar, image)), Some(registry)) = (image(), with_passwords()) else {
        return;
    };
    let (host, digest) = (&registry.address, image["index_digest"].as_str().unwrap());
    let none = docker_config(&json!({}));
    let text = push_as(&tar, host, none.path(), &[]);
    let expected = format!(
        "{host} wants credentials, and there are none for it in {}/config.json",
        none.path().display()
    );
    assert!(text.contains(&expected), "{text}");
    assert!(
        text.ends_with(&format!("help: docker login {host}\n[exit 1]")),
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

    // podman's file, by either of its names.
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
        "nothing is guessed"
    );

    // It is no stranger's.
    let mut check = xtask(&["image", "check", &format!("{host}/noetl:latest")]);
    let text = show(check.env("DOCKER_CONFIG", right.path()));
    assert!(
        text.contains(&format!("warning R7 {host}/noetl: "))
            && text.contains("does not serve strangers"),
        "{text}"
    );
    assert!(text.ends_with("[exit 0]"), "{text}");
}

/// A credential helper on PATH: answers for one host, knows none for others.
fn helper(folder: &Path, host: &str, user: &str, secret: &str) -> (&'static str, String) {
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
fn a_credential_helper_is_asked() {
    let (Some((tar, _)), Some(registry)) = (image(), with_passwords()) else {
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
        text.contains("docker-credential-test (knows none)") && text.ends_with("[exit 1]"),
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
        text.contains("docker-credential-test did not answer with a user name and a secret"),
        "{text}"
    );
}

/// A docker-registry that trusts the tokens of a server in this process.
struct Tokens {
    registry: Registry,
    server: Proxy,
}

const REFRESH: &str = "a refresh token";

impl Tokens {
    /// Starts both. The server knows one user and one refresh token, and gives what is asked for to them alone.
    fn start() -> Option<Self> {
        let mut openssl = tool("openssl")?;
        let keys = tempfile::tempdir().unwrap();
        let (key, certificate) = (
            keys.path().join("key.pem"),
            keys.path().join("certificate.pem"),
        );
        let request = [
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=test",
        ];
        succeed(
            openssl
                .args(request)
                .arg("-keyout")
                .arg(&key)
                .arg("-out")
                .arg(&certificate),
        );
        let key = pem(&fs::read_to_string(key).unwrap());
        let certificate = fs::read_to_string(certificate).unwrap();
        let x5c = STANDARD.encode(pem(&certificate));
        let server = Proxy::start("127.0.0.1:9", move |seen| grant(seen, &key, &x5c));
        let top = format!(
            "auth: {{token: {{realm: \"http://{}/token\", service: \"a, registry\", issuer: test, rootcertbundle: FOLDER/certificate.pem}}}}",
            server.address
        );
        let registry = Registry::with("", &top, |folder| {
            fs::write(folder.path().join("certificate.pem"), certificate).unwrap();
        })?;
        Some(Self { registry, server })
    }
}

fn pem(text: &str) -> Vec<u8> {
    let lines = text.lines().filter(|line| !line.starts_with("-----"));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

/// Answers as a token server does (token.md of distribution), with a JSON web token that the registry verifies.
fn grant(seen: &Seen, key: &[u8], x5c: &str) -> Action {
    let basic = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let (query, known) = match seen.kind.as_str() {
        "POST token" => {
            let refresh = format!("refresh_token={}", REFRESH.replace(' ', "%20"));
            (
                seen.text.clone(),
                seen.text.contains(&refresh) && seen.text.contains("grant_type=refresh_token"),
            )
        }
        _ => (
            seen.path.clone(),
            seen.headers.get("authorization") == Some(&basic),
        ),
    };
    if !known {
        let shown = seen
            .headers
            .get("authorization")
            .cloned()
            .unwrap_or_default();
        // As careless as a server can be: it repeats what it was shown.
        return Action::Answer(
            401,
            Vec::new(),
            json!({"errors": [{"code": "DENIED", "message": shown}]}).to_string(),
        );
    }
    assert!(
        query.contains("service=a%2C%20registry") || query.contains("service=a,%20registry"),
        "{query}"
    );
    let scopes = query
        .split(['&', '?'])
        .filter_map(|part| part.strip_prefix("scope="));
    let access: Vec<_> = scopes
        .map(|scope| {
            let parts: Vec<_> = scope.split(':').collect();
            json!({"type": parts[0], "name": parts[1], "actions": parts[2].split(',').collect::<Vec<_>>()})
        })
        .collect();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let head = part(json!({"typ": "JWT", "alg": "ES256", "x5c": [x5c]}));
    let claims = part(json!({
        "iss": "test", "sub": USER, "aud": "a, registry", "exp": now + 300, "nbf": now - 10, "iat": now, "jti": "1", "access": access,
    }));
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, &random).unwrap();
    let signature = pair
        .sign(&random, format!("{head}.{claims}").as_bytes())
        .unwrap();
    let token = format!("{head}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature));
    let field = if seen.kind == "POST token" {
        "access_token"
    } else {
        "token"
    };
    Action::Answer(
        200,
        Vec::new(),
        json!({field: token, "expires_in": 300}).to_string(),
    )
}

#[test]
fn a_registry_with_tokens_is_signed_in_to() {
    let (Some((tar, image)), Some(tokens)) = (image(), Tokens::start()) else {
        return;
    };
    let digest = image["index_digest"].as_str().unwrap();
    let proxy = Proxy::start(&tokens.registry.address, |_| Action::Pass);
    let wrong = docker_config(&auths(&proxy.address, USER, "hunter2"));
    let text = push_as(&tar, &proxy.address, wrong.path(), &[]);
    assert!(
        text.contains(&format!(
            "the token server http://{}/token answers 401",
            tokens.server.address
        )),
        "{text}"
    );
    assert!(
        !text.contains("hunter2") && !text.contains(&STANDARD.encode(format!("{USER}:hunter2"))),
        "{text}"
    );
    assert!(
        text.ends_with(&format!("help: docker login {}\n[exit 1]", proxy.address)),
        "{text}"
    );

    let right = docker_config(&auths(&proxy.address, USER, PASSWORD));
    let before = (proxy.seen().len(), tokens.server.seen().len());
    let text = push_as(&tar, &proxy.address, right.path(), &[]);
    assert!(
        text.contains(&format!("@{digest}\n")) && text.ends_with("[exit 0]"),
        "{text}"
    );
    assert_eq!(
        tokens.server.seen().len() - before.1,
        1,
        "one token for reading and writing"
    );
    assert!(proxy.seen().len() - before.0 <= 24, "{:?}", proxy.seen());
    let passwords = proxy
        .seen()
        .iter()
        .filter_map(|seen| seen.headers.get("authorization").cloned())
        .filter(|header| header.starts_with("Basic"))
        .count();
    assert_eq!(passwords, 0, "the registry sees tokens alone");
}

#[test]
fn a_token_that_expires_in_the_middle_is_replaced() {
    let (Some((tar, _)), Some(tokens)) = (image(), Tokens::start()) else {
        return;
    };
    let challenge = format!(
        r#"Bearer realm="http://{}/token",service="a, registry",scope="repository:noetl:pull,push",error="invalid_token""#,
        tokens.server.address
    );
    // The first upload of a blob, of an image and of a tag: each is refused once.
    let proxy = Proxy::start(&tokens.registry.address, move |seen| {
        let put = seen.kind.starts_with("PUT") && seen.nth == 0;
        if put {
            Action::Answer(
                401,
                vec![("www-authenticate", challenge.clone())],
                String::new(),
            )
        } else {
            Action::Pass
        }
    });
    let config = docker_config(&auths(&proxy.address, USER, PASSWORD));
    let text = push_as(&tar, &proxy.address, config.path(), &[]);
    assert!(text.ends_with("[exit 0]"), "{text}");
    assert_eq!(tokens.server.seen().len(), 4);
    assert_eq!(proxy.count("PUT tag"), 2);
}

#[test]
fn an_identity_token_is_exchanged() {
    let (Some((tar, _)), Some(tokens)) = (image(), Tokens::start()) else {
        return;
    };
    let host = &tokens.registry.address;
    let config = docker_config(&json!({"auths": {host: {"identitytoken": REFRESH}}}));
    let text = push_as(&tar, host, config.path(), &[]);
    assert!(text.ends_with("[exit 0]"), "{text}");
    assert_eq!(tokens.server.count("POST token"), 1);
    let helped = docker_config(&json!({"credsStore": "test"}));
    let path = helper(helped.path(), host, "<token>", "another refresh token");
    let text = push_as(&tar, host, helped.path(), &[path]);
    assert!(
        text.contains("refuses the identity token from docker-credential-test"),
        "{text}"
    );
    assert!(
        !text.contains("another refresh token") && text.ends_with("[exit 1]"),
        "{text}"
    );
}

#[test]
fn no_other_host_is_shown_anything() {
    let (Some((tar, image)), Some(registry)) = (image(), with_passwords()) else {
        return;
    };
    // To this client localhost is another host than 127.0.0.1: as a token server …
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

    // … and as a place to upload to, which gets the blob and no password.
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
