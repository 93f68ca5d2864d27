//! Access to a real server: host names, origins, tokens, sessions.

use std::io::{BufRead as _, BufReader};

use serde_json::json;

use crate::live::{Live, playbook, shell};
use crate::support::show;

const TOKEN: &str = "correct horse battery staple";
const JSON: (&str, &str) = ("content-type", "application/json");

/// Starts a server that other machines can connect to.
fn public(environment: &[(&str, &str)]) -> Live {
    Live::on(None, &["--host", "0.0.0.0"], environment)
}

#[test]
fn a_server_on_loopback_answers_only_to_its_names() {
    let live = Live::new();
    let port = live.url().rsplit(':').next().unwrap().to_owned();
    for (host, status) in [
        ("localhost", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1", 200),
        ("[::1]", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("169.254.169.254", 421),
    ] {
        for host in [host.to_owned(), format!("{host}:{port}")] {
            let answer = live.ask("GET", "/api/status", &[("host", &host)], b"");
            assert_eq!(answer.status, status, "{host}: {}", answer.text);
        }
    }
}

#[test]
fn requests_of_another_origin_are_refused() {
    let live = Live::new();
    live.register(&playbook("t/one", &[("start", shell("true"))]));
    let own = live.url();
    let body = br#"{"path": "t/one"}"#;
    for origin in [
        "http://evil.example",
        "https://localhost.evil.example",
        "http://127.0.0.1:1",
        "http://localhost",
        "null",
        "",
    ] {
        let headers = [JSON, ("origin", origin)];
        for (method, path) in [
            ("POST", "/api/execute"),
            ("DELETE", "/api/catalog/entry?path=t/one"),
            ("DELETE", "/api/credentials/x"),
            ("POST", "/api/postgres/execute"),
        ] {
            let answer = live.ask(method, path, &headers, body);
            assert_eq!(
                answer.status, 403,
                "{origin} {method} {path}: {}",
                answer.text
            );
        }
        let read = live.ask("GET", "/api/executions", &headers, b"");
        assert!(!read.headers.contains_key("access-control-allow-origin"));
    }
    assert_eq!(live.get("/api/executions"), json!([]));
    let answer = live.ask("POST", "/api/execute", &[JSON, ("origin", &own)], body);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let preflight = live.ask(
        "OPTIONS",
        "/api/execute",
        &[("origin", "http://evil.example")],
        b"",
    );
    assert!(
        !preflight
            .headers
            .contains_key("access-control-allow-origin")
    );
}

#[test]
fn all_but_health_metrics_and_the_page_needs_the_token() {
    let page = tempfile::tempdir().unwrap();
    std::fs::write(page.path().join("index.html"), "<title>page</title>").unwrap();
    let folder = page.path().to_str().unwrap();
    let live = public(&[("NOETL_API_TOKEN", TOKEN), ("NOETL_UI_DIR", folder)]);
    for path in [
        "/health",
        "/api/health",
        "/api/session",
        "/metrics",
        "/",
        "/execution/1",
    ] {
        assert_eq!(live.ask("GET", path, &[], b"").status, 200, "{path}");
    }
    assert_eq!(
        live.get("/api/session"),
        json!({"required": true, "authenticated": false})
    );
    let document: serde_json::Value = {
        let bearer = format!("Bearer {TOKEN}");
        let answer = live.ask(
            "GET",
            "/api/openapi.json",
            &[("authorization", &bearer)],
            b"",
        );
        assert_eq!(answer.status, 200);
        serde_json::from_str(&answer.text).unwrap()
    };
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            if ["/health", "/api/health", "/api/session", "/metrics"].contains(&path.as_str()) {
                continue;
            }
            let path = path.replace(['{', '}'], "");
            let answer = live.ask(&method.to_uppercase(), &path, &[JSON], b"{}");
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text);
            asked += 1;
        }
    }
    assert!(asked > 40, "{asked}");
    for path in [
        "/docs",
        "/api/openapi.json",
        "/api/executions/stream",
        "/api/executions/1/stream",
        "/api/",
        "/api/nothing",
        "/api/v2/execute",
        "//api/executions",
        "/%61pi/executions",
        "/api%2Fexecutions",
        "/x/../api/executions",
    ] {
        let answer = live.ask("GET", path, &[], b"");
        let closed = answer.status == 401 || answer.status == 404 || answer.text.starts_with('<');
        assert!(
            closed || answer.text.starts_with("{\"message\":"),
            "{path}: {}",
            answer.text
        );
        assert!(!answer.text.starts_with('['), "{path}: {}", answer.text);
    }
}

#[test]
fn wrong_tokens_are_counted_on_all_paths() {
    for way in ["header", "session", "cookie"] {
        let live = public(&[("NOETL_API_TOKEN", TOKEN)]);
        let guess = |number: usize| {
            let word = format!("Bearer guess{number}");
            let cookie = format!("noetl_session=guess{number}");
            let body = json!({"token": format!("guess{number}")}).to_string();
            match way {
                "header" => live.ask("GET", "/api/status", &[("authorization", &word)], b""),
                "cookie" => live.ask("GET", "/api/status", &[("cookie", &cookie)], b""),
                _ => live.ask("POST", "/api/session", &[JSON], body.as_bytes()),
            }
        };
        let statuses: Vec<u16> = (0..40).map(|number| guess(number).status).collect();
        assert!(statuses.starts_with(&[401; 10]), "{way}: {statuses:?}");
        assert!(statuses.ends_with(&[429; 10]), "{way}: {statuses:?}");
        assert_eq!(live.ask("GET", "/health", &[], b"").status, 200);
        // Whatever others at this address do, the right token passes, and a session begins.
        let bearer = format!("Bearer {TOKEN}");
        for _ in 0..30 {
            guess(0);
            let right = live.ask("GET", "/api/status", &[("authorization", &bearer)], b"");
            assert_eq!(right.status, 200, "{way}: {}", right.text);
        }
        let body = json!({"token": TOKEN}).to_string();
        let signed_in = live.ask("POST", "/api/session", &[JSON], body.as_bytes());
        assert_eq!(signed_in.status, 200, "{way}: {}", signed_in.text);
    }
}

#[test]
fn cookies_of_other_programs_are_not_wrong_tokens() {
    let live = public(&[("NOETL_API_TOKEN", TOKEN)]);
    for _ in 0..50 {
        let answer = live.ask(
            "GET",
            "/api/status",
            &[("cookie", "other=1; grafana=x")],
            b"",
        );
        assert_eq!(answer.status, 401);
    }
}

#[test]
fn a_token_that_is_given_is_needed_on_loopback_as_well() {
    let live = Live::on(None, &[], &[("NOETL_API_TOKEN", TOKEN)]);
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(live.ask("GET", "/api/status", &[], b"").status, 401);
    assert_eq!(live.ask("GET", "/health", &[], b"").status, 200);
    let with = [("authorization", bearer.as_str())];
    let answer = live.ask("GET", "/api/status", &with, b"");
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains(r#""auth":"token""#), "{}", answer.text);
}

#[test]
fn a_session_ends_with_its_sign_out_or_its_token() {
    let begin = |live: &Live| {
        let body = json!({"token": TOKEN}).to_string();
        let answer = live.ask("POST", "/api/session", &[JSON], body.as_bytes());
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    };
    let status = |live: &Live, cookie: &str| {
        let answer = live.ask("GET", "/api/status", &[("cookie", cookie)], b"");
        answer.status
    };
    let mut live = public(&[("NOETL_API_TOKEN", TOKEN)]);
    let (one, two) = (begin(&live), begin(&live));
    assert_ne!(one, two, "each session is random");
    assert_eq!((status(&live, &one), status(&live, &two)), (200, 200));
    let out = live.ask("DELETE", "/api/session", &[("cookie", &one), JSON], b"");
    assert_eq!(out.status, 200);
    assert_eq!((status(&live, &one), status(&live, &two)), (401, 200));
    live.stop();
    let database = live.home.path().join(".noetl/data/noetl.db");
    let stored = std::fs::read(database).unwrap();
    let value = two.split('=').nth(1).unwrap();
    let holds = |text: &str| stored.windows(text.len()).any(|it| it == text.as_bytes());
    assert!(!holds(value) && !holds(TOKEN), "only hashes are stored");
    live.start();
    assert_eq!(status(&live, &two), 200, "it outlives a restart");
    live.stop();
    live.set("NOETL_API_TOKEN", "another token");
    live.start();
    assert_eq!(status(&live, &two), 401, "its token has changed");
}

#[test]
fn a_session_cookie_is_hidden_from_scripts_and_works_for_streams() {
    let live = public(&[("NOETL_API_TOKEN", TOKEN)]);
    let wrong = live.ask("POST", "/api/session", &[JSON], br#"{"token": "x"}"#);
    assert_eq!(wrong.status, 401);
    let body = json!({"token": TOKEN}).to_string();
    let answer = live.ask("POST", "/api/session", &[JSON], body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text);
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    assert!(!cookie.contains(TOKEN), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let with = [("cookie", cookie)];
    let session = live.ask("GET", "/api/session", &with, b"");
    assert_eq!(session.text, r#"{"required":true,"authenticated":true}"#);
    assert_eq!(live.ask("GET", "/api/status", &with, b"").status, 200);
    let foreign = [("cookie", cookie), ("origin", "http://evil.example"), JSON];
    assert_eq!(
        live.ask("POST", "/api/execute", &foreign, b"{}").status,
        403
    );
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let stream = agent
        .get(format!("{}/api/executions/stream", live.url()))
        .header("cookie", cookie)
        .call()
        .unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let content = playbook("t/one", &[("start", shell("true"))]);
    let register = json!({ "content": content }).to_string();
    let own = [("cookie", cookie), JSON];
    assert_eq!(
        live.ask("POST", "/api/catalog/register", &own, register.as_bytes())
            .status,
        200
    );
    assert_eq!(
        live.ask("POST", "/api/execute", &own, br#"{"path": "t/one"}"#)
            .status,
        200
    );
    let first = BufReader::new(stream.into_body().into_reader())
        .lines()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(first, "event: begin");
    let out = live.ask("DELETE", "/api/session", &own, b"");
    assert!(
        out.headers["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
}

#[test]
#[cfg(unix)]
fn a_missing_token_is_generated_and_its_file_is_printed() {
    use std::os::unix::fs::PermissionsExt as _;
    let live = public(&[]);
    let path = live.home.path().join(".noetl/data/api.token");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = std::fs::read_to_string(&path).unwrap();
    assert!(token.len() >= 32, "{token}");
    let bearer = format!("Bearer {token}");
    assert_eq!(live.ask("GET", "/api/status", &[], b"").status, 401);
    assert_eq!(
        live.ask("GET", "/api/status", &[("authorization", &bearer)], b"")
            .status,
        200
    );
    let shown = live
        .noetl(&["list", "Execution"])
        .env("NOETL_API_TOKEN", &token)
        .output()
        .unwrap();
    assert!(show(&shown).ends_with("[exit 0]"), "{}", show(&shown));
    let shown = show(&live.noetl(&["list", "Execution"]).output().unwrap());
    assert!(
        shown.contains("NOETL_API_TOKEN") && shown.ends_with("[exit 1]"),
        "{shown}"
    );
    let log = std::fs::read_to_string(live.log_path()).unwrap();
    assert!(!log.contains(&token), "the token is in the log");
}

#[test]
fn a_data_folder_and_a_database_file_have_one_server() {
    let key = (
        "NOETL_ENCRYPTION_KEY",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    );
    let live = Live::on(None, &[], &[key]);
    let data = live.home.path().join(".noetl/data");
    let mut same = live.home.noetl(&["server", "start", "--port", "0"]);
    let text = show(&same.env(key.0, key.1).output().unwrap());
    assert!(
        text.contains("another server uses") && text.ends_with("[exit 1]"),
        "{text}"
    );
    // The same database file, with another data folder.
    let mut command = live
        .home
        .noetl(&["server", "start", "--port", "0", "--data-dir"]);
    command.arg(live.home.path().join("other"));
    command.env(
        "DATABASE_URL",
        format!("sqlite:{}", data.join("noetl.db").display()),
    );
    command.env(key.0, key.1);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    drop(child.kill());
    child.wait().unwrap();
    assert_eq!(line, "", "a second server began on the same file");
}
