//! `bench store`: requests to a server that has a catalog of many playbooks and a store of many executions, in SQLite and
//! in PostgreSQL.

mod postgres;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Instant, SystemTime};

use anyhow::{Context as _, ensure};
use camino::Utf8Path;

use self::postgres::Postgres;
use super::figure::{Reading, Unit};
use super::{Bench, Round, product};
use crate::host::command::CommandLine;
use crate::host::{files, output, run, tools};
use crate::tasks::sandbox::Sandbox;

/// Playbooks of the catalog and executions of the store: of a whole bench, and of a quick one.
const AMOUNTS: [(usize, usize); 2] = [(10_000, 1_000_000), (1_000, 100_000)];

/// How often a request is made in a round, which takes the median.
const REPEATS: usize = 9;

const FILL: &str = include_str!("fill.sql");

/// Runs a file of SQL in a SQLite store, with Python's `sqlite3`.
const SQLITE: &str = "
import sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute('PRAGMA synchronous=OFF')
store.executescript('BEGIN;' + open(sys.argv[2]).read() + 'COMMIT;')
store.close()
";

/// What is asked of the server.
struct Ask {
    work: &'static str,
    method: &'static str,
    path: &'static str,
    body: &'static str,
}

const fn get(work: &'static str, path: &'static str) -> Ask {
    let (method, body) = ("GET", "");
    Ask {
        work,
        method,
        path,
        body,
    }
}

const fn post(work: &'static str, path: &'static str, body: &'static str) -> Ask {
    let method = "POST";
    Ask {
        work,
        method,
        path,
        body,
    }
}

/// What the page and the command line ask most.
const ASKS: [Ask; 10] = [
    get("the newest executions", "/api/executions?limit=50"),
    get(
        "failed executions",
        "/api/executions?status=FAILED&limit=50",
    ),
    get(
        "executions of a playbook",
        "/api/executions?path=team-7/flow-7&limit=50",
    ),
    get(
        "executions in the middle of the list",
        "/api/executions?limit=50&offset=OFFSET",
    ),
    get(
        "executions with a text in their errors",
        "/api/executions?q=db-7%20was&limit=50",
    ),
    get("dashboard of a day", "/api/dashboard/stats?hours=24"),
    get("dashboard of 30 days", "/api/dashboard/stats?hours=720"),
    post(
        "the latest version of each playbook",
        "/api/catalog/list",
        r#"{"latest":true,"content":false}"#,
    ),
    get(
        "the last runs of each playbook",
        "/api/catalog/runs?limit=5",
    ),
    post(
        "start of an execution",
        "/api/execute",
        r#"{"path":"team-7/flow-7"}"#,
    ),
];

/// A store that is filled.
struct Filled {
    name: &'static str,
    sandbox: Sandbox,
    /// Runs as long as the bench does.
    _postgres: Option<Postgres>,
}

/// Fills a store of each kind, and in each round starts a server on it and asks.
pub(super) fn store<'b>(bench: &'b Bench<'_>) -> anyhow::Result<Round<'b>> {
    let noetl = product::binary(bench)?;
    let mut stores = vec![fill(bench, &noetl, None)?];
    match Postgres::start(bench.ctx)? {
        Some(postgres) => stores.push(fill(bench, &noetl, Some(postgres))?),
        None => output::note(bench.ctx, "PostgreSQL is not installed: left out"),
    }
    let (_, executions) = amount(bench);
    let offset = (executions / 2).to_string();
    Ok(Box::new(move |_| {
        let mut readings = Vec::new();
        for Filled { name, sandbox, .. } in &stores {
            sandbox.with_server(bench.ctx, &noetl, |url| {
                for ask in &ASKS {
                    let path = ask.path.replace("OFFSET", &offset);
                    let seconds = median(|| answered(url, ask.method, &path, ask.body))?;
                    let work = format!("{}, {executions} in {name}", ask.work);
                    readings.push(Reading::new(work, Unit::Seconds, seconds));
                }
                Ok(())
            })?;
        }
        Ok(readings)
    }))
}

fn amount(bench: &Bench<'_>) -> (usize, usize) {
    AMOUNTS[usize::from(bench.is_quick)]
}

/// Lets a server prepare the store, and writes the rows.
fn fill(bench: &Bench<'_>, noetl: &Utf8Path, postgres: Option<Postgres>) -> anyhow::Result<Filled> {
    let (playbooks, executions) = amount(bench);
    let name = postgres.as_ref().map_or("SQLite", |_| "PostgreSQL");
    let sandbox = Sandbox::new(bench.ctx, &format!("bench-store-{}", name.to_lowercase()))?;
    sandbox.shell.set_var("NOETL_ENABLE_UI", "false");
    if let Some(postgres) = &postgres {
        sandbox.shell.set_var("DATABASE_URL", postgres.url());
    }
    sandbox.with_server(bench.ctx, noetl, |_| Ok(()))?;
    let now = SystemTime::UNIX_EPOCH.elapsed()?.as_millis();
    let sql = FILL.replace("PLAYBOOKS", &playbooks.to_string());
    let sql = sql.replace("EXECUTIONS", &executions.to_string());
    let sql = sql.replace("NOW", &now.to_string());
    let file = sandbox.folder.join("fill.sql");
    files::write(&file, sql)?;
    let command = match &postgres {
        Some(postgres) => postgres.psql(&file),
        None => {
            let store = sandbox.folder.join("data/noetl.db");
            ensure!(store.is_file(), "the server has made no {store}");
            let python = CommandLine::new(tools::python()?).args(["-c", SQLITE]);
            python.args([store.as_str(), file.as_str()])
        }
    };
    let title = format!("fill {name}: {playbooks} playbooks, {executions} executions");
    output::step(bench.ctx, &title, || run::read(bench.ctx, &command))?;
    Ok(Filled {
        name,
        sandbox,
        _postgres: postgres,
    })
}

/// Returns the median of several times.
fn median(mut measure: impl FnMut() -> anyhow::Result<f64>) -> anyhow::Result<f64> {
    let times = (0..REPEATS).map(|_| measure());
    let mut times = times.collect::<anyhow::Result<Vec<_>>>()?;
    times.sort_by(f64::total_cmp);
    Ok(times[REPEATS / 2])
}

/// Returns the seconds until a request is answered in full.
///
/// # Errors
/// When the answer's status is not 200.
fn answered(url: &str, method: &str, path: &str, body: &str) -> anyhow::Result<f64> {
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let began = Instant::now();
    let mut stream = TcpStream::connect(host).with_context(|| format!("cannot reach {url}"))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let seconds = began.elapsed().as_secs_f64();
    let is_ok = answer.starts_with(b"HTTP/1.1 200 ");
    let answer = String::from_utf8_lossy(&answer[..answer.len().min(400)]);
    ensure!(is_ok, "{method} {path} was answered with {answer}");
    Ok(seconds)
}
