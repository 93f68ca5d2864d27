//! The command line itself: version, help, build stamp, closed streams.

use crate::support::Home;

#[test]
fn version_and_help_are_printed() {
    let home = Home::new();
    assert_eq!(
        home.run(&["--version"]),
        format!("noetl {}\n[exit 0]", env!("CARGO_PKG_VERSION"))
    );
    let help = home.run(&["--help"]);
    for word in ["server", "version", "noetl server start"] {
        assert!(help.contains(word), "{help}");
    }
    assert!(home.run(&[]).ends_with("[exit 2]"));
    assert!(home.run(&["no-such-command"]).ends_with("[exit 2]"));
}

#[test]
fn version_json_is_the_build_stamp() {
    let home = Home::new();
    let printed = home.noetl(&["version", "--json"]).output().unwrap().stdout;
    let stamp: serde_json::Value = serde_json::from_slice(&printed).unwrap();
    assert_eq!(stamp["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(stamp["default_port"], 8082);
    assert!(stamp["target"].as_str().unwrap().contains('-'));
    assert!(stamp["rustc"].as_str().unwrap().starts_with("rustc "));
    assert_eq!(
        stamp["ui_embedded"].as_bool().unwrap(),
        stamp["ui_sha256"].is_string()
    );
}

/// The stamp must be in the file as text, since it is read from there without running the binary.
#[test]
fn the_stamp_is_in_the_binary() {
    let bytes = std::fs::read(env!("CARGO_BIN_EXE_noetl")).unwrap();
    let mark = br#"{"schema":1,"name":"noetl","version":""#;
    assert!(bytes.windows(mark.len()).any(|window| window == mark));
}

/// As in `noetl … 2>&1 | head -0`.
#[test]
fn closed_streams_cause_no_panic() {
    let home = Home::new();
    for (arguments, code) in [
        (&["version"][..], 0),
        (&["version", "--json"], 0),
        (&["server", "status"], 1),
        (&["server", "stop"], 1),
        (&["run", "missing.yaml"], 1),
        (&["status", "1", "--server-url", "http://127.0.0.1:1"], 1),
        (&["no-such-command"], 2),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = home.noetl(arguments);
        command
            .env("NOETL_PORT", "none")
            .stdin(std::process::Stdio::null());
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let status = command.status().unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}

/// A step with an unknown tool does not hide the problems of other steps.
#[test]
fn a_dry_run_reports_all_problems() {
    let home = Home::new();
    let text = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: all}\nworkflow:\n\
        - step: start\n  tool: {kind: shell, cmd: 'echo {{ nowhere }} {{ given }}'}\n  next: missing\n\
        - step: other\n  tool: {kind: kafka}\n";
    std::fs::write(home.path().join("all.yaml"), text).unwrap();
    let text = home.run(&["run", "all.yaml", "--dry-run", "--set", "given=1"]);
    for problem in ["`nowhere`", "`missing`", "`kafka`", "no step leads here"] {
        assert!(text.contains(problem), "{problem}: {text}");
    }
    assert!(
        !text.contains("`given`") && text.ends_with("[exit 1]"),
        "{text}"
    );
}
