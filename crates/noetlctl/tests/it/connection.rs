//! How a command finds its server, what it sends there, and its errors.

use std::net::TcpListener;

use serde_json::json;

use crate::fake::{Answer, Fake};
use crate::support::{Home, show};

fn healthy() -> Fake {
    Fake::new(|_| json!({"entries": []}))
}

/// Whether the command reached the server.
fn reaches(fake: &Fake, home: &Home, args: &[&str], variables: &[(&str, &str)]) -> bool {
    let output = home
        .noetl(args)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{args:?} {}", show(&output));
    fake.requests().len() == 1
}

#[test]
fn a_server_is_named_by_flags_environment_or_context() {
    let (home, fake) = (Home::new(), healthy());
    let port = fake.url.rsplit(':').next().unwrap();
    let other = [("NOETL_SERVER_URL", "http://127.0.0.1:1")];
    let url = fake.url.as_str();
    assert!(reaches(
        &fake,
        &home,
        &["catalog", "list", "--server-url", url],
        &other
    ));
    assert!(reaches(
        &fake,
        &home,
        &["--server-url", url, "catalog", "list"],
        &other
    ));
    assert!(reaches(
        &fake,
        &home,
        &["catalog", "list", "--port", port],
        &other
    ));
    assert!(reaches(
        &fake,
        &home,
        &["list", "Playbook", "--host", "localhost", "-p", port],
        &other
    ));
    assert!(reaches(
        &fake,
        &home,
        &["--host", "127.0.0.1", "--port", port, "list", "playbook"],
        &other
    ));
    assert!(reaches(
        &fake,
        &home,
        &["--port", port, "list", "playbook", "--host", "127.0.0.1"],
        &other
    ));
    let slash = format!("{url}/");
    assert!(reaches(
        &fake,
        &home,
        &["catalog", "list"],
        &[("NOETL_SERVER_URL", &slash)]
    ));
    home.run(&["context", "add", "here", "--server-url", url]);
    assert!(reaches(&fake, &home, &["catalog", "list"], &[]));
    let text = home.run(&["--server-url", "localhost:8082", "catalog", "list"]);
    assert!(
        text.starts_with("error: `localhost:8082` is not a URL of a server\nhelp: "),
        "{text}"
    );
}

#[test]
fn the_error_for_an_unreachable_server_tells_how_to_start_one() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let text = home.run(&["catalog", "list", "--server-url", &url]);
    assert!(
        text.starts_with(&format!(
            "error: cannot reach a server at {url}\ncaused by: "
        )),
        "{text}"
    );
    assert!(
        text.ends_with(
            "help: start one with `noetl server start`, or name another with --server-url\n[exit 1]"
        ),
        "{text}"
    );
}

#[test]
fn a_token_comes_from_the_environment_a_file_or_the_context() {
    let (home, fake) = (Home::new(), healthy());
    let (file, context) = (
        home.write_with_mode("file.token", "from-file\n", 0o600),
        home.write_with_mode("context.token", "from-context", 0o600),
    );
    let (file, context) = (file.to_str().unwrap(), context.to_str().unwrap());
    let sent = |args: &[&str], token: Option<&str>| {
        let mut command = home.noetl(args);
        command.args(["catalog", "list"]);
        if let Some(token) = token {
            command.env("NOETL_API_TOKEN", token);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", show(&output));
        assert!(!show(&output).contains("from-"), "{}", show(&output));
        fake.requests()[0]
            .header("authorization")
            .map(str::to_owned)
    };
    home.run(&[
        "context",
        "add",
        "here",
        "--server-url",
        &fake.url,
        "--token-file",
        context,
    ]);
    assert_eq!(sent(&[], None).as_deref(), Some("Bearer from-context"));
    assert_eq!(
        sent(&["--server-url", &fake.url], None).as_deref(),
        Some("Bearer from-context")
    );
    assert_eq!(
        sent(&["--token-file", file], None).as_deref(),
        Some("Bearer from-file")
    );
    assert_eq!(
        sent(&["--token-file", file], Some("from-env")).as_deref(),
        Some("Bearer from-file"),
        "a flag overrides the environment"
    );
    // The context's token is not sent to another server.
    let other = fake.url.replace("127.0.0.1", "localhost");
    assert_eq!(sent(&["--server-url", &other], None), None);
    let text = home.run(&["catalog", "list", "--token", "secret"]);
    assert!(
        text.contains("unexpected argument '--token'") && text.ends_with("[exit 2]"),
        "{text}"
    );
}

#[test]
fn a_token_is_not_sent_without_encryption() {
    let home = Home::new();
    let token = home.write_with_mode("token", "secret", 0o600);
    let text = home.run(&[
        "list",
        "worker",
        "--server-url",
        "http://10.255.255.1:8082",
        "--token-file",
        token.to_str().unwrap(),
    ]);
    assert_eq!(
        text,
        "error: the token would be sent to http://10.255.255.1:8082 without encryption\n\
         help: use an https:// URL; or set NOETL_ALLOW_HTTP=true in a private network, such as that of a cluster\n[exit 1]"
    );
    home.write_with_mode("token", "two words", 0o600);
    let text = home.run(&["list", "worker", "--token-file", token.to_str().unwrap()]);
    assert!(
        text.contains("contains no token\nhelp: the file must contain the token on one line"),
        "{text}"
    );
}

#[test]
fn the_message_and_help_of_a_server_are_printed() {
    let home = Home::new();
    let fake = Fake::new(|_| {
        (
            503,
            json!({"detail": "the store is locked", "help": "wait a little"}),
        )
    });
    let text = fake.run(&home, &["list", "Execution", "--json"]);
    assert_eq!(
        text,
        "error: the store is locked\nhelp: wait a little\n[exit 1]"
    );
    let fake = Fake::new(|_| (401, json!({"detail": "no token"})));
    let text = fake.run(&home, &["list", "Execution"]);
    assert!(
        text.starts_with("error: no token\nhelp: set NOETL_API_TOKEN"),
        "{text}"
    );
    let fake = Fake::new(|_| Answer::html(502, "<h1>Bad Gateway</h1>"));
    let text = fake.run(&home, &["list", "Execution"]);
    assert!(
        text.contains("answered 502 without JSON\nhelp: is it a NoETL server?"),
        "{text}"
    );
    let fake = Fake::new(|_| (301, json!({})));
    let text = fake.run(&home, &["list", "Execution"]);
    assert!(
        text.contains("redirects to https://elsewhere.example/\nhelp: "),
        "{text}"
    );
}

#[test]
fn ssl_cert_file_is_read_for_https_alone() {
    let home = Home::new();
    let run = |url: &str, file: &str| {
        let mut command = home.noetl(&["list", "worker", "--server-url", url]);
        show(&command.env("SSL_CERT_FILE", file).output().unwrap())
    };
    let text = run("https://127.0.0.1:1", "gone.pem");
    assert!(
        text.contains("error: cannot read the certificates gone.pem"),
        "{text}"
    );
    let text = run("http://127.0.0.1:1", "gone.pem");
    assert!(text.contains("error: cannot reach a server"), "{text}");
    let fake = healthy();
    let text = show(
        &home
            .noetl(&[
                "list",
                "worker",
                "--server-url",
                &fake.url.replace("http:", "https:"),
            ])
            .output()
            .unwrap(),
    );
    assert!(
        text.starts_with("error: cannot reach a server at https://127.0.0.1"),
        "{text}"
    );
}
