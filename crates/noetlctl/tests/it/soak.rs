//! Executions under everything that goes wrong, at random: kills, full disks, stopped processes, restarts of the database.
//!
//! Runs for the minutes in NOETL_TEST_SOAK, which `cargo xtask test --soak MINUTES` sets; NOETL_TEST_SEED repeats a run.
#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::live::{Live, Worker, has_ended, playbook, shell};
use crate::postgres::Postgres;
use crate::server_disk::{Disk, fill};
use crate::server_kills::{Call, KEY, Random, lines};
use crate::support::variable;

const STEPS: [&str; 3] = ["start", "middle", "end"];
/// How long executions may take to end after the last fault: a killed worker's commands wait for their leases.
const REST: Duration = Duration::from_secs(300);

/// What is used of the machine, and what has happened.
struct Soak {
    /// One server on SQLite, two on PostgreSQL.
    servers: Vec<Live>,
    workers: Vec<Worker>,
    postgres: Option<Postgres>,
    disk: Option<Disk>,
    random: Random,
    lines: PathBuf,
    acknowledged: BTreeSet<String>,
    /// The number of runs of each step whose outcome was seen in the log.
    done: BTreeMap<Call, usize>,
    faults: BTreeMap<&'static str, usize>,
}

/// Sends a request; none when there is no answer.
fn ask(url: &str, body: Option<&Value>) -> Option<(u16, Value)> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .proxy(None)
        .build()
        .into();
    let mut answer = match body {
        Some(body) => agent
            .post(url)
            .header("content-type", "application/json")
            .send(body.to_string()),
        None => agent.get(url).call(),
    }
    .ok()?;
    let text = answer
        .body_mut()
        .with_config()
        .limit(1 << 30)
        .read_to_string();
    Some((
        answer.status().as_u16(),
        serde_json::from_str(&text.ok()?).ok()?,
    ))
}

impl Soak {
    fn url(&mut self, path: &str) -> String {
        let server = self.random.number(self.servers.len());
        format!("{}{path}", self.servers[server].url())
    }

    fn post_some(&mut self) {
        for _ in 0..1 + self.random.number(5) {
            let url = self.url("/api/execute");
            let body = json!({"path": "t/soak", "payload": {"text": "x".repeat(self.random.number(8_000))}});
            if let Some((200, answer)) = ask(&url, Some(&body)) {
                let id = answer["execution_id"].as_str().unwrap();
                self.acknowledged.insert(id.to_owned());
            }
        }
    }

    /// Remembers how often each step has run whose outcome is in the log.
    fn look(&mut self) {
        let query = "SELECT CAST(execution_id AS TEXT), node_name FROM event WHERE event_type = 'call.done'";
        let url = self.url("/api/postgres/execute");
        let Some((200, answer)) = ask(&url, Some(&json!({ "query": query }))) else {
            return;
        };
        let ran = lines(&self.lines);
        for row in answer["result"].as_array().into_iter().flatten() {
            let call = (
                row[0].as_str().unwrap().to_owned(),
                row[1].as_str().unwrap().to_owned(),
            );
            let count = ran.get(&call).copied().unwrap_or_default();
            self.done.entry(call).or_insert(count);
        }
    }

    fn fault(&mut self) {
        let fault = match self.random.number(6) {
            0 => self.kill_server(),
            1 | 2 => self.kill_worker(),
            3 => self.pause_worker(),
            _ if self.disk.is_some() => self.fill_disk(),
            _ => self.restart_postgres(),
        };
        *self.faults.entry(fault).or_default() += 1;
    }

    fn kill_server(&mut self) -> &'static str {
        let index = self.random.number(self.servers.len());
        self.servers[index].kill();
        self.servers[index].start();
        "servers killed"
    }

    fn kill_worker(&mut self) -> &'static str {
        let index = self.random.number(self.workers.len());
        let server = self.random.number(self.servers.len());
        // The old one is killed when it is dropped.
        self.workers[index] = Worker::start(&self.servers[server], &format!("soak-{index}"), "2");
        "workers killed"
    }

    /// A worker that does not run for a while is one whose network is cut.
    fn pause_worker(&mut self) -> &'static str {
        let index = self.random.number(self.workers.len());
        let id = self.workers[index].child.id().to_string();
        let signal = |name: &str| drop(Command::new("kill").args([name, &id]).status());
        signal("-STOP");
        std::thread::sleep(Duration::from_millis(
            200 + self.random.number(2_000) as u64,
        ));
        signal("-CONT");
        "workers stopped for a while"
    }

    fn fill_disk(&mut self) -> &'static str {
        let ballast = self.disk.as_ref().unwrap().path().join("ballast");
        fill(&ballast);
        self.post_some();
        std::thread::sleep(Duration::from_millis(500));
        std::fs::remove_file(ballast).unwrap();
        "disks filled"
    }

    fn restart_postgres(&mut self) -> &'static str {
        self.postgres.as_ref().unwrap().restart();
        "restarts of PostgreSQL"
    }

    /// Waits for the end of all executions, and returns their statuses.
    fn ended(&mut self) -> BTreeMap<String, usize> {
        let deadline = Instant::now() + REST;
        let mut statuses = BTreeMap::new();
        for id in self.acknowledged.clone() {
            let status = loop {
                let url = self.url(&format!("/api/executions/{id}/status"));
                let answer = ask(&url, None);
                match &answer {
                    Some((200, state)) if has_ended(state) => break state.clone(),
                    Some((404, _)) => break json!({"status": "lost"}),
                    _ => {}
                }
                assert!(Instant::now() < deadline, "{id} does not end: {answer:?}");
                std::thread::sleep(Duration::from_millis(50));
            };
            let error = status["error"].as_str().unwrap_or_default();
            let word = match status["status"].as_str().unwrap() {
                "FAILED" if error.contains("is not run again") => "failed after three losses",
                other => other,
            };
            *statuses.entry(word.to_owned()).or_default() += 1;
        }
        statuses
    }
}

fn soak(
    servers: Vec<Live>,
    postgres: Option<Postgres>,
    disk: Option<Disk>,
    minutes: f64,
    seed: u64,
) {
    let file = servers[0].home.path().join("lines");
    let steps = STEPS.map(|step| {
        let script = format!(
            "echo {{{{ execution_id }}}}:{step} >> {}; sleep 0.02",
            file.display()
        );
        (step, shell(&script))
    });
    servers[0].register(&playbook("t/soak", &steps));
    let workers = (0..3)
        .map(|index| Worker::start(&servers[0], &format!("soak-{index}"), "2"))
        .collect();
    let mut soak = Soak {
        servers,
        workers,
        postgres,
        disk,
        random: Random(seed),
        lines: file,
        acknowledged: BTreeSet::new(),
        done: BTreeMap::new(),
        faults: BTreeMap::new(),
    };
    let deadline = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
    while Instant::now() < deadline {
        soak.post_some();
        if soak.random.number(8) == 0 {
            soak.look();
            soak.fault();
        }
    }
    soak.look();
    let statuses = soak.ended();
    let ran = lines(&soak.lines);
    let repeated = soak
        .done
        .iter()
        .filter(|(call, count)| ran.get(*call) != Some(*count));
    let after_outcome: Vec<_> = repeated.collect();
    let before_outcome: usize = ran.values().map(|count| count - 1).sum();
    let lost = statuses.get("lost").copied().unwrap_or_default();
    eprintln!(
        "seed {seed}: {:?}\nacknowledged {}, stored {}, ended {statuses:?}, steps run {}, \
         run again before an outcome {before_outcome}, run again after one {}, lost {lost}",
        soak.faults,
        soak.acknowledged.len(),
        soak.acknowledged.len() - lost,
        ran.values().sum::<usize>(),
        after_outcome.len(),
    );
    assert!(after_outcome.is_empty(), "{after_outcome:?}");
    assert_eq!(lost, 0);
    let known = ["COMPLETED", "failed after three losses"];
    assert!(
        statuses
            .keys()
            .all(|status| known.contains(&status.as_str())),
        "{statuses:?}"
    );
}

/// The minutes and the seed; none without NOETL_TEST_SOAK.
fn wanted() -> Option<(f64, u64)> {
    let minutes = variable("NOETL_TEST_SOAK")?.parse().unwrap();
    let seed = variable("NOETL_TEST_SEED").map_or(0x6e6f_6574_6c34, |seed| seed.parse().unwrap());
    Some((minutes, seed))
}

#[test]
fn nothing_is_lost_on_sqlite() {
    let Some((minutes, seed)) = wanted() else {
        return;
    };
    let Some(disk) = Disk::new("256m") else {
        return;
    };
    let folder = disk.path().join("data").display().to_string();
    let server = Live::with(&["--data-dir", &folder, "--max-workers", "2"]);
    soak(vec![server], None, Some(disk), minutes, seed);
}

#[test]
fn nothing_is_lost_on_postgresql() {
    let Some((minutes, seed)) = wanted() else {
        return;
    };
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let database = postgres.database("soak");
    let server = || Live::on(Some(database.clone()), &["--max-workers", "2"], &[KEY]);
    soak(
        vec![server(), server()],
        Some(postgres),
        None,
        minutes,
        seed,
    );
}
