//! The playbooks of examples/, each run by the real binary with the command in its first lines.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Home;

/// The examples that a test of this file runs.
const RUN: [&str; 13] = [
    "child_build",
    "fan_out",
    "hello",
    "http_get",
    "loop_parallel",
    "pagination",
    "parent",
    "pipeline",
    "python",
    "retries",
    "routing",
    "sqlite_transfer",
    "timeout",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// Runs an example. Returns its exit code and its JSON output.
fn run_in(home: &Home, name: &str, args: &[&str]) -> (i32, Value) {
    assert!(RUN.contains(&name), "{name} is missing in RUN");
    let file = folder().join(format!("{name}.yaml"));
    let file = file.display().to_string();
    let mut all = vec!["run", &file, "--json"];
    all.extend(args);
    let output = home.noetl(&all).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), answer)
}

fn run(name: &str, args: &[&str]) -> (i32, Value) {
    run_in(&Home::new(), name, args)
}

/// What is inserted into README's first playbook is data and not code.
#[test]
#[cfg(unix)]
fn the_playbook_of_readme_runs_nothing_that_is_inserted() {
    let readme = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, block) = readme.split_once("```yaml\n").unwrap();
    let (playbook, _) = block.split_once("```").unwrap();
    let home = Home::new();
    let file = home.write("greet.yaml", playbook);
    let name = "name=$(touch ran); `touch ran`; \"; touch ran; \"";
    let args = [
        "run",
        file.to_str().unwrap(),
        "--set",
        name,
        "--runtime",
        "local",
    ];
    let shown = home.run(&args);
    assert!(
        shown.contains("Hello $(touch ran); `touch ran`;"),
        "{shown}"
    );
    assert!(!home.path().join("ran").exists(), "{shown}");
}

/// Returns the result of an example that must complete.
#[track_caller]
fn result(name: &str, args: &[&str]) -> Value {
    let (code, mut answer) = run(name, args);
    assert_eq!(
        (code, &answer["status"]),
        (0, &json!("COMPLETED")),
        "{answer:#}"
    );
    answer["result"].take()
}

type Answer = dyn Fn(usize, &str, &BTreeMap<String, String>) -> (u16, Value) + Send + Sync;

/// An HTTP server on a free port. `answer` receives the number of the request, its path and its query.
struct Api {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Api {
    fn start(
        answer: impl Fn(usize, &str, &BTreeMap<String, String>) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (log, answer): (_, Arc<Answer>) = (Arc::clone(&asked), Arc::new(answer));
        // The thread ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                serve(&stream, &log, &*answer);
            }
        });
        Self { url, asked }
    }

    fn set(&self) -> String {
        format!("api_url={}", self.url)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: &TcpStream, log: &Mutex<Vec<String>>, answer: &Answer) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let (mut length, mut line) = (0_u64, String::new());
    while reader.read_line(&mut line).unwrap() > 2 {
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    reader.take(length).read_to_end(&mut Vec::new()).unwrap();
    let target = first.split(' ').nth(1).unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let number = {
        let mut log = log.lock().unwrap();
        log.push(target.to_owned());
        log.len()
    };
    let (status, body) = answer(number, path, &query);
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream
        .write_all(format!("{head}{body}").as_bytes())
        .unwrap();
}

#[test]
fn every_example_has_a_comment_and_a_test() {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# "), "{name} does not say what it shows");
        let command = format!("#   noetl run crates/noetlctl/examples/{name}.yaml");
        assert!(text.contains(&command), "{name} does not say how to run it");
        let (code, answer) = run_in(&Home::new(), &name, &["--dry-run"]);
        assert_eq!((code, &answer["problems"]), (0, &json!([])), "{name}");
        names.push(name);
    }
    names.sort();
    assert_eq!(names, RUN);
}

#[cfg(unix)]
#[test]
fn hello() {
    assert_eq!(result("hello", &[])["greeting"], "Hello, you!");
    let world = result("hello", &["--set", "name=World"]);
    assert_eq!(world, json!({"greeting": "Hello, World!"}));
    let sly = result("hello", &["--set", "name=$(echo x); \"'`id`"]);
    assert_eq!(sly["greeting"], "Hello, $(echo x); \"'`id`!");
}

#[test]
fn http_get() {
    let api = Api::start(|_, path, query| match path {
        "/weather" => (200, json!({"city": query["city"], "celsius": 21.5})),
        _ => (404, json!({"error": "nothing here"})),
    });
    let found = result(
        "http_get",
        &["--set", &api.set(), "--set", "city=New York & more"],
    );
    assert_eq!(found["warm"], true);
    assert!(
        [
            "/weather?city=New+York+%26+more",
            "/weather?city=New%20York%20%26%20more"
        ]
        .contains(&api.asked()[0].as_str()),
        "{:?}",
        api.asked()
    );
    let broken = Api::start(|_, _, _| (503, json!({"error": "closed"})));
    let found = result("http_get", &["--set", &broken.set()]);
    assert_eq!(found["city"], "Zürich");
    assert!(
        found["reason"].as_str().unwrap().contains("HTTP 503"),
        "{found}"
    );
}

#[test]
fn routing() {
    assert_eq!(
        result("routing", &[]),
        json!({"replicas": 1, "deployed_to": "development"})
    );
    let staging = result("routing", &["--set", "environment=staging"]);
    assert_eq!(staging["replicas"], 2);
    let approved = ["--set", "environment=production", "--set", "approved=true"];
    assert_eq!(result("routing", &approved)["replicas"], 5);
    let (code, answer) = run("routing", &["--set", "environment=production"]);
    assert_eq!((code, &answer["status"]), (1, &json!("FAILED")));
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("approved=true"),
        "{answer:#}"
    );
}

#[test]
fn loop_parallel() {
    let words = result(
        "loop_parallel",
        &["--payload", r#"{"words": ["one", "two", "three"]}"#],
    );
    assert_eq!(
        words,
        json!({"words": ["one", "two", "three"], "letters": 11, "failed": 0})
    );
    assert_eq!(
        result("loop_parallel", &["--payload", r#"{"words": []}"#])["letters"],
        0
    );
}

#[test]
fn pagination() {
    let api = Api::start(|number, _, query| {
        let page: u64 = query["page"].parse().unwrap();
        if number == 2 {
            return (503, json!({"error": "try again"}));
        }
        let items: Vec<_> = ((page - 1) * 10..(page * 10).min(35))
            .map(|id| json!({"id": id + 1}))
            .collect();
        (
            200,
            json!({"items": items, "paging": {"page": page, "more": page < 4}}),
        )
    });
    let summary = result("pagination", &["--set", &api.set()]);
    assert_eq!(summary, json!({"items": 35, "first": 1, "last": 35}));
    let pages: Vec<_> = api
        .asked()
        .iter()
        .map(|asked| asked.split("page=").nth(1).unwrap()[..1].to_owned())
        .collect();
    assert_eq!(pages, ["1", "2", "2", "3", "4"]);
}

#[test]
fn python() {
    let found = result("python", &["--payload", r#"{"numbers": [4, 8, 15]}"#]);
    assert_eq!(
        found,
        json!({"text": "mean 9, largest 15", "found": {"mean": 9, "largest": 15}})
    );
}

#[test]
fn sqlite_transfer() {
    let home = Home::new();
    let database = format!("database={}", home.path().join("shop.db").display());
    for _ in 0..2 {
        let (code, answer) = run_in(&home, "sqlite_transfer", &["--set", &database]);
        assert_eq!(code, 0, "{answer:#}");
        assert_eq!(
            answer["steps"]["check"]["rows"],
            json!([{"customers": 2, "cents": 2300}]),
            "{answer:#}"
        );
    }
}

#[cfg(unix)]
#[test]
fn parent_and_child() {
    let images = result("parent", &["--set", "version=1.2.3"]);
    assert_eq!(images, json!({"images": ["api:1.2.3", "web:1.2.3"]}));
    let (code, answer) = run("child_build", &["--set", "service=api"]);
    assert_eq!(code, 0);
    assert_eq!(
        answer["steps"]["package"],
        json!({"image": "api:0.0.0", "log": "compiled"})
    );
}

#[cfg(unix)]
#[test]
fn retries() {
    let api = Api::start(|number, path, _| match (path, number) {
        ("/gone", _) => (404, json!({"error": "gone"})),
        (_, 1 | 2) => (503, json!({"error": "not yet"})),
        _ => (200, json!({"answer": 42})),
    });
    let (code, answer) = run("retries", &["--set", &api.set()]);
    assert_eq!(
        (code, &answer["steps"]["answer"]),
        (0, &json!({"answer": 42, "attempts": 3})),
        "{answer:#}"
    );
    assert_eq!(api.asked().len(), 3);
    let (code, answer) = run("retries", &["--set", &api.set(), "--set", "path=/gone"]);
    assert_eq!(
        (code, api.asked().len()),
        (1, 4),
        "a failure for good was tried again: {answer:#}"
    );
    assert_eq!(answer["error"]["status"], 404);
    assert_eq!(answer["steps"]["tidy_up"]["exit_code"], 0, "{answer:#}");
}

#[test]
fn pipeline() {
    let over = result("pipeline", &["--set", "target=20"]);
    assert_eq!(over, json!({"value": 32, "rounds": 5, "exact": false}));
    let exact = result("pipeline", &["--set", "target=16"]);
    assert_eq!(exact, json!({"value": 16, "rounds": 4, "exact": true}));
}

#[test]
fn fan_out() {
    let (code, answer) = run("fan_out", &[]);
    assert_eq!(
        (code, &answer["result"]),
        (0, &json!({"highest": 71, "fine": true}))
    );
    assert_eq!(answer["steps"].as_object().unwrap().len(), 5);
}

#[cfg(unix)]
#[test]
fn timeout() {
    let begun = Instant::now();
    let slow = result("timeout", &[]);
    assert_eq!(slow, json!({"answer": "from the cache", "in_time": false}));
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    let quick = result("timeout", &["--set", "seconds=0.1"]);
    assert_eq!(quick, json!({"answer": "finished", "in_time": true}));
}
