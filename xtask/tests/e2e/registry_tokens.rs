//! Authentication with a token server (token.md and oauth.md of distribution).

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use crate::registry::{Registry, image};
use crate::registry_auth::{PASSWORD, USER, auths, docker_config, helper, push_as};
use crate::registry_proxy::{Action, Proxy, Seen};
use crate::support::{succeed, tool};

/// A docker-registry that trusts the tokens of a token server in this process.
pub(crate) struct Tokens {
    pub(crate) registry: Registry,
    pub(crate) server: Proxy,
}

const REFRESH: &str = "a refresh token";

impl Tokens {
    /// Starts both. The token server knows one user and one refresh token, and grants them every requested scope.
    fn start() -> Option<Self> {
        Self::at("")
    }

    /// Starts both; the registry names this URL as that of its token server, if it is not empty.
    pub(crate) fn at(realm: &str) -> Option<Self> {
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
        let realm = match realm {
            "" => format!("http://{}/token", server.address),
            realm => realm.to_owned(),
        };
        let top = format!(
            "auth: {{token: {{realm: \"{realm}\", service: \"a, registry\", issuer: test, rootcertbundle: FOLDER/certificate.pem}}}}"
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

/// Answers like a token server (token.md of distribution), with a JSON web token that the registry verifies.
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
        // The worst case for secrets: the server repeats the credentials in its answer.
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
fn a_push_signs_in_with_a_token() {
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
        text.ends_with(&format!(
            "help: sign in: docker login {}\n[exit 1]",
            proxy.address
        )),
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
    assert_eq!(passwords, 0, "the registry gets only tokens");
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
    // The first upload of a blob, of an image and of a tag are each refused once.
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
