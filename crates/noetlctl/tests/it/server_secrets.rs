//! Credentials on a real server: encrypted in the store, in no log, and in answers only on request.

use std::path::Path;

use serde_json::{Value, json};

use crate::live::{Live, Store, Worker, has_ended, playbook};
use crate::support::show;

const SECRET: &str = "gh31m-Pa55wort-x7Qz";

fn contains(file: &Path, text: &str) -> bool {
    let bytes = std::fs::read(file).unwrap_or_default();
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn store(live: &Live) {
    let body = json!({
        "name": "db", "type": "postgres", "tags": ["prod"], "description": "the database",
        "data": {"db_host": "127.0.0.1", "db_port": 1, "db_user": "u", "db_password": SECRET, "db_name": "x"},
    });
    let created = live.post("/api/credentials", &body);
    assert!(
        created["id"].is_string() && created.get("data").is_none(),
        "{created}"
    );
}

#[test]
fn a_secret_is_in_no_event_log_or_file() {
    let mut live = Live::on(None, &[], &[("NOETL_DEBUG", "true")]);
    store(&live);
    let body = json!({"name": "api", "type": "bearer", "data": {"token": SECRET}});
    live.post("/api/credentials", &body);
    // Both fail to connect: error messages are where secrets leak most easily.
    let steps = [(
        "start",
        json!({"kind": "postgres", "auth": "db", "query": "SELECT 1", "timeout": 2}),
    )];
    live.register(&playbook("t/secret", &steps));
    let http = json!({"kind": "http", "url": "http://127.0.0.1:1/x", "auth": "api", "timeout": 2});
    live.register(&playbook("t/http", &[("start", http)]));
    live.post("/api/credentials/db/test", &json!({}));
    for path in ["t/secret", "t/http"] {
        let state = live.run(path, &json!({}));
        assert_eq!(state["status"], "FAILED", "{state}");
        let execution = state["execution_id"].as_str().unwrap();
        for what in ["", "/status", "/events", "/timeline", "/graph", "/stream"] {
            let answer = live.ask(
                "GET",
                &format!("/api/executions/{execution}{what}"),
                &[],
                b"",
            );
            assert!(!answer.text.contains(SECRET), "{what}: {}", answer.text);
        }
    }
    for path in [
        "/api/credentials",
        "/api/credentials/db",
        "/metrics",
        "/api/executions",
    ] {
        let answer = live.ask("GET", path, &[], b"");
        assert_eq!(answer.status, 200);
        assert!(!answer.text.contains(SECRET), "{path}: {}", answer.text);
    }
    let asked = live.get("/api/credentials/db?include_data=true");
    assert_eq!(asked["data"]["db_password"], SECRET);
    let raw = json!({"query": "SELECT * FROM credential"});
    assert!(
        !live
            .post("/api/postgres/execute", &raw)
            .to_string()
            .contains(SECRET)
    );
    // Before and after SQLite has written its log into its file.
    let check_files = |live: &Live| {
        for file in files(live.home.path()) {
            assert!(!contains(&file, SECRET), "{}", file.display());
        }
    };
    check_files(&live);
    live.stop();
    check_files(&live);
    live.start();
    let asked = live.get("/api/credentials/db?include_data=true");
    assert_eq!(
        asked["data"]["db_password"], SECRET,
        "the same key after a restart"
    );
    live.expect(200, "DELETE", "/api/credentials/db", &Value::Null);
    live.expect(404, "GET", "/api/credentials/db", &Value::Null);
}

/// Every answer of a server that shows something of an execution that failed, as one text.
fn answers_about_failed(live: &Live, execution: &str) -> String {
    let of_execution = [
        "",
        "/status",
        "/events",
        "/timeline",
        "/graph",
        "/stream",
        "/result",
    ];
    let paths = of_execution.map(|what| format!("/api/executions/{execution}{what}"));
    let others = [
        "/api/executions".to_owned(),
        format!("/api/vars/{execution}"),
        "/metrics".to_owned(),
        "/api/dashboard/stats".to_owned(),
        format!("/execution/{execution}"),
    ];
    let answers = paths.iter().chain(&others).map(|path| {
        let answer = live.ask("GET", path, &[], b"");
        // Only an execution that completed has a result.
        let status = if path.ends_with("/result") { 409 } else { 200 };
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        answer.text
    });
    answers.collect()
}

#[test]
#[cfg(unix)]
fn a_secret_that_later_steps_print_in_disguise_is_in_no_answer_or_file() {
    let secret = "Corr&ct-H0rse";
    let mut live = Live::on(None, &[], &[("NOETL_DEBUG", "true")]);
    let body = json!({"name": "api", "type": "bearer", "data": {"token": secret}});
    live.post("/api/credentials", &body);
    // The steps hand it on in a file outside of the home folder, whose files are read below.
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept").display().to_string();
    let show = "import base64, html, json, urllib.parse\n\
        kept = open(path).read()\n\
        raw = kept.encode()\n\
        result = [kept, kept.upper(), kept.lower(), kept[::-1], raw.hex(), raw.hex().upper(),\n\
        \x20 base64.b64encode(raw).decode(), base64.b64encode(b'x' + raw).decode(), base64.b64encode(b'xy' + raw).decode(),\n\
        \x20 base64.b32encode(b'xy' + raw).decode(), urllib.parse.quote(kept), html.escape(kept), json.dumps(kept)]\n\
        print(*result, sep='\\n')\n";
    let playbook = json!({
        "apiVersion": "noetl.io/v2", "kind": "Playbook",
        "metadata": {"name": "disguise", "path": "t/disguise"},
        "workflow": [
            {"step": "start", "tool": {"kind": "secrets", "name": "api"},
             "next": [{"step": "keep", "args": {"handed": "{{ start.value }}"}}]},
            {"step": "keep", "next": [{"step": "show"}],
             "tool": {"kind": "shell", "stdin": "{{ handed }}", "cmd": format!("cat > '{kept}'")}},
            {"step": "show", "set": {"shown": "{{ show }}"}, "next": [{"step": "fail"}],
             "tool": {"kind": "python", "args": {"path": kept}, "code": show}},
            {"step": "fail", "tool": {"kind": "shell", "cmd": format!("cat '{kept}'; rev '{kept}' >&2; exit 3")}},
        ],
    });
    live.register(&playbook.to_string());
    let worker = Worker::start(&live, "w1", "2");
    let ended = live.run("t/disguise", &json!({}));
    assert_eq!(ended["status"], "FAILED", "{ended}");
    let mut seen = answers_about_failed(&live, ended["execution_id"].as_str().unwrap());
    let shown = ended["variables"]["shown"].as_array().unwrap();
    assert!(
        shown
            .iter()
            .all(|text| text.as_str().unwrap().contains("***")),
        "{shown:?}"
    );
    let log = live.home.run(&["server", "logs"]);
    seen += &log;
    drop(worker);
    live.stop();
    let forms = [
        "Corr", "CORR", "corr&", "esr0H", "436f7272", "436F7272", "Q29yci", "NvcnIm", "Db3JyJ",
        "H0rse",
    ];
    for form in forms {
        assert!(!seen.contains(form), "{form}: {seen}");
        for file in files(live.home.path()) {
            assert!(!contains(&file, form), "{form}: {}", file.display());
        }
    }
}

/// Starts a server with a key that it must refuse. Returns its output.
fn refused(live: &Live, key: Option<&str>) -> String {
    let mut command = live.command();
    if let Some(key) = key {
        command.env("NOETL_ENCRYPTION_KEY", key);
    }
    let output = command
        .stderr(std::process::Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", show(&output));
    show(&output)
}

#[test]
#[cfg(unix)]
fn a_key_is_private_and_another_one_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut live = Live::new();
    store(&live);
    let Store::Sqlite(folder) = live.store.clone() else {
        return;
    };
    let key = folder.join("encryption.key");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&key)), (0o700, 0o600));
    live.stop();
    let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let text = refused(&live, Some(other));
    assert!(
        text.contains("another key") && text.contains("help:"),
        "{text}"
    );
    let text = refused(&live, Some("short"));
    assert!(
        text.contains("32 bytes in base64") && text.contains("help:"),
        "{text}"
    );
    assert!(!text.contains("short"), "{text}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let text = refused(&live, None);
    assert!(
        text.contains("others may read it") && text.contains("chmod 600"),
        "{text}"
    );
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let kept = std::fs::read_to_string(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let files = || {
        let mut names: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    let before = files();
    let text = refused(&live, None);
    assert!(
        text.contains("a key that is not in ") && text.contains("help: copy the key"),
        "{text}"
    );
    assert_eq!(files(), before, "a lost key is not replaced");
    std::fs::write(&key, kept).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    live.start();
    assert_eq!(
        live.get("/api/credentials/db?include_data=true")["data"]["db_user"],
        "u"
    );
}

#[test]
#[cfg(unix)]
fn the_files_of_the_store_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let live = Live::new();
    // An existing folder that other users can read.
    let folder = live.home.path().join("shared");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("mine"), "").unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let other = Live::with(&["--data-dir", folder.to_str().unwrap()]);
    assert_eq!(other.get("/health")["status"], "ok");
    for name in ["noetl.db", "encryption.key"] {
        let mode = std::fs::metadata(folder.join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{name} is {mode:o}");
    }
}

/// What a step looks through: its own environment, and arguments, environment and memory maps of all processes.
#[cfg(target_os = "linux")]
const SEARCH: &str = r#"
set +e
env
for folder in /proc/[0-9]*; do
  tr '\0' '\n' < $folder/environ
  tr '\0' ' ' < $folder/cmdline
  echo
done 2>/dev/null
true
"#;

#[test]
#[cfg(target_os = "linux")]
fn a_step_finds_no_secrets_of_its_process() {
    let secrets = [
        ("NOETL_API_TOKEN", "t0ken-Zq8v"),
        (
            "NOETL_ENCRYPTION_KEY",
            "c2l4dGVlbiBieXRlcyB4IDIgPSB0aGlydHkgdHdvISE=",
        ),
        ("PGPASSWORD", "pgpa55-Yw3x"),
    ];
    let steps = [("start", crate::live::shell(SEARCH))];
    let check = |text: &str, whose: &str| {
        assert!(text.contains("PATH="), "{whose}: the search found nothing");
        for (name, value) in secrets {
            assert!(!text.contains(value), "{whose}: {name} was found");
        }
    };
    let live = Live::on(None, &[], &secrets);
    let bearer = format!("Bearer {}", secrets[0].1);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let ask = |method: &str, path: &str, body: &Value| {
        let answer = live.ask(method, path, &headers, body.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        serde_json::from_str::<Value>(&answer.text).unwrap()
    };
    let content = playbook("t/search", &steps);
    ask(
        "POST",
        "/api/catalog/register",
        &json!({ "content": content }),
    );
    let started = ask("POST", "/api/execute", &json!({"path": "t/search"}));
    let execution = started["execution_id"].as_str().unwrap();
    let path = format!("/api/executions/{execution}/status");
    let ended = crate::live::until("the search ends", || {
        let answer = live.ask("GET", &path, &headers[..1], b"");
        let state: Value = serde_json::from_str(&answer.text).unwrap();
        has_ended(&state).then_some(state)
    });
    assert_eq!(ended["status"], "COMPLETED", "{ended}");
    let events = live.ask(
        "GET",
        &format!("/api/executions/{execution}/events"),
        &headers[..1],
        b"",
    );
    check(&events.text, "the server");

    // `noetl run` in this process, with the secrets in its environment.
    let file = live.home.write("search.yaml", &content);
    let mut local = live
        .home
        .noetl(&["run", file.to_str().unwrap(), "--runtime", "local"]);
    let shown = show(&local.envs(secrets).output().unwrap());
    assert!(shown.ends_with("[exit 0]"), "{shown}");
    check(&shown, "noetl run");
}

#[test]
#[cfg(target_os = "linux")]
fn a_script_is_not_among_the_arguments_of_its_shell() {
    let live = Live::new();
    // The step's text is the parent's argument, if anything is.
    let script = "tr '\\0' ' ' < /proc/$$/cmdline; true secret-in-the-script";
    live.register(&playbook(
        "t/args",
        &[("start", crate::live::shell(script))],
    ));
    let state = live.run("t/args", &json!({}));
    assert_eq!(state["status"], "COMPLETED", "{state}");
    let execution = state["execution_id"].as_str().unwrap();
    let events = live.events(execution);
    let done = events
        .iter()
        .find(|event| event["event_type"] == "call.done");
    let stdout = done.unwrap()["result"]["stdout"].as_str().unwrap();
    assert!(
        stdout.contains("noetl-") && !stdout.contains("secret-in"),
        "{stdout}"
    );
}
