//! Disks that are full, read-only, or limited: what was acknowledged is kept, and the server goes on by itself.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::live::{Live, playbook, shell, until};
use crate::postgres::Postgres;
use crate::support::skipped;

/// A file system in memory of a size, which is unmounted when dropped.
pub(crate) struct Disk(TempDir);

impl Disk {
    /// Returns none, and notes it, when this user may not mount.
    pub(crate) fn new(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        if !mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], folder.path()) {
            skipped("only root may mount a file system");
            return None;
        }
        Some(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, option: &str) {
        assert!(mount(&["-o", &format!("remount,{option}")], self.path()));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The server has been killed, and its files may be open for a moment longer.
        let mut unmount = Command::new("umount");
        drop(unmount.arg("--lazy").arg(self.path()).status());
    }
}

fn mount(args: &[&str], folder: &Path) -> bool {
    let output = Command::new("mount").args(args).arg(folder).output();
    output.is_ok_and(|output| output.status.success())
}

fn on(folder: &Path) -> Live {
    let folder = folder.join("data").display().to_string();
    Live::with(&["--data-dir", &folder])
}

/// What was asked for: the executions that were acknowledged, and the last refusal.
#[derive(Default)]
struct Asked {
    acknowledged: Vec<String>,
    refused: Vec<(u16, Value)>,
}

impl Asked {
    fn post(&mut self, live: &Live, count: usize) {
        let payload = json!({ "text": "x".repeat(4_000) });
        let body = json!({ "path": "t/touch", "payload": payload });
        for _ in 0..count {
            let (status, answer) = live.json("POST", "/api/execute", &body);
            if status == 200 {
                let id = answer["execution_id"].as_str().unwrap();
                self.acknowledged.push(id.to_owned());
            } else {
                self.refused.push((status, answer));
            }
        }
    }

    /// Every acknowledged execution is there and ends well, and each of its steps ran once.
    fn check(&self, live: &Live, ran: &Path) {
        for id in &self.acknowledged {
            assert_eq!(live.ended(id)["status"], "COMPLETED", "{id}");
        }
        let mut lines: Vec<_> = std::fs::read_to_string(ran)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        lines.sort();
        let mut expected = self.acknowledged.clone();
        expected.sort();
        assert_eq!(lines, expected, "each step ran once");
    }
}

/// Registers a playbook whose step writes its execution's id to a file outside of the disk.
fn register(live: &Live) -> PathBuf {
    let ran = live.home.path().join("ran");
    let script = format!("echo {{{{ execution_id }}}} >> {}", ran.display());
    live.register(&playbook("t/touch", &[("start", shell(&script))]));
    ran
}

fn readiness(live: &Live) -> (u16, Value) {
    live.json("GET", "/api/health?ready", &Value::Null)
}

fn is_ready(live: &Live) {
    until("the server is ready", || {
        (readiness(live).0 == 200).then_some(())
    });
}

/// Waits until the server says that it is not ready, and returns why.
fn not_ready(live: &Live) -> Value {
    until("the server is not ready", || {
        let (status, answer) = readiness(live);
        (status == 503).then_some(answer)
    })
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let Some(disk) = Disk::new("3m") else { return };
    let mut live = on(disk.path());
    let ran = register(&live);
    is_ready(&live);
    let mut asked = Asked::default();
    asked.post(&live, 400);
    assert!(!asked.acknowledged.is_empty());
    let (status, answer) = asked.refused.last().expect("the disk is full");
    let detail = "the store is not available: its disk is full";
    assert_eq!((*status, &answer["detail"]), (503, &json!(detail)));
    assert!(answer["help"].as_str().unwrap().contains("make room"));
    let answer = not_ready(&live);
    assert_eq!(answer["detail"], detail);
    assert_eq!(live.get("/api/health")["status"], "ok", "it is alive");

    // With room again, it goes on without a restart.
    disk.remount("size=64m");
    is_ready(&live);
    asked.post(&live, 50);
    asked.check(&live, &ran);
    live.kill();
    live.start();
    asked.check(&live, &ran);
}

/// A limit on the size of files fails as a disk does, and the system does not end the process.
#[test]
fn a_limit_on_the_size_of_files_is_an_error() {
    let live = Live::new();
    let ran = register(&live);
    let limit = |bytes: &str| {
        let process = live.process_id().to_string();
        let limit = format!("--fsize={bytes}:unlimited");
        let mut prlimit = Command::new("prlimit");
        let status = prlimit.args(["--pid", &process, &limit]).status();
        assert!(status.unwrap().success());
    };
    limit("1000000");
    let mut asked = Asked::default();
    asked.post(&live, 400);
    assert!(!asked.acknowledged.is_empty());
    let (status, answer) = asked.refused.last().expect("the limit is reached");
    assert_eq!(*status, 503, "{answer}");
    assert_eq!(
        not_ready(&live)["detail"],
        "the store is not available: its file cannot be read or written"
    );
    limit("unlimited");
    is_ready(&live);
    asked.post(&live, 50);
    asked.check(&live, &ran);
}

/// A library that is loaded before the C library. While the file in NOETL_TEST_FAILS exists, writes to the store's files
/// fail with EIO, each second time after a part of the bytes.
const FAILING_WRITES: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(int file) {
    char link[64], path[4096];
    const char *flag = getenv("NOETL_TEST_FAILS");
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!flag || length < 0 || access(flag, F_OK)) return 0;
    path[length] = 0;
    return strstr(path, "noetl.db") != NULL;
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off_t offset) {
    static int times;
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite64");
    if (!fails(file)) return real(file, bytes, count, offset);
    if (times++ % 2) real(file, bytes, count / 2, offset);
    errno = EIO;
    return -1;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
    return pwrite64(file, bytes, count, offset);
}
"#;

#[test]
fn a_disk_whose_writes_fail_loses_nothing_that_was_acknowledged() {
    let mut live = Live::new();
    let source = live.home.write("failing.c", FAILING_WRITES);
    let library = live.home.path().join("failing.so");
    let mut compile = Command::new("cc");
    compile
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl");
    assert!(compile.status().unwrap().success());
    let flag = live.home.path().join("fails");
    live.stop();
    live.set("LD_PRELOAD", library.to_str().unwrap());
    live.set("NOETL_TEST_FAILS", flag.to_str().unwrap());
    live.start();
    let ran = register(&live);
    is_ready(&live);
    let mut asked = Asked::default();
    for round in 1..=5 {
        asked.post(&live, 20);
        if round == 3 {
            // A step whose outcome is not stored would run again, rightly, after the server is killed.
            asked.check(&live, &ran);
        }
        std::fs::write(&flag, "").unwrap();
        asked.post(&live, 20);
        assert_eq!(asked.refused.len(), 20 * round, "{:?}", asked.refused);
        let detail = "the store is not available: its file cannot be read or written";
        assert_eq!(not_ready(&live)["detail"], detail);
        if round == 3 {
            live.kill();
        }
        std::fs::remove_file(&flag).unwrap();
        if round == 3 {
            live.start();
        }
        is_ready(&live);
    }
    asked.check(&live, &ran);
}

#[test]
fn a_read_only_folder_is_named_at_the_start() {
    let Some(disk) = Disk::new("8m") else { return };
    let folder = disk.path().join("data");
    let mut live = on(disk.path());
    live.stop();
    disk.remount("ro");
    let output = live.command().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let log = std::fs::read_to_string(live.log_path()).unwrap();
    let (_, error) = log.split_once("error: ").expect("an error is printed");
    assert!(error.contains(folder.to_str().unwrap()), "{error}");
    assert!(error.contains("help: "), "{error}");
}

#[test]
fn a_full_disk_of_postgresql_loses_nothing_that_was_acknowledged() {
    let Some(disk) = Disk::new("40m") else { return };
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let database = postgres.database("small");
    postgres.move_to("small", disk.path());
    let mut live = Live::on(Some(database), &[], &[]);
    let ran = register(&live);
    is_ready(&live);
    // Leaves little room.
    let ballast = disk.path().join("ballast");
    fill(&ballast);
    let mut asked = Asked::default();
    asked.post(&live, 400);
    let (status, answer) = asked.refused.last().expect("the disk is full");
    let detail = "the store is not available: its disk is full";
    assert_eq!((*status, &answer["detail"]), (503, &json!(detail)));
    std::fs::remove_file(ballast).unwrap();
    is_ready(&live);
    asked.post(&live, 50);
    asked.check(&live, &ran);
    live.kill();
    live.start();
    asked.check(&live, &ran);
}

/// Writes until the disk is full.
pub(crate) fn fill(file: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(file).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

#[test]
fn a_read_only_postgresql_is_reported_and_waited_for() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let live = Live::on(Some(postgres.database("mode")), &[], &[]);
    let ran = register(&live);
    let set = |is_read_only: bool| {
        postgres.sql(&format!(
            "ALTER DATABASE mode SET default_transaction_read_only = {is_read_only}"
        ));
        // Connections that are open keep the mode.
        postgres
            .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'mode'");
    };
    let mut asked = Asked::default();
    asked.post(&live, 5);
    for id in &asked.acknowledged {
        live.ended(id);
    }
    set(true);
    until("it is read-only", || {
        let detail = "the store is not available: it can be read but not written";
        (not_ready(&live)["detail"] == detail).then_some(())
    });
    set(false);
    is_ready(&live);
    asked.post(&live, 5);
    asked.check(&live, &ran);
}

#[test]
fn a_postgresql_without_free_connections_is_reported_and_waited_for() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let live = Live::on(Some(postgres.database("few")), &[], &[]);
    let ran = register(&live);
    postgres.sql("ALTER DATABASE few CONNECTION LIMIT 0");
    postgres.sql("ALTER DATABASE few WITH ALLOW_CONNECTIONS false");
    postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'few'");
    assert!(not_ready(&live)["help"].is_string());
    postgres.sql("ALTER DATABASE few WITH ALLOW_CONNECTIONS true CONNECTION LIMIT -1");
    is_ready(&live);
    let mut asked = Asked::default();
    asked.post(&live, 5);
    asked.check(&live, &ran);
}
