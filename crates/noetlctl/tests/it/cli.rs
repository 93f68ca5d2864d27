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

#[test]
fn a_run_prints_its_retries_its_result_and_an_error_once() {
    let home = Home::new();
    let text = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: told}\nworkflow:\n\
        - step: start\n  tool: {kind: shell, cmds: exit 3, retry: {max_attempts: 2, delay: 0}}\n  \
          next: {arcs: [{step: b, when: \"{{ event.name == 'call.error' }}\"}]}\n\
        - {step: b, tool: {kind: noop, args: {n: 1}}, next: c}\n- {step: c, tool: {kind: shell, cmds: LAST}}\n";
    let file = home.path().join("told.yaml");
    std::fs::write(&file, text.replace("LAST", "exit 4")).unwrap();
    let failed = home.run(&["run", "told.yaml"]);
    assert_eq!(
        failed
            .matches("retry   start  attempt 2: exited with code 3")
            .count(),
        1,
        "{failed}"
    );
    assert_eq!(
        failed.matches("    start: exited with code 3").count(),
        1,
        "{failed}"
    );
    assert_eq!(failed.matches("exited with code 4").count(), 1, "{failed}");
    assert!(failed.ends_with("[exit 1]"), "{failed}");
    std::fs::write(&file, text.replace("LAST", "echo done")).unwrap();
    let completed = home.run(&["run", "told.yaml"]);
    assert!(
        completed.contains("result: {\"stdout\":\"done\\n\""),
        "{completed}"
    );
}

/// Runs noetl and returns what it printed as JSON, and its exit code.
fn json(home: &Home, arguments: &[&str]) -> (serde_json::Value, i32) {
    let output = home.noetl(arguments).output().unwrap();
    let document = serde_json::from_slice(&output.stdout).unwrap();
    (document, output.status.code().unwrap())
}

#[test]
fn playbooks_are_validated_without_a_server() {
    let home = Home::new();
    let head = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: x}\n";
    for (name, body) in [
        (
            "good.yaml",
            "workload: {a: 1}\nworkflow:\n- {step: s, tool: {kind: noop, args: {a: \"{{ workload.a }}\"}}}\n",
        ),
        (
            "warned.yaml",
            "workload: {host: h}\nworkflow:\n- {step: s, tool: {kind: postgres, auth: nowhere, query: \"select '{{ workload.hots }}'\"}}\n",
        ),
        (
            "bad.yaml",
            "workflow:\n- step: s\n  tool:\n    kind: python\n    code: |\n      x = 1\n      y = (\n",
        ),
    ] {
        std::fs::write(home.path().join(name), format!("{head}{body}")).unwrap();
    }
    let good = home.run(&["validate", "good.yaml"]);
    assert_eq!(good, "good.yaml: ok\n[exit 0]");
    let text = home.run(&["validate", "good.yaml", "warned.yaml", "bad.yaml"]);
    for part in [
        "warned.yaml:6",
        "there is no credential `nowhere` on this machine",
        "the playbook has no `workload.hots`",
        "did you mean `host`?",
        "bad.yaml:10: step `s`, field `tool.code`: the python code does not parse",
        "1 of 3 playbooks cannot run",
        "[exit 1]",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (found, code) = json(&home, &["validate", "good.yaml", "bad.yaml", "--json"]);
    assert_eq!(code, 1);
    assert_eq!(
        (&found[0]["valid"], &found[1]["valid"]),
        (&true.into(), &false.into())
    );
    assert_eq!(found[1]["problems"][0]["place"]["line"], 10);
    // A file that cannot be read does not hide the others.
    let text = home.run(&["validate", "none.yaml", "bad.yaml"]);
    assert!(text.contains("none.yaml: cannot be read"), "{text}");
    assert!(
        text.contains("bad.yaml: 1 error") && text.contains("2 of 2 playbooks"),
        "{text}"
    );
    // A value that is given is there.
    let given = home.run(&["validate", "warned.yaml", "--set", "hots=x"]);
    assert!(!given.contains("`workload.hots`"), "{given}");
}

#[test]
fn the_schema_of_playbooks_is_a_schema() {
    let home = Home::new();
    let (schema, code) = json(&home, &["schema"]);
    assert_eq!(code, 0);
    assert_eq!(schema["$ref"], "#/$defs/playbook");
}
