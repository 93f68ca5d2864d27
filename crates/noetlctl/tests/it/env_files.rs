//! `.env` files: their order, and the environment, which overrides them.

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

#[test]
fn files_have_an_order_and_the_environment_overrides_them() {
    let home = Home::new();
    assert_eq!(server(&home, &[]), "http://127.0.0.1:8082");
    home.write(
        ".env",
        "# mine\nexport NOETL_SERVER_URL=\"http://127.0.0.1:1\"\n",
    );
    assert_eq!(server(&home, &[]), "http://127.0.0.1:1");
    home.write(
        ".env.common",
        "NOETL_SERVER_URL=http://127.0.0.1:2 # shared\n",
    );
    assert_eq!(server(&home, &[]), "http://127.0.0.1:2");
    home.write(".env.test", "NOETL_SERVER_URL='http://127.0.0.1:3'\n");
    assert_eq!(server(&home, &[]), "http://127.0.0.1:2");
    assert_eq!(
        server(&home, &[("ENVIRONMENT", "test")]),
        "http://127.0.0.1:3"
    );
    home.write(".env.local", "NOETL_SERVER_URL=http://127.0.0.1:4\n");
    assert_eq!(
        server(&home, &[("ENVIRONMENT", "test")]),
        "http://127.0.0.1:4"
    );
    home.write("other.env", "NOETL_SERVER_URL=http://127.0.0.1:5\n");
    assert_eq!(
        server(&home, &[("NOETL_ENV_FILE", "other.env")]),
        "http://127.0.0.1:5"
    );
    let variables = [
        ("NOETL_ENV_FILE", "other.env"),
        ("NOETL_SERVER_URL", "http://127.0.0.1:6"),
    ];
    assert_eq!(server(&home, &variables), "http://127.0.0.1:6");
    assert_eq!(
        server(&home, &[("NOETL_SERVER_URL", "")]),
        "http://127.0.0.1:8082"
    );
}

#[test]
fn invalid_lines_are_reported_and_ignored() {
    let home = Home::new();
    home.write(
        ".env",
        "what is this\nNOETL_SERVER_URL=http://127.0.0.1:1\n",
    );
    let text = home.run(&["list", "worker"]);
    assert!(text.starts_with("warning: .env:1: expected NAME=VALUE\nerror: cannot reach a server at http://127.0.0.1:1\n"), "{text}");
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
