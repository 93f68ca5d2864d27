//! What others need for the same: a shell for processes, SQLite for rows.

use super::{Bench, Rate};
use crate::host::command::CommandLine;
use crate::host::files;
use crate::host::tools;

/// Transactions of an execution of two steps: its start, and the outcome of each step.
const TRANSACTIONS: usize = 3;

/// As many processes as there are steps, from a loop of the shell that the `shell` tool uses.
pub(super) fn shell(bench: &Bench<'_>, steps: usize) -> anyhow::Result<Rate> {
    let shell = ["bash", "sh"]
        .into_iter()
        .find(|name| crate::host::ctx::find_program(name).is_some())
        .unwrap_or("sh");
    let script =
        format!("i=0; while [ $i -lt {steps} ]; do {shell} -c : || exit 1; i=$((i+1)); done");
    let command = CommandLine::new(shell).args(["-c", &script]);
    Ok(Rate::new(steps, bench.timed(&command)?))
}

/// The server's event rows in as many transactions, by the `sqlite3` module of Python, which adds little.
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

/// `events` rows of the server's log, written again.
pub(super) fn sqlite(bench: &Bench<'_>, executions: usize, events: usize) -> anyhow::Result<Rate> {
    let script = bench.folder.join("peer.py");
    files::write(&script, SCRIPT)?;
    let rows = (events / executions.max(1)).to_string();
    let command = CommandLine::new(tools::python()?)
        .arg(script.as_str())
        .arg(bench.folder.join("peer.db").as_str())
        .args([executions.to_string(), rows, TRANSACTIONS.to_string()]);
    let printed = crate::host::run::read(bench.ctx, &command)?;
    Ok(Rate::new(executions, printed.trim().parse()?))
}
