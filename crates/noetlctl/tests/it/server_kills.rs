//! SIGKILL of the server and of a worker at moments that a seed chooses: no execution is lost, and no step
//! runs again after its outcome is in the log.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::live::{Live, Store, Worker, playbook, shell};
use crate::postgres::Postgres;
use crate::support::variable;

const STEPS: [&str; 3] = ["start", "middle", "end"];
pub(crate) const KEY: (&str, &str) = (
    "NOETL_ENCRYPTION_KEY",
    "c2l4dGVlbiBieXRlcyB4IDIgPSB0aGlydHkgdHdvISE=",
);
/// How long all executions together may take.
const TIMEOUT: Duration = Duration::from_secs(600);

/// An execution and one of its steps.
pub(crate) type Call = (String, String);

/// Xorshift random numbers: the same ones for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Returns a number less than `bound`.
    pub(crate) fn number(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// Counts the lines that each step has written.
pub(crate) fn lines(file: &Path) -> BTreeMap<Call, usize> {
    let mut counts = BTreeMap::new();
    let text = std::fs::read_to_string(file).unwrap_or_default();
    for line in text.lines() {
        let (execution, step) = line.split_once(':').unwrap();
        *counts
            .entry((execution.to_owned(), step.to_owned()))
            .or_insert(0) += 1;
    }
    counts
}

/// Returns the steps whose outcome is in the log.
fn acknowledged(live: &Live) -> Vec<Call> {
    let query =
        "SELECT CAST(execution_id AS TEXT), node_name FROM event WHERE event_type = 'call.done'";
    let answer = live.post("/api/postgres/execute", &json!({ "query": query }));
    assert_eq!(answer["status"], "ok", "{answer}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = answer["result"].as_array().unwrap();
    rows.iter()
        .map(|row| (text(&row[0]), text(&row[1])))
        .collect()
}

/// The figures of a run.
#[derive(Debug, Default)]
struct Figures {
    servers_killed: usize,
    workers_killed: usize,
    /// Runs of steps that a kill interrupted.
    again: usize,
    /// The largest number of runs of one step.
    most: usize,
}

/// Kills the server or the worker, ends its leases, and starts it again.
fn kill(live: &mut Live, worker: &mut Worker, server: bool) {
    if server {
        live.kill();
        if matches!(live.store, Store::Postgres(_)) {
            end_leases(live, "server-%");
        }
        live.start();
    } else {
        let held = format!("killed-{}-%", worker.child.id());
        worker.child.kill().unwrap();
        worker.child.wait().unwrap();
        end_leases(live, &held);
        *worker = Worker::start(live, "killed", "2");
    }
}

/// Returns how many holders a command without an outcome has lost at most.
fn most_losses(live: &Live) -> i64 {
    let query = "SELECT COALESCE(MAX(lost), 0) FROM command";
    let answer = live.post("/api/postgres/execute", &json!({ "query": query }));
    answer["result"][0][0].as_i64().unwrap_or_default()
}

fn end_leases(live: &Live, worker: &str) {
    live.sql(&format!(
        "UPDATE command SET lease_until = 1 WHERE worker_id LIKE '{worker}'"
    ));
}

fn running(live: &Live) -> usize {
    let count = |status: &str| -> usize {
        let path = format!("/api/executions?status={status}&limit=1");
        let answer = live.ask("GET", &path, &[], b"");
        let count = answer.headers["x-total-count"].to_str().unwrap();
        count.parse().unwrap()
    };
    count("PENDING") + count("RUNNING")
}

/// Starts `number` executions, kills processes until all have ended, and checks the log and the output.
fn run(live: &mut Live, number: usize, seed: u64) -> Figures {
    let file = live.home.path().join("lines");
    let steps = STEPS.map(|step| {
        let script = format!(
            "echo {{{{ execution_id }}}}:{step} >> {}; sleep 0.05",
            file.display()
        );
        (step, shell(&script))
    });
    live.register(&playbook("t/lines", &steps));
    let runs: Vec<String> = (0..number)
        .map(|_| live.execute("t/lines", &json!({})))
        .collect();
    let mut worker = Worker::start(live, "killed", "2");
    let mut random = Random(seed);
    let mut figures = Figures::default();
    let mut before: BTreeMap<Call, usize> = BTreeMap::new();
    let started = Instant::now();
    let mut next = 3;
    while running(live) > 0 {
        assert!(
            started.elapsed() < TIMEOUT,
            "{} executions do not end",
            running(live)
        );
        // The moments depend on the lines written, and not on the speed of the machine.
        let written: usize = lines(&file).values().sum();
        // A third loss of the same command would fail its execution, which is another test's.
        if written < next || most_losses(live) >= 2 {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let done = acknowledged(live);
        let now = lines(&file);
        before.extend(done.into_iter().map(|call| (call.clone(), now[&call])));
        let server = random.number(2) == 0;
        *(if server {
            &mut figures.servers_killed
        } else {
            &mut figures.workers_killed
        }) += 1;
        kill(live, &mut worker, server);
        next = written + 4 + random.number(12);
    }
    let after = lines(&file);
    for (call, count) in &before {
        assert_eq!(
            after[call], *count,
            "{call:?} ran again after its outcome was in the log"
        );
    }
    let done = acknowledged(live);
    let once: BTreeSet<&Call> = done.iter().collect();
    assert_eq!(once.len(), done.len(), "an outcome counted twice");
    for execution in &runs {
        assert_eq!(live.status(execution)["status"], "COMPLETED");
        for step in STEPS {
            let call = (execution.clone(), step.to_owned());
            assert!(
                once.contains(&call) && after.contains_key(&call),
                "{call:?}"
            );
        }
    }
    figures.again = after.values().map(|count| count - 1).sum();
    figures.most = after.values().copied().max().unwrap_or(0);
    figures
}

fn number() -> usize {
    variable("NOETL_TEST_EXECUTIONS").map_or(30, |number| number.parse().unwrap())
}

fn check(mut live: Live) {
    let figures = run(&mut live, number(), 0x6e6f_6574_6c33);
    eprintln!("{} executions: {figures:?}", number());
    assert!(
        figures.servers_killed > 0 && figures.workers_killed > 0,
        "{figures:?}"
    );
    // Four steps run at a time, so that a kill interrupts at most four.
    let kills = figures.servers_killed + figures.workers_killed;
    assert!(figures.again <= kills * 4, "{figures:?}");
}

#[test]
fn kills_lose_and_repeat_nothing_with_sqlite() {
    check(Live::with(&["--max-workers", "2"]));
}

#[test]
fn kills_lose_and_repeat_nothing_with_postgresql() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let database = postgres.database("kills");
    check(Live::on(Some(database), &["--max-workers", "2"], &[KEY]));
}

/// Starts a step with a process in a session of its own, kills what runs the step, and expects that process to end: it must
/// not run beside the same step, started again.
#[cfg(target_os = "linux")]
fn kill_what_runs_a_step(live: &Live, kill: impl FnOnce()) {
    let pipe = live.home.path().join("alive");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let script = format!(
        "setsid sh -c 'exec 9>{}; echo started >&9; exec sleep 1000' & wait",
        pipe.display()
    );
    live.register(&playbook("t/left", &[("start", shell(&script))]));
    live.execute("t/left", &json!({}));
    let mut reader = std::io::BufReader::new(std::fs::File::open(&pipe).unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
    assert_eq!(line, "started\n");
    kill();
    // The end of the pipe: the process that held it open has ended.
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut reader, &mut rest).unwrap();
    assert_eq!(rest, "");
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_step_has_started_ends_with_a_killed_server() {
    let live = Live::new();
    let server = live.process_id().to_string();
    let mut kill = std::process::Command::new("kill");
    kill_what_runs_a_step(&live, || {
        assert!(kill.args(["-9", &server]).status().unwrap().success());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_step_has_started_ends_with_a_killed_worker() {
    let live = Live::with(&["--max-workers", "0"]);
    let mut worker = Worker::start(&live, "killed", "1");
    kill_what_runs_a_step(&live, || worker.child.kill().unwrap());
}
