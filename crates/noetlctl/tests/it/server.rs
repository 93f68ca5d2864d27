//! `noetl server`: its answers, its web page, start and stop, errors at the start.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use crate::support::{Home, Server, show};

fn start(home: &Home, change: impl Fn(&mut Command)) -> Server {
    let mut command = home.noetl(&["server", "start", "--port", "0"]);
    change(&mut command);
    Server::start(command)
}

/// Writes a web page, so that the tests do not need a built ui-src.
fn page(home: &Home) -> std::path::PathBuf {
    let folder = home.path().join("page");
    fs::create_dir_all(folder.join("assets")).unwrap();
    fs::write(folder.join("index.html"), "<title>page</title>").unwrap();
    fs::write(folder.join("assets/app-1234.js"), "let page = 1;").unwrap();
    folder
}

#[test]
fn health_and_version_answer() {
    let home = Home::new();
    let server = start(&home, |_| {});
    assert_eq!(
        server.text("/health"),
        (200, r#"{"status":"ok"}"#.to_owned())
    );
    assert_eq!(
        server.text("/api/health"),
        (200, r#"{"status":"ok"}"#.to_owned())
    );
    let stamp: serde_json::Value = serde_json::from_str(&server.text("/api/version").1).unwrap();
    assert_eq!(stamp["version"], env!("CARGO_PKG_VERSION"));
    let printed = home.noetl(&["version", "--json"]).output().unwrap().stdout;
    assert_eq!(
        stamp,
        serde_json::from_slice::<serde_json::Value>(&printed).unwrap()
    );
}

#[test]
fn unknown_api_paths_are_json_404s_for_every_method() {
    let home = Home::new();
    let folder = page(&home);
    let server = start(&home, |command| {
        command.env("NOETL_UI_DIR", &folder);
    });
    for path in ["/api", "/api/", "/api/nothing", "/api/no/thing"] {
        assert_eq!(
            server.text(path),
            (404, r#"{"detail":"API endpoint not found"}"#.to_owned()),
            "{path}"
        );
    }
    let posted = ureq::post(format!("{}/api/nothing", server.url)).send_empty();
    assert!(
        matches!(posted, Err(ureq::Error::StatusCode(404))),
        "{posted:?}"
    );
}

#[test]
fn the_page_has_routes_assets_and_cache_headers() {
    let home = Home::new();
    let folder = page(&home);
    let server = start(&home, |command| {
        command.env("NOETL_UI_DIR", &folder);
    });
    for route in [
        "/",
        "/index.html",
        "/execution/123",
        "/editor?id=a/b",
        "/catalog",
    ] {
        assert_eq!(
            server.text(route),
            (200, "<title>page</title>".to_owned()),
            "{route}"
        );
    }
    let index = server.get("/", &[]);
    assert_eq!(index.headers()["cache-control"], "no-cache");
    assert_eq!(index.headers()["content-type"], "text/html; charset=utf-8");
    assert!(
        index.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("default-src 'self'")
    );
    let etag = index.headers()["etag"].to_str().unwrap().to_owned();
    let again = server.get("/", &[("if-none-match", &etag)]);
    assert_eq!((again.status().as_u16(), again.body().len()), (304, 0));
    let asset = server.get("/assets/app-1234.js", &[]);
    assert_eq!(
        asset.headers()["cache-control"],
        "public, max-age=31536000, immutable"
    );
    assert_eq!(
        asset.headers()["content-type"],
        "text/javascript; charset=utf-8"
    );
    assert_eq!(
        server.text("/assets/%61pp-1234.js").0,
        200,
        "an encoded name is the same name"
    );
    assert_eq!(server.text("/assets/gone.js").0, 404);
    assert_eq!(
        server.text("/theme.js").0,
        404,
        "a missing script is not HTML"
    );
    assert_eq!(server.text("/assets/../../secret").0, 404);
}

#[test]
fn without_a_page_the_root_answers_with_a_message() {
    let message = r#"{"message":"NoETL API is running, but UI is not available"}"#;
    let home = Home::new();
    let folder = page(&home);
    let empty = home.path().join("empty");
    fs::create_dir(&empty).unwrap();
    for no in ["false", "0", "NO", "off"] {
        let server = start(&home, |command| {
            command
                .env("NOETL_ENABLE_UI", no)
                .env("NOETL_UI_DIR", &folder);
        });
        assert_eq!(server.text("/"), (200, message.to_owned()), "{no}");
    }
    let flag = start(&home, |command| {
        let data = home.path().join("flag");
        command
            .arg("--no-ui")
            .env("NOETL_UI_DIR", &folder)
            .env("NOETL_DATA_DIR", data);
    });
    assert_eq!(flag.text("/"), (200, message.to_owned()));
    let empty = start(&home, |command| {
        let data = home.path().join("empty-data");
        command
            .env("NOETL_UI_DIR", &empty)
            .env("NOETL_DATA_DIR", data);
    });
    assert_eq!(empty.text("/"), (200, message.to_owned()));
}

#[test]
fn debug_logs_each_request() {
    let home = Home::new();
    let mut command = home.noetl(&["server", "start", "--port", "0"]);
    let log = home.path().join("log");
    command
        .env("NOETL_DEBUG", "true")
        .stderr(fs::File::create(&log).unwrap());
    let server = Server::start_with_log(command);
    server.text("/api/health");
    let logged = fs::read_to_string(log).unwrap();
    assert!(
        logged.contains("/api/health") && logged.contains("200"),
        "{logged}"
    );
}

#[test]
fn variables_of_kubernetes_services_are_ignored() {
    let home = Home::new();
    let mut command = home.noetl(&["server", "status"]);
    let output = command
        .env("NOETL_PORT", "tcp://10.0.0.1:8082")
        .output()
        .unwrap();
    let text = show(&output);
    assert!(
        text.contains("NOETL_PORT=tcp://10.0.0.1:8082 is not a port number; using 8082"),
        "{text}"
    );
    assert!(text.contains("http://127.0.0.1:8082"), "{text}");
    let server = start(&home, |command| {
        command
            .env("NOETL_PORT", "tcp://10.0.0.1:8082")
            .env("NOETL_ENABLE_UI", "perhaps");
    });
    assert_eq!(server.text("/health").0, 200);
}

#[test]
fn a_failed_start_has_an_error_with_help() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let text = home.run(&["server", "start", "--port", &port]);
    assert!(
        text.contains(&format!(
            "error: port {port} is already in use on 127.0.0.1\nhelp: "
        )),
        "{text}"
    );
    assert!(text.ends_with("[exit 1]"), "{text}");
    let text = home.run(&["server", "start", "--host", "no.such.host.invalid"]);
    assert!(
        text.contains("error: cannot resolve host `no.such.host.invalid`\n"),
        "{text}"
    );
    assert!(
        text.contains("help: ") && text.ends_with("[exit 1]"),
        "{text}"
    );
    let text = home.run(&["server", "start", "--detach", "--port", &port]);
    assert!(
        text.contains("the server failed to start") && text.contains("already in use"),
        "{text}"
    );
    assert!(text.ends_with("[exit 1]"), "{text}");
}

#[test]
fn a_detached_server_is_found_and_stopped_by_its_pid_file() {
    let home = Home::new();
    let pid_file = home.path().join(".noetl/noetl_server.pid");
    let text = home.run(&["server", "start", "--detach", "--port", "0"]);
    assert!(
        text.contains("noetl server running at http://127.0.0.1:") && text.ends_with("[exit 0]"),
        "{text}"
    );
    let pid = fs::read_to_string(&pid_file).unwrap();
    assert!(pid.parse::<u32>().is_ok(), "{pid:?}");
    let text = home.run(&["server", "status"]);
    assert!(
        text.contains(&format!("(pid {pid})")) && text.ends_with("[exit 0]"),
        "{text}"
    );
    let text = home.run(&["server", "start", "--detach", "--port", "0"]);
    assert!(
        text.contains("error: a server is already running") && text.ends_with("[exit 1]"),
        "{text}"
    );
    let text = home.run(&["server", "stop"]);
    assert!(
        text.contains("stopped") && text.ends_with("[exit 0]"),
        "{text}"
    );
    assert!(!pid_file.exists());
    let text = home.run(&["server", "stop"]);
    assert!(
        text.contains("error: no background server is running") && text.ends_with("[exit 1]"),
        "{text}"
    );
}

#[test]
fn a_stale_pid_file_is_recognized() {
    let home = Home::new();
    let folder = home.path().join(".noetl");
    fs::create_dir(&folder).unwrap();
    // The process id of this test is that of a running process which is not a noetl server.
    for content in [
        std::process::id().to_string(),
        "999999999".to_owned(),
        "nonsense".to_owned(),
    ] {
        fs::write(folder.join("noetl_server.pid"), &content).unwrap();
        let text = home.run(&["server", "start", "--detach", "--port", "0"]);
        assert!(
            text.contains("error: stale pid file") && text.contains("help: `noetl server stop`"),
            "{text}"
        );
        assert!(text.ends_with("[exit 1]"), "{text}");
        let text = home.run(&["server", "stop", "--force"]);
        assert!(
            text.contains("error: stale pid file") && text.ends_with("[exit 1]"),
            "{text}"
        );
        assert!(!folder.join("noetl_server.pid").exists());
    }
}

#[test]
#[cfg(unix)]
fn signals_stop_a_server_with_an_open_connection() {
    for signal in ["-TERM", "-INT"] {
        let home = Home::new();
        let mut server = start(&home, |_| {});
        let held = std::net::TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
        let killed = Command::new("kill")
            .args([signal, &server.child.id().to_string()])
            .status()
            .unwrap();
        assert!(killed.success());
        let status = server.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{signal}");
        drop(held);
    }
}

#[test]
fn check_requests_every_file_of_the_page() {
    let home = Home::new();
    let folder = page(&home);
    let server = start(&home, |command| {
        command.env("NOETL_UI_DIR", &folder);
    });
    let check = |more: &[&str]| {
        let mut words = vec!["server", "check", "--server-url", server.url.as_str()];
        words.extend(more);
        show(&home.noetl(&words).output().unwrap())
    };
    let text = check(&[]);
    assert!(
        text.contains("failed  /: the page loads no script") && text.ends_with("[exit 1]"),
        "{text}"
    );
    let index = r#"<script src="/assets/here.js"></script><script src="/assets/gone.js"></script>"#;
    std::fs::write(folder.join("index.html"), index).unwrap();
    std::fs::write(folder.join("assets/here.js"), "1").unwrap();
    let text = check(&[]);
    assert!(text.contains("ok      /assets/here.js (1 bytes)"), "{text}");
    assert!(
        text.contains("failed  /assets/gone.js: ") && text.ends_with("[exit 1]"),
        "{text}"
    );
    std::fs::write(folder.join("assets/gone.js"), "2").unwrap();
    assert!(check(&[]).ends_with("[exit 0]"), "{}", check(&[]));
    assert!(check(&["--json"]).starts_with(r#"{"url":"http://"#));
    drop(server);
    let without_page = start(&home, |command| {
        command.arg("--no-ui");
    });
    let words = [
        "server",
        "check",
        "--no-ui",
        "--server-url",
        &without_page.url,
    ];
    let text = show(&home.noetl(&words).output().unwrap());
    assert!(text.ends_with("[exit 0]"), "{text}");
}
