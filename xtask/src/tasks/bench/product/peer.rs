//! The same work by other programs: processes by a shell, rows by SQLite.

use xshell::cmd;

use super::{Product, Rate};
use crate::host::{ctx, files, run, tools};

/// Starts as many processes as there are steps, in a loop of the shell that the `shell` tool uses.
pub(super) fn shell(bench: &Product<'_>, steps: usize) -> anyhow::Result<Rate> {
    let mut shells = ["bash", "sh"].into_iter();
    let shell = shells.find(|name| ctx::find_program(name).is_some());
    let shell = shell.unwrap_or("sh");
    let script =
        format!("i=0; while [ $i -lt {steps} ]; do {shell} -c : || exit 1; i=$((i+1)); done");
    let seconds = bench.seconds(cmd!(bench.ctx.shell, "{shell} -c {script}"))?;
    Ok(Rate::new(steps, seconds))
}

/// Transactions of an execution of two steps: its start, and the outcome of each step.
const TRANSACTIONS: usize = 3;

/// Writes the server's event rows in as many transactions, with Python's `sqlite3` module, which adds little.
const SCRIPT: &str = r#"
import sqlite3, sys, time
path, executions, rows, transactions = sys.argv[1], *map(int, sys.argv[2:])
store = sqlite3.connect(path, isolation_level=None)
store.execute("PRAGMA journal_mode=WAL")
store.execute("PRAGMA synchronous=NORMAL")
store.execute("CREATE TABLE event (execution_id BIGINT, event_id BIGINT, event_type TEXT, node_name TEXT, status TEXT, "
              "context TEXT, result TEXT, created_at BIGINT, PRIMARY KEY (execution_id, event_id))")
store.execute("CREATE INDEX event_step ON event (event_type, created_at)")
began, number = time.monotonic(), 0
for execution in range(executions):
    for part in range(transactions):
        count = rows * (part + 1) // transactions - rows * part // transactions
        store.execute("BEGIN")
        store.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(execution, number + row, "command.completed", "start", "COMPLETED", '{"attempt":1}', "{}", number)
             for row in range(count)])
        store.execute("COMMIT")
        number += count
print(time.monotonic() - began)
"#;

/// Writes as many rows as the server's event log has.
pub(super) fn sqlite(
    bench: &Product<'_>,
    executions: usize,
    events: usize,
) -> anyhow::Result<Rate> {
    let folder = &bench.sandbox.folder;
    let (script, database) = (folder.join("peer.py"), folder.join("peer.db"));
    files::write(&script, SCRIPT)?;
    for suffix in ["", "-wal", "-shm"] {
        files::remove(camino::Utf8Path::new(&format!("{database}{suffix}")))?;
    }
    let numbers = [executions, events / executions.max(1), TRANSACTIONS];
    let (python, numbers) = (tools::python()?, numbers.map(|number| number.to_string()));
    let write = cmd!(bench.ctx.shell, "{python} {script} {database} {numbers...}");
    let printed = run::read(bench.ctx, write)?;
    Ok(Rate::new(executions, printed.trim().parse()?))
}
