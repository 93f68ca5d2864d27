//! The store on a file of a test's own.

use noetl_api::{EventStatus, ExecutionStatus};
use tempfile::TempDir;

use super::{
    CatalogEntry, CatalogFilter, CommandRow, EventRow, ExecutionFilter, ExecutionRow, Holder,
    LEASE_MS, Progress, Storage, Store,
};

/// A new store, and the folder that it vanishes with.
pub(crate) async fn new_store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::Sqlite(folder.path().join("noetl.db"));
    (folder, Store::open(&storage).await.unwrap())
}

fn entry(catalog_id: i64, path: &str) -> CatalogEntry {
    CatalogEntry {
        catalog_id,
        path: path.to_owned(),
        version: 0,
        kind: "Playbook".to_owned(),
        name: path.to_owned(),
        description: None,
        content: String::new(),
        created_at: 0,
    }
}

pub(super) fn execution(execution_id: i64, path: &str) -> ExecutionRow {
    ExecutionRow {
        execution_id,
        catalog_id: 1,
        path: path.to_owned(),
        version: 1,
        status: ExecutionStatus::Running,
        target: None,
        parent_execution_id: None,
        parent_call: None,
        current_step: None,
        progress: 0,
        result: None,
        error: None,
        start_time: execution_id,
        end_time: None,
        last_event_id: 0,
        retried_id: None,
        first_id: None,
    }
}

pub(super) async fn insert(store: &Store, row: &ExecutionRow) -> bool {
    let mut transaction = store.begin().await.unwrap();
    let inserted = Store::insert_execution(&mut transaction, row, "{}")
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    inserted
}

fn event(event_id: i64, name: &str) -> EventRow {
    EventRow {
        contents: None,
        execution_id: 1,
        event_id,
        catalog_id: 1,
        event_type: name.to_owned(),
        node_id: None,
        node_name: Some("a".to_owned()),
        status: EventStatus::Running,
        context: None,
        result: None,
        error: None,
        meta: None,
        duration_ms: None,
        created_at: event_id,
    }
}

fn command(number: i64, not_before: i64) -> CommandRow {
    CommandRow {
        command_id: format!("1:a:{number}"),
        execution_id: 1,
        event_id: number,
        step: "a".to_owned(),
        worker_id: None,
        lease_until: None,
        not_before,
        lost: 0,
    }
}

async fn due(store: &Store, now: i64) -> Vec<String> {
    let due = store.due(now, 10).await.unwrap();
    due.into_iter().map(|due| due.command_id).collect()
}

async fn claim(store: &Store, command_id: &str, worker: &str, now: i64, until: i64) -> bool {
    let mut transaction = store.begin().await.unwrap();
    let holder = Holder::worker(worker);
    let claimed = Store::claim(&mut transaction, command_id, holder, now, until).await;
    transaction.commit().await.unwrap();
    claimed.unwrap().is_some()
}

async fn with_commands(commands: &[CommandRow]) -> (TempDir, Store) {
    let (folder, store) = new_store().await;
    let mut transaction = store.begin().await.unwrap();
    Store::insert_commands(&mut transaction, commands)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    (folder, store)
}

#[tokio::test]
async fn a_command_has_one_holder_until_its_lease_lapses() {
    let (_folder, store) = with_commands(&[command(1, 0)]).await;
    let id = "1:a:1";
    assert!(claim(&store, id, "one", 100, 200).await);
    assert!(!claim(&store, id, "two", 200, 300).await, "it is held");
    assert!(due(&store, 200).await.is_empty());
    assert_eq!(due(&store, 201).await, [id]);
    assert!(claim(&store, id, "two", 201, 300).await);
    let held = [id.to_owned()];
    assert_eq!(store.renew("one", &held, 400).await.unwrap(), held, "lost");
    assert!(store.renew("two", &held, 400).await.unwrap().is_empty());
    assert!(due(&store, 400).await.is_empty(), "the lease is longer now");
}

#[tokio::test]
async fn commands_are_due_in_order_and_not_before_their_time() {
    let commands: Vec<_> = (1..=3).map(|number| command(number, number * 10)).collect();
    let (_folder, store) = with_commands(&commands).await;
    assert!(due(&store, 9).await.is_empty());
    assert_eq!(store.next_due(9).await.unwrap(), Some(10));
    assert_eq!(due(&store, 20).await, ["1:a:1", "1:a:2"]);
    assert!(claim(&store, "1:a:1", "one", 20, 25).await);
    assert_eq!(store.next_due(20).await.unwrap(), Some(26), "the lease");
    assert_eq!(store.queue_depth(20).await.unwrap(), (2, 1));
}

#[tokio::test]
async fn a_release_gives_back_the_commands_of_one_worker() {
    let commands: Vec<_> = (1..=3).map(|number| command(number, 0)).collect();
    let (_folder, store) = with_commands(&commands).await;
    for (id, worker) in [("1:a:1", "a"), ("1:a:2", "b")] {
        assert!(claim(&store, id, worker, 0, 1000).await);
    }
    assert_eq!(store.release("a").await.unwrap(), 1);
    assert_eq!(due(&store, 1).await, ["1:a:1", "1:a:3"]);
    let released = store.command("1:a:1").await.unwrap().unwrap();
    assert_eq!(released.lost, 0, "it was given back");
}

#[tokio::test]
async fn commands_of_lost_servers_are_those_that_servers_held() {
    let own = CommandRow {
        worker_id: Some("worker-01".to_owned()),
        lease_until: Some(1000),
        ..command(1, 0)
    };
    let (_folder, store) = with_commands(&[own, command(2, 0)]).await;
    assert!(claim(&store, "1:a:2", "server-01", 0, 1000).await);
    assert_eq!(store.release_lost_servers(100).await.unwrap(), 1);
    assert!(due(&store, 100).await.is_empty(), "after a pause");
    assert_eq!(due(&store, 2000).await, ["1:a:1", "1:a:2"]);
    let lost = async |id| store.command(id).await.unwrap().unwrap().lost;
    assert_eq!((lost("1:a:1").await, lost("1:a:2").await), (1, 0));
    assert!(claim(&store, "1:a:2", "other", 1001, 2000).await);
    assert_eq!(lost("1:a:2").await, 1, "its lease had lapsed");
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_no_command_wait() {
    let (_folder, store) = with_commands(&[command(7, 5_000), command(8, 400)]).await;
    let mut transaction = store.begin().await.unwrap();
    // Issued at 4,000 with a delay of a second.
    let issued = EventRow {
        created_at: 4_000,
        ..event(7, "command.issued")
    };
    Store::insert_events(&mut transaction, &[issued])
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert!(claim(&store, "1:a:8", "w", 400, 1_000_000).await);
    store.bound_times(500).await.unwrap();
    assert_eq!(due(&store, 1_500).await, ["1:a:7"]);
    assert_eq!(due(&store, 500 + LEASE_MS + 1).await, ["1:a:7", "1:a:8"]);
}

#[tokio::test]
async fn events_are_read_in_pages_from_both_ends() {
    let (_folder, store) = new_store().await;
    // More than one statement holds.
    let events: Vec<_> = (1..=150)
        .map(|id| {
            event(
                id,
                if id % 10 == 0 {
                    "step.exit"
                } else {
                    "step.enter"
                },
            )
        })
        .collect();
    let mut transaction = store.begin().await.unwrap();
    Store::insert_events(&mut transaction, &events)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let ids = |rows: &[EventRow]| rows.iter().map(|row| row.event_id).collect::<Vec<_>>();

    let after = store.events_after(1, 148, 10).await.unwrap();
    assert_eq!(ids(&after), [149, 150]);
    assert_eq!(store.events_after(1, 0, 100).await.unwrap().len(), 100);
    let (page, total) = store.events_page(1, None, None, 3, 3).await.unwrap();
    assert_eq!((ids(&page), total), (vec![147, 146, 145], 150));
    let (page, total) = store
        .events_page(1, Some("step.exit"), Some(120), 10, 0)
        .await
        .unwrap();
    assert_eq!((ids(&page), total), (vec![150, 140, 130], 3));
    let (page, total) = store.events_page(2, None, None, 10, 0).await.unwrap();
    assert_eq!((page.len(), total), (0, 0));
    assert!(store.has_event(1, 150).await.unwrap());
    assert!(!store.has_event(1, 151).await.unwrap());
}

#[tokio::test]
async fn pages_of_large_events_are_bounded_in_bytes() {
    let (_folder, store) = new_store().await;
    let large = |id| EventRow {
        result: Some("x".repeat(600_000)),
        ..event(id, "call.done")
    };
    let events: Vec<_> = (1..=5).map(large).collect();
    let mut transaction = store.begin().await.unwrap();
    Store::insert_events(&mut transaction, &events)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let mut after = 0;
    for expected in 1..=5 {
        let page = store.events_after(1, after, 100).await.unwrap();
        assert_eq!(page.len(), 1, "a second one is too much");
        after = page[0].event_id;
        assert_eq!(after, expected);
        assert_eq!(page[0].result.as_ref().unwrap().len(), 600_000);
    }
    assert!(store.events_after(1, after, 100).await.unwrap().is_empty());
    let (page, total) = store.events_page(1, None, None, 3, 1).await.unwrap();
    let seen: Vec<_> = page
        .iter()
        .map(|row| (row.event_id, row.result.is_some(), row.context.as_deref()))
        .collect();
    let omitted = [3, 2].map(|id| {
        let href = format!("/api/executions/1/events?after={}&limit=1", id - 1);
        serde_json::json!({"omitted_bytes": 600_000, "href": href}).to_string()
    });
    let [third, second] = omitted.each_ref().map(|text| Some(text.as_str()));
    assert_eq!(
        seen,
        [(4, true, None), (3, false, third), (2, false, second)]
    );
    assert_eq!(total, 5);
    let heads = store.event_heads(1, 0).await.unwrap();
    assert!(heads.len() == 5 && heads.iter().all(|row| row.result.is_none()));
}

#[tokio::test]
async fn executions_are_listed_by_status_text_and_page() {
    let (_folder, store) = new_store().await;
    for (id, path) in [(1, "a_1"), (2, "ab1"), (3, "a_1")] {
        assert!(insert(&store, &execution(id, path)).await);
    }
    let mut transaction = store.begin().await.unwrap();
    let progress = Progress {
        execution_id: 3,
        status: ExecutionStatus::Failed,
        current_step: Some("s".to_owned()),
        progress: 50,
        result: None,
        error: Some("100% wrong".to_owned()),
        end_time: Some(9),
        last_event_id: 8,
    };
    Store::update_execution(&mut transaction, &progress)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let list = async |filter: ExecutionFilter| {
        let rows = store.executions(&filter, 2, 0).await.unwrap();
        let total = store.count_executions(&filter).await.unwrap();
        let ids: Vec<_> = rows.iter().map(|row| row.execution_id).collect();
        (ids, total)
    };
    let find = async |text: &str, offset| {
        let every = ExecutionFilter::default();
        let found = store.search_executions(&every, text, 2, offset);
        let (rows, total) = found.await.unwrap();
        let ids: Vec<_> = rows.iter().map(|row| row.execution_id).collect();
        (ids, total)
    };
    assert_eq!(list(ExecutionFilter::default()).await, (vec![3, 2], 3));
    assert_eq!(find("A_1", 0).await, (vec![3, 1], 2), "`_` is itself");
    assert_eq!(find("100%", 0).await, (vec![3], 1));
    let running = ExecutionFilter {
        statuses: &[ExecutionStatus::Running],
        since: Some(2),
        ..ExecutionFilter::default()
    };
    assert_eq!(list(running).await, (vec![2], 1));
    assert_eq!(find("3", 0).await, (vec![3], 1), "the digits of an id");
    assert_eq!(find("a", 2).await, (vec![1], 3), "the second page");
    assert_eq!(find("b", 0).await, (vec![2], 1));
    assert_eq!(find("nowhere", 0).await, (vec![], 0));
    for id in 100..250 {
        assert!(insert(&store, &execution(id, &format!("many/{id}"))).await);
    }
    assert_eq!(find("MANY/", 1).await, (vec![248, 247], 150), "many paths");
    assert_eq!(find("ny/12", 0).await, (vec![129, 128], 10), "few paths");
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.running, totals.failed), (152, 1));
}

#[tokio::test]
async fn a_parent_call_has_one_execution() {
    let (_folder, store) = new_store().await;
    let call = |id| ExecutionRow {
        parent_call: Some("key".to_owned()),
        ..execution(id, "p")
    };
    assert!(insert(&store, &call(1)).await);
    assert!(!insert(&store, &call(2)).await);
    let known = store.execution_by_call("key").await.unwrap().unwrap();
    assert_eq!(known.execution_id, 1);
}

#[tokio::test]
async fn a_status_that_does_not_exist_is_an_error() {
    let (_folder, store) = new_store().await;
    insert(&store, &execution(1, "p")).await;
    let mut transaction = store.begin().await.unwrap();
    sqlx::query("UPDATE execution SET status = 'ODD'")
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let error = store.execution(1).await.unwrap_err();
    assert!(error.to_string().contains("column status"), "{error}");
}

#[tokio::test]
async fn versions_count_up_and_are_not_deleted_while_an_execution_runs() {
    let (_folder, store) = new_store().await;
    for id in 1..=3 {
        let path = if id == 3 { "other" } else { "p" };
        store
            .register(entry(id, path), None)
            .await
            .unwrap()
            .unwrap();
    }
    let latest = CatalogFilter {
        latest: true,
        ..CatalogFilter::default()
    };
    let versions: Vec<_> = store.catalog(&latest).await.unwrap();
    let versions: Vec<_> = versions
        .iter()
        .map(|entry| (entry.path.as_str(), entry.version))
        .collect();
    assert_eq!(versions, [("other", 1), ("p", 2)]);
    assert_eq!(store.entry("p", None).await.unwrap().unwrap().version, 2);
    insert(&store, &execution(1, "p")).await;
    assert_eq!(store.delete_entry("p", None).await.unwrap(), None);
    assert_eq!(store.delete_entry("p", Some(2)).await.unwrap(), Some(1));
    assert_eq!(store.delete_entry("other", None).await.unwrap(), Some(1));
}
