//! `.env` files: which are used, what they may set, and the environment, which overrides them.

use crate::support::{Home, show};

/// Returns the server that a command sends its request to, with these variables set.
fn server(home: &Home, variables: &[(&str, &str)]) -> String {
    let output = home
        .noetl(&["list", "worker"])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = show(&output);
    let start = text
        .find("cannot reach a server at ")
        .unwrap_or_else(|| panic!("{text}"));
    text[start + 25..].lines().next().unwrap().to_owned()
}

/// Returns the port at which a server is looked for, which is that of `NOETL_PORT`.
fn port(home: &Home, variables: &[(&str, &str)]) -> String {
    let mut command = home.noetl(&["server", "status"]);
    let text = show(&command.envs(variables.iter().copied()).output().unwrap());
    let start = text.find("127.0.0.1:").unwrap_or_else(|| panic!("{text}"));
    let port = text[start + 10..].split(|next: char| !next.is_ascii_digit());
    port.into_iter().next().unwrap().to_owned()
}

#[test]
fn files_have_an_order_and_the_environment_overrides_them() {
    let home = Home::new();
    assert_eq!(port(&home, &[]), "8082");
    home.write(".env", "# mine\nexport NOETL_PORT=\"1\"\n");
    assert_eq!(port(&home, &[]), "1");
    home.write(".env.common", "NOETL_PORT=2 # shared\n");
    assert_eq!(port(&home, &[]), "2");
    home.write(".env.test", "NOETL_PORT='3'\n");
    assert_eq!(port(&home, &[]), "2");
    assert_eq!(port(&home, &[("ENVIRONMENT", "test")]), "3");
    home.write(".env.local", "NOETL_PORT=4\n");
    assert_eq!(port(&home, &[("ENVIRONMENT", "test")]), "4");
    home.write("other.env", "NOETL_PORT=5\n");
    assert_eq!(port(&home, &[("NOETL_ENV_FILE", "other.env")]), "5");
    let variables = [("NOETL_ENV_FILE", "other.env"), ("NOETL_PORT", "6")];
    assert_eq!(port(&home, &variables), "6");
    assert_eq!(port(&home, &[("NOETL_PORT", "")]), "8082");
}

/// A hostile folder: what its file sets would send a token to another server, run another program, or open a port.
#[test]
fn a_file_of_the_folder_sets_nothing_that_says_where_secrets_go_or_what_is_run() {
    let home = Home::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let marker = home.path().join("ran");
    let python = home.write_with_mode(
        "python",
        &format!("#!/bin/sh\ntouch {}\n", marker.display()),
        0o755,
    );
    let text = format!(
        "NOETL_SERVER_URL={url}\nNOETL_HOST=0.0.0.0\nNOETL_API_TOKEN=theirs\nNOETL_ALLOW_HTTP=true\n\
         NOETL_PYTHON={}\nNOETL_UI_DIR=.\nNOETL_DATA_DIR=theirs\nNOETL_ENCRYPTION_KEY=x\nDATABASE_URL=sqlite:x.db\n\
         SSL_CERT_FILE=theirs.pem\nPOSTGRES_HOST=127.0.0.1\nHTTPS_PROXY={url}\n",
        python.display()
    );
    home.write(".env", &text);
    assert_eq!(
        server(&home, &[("NOETL_API_TOKEN", "mine")]),
        "http://127.0.0.1:8082"
    );
    let credential = home.write(
        "c.json",
        r#"{"name": "c", "type": "bearer", "data": {"token": "t"}}"#,
    );
    let shown = home.run(&[
        "register",
        "credential",
        "--file",
        credential.to_str().unwrap(),
    ]);
    assert!(
        shown.contains("warning: NOETL_SERVER_URL of .env is not used"),
        "{shown}"
    );
    assert!(shown.contains("noetl --env-file .env"), "{shown}");
    let playbook = home.write(
        "p.yaml",
        "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: p}\nworkflow:\n\
         - step: start\n  tool: {kind: python, code: \"result = 1\"}\n",
    );
    home.run(&["run", playbook.to_str().unwrap(), "--runtime", "local"]);
    assert!(!marker.exists(), "the folder's program has run");
    let live = crate::live::Live::in_home(home);
    assert!(
        live.url().starts_with("http://127.0.0.1:"),
        "{}",
        live.url()
    );
    assert!(live.home.path().join(".noetl/data/noetl.db").is_file());
    assert!(!live.home.path().join("theirs").exists());
    assert!(!live.home.path().join("x.db").exists());
    listener.set_nonblocking(true).unwrap();
    assert!(
        listener.accept().is_err(),
        "nothing went to the folder's server"
    );
}

#[test]
fn a_file_that_is_named_sets_everything_and_is_told() {
    let home = Home::new();
    home.write(".env", "NOETL_SERVER_URL=http://127.0.0.1:1\nOTHER=x\n");
    for args in [
        &["--env-file", ".env", "list", "worker"][..],
        &["list", "worker", "--env-file", ".env"],
    ] {
        let shown = home.run(args);
        assert!(
            shown.starts_with(".env sets NOETL_SERVER_URL, OTHER\nerror: cannot reach a server at http://127.0.0.1:1\n"),
            "{shown}"
        );
    }
    // With a secret in the environment, the process that runs steps starts itself again.
    let steps = [("start", crate::live::shell("true"))];
    let file = home.write("p.yaml", &crate::live::playbook("t/p", &steps));
    let mut run = home.noetl(&["--env-file", ".env", "run", file.to_str().unwrap()]);
    let run = run.args(["--runtime", "local"]).env("PGPASSWORD", "x");
    let shown = show(&run.output().unwrap());
    assert_eq!(shown.matches(".env sets").count(), 1, "{shown}");
    let shown = home.run(&["--env-file", "gone.env", "list", "worker"]);
    assert!(
        shown.starts_with("error: cannot read gone.env\n"),
        "{shown}"
    );
    assert!(shown.ends_with("[exit 1]"), "{shown}");
}

#[test]
fn invalid_lines_are_reported_and_ignored() {
    let home = Home::new();
    home.write(".env", "what is this\nNOETL_PORT=1\n");
    let text = home.run(&["list", "worker"]);
    assert!(
        text.contains("warning: .env:1: expected NAME=VALUE\n"),
        "{text}"
    );
    assert!(
        text.contains("error: cannot reach a server at http://127.0.0.1:"),
        "{text}"
    );
    let output = home
        .noetl(&["list", "worker"])
        .env("NOETL_ENV_FILE", "gone.env")
        .output()
        .unwrap();
    assert!(
        show(&output).starts_with("warning: cannot read gone.env: "),
        "{}",
        show(&output)
    );
}
