//! `noetl list …`: lists playbooks, credentials, executions and workers as tables.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::client::RootArgs;
use crate::cli::list::{ListArgs, ListType};
use crate::client::Client;
use crate::output::{self, Screen, Table};

/// How many executions are listed. This is the server's own default; a note follows when it may cut the list.
const LIMIT: usize = 100;

pub(super) fn run(args: &ListArgs, root: &RootArgs) -> anyhow::Result<ExitCode> {
    let client = Client::open(root, &args.client)?;
    let json = args.client.json;
    match args.kind {
        ListType::Playbook => playbooks(&client, true, json),
        ListType::Credential => credentials(&client, json),
        ListType::Execution => executions(&client, json),
        ListType::Worker => workers(&client, json),
    }
}

/// Lists playbooks. Their text is requested for JSON only.
pub(super) fn playbooks(client: &Client, latest: bool, json: bool) -> anyhow::Result<ExitCode> {
    let request = json!({"resource_type": "Playbook", "latest": latest, "content": json});
    let answer = client.post("/api/catalog/list", &request)?;
    if json {
        return print(&answer);
    }
    let mut table = Table::new(["PATH", "VERSION", "REGISTERED", "DESCRIPTION"]).unwrapped(&[0]);
    for entry in items(&answer["entries"]) {
        table.row([
            output::cell(&entry["path"]),
            output::cell(&entry["version"]),
            output::time(&entry["created_at"]),
            output::cell(&entry["description"]),
        ]);
    }
    show(
        &table,
        items(&answer["entries"]),
        "no playbooks; `noetl register playbook --file FILE` adds one",
    )
}

/// Lists credentials. The answer never contains their data.
pub(super) fn credentials(client: &Client, json: bool) -> anyhow::Result<ExitCode> {
    let answer = client.get("/api/credentials", &[])?;
    if json {
        return print(&answer);
    }
    let mut table = Table::new(["NAME", "TYPE", "UPDATED", "DESCRIPTION"]).unwrapped(&[0]);
    for credential in items(&answer["items"]) {
        table.row([
            output::cell(&credential["name"]),
            output::cell(&credential["type"]),
            output::time(&credential["updated_at"]),
            output::cell(&credential["description"]),
        ]);
    }
    show(
        &table,
        items(&answer["items"]),
        "no credentials; `noetl register credential --file FILE` adds one",
    )
}

fn executions(client: &Client, json: bool) -> anyhow::Result<ExitCode> {
    let answer = client.get("/api/executions", &[("limit", &LIMIT.to_string())])?;
    if json {
        return print(&answer);
    }
    let mut table = Table::new(["ID", "PLAYBOOK", "VERSION", "STATUS", "STARTED", "DURATION"])
        .unwrapped(&[0, 3]);
    for execution in items(&answer) {
        table.row([
            output::cell(&execution["execution_id"]),
            output::cell(&execution["path"]),
            output::cell(&execution["version"]),
            output::cell(&execution["status"]),
            output::time(&execution["start_time"]),
            output::duration(&execution["duration_seconds"]),
        ]);
    }
    let code = show(
        &table,
        items(&answer),
        "no executions; `noetl execute playbook PATH` starts one",
    )?;
    if items(&answer).len() == LIMIT {
        note!("only the newest {LIMIT} are listed");
    }
    Ok(code)
}

fn workers(client: &Client, json: bool) -> anyhow::Result<ExitCode> {
    let answer = client.get("/api/worker/pools", &[])?;
    if json {
        return print(&answer);
    }
    let mut table = Table::new([
        "NAME",
        "STATUS",
        "RUNNING",
        "CAPACITY",
        "HOST",
        "PID",
        "HEARTBEAT",
    ])
    .unwrapped(&[0]);
    for worker in items(&answer["items"]) {
        table.row([
            output::cell(&worker["name"]),
            output::cell(&worker["status"]),
            output::cell(&worker["running"]),
            output::cell(&worker["capacity"]),
            output::cell(&worker["hostname"]),
            output::cell(&worker["pid"]),
            output::time(&worker["heartbeat"]),
        ]);
    }
    show(
        &table,
        items(&answer["items"]),
        "no workers; `noetl worker start` starts one",
    )
}

fn items(answer: &Value) -> &[Value] {
    answer.as_array().map_or(&[], Vec::as_slice)
}

fn print(answer: &Value) -> anyhow::Result<ExitCode> {
    output::json(answer)?;
    Ok(ExitCode::SUCCESS)
}

fn show(table: &Table, items: &[Value], empty: &str) -> anyhow::Result<ExitCode> {
    if items.is_empty() {
        note!("{empty}");
    } else {
        output::text(&table.text(Screen::stdout()))?;
    }
    Ok(ExitCode::SUCCESS)
}
