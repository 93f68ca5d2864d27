//! Tests against a PostgreSQL server that the tests start.
#![cfg(unix)]

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Map, Value as Json, json};

use super::connect::Address;
use crate::playbook::ToolKind::{Postgres, Sink};
use crate::tool::tests::{TestHost, object, skip};

/// A server, which is stopped when dropped.
pub(crate) struct Server {
    folder: tempfile::TempDir,
    programs: PathBuf,
    pub(crate) port: u16,
}

impl Server {
    /// Starts a server; none, with a notice, on machines without PostgreSQL.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            skip("PostgreSQL's initdb and pg_ctl are not installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let server = Self {
            folder,
            programs,
            port,
        };
        let path = server.folder.path();
        std::fs::write(path.join("password"), "pass'word\n").unwrap();
        // PostgreSQL refuses to run as root.
        let root = rustix::process::geteuid().is_root();
        if root {
            run(Command::new("chown").args(["-R", "postgres"]).arg(path));
        }
        let data = path.join("data").display().to_string();
        let password = path.join("password").display().to_string();
        server.run(&[
            "initdb",
            "-D",
            &data,
            "-U",
            "tester",
            "-A",
            "scram-sha-256",
            "--pwfile",
            &password,
            "-E",
            "UTF8",
            "-N",
        ]);
        let options = format!("-p {port} -h 127.0.0.1 -k {} -F", path.display());
        let log = path.join("log").display().to_string();
        server.run(&[
            "pg_ctl", "start", "-w", "-D", &data, "-o", &options, "-l", &log,
        ]);
        Some(server)
    }

    fn run(&self, words: &[&str]) {
        let program = self.programs.join(words[0]);
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        run(command.args(&words[1..]).current_dir(self.folder.path()));
    }

    fn auth(&self) -> Json {
        json!({
            "db_host": "127.0.0.1", "db_port": self.port.to_string(), "db_user": "tester",
            "db_password": "pass'word", "db_name": "postgres",
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.folder.path().join("data").display().to_string();
        self.run(&["pg_ctl", "stop", "-w", "-m", "immediate", "-D", &data]);
    }
}

fn run(command: &mut Command) {
    let output = command
        .stdout(std::process::Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
}

/// Returns the folder of PostgreSQL's programs; an empty path when they are in PATH.
fn programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let debian = debian.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    std::iter::once(PathBuf::new())
        .chain(debian)
        .find(|folder| {
            let answer = Command::new(folder.join("pg_ctl"))
                .arg("--version")
                .output();
            answer.is_ok_and(|answer| answer.status.success())
        })
}

#[tokio::test]
async fn a_real_server_runs_sql() {
    let Some(server) = Server::start() else {
        return;
    };
    let host = TestHost::new().with("pg", "postgres", server.auth());
    scripts(&host).await;
    values(&host).await;
    parameters(&host).await;
    errors(&host, &server).await;
    addresses(&host, &server).await;
    sinks(&host).await;
    dropped_calls(&host).await;
}

/// Checks that the server stops the statement of a dropped call: only then is its lock free.
async fn dropped_calls(host: &TestHost) {
    let run = |sql: &str| host.run(Postgres, json!({"auth": "pg", "query": sql}));
    {
        let endless = run("SELECT pg_advisory_lock(7); SELECT pg_sleep(100000)");
        let begun = run(
            "DO $$BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')
            LOOP PERFORM pg_sleep(0.01); END LOOP; END$$",
        );
        tokio::select! {
            ended = endless => panic!("the statement ended by itself: {ended:?}"),
            begun = begun => drop(begun.unwrap()),
        }
    }
    run("SELECT pg_advisory_lock(7)").await.unwrap();
}

async fn query(host: &TestHost, sql: &str) -> Json {
    let config = json!({"auth": "pg", "query": sql});
    host.run(Postgres, config).await.unwrap()
}

async fn scripts(host: &TestHost) {
    let result = query(
        host,
        "
        CREATE TABLE t (id int PRIMARY KEY, name text);
        INSERT INTO t VALUES (1, 'a;b'), (2, NULL);
        SELECT id, id, name FROM t ORDER BY id;
        UPDATE t SET name = 'c'",
    )
    .await;
    let rows = json!([{"id": 1, "id_2": 1, "name": "a;b"}, {"id": 2, "id_2": 2, "name": null}]);
    assert_eq!(result["rows"], rows);
    assert_eq!(result["columns"], json!(["id", "id_2", "name"]));
    assert_eq!(result["command_1"]["row_count"], 2);
    assert_eq!(result["command_2"]["rows"], rows);
    assert_eq!(result["command_3"]["row_count"], 2);
    let empty = query(host, "SELECT 1 AS one; SELECT id FROM t WHERE false").await;
    assert_eq!(empty["rows"], json!([]));
    let returned = query(host, "DELETE FROM t WHERE id = 1 RETURNING id").await;
    assert_eq!(returned["rows"], json!([{"id": 1}]));
    let list = json!({"auth": "pg", "commands": ["INSERT INTO t VALUES (5) -- x", "SELECT 1/0"]});
    let failure = host.run(Postgres, list).await.unwrap_err();
    assert_eq!(failure.code, Some(json!("22012")));
    let count = query(host, "SELECT count(*) AS n FROM t WHERE id = 5").await;
    assert_eq!(
        count["rows"],
        json!([{"n": 0}]),
        "one script is one transaction"
    );
}

async fn values(host: &TestHost) {
    let result = query(host, "SELECT true AS b, 1::int2 AS i2, 9007199254740993 AS i8, 1.5::float4 AS f,
        'NaN'::float8 AS nan, 12::numeric AS whole, 1.25 AS part, 1e30::numeric AS huge,
        '{\"k\": [1]}'::jsonb AS j, '{1,2}'::int[] AS a, ARRAY['a, b', NULL]::text[] AS texts,
        1000.50::numeric(10, 2) AS money, 12345678901234567.89::numeric AS exact, '2024-01-02'::date AS d, '\\xff'::bytea AS raw,
        'x'::name AS name, NULL::int AS none, 5::oid AS oid").await;
    assert_eq!(
        result["rows"][0],
        json!({
            "b": true, "i2": 1, "i8": 9_007_199_254_740_993_i64, "f": 1.5, "nan": null, "whole": 12,
            "part": 1.25, "huge": "1000000000000000000000000000000", "j": {"k": [1]}, "a": [1, 2],
            "texts": ["a, b", null], "money": 1000.5, "exact": "12345678901234567.89",
            "d": "2024-01-02", "raw": "\\xff", "name": "x", "none": null, "oid": 5,
        })
    );
}

async fn parameters(host: &TestHost) {
    let create = "CREATE TABLE p (i int, big bigint, f float8, n numeric, b bool, t text, at timestamptz, j jsonb)";
    query(host, create).await;
    let text = "it's \\ $1; -- \u{fc}";
    let config = json!({
        "auth": "pg", "query": "INSERT INTO p VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *; ",
        "params": [1, 5_000_000_000_i64, 2.5, 0.1, true, text, "2024-01-02T03:04:05Z", {"k": [null]}],
    });
    let result = host.run(Postgres, config).await.unwrap();
    let row = &result["rows"][0];
    assert_eq!(row["t"], text);
    assert_eq!(row["j"], json!({"k": [null]}));
    assert_eq!(row["big"], 5_000_000_000_i64);
    assert_eq!(row["n"], 0.1);
    assert!(row["at"].as_str().unwrap().starts_with("2024-01-02"));
    assert!(result.get("command_1").is_none());
    let dates = json!({
        "auth": "pg", "query": "SELECT ('2024-01-01'::date + $1)::text AS d, $2 AS t, $3::int AS n",
        "params": [3, "plain", null],
    });
    let result = host.run(Postgres, dates).await.unwrap();
    assert_eq!(
        result["rows"],
        json!([{"d": "2024-01-04", "t": "plain", "n": null}])
    );
}

async fn errors(host: &TestHost, server: &Server) {
    let config = json!({"auth": "pg", "query": "SELECT 1;\nSELECT *\nFROM nowhere"});
    let failure = host.run(Postgres, config).await.unwrap_err();
    assert_eq!((failure.kind.as_str(), failure.retryable), ("sql", false));
    assert_eq!(failure.code, Some(json!("42P01")));
    assert_eq!(
        failure.message,
        "relation \"nowhere\" does not exist (line 3 of the SQL)"
    );
    let raise = "DO $$BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END$$";
    let failure = host
        .run(Postgres, json!({"auth": "pg", "sql": raise}))
        .await;
    assert!(failure.unwrap_err().retryable);
    let mut wrong = server.auth();
    wrong["db_password"] = json!("s3cret");
    let failure = host
        .run(Postgres, json!({"auth": wrong, "sql": "SELECT 1"}))
        .await;
    let failure = failure.unwrap_err();
    assert_eq!((failure.kind.as_str(), failure.retryable), ("auth", false));
    assert!(!format!("{failure:?}").contains("s3cret"));
    let mut nowhere = server.auth();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    nowhere["db_port"] = json!(free.local_addr().unwrap().port());
    drop(free);
    let failure = host
        .run(Postgres, json!({"auth": nowhere, "sql": "SELECT 1"}))
        .await;
    let failure = failure.unwrap_err();
    assert_eq!(
        (failure.kind.as_str(), failure.retryable),
        ("connection", true),
        "{failure}"
    );
    assert!(!format!("{failure:?}").contains("pass'word"));
}

async fn addresses(host: &TestHost, server: &Server) {
    let port = server.port;
    let pairs =
        format!("host=127.0.0.1 port={port} dbname=postgres user=tester password='pass\\'word'");
    let socket = server.folder.path().display().to_string();
    for config in [
        json!({"dsn": format!("postgresql://tester:pass%27word@127.0.0.1:{port}/postgres?sslmode=disable")}),
        json!({"connection_string": pairs}),
        json!({"auth": {"source": "credential", "key": "pg"}}),
        json!({"auth": "pg", "auth_note": "fields of their own", "db_name": "template1"}),
        json!({"db_host": socket, "db_port": port, "db_user": "tester", "db_password": "pass'word", "db_name": "postgres"}),
    ] {
        let mut config = object(config);
        config.insert(
            "query".into(),
            json!("SELECT current_user AS who, current_setting('application_name') AS app"),
        );
        let result = host.run(Postgres, Json::Object(config)).await.unwrap();
        assert_eq!(result["rows"], json!([{"who": "tester", "app": "noetl"}]));
    }
}

async fn sinks(host: &TestHost) {
    query(host, "CREATE SCHEMA s; CREATE TABLE s.items
        (id int PRIMARY KEY, name text DEFAULT 'none', tags jsonb, list int[], at timestamp, serial serial)").await;
    let save = |data: Json, mode: &str| {
        let target = json!({"type": "postgres", "auth": "pg", "table": "s.items", "mode": mode, "key": "id"});
        host.run(Sink, json!({"target": target, "data": data}))
    };
    let rows = json!([
        {"id": 1, "name": "o'ne", "tags": {"k": 1}, "list": [1, 2], "at": "2024-01-02T03:04:05"},
        {"id": 2, "tags": null},
    ]);
    let saved = save(rows, "append").await.unwrap();
    assert_eq!(
        saved,
        json!({"status": "ok", "target": "postgres", "table": "s.items", "rows": 2})
    );
    save(
        json!([{"id": 2, "name": "x"}, {"id": 3, "name": "c"}, {"id": 2, "name": "two"}]),
        "upsert",
    )
    .await
    .unwrap();
    let select = "SELECT id, name, tags, list, at::text FROM s.items ORDER BY id";
    let found = query(host, select).await;
    assert_eq!(
        found["rows"],
        json!([
            {"id": 1, "name": "o'ne", "tags": {"k": 1}, "list": [1, 2], "at": "2024-01-02 03:04:05"},
            {"id": 2, "name": "two", "tags": null, "list": null, "at": null},
            {"id": 3, "name": "c", "tags": null, "list": null, "at": null},
        ])
    );
    let failure = save(json!([{"id": 9}, {"id": 9}]), "replace")
        .await
        .unwrap_err();
    assert_eq!(failure.code, Some(json!("23505")));
    assert_eq!(
        query(host, select).await["row_count"],
        3,
        "a failed replacement changes nothing"
    );
    save(json!({"id": 7}), "replace").await.unwrap();
    assert_eq!(
        query(host, "SELECT id, name FROM s.items").await["rows"],
        json!([{"id": 7, "name": "none"}])
    );
}

fn address(fields: Json) -> Address {
    let fields: Map<String, Json> = object(fields);
    Address::of(&fields).unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn addresses_are_read_from_urls_pairs_and_fields() {
    let url =
        address(json!({"url": "postgres://me:p%40ss@db.example:6000/main", "db_name": "other"}));
    assert_eq!((url.host.as_str(), url.port), ("db.example", 6000));
    assert_eq!(url.password.as_deref(), Some("p@ss"));
    assert_eq!((url.user.as_str(), url.database.as_str()), ("me", "other"));
    let least = address(json!({"db_user": "me"}));
    assert_eq!(
        (least.host.as_str(), least.port, least.database.as_str()),
        ("localhost", 5432, "me")
    );
    let pairs = address(json!({"dsn": "host = h password = 'a \\' b' user=u"}));
    assert_eq!((pairs.host.as_str(), pairs.user.as_str()), ("h", "u"));
    assert_eq!(pairs.password.as_deref(), Some("a ' b"));
    for wrong in [
        json!({}),
        json!({"dsn": "mysql://u:hidden@h/d"}),
        json!({"url": "postgres://u:hidden@h:x/d"}),
    ] {
        let Err(failure) = Address::of(&object(wrong)) else {
            panic!("it was read");
        };
        assert_eq!(failure.kind, "config");
        assert!(!failure.message.contains("hidden"));
    }
}
