//! `noetl context` and its file, `~/.noetl/config.yaml`.

use std::fs;

use serde_json::{Value, json};

use crate::support::Home;

#[test]
fn contexts_are_added_listed_and_chosen() {
    let home = Home::new();
    let text = home.run(&["context", "current"]);
    assert!(
        text.starts_with("error: no context is current\nhelp: ") && text.ends_with("[exit 1]"),
        "{text}"
    );
    assert_eq!(
        home.run(&["context", "list"]),
        "no contexts; `noetl context add NAME --server-url URL` adds one\n[exit 0]"
    );
    assert_eq!(
        home.run(&[
            "context",
            "add",
            "local",
            "--server-url",
            "http://localhost:8082/"
        ]),
        "context local added: http://localhost:8082, the current one\n[exit 0]"
    );
    assert_eq!(
        home.run(&[
            "context",
            "add",
            "prod",
            "--server-url",
            "https://noetl.example.org",
            "--runtime",
            "distributed"
        ]),
        "context prod added: https://noetl.example.org\n[exit 0]"
    );
    assert_eq!(
        home.run(&["context", "list"]),
        "   NAME   SERVER                     RUNTIME\n\
         *  local  http://localhost:8082      auto\n   prod   https://noetl.example.org  distributed\n[exit 0]"
    );
    assert_eq!(
        home.run(&["context", "use", "prod"]),
        "context prod is current: https://noetl.example.org\n[exit 0]"
    );
    assert_eq!(
        home.run(&["context", "set-runtime", "local"]),
        "context prod: runtime local\n[exit 0]"
    );
    assert_eq!(
        home.run(&["context", "current"]),
        "prod: https://noetl.example.org, runtime local\n[exit 0]"
    );
}

#[test]
fn a_changed_context_keeps_the_other_values() {
    let home = Home::new();
    home.run(&[
        "context",
        "add",
        "prod",
        "--server-url",
        "https://old.example.org",
        "--runtime",
        "local",
    ]);
    home.run(&[
        "context",
        "add",
        "prod",
        "--server-url",
        "https://new.example.org",
    ]);
    assert_eq!(
        home.run(&["context", "current"]),
        "prod: https://new.example.org, runtime local\n[exit 0]"
    );
}

#[test]
fn a_deleted_context_is_not_current() {
    let home = Home::new();
    home.run(&["context", "add", "prod", "--server-url", "http://localhost"]);
    let text = home.run(&["context", "delete", "prod"]);
    assert!(
        text.starts_with("context prod deleted\n") && text.ends_with("[exit 0]"),
        "{text}"
    );
    assert!(home.run(&["context", "current"]).ends_with("[exit 1]"));
    let text = home.run(&["context", "use", "prod"]);
    assert_eq!(
        text,
        "error: no such context: prod\nhelp: `noetl context list` lists the contexts\n[exit 1]"
    );
    assert!(
        home.run(&["context", "add", "x", "--server-url", "nonsense"])
            .ends_with("[exit 1]")
    );
    assert!(home.run(&["context", "add", "x"]).ends_with("[exit 2]"));
}

#[test]
fn unknown_fields_and_the_mode_of_the_file_are_kept() {
    let home = Home::new();
    let before = "current_context: gw\ncontexts:\n  gw:\n    server_url: http://localhost:8082\n    runtime: auto\n    \
        gateway_session_token: secret\n    gateway_auth0_domain: a.example\ntelemetry: false\n";
    let file = home.write(".noetl/config.yaml", before);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    }
    let text = home.run(&[
        "context",
        "add",
        "two",
        "--server-url",
        "http://localhost:1",
        "--set-current",
    ]);
    assert!(text.ends_with("the current one\n[exit 0]"), "{text}");
    let after = fs::read_to_string(&file).unwrap();
    let expected = before
        .replace("current_context: gw", "current_context: two")
        .replace(
            "telemetry",
            "  two:\n    server_url: http://localhost:1\n    runtime: auto\ntelemetry",
        );
    assert_eq!(after, expected);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o640
        );
    }
    assert_eq!(
        fs::read_dir(home.path().join(".noetl")).unwrap().count(),
        1,
        "no temporary file is left"
    );
    let printed = home
        .noetl(&["context", "list", "--json"])
        .output()
        .unwrap()
        .stdout;
    let contexts: Value = serde_json::from_slice(&printed).unwrap();
    assert_eq!(
        contexts[1],
        json!({"name": "two", "server_url": "http://localhost:1", "runtime": "auto", "token_file": null, "current": true})
    );
    assert!(!contexts.to_string().contains("secret"));
}

#[test]
fn an_old_file_is_read_and_a_broken_one_is_an_error() {
    let home = Home::new();
    let file = home.write(
        ".noetl/config.yaml",
        "current_context: old\ncontexts:\n  old:\n    server_url: http://localhost:8083\n",
    );
    assert_eq!(
        home.run(&["context", "current"]),
        "old: http://localhost:8083, runtime auto\n[exit 0]"
    );
    home.write(".noetl/config.yaml", "contexts: [\n");
    let text = home.run(&["context", "list"]);
    assert!(
        text.starts_with(&format!(
            "error: cannot parse {}\ncaused by: ",
            file.display()
        )),
        "{text}"
    );
    assert!(text.contains("help: correct the file"), "{text}");
    // The file is not needed when the server is given.
    let text = home.run(&["list", "worker", "--server-url", "http://127.0.0.1:1"]);
    assert!(text.starts_with("error: cannot reach a server"), "{text}");
}

#[test]
#[cfg(unix)]
fn a_symbolic_link_is_kept() {
    let home = Home::new();
    let real = home.write("dotfiles/noetl.yaml", "contexts: {}\n");
    fs::create_dir(home.path().join(".noetl")).unwrap();
    let link = home.path().join(".noetl/config.yaml");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    home.run(&["context", "add", "a", "--server-url", "http://localhost:1"]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(
        fs::read_to_string(&real)
            .unwrap()
            .contains("http://localhost:1")
    );
}
