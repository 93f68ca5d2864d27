//! Logs in a store of a test's own.

use noetl_api::log::LogEntry;

use super::*;
use crate::store::tests::{execution, insert, new_store};

const LIMIT: usize = 64 << 10;

fn log(batch: u32, texts: &[&str]) -> AttemptLog {
    let entry = |text: &&str| LogEntry {
        time: 1_700_000_000_000,
        stream: LogStream::Stdout,
        text: (*text).to_owned(),
    };
    AttemptLog {
        execution_id: "1".to_owned().into(),
        command_id: "1:a:1".to_owned(),
        step: "a".to_owned(),
        item: None,
        attempt: 1,
        run: "one".to_owned(),
        batch,
        dropped: 0,
        lines: texts.iter().map(entry).collect(),
    }
}

async fn append(store: &Store, log: &AttemptLog) -> Vec<i64> {
    store.append_logs(&[(1, log)], LIMIT).await.unwrap()
}

/// Returns the texts after a position, with the rest of the answer.
async fn texts(store: &Store, after: &str, limit: usize) -> (Vec<String>, String, bool) {
    let after = after.parse().unwrap();
    let filter = LogFilter::default();
    let (lines, after, more) = store.log_lines(1, &filter, after, limit).await.unwrap();
    let texts = lines.into_iter().map(|line| line.text).collect();
    (texts, after.to_string(), more)
}

#[tokio::test]
async fn lines_are_read_in_pages_and_a_batch_is_kept_once() {
    let (_folder, store) = new_store().await;
    insert(&store, &execution(1, "p")).await;
    assert!(
        append(&store, &log(1, &["one", "  two\r", ""]))
            .await
            .is_empty()
    );
    append(&store, &log(1, &["one", "  two\r", ""])).await;
    append(&store, &log(2, &["nul \0, end \n."])).await;
    let (first, after, more) = texts(&store, "0-0", 2).await;
    assert_eq!(
        (first, more),
        (vec!["one".to_owned(), "  two\r".to_owned()], true)
    );
    let (rest, after, more) = texts(&store, &after, 10).await;
    assert_eq!(
        (rest.as_slice(), more),
        (
            ["".to_owned(), "nul \u{fffd}, end \u{fffd}.".to_owned()].as_slice(),
            false
        )
    );
    assert_eq!(texts(&store, &after, 10).await, (Vec::new(), after, false));
    // The same batch of another run of the command is another one.
    let again = AttemptLog {
        run: "two".to_owned(),
        ..log(1, &["again"])
    };
    append(&store, &again).await;
    let attempts = store.log_attempts(1, None).await.unwrap();
    assert_eq!(
        (attempts.len(), attempts[0].lines, attempts[0].dropped),
        (1, 5, 0)
    );
}

#[tokio::test]
async fn the_beginning_and_the_end_of_a_long_log_are_kept() {
    let (_folder, store) = new_store().await;
    insert(&store, &execution(1, "p")).await;
    let text = "x".repeat(95);
    for batch in 0..100 {
        let lines: Vec<_> = (0..100)
            .map(|line| format!("{text}{:04}", batch * 100 + line))
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        append(&store, &log(batch + 1, &lines)).await;
    }
    let position = LogPosition::default();
    let filter = LogFilter::default();
    let (lines, _, more) = store.log_lines(1, &filter, position, 20_000).await.unwrap();
    assert!(!more);
    let kept: usize = lines.iter().map(|line| line.text.len() + 1).sum();
    assert!((LIMIT - 16_384..=LIMIT + 16_384).contains(&kept), "{kept}");
    assert_eq!((lines[0].line, lines.last().unwrap().line), (1, 10_000));
    // The number of a line is its own, also after the gap.
    for line in &lines {
        assert_eq!(line.text, format!("{text}{:04}", line.line - 1));
    }
    let gaps = lines
        .windows(2)
        .filter(|pair| pair[1].line != pair[0].line + 1);
    assert_eq!(gaps.count(), 1);
    let summary = &store.log_attempts(1, Some("a")).await.unwrap()[0];
    assert_eq!(summary.lines, 10_000);
    assert_eq!(summary.dropped, 10_000 - lines.len() as i64);
    assert!(store.log_attempts(1, Some("b")).await.unwrap().is_empty());
}

#[tokio::test]
async fn lines_of_a_step_an_attempt_and_an_item_are_found() {
    let (_folder, store) = new_store().await;
    insert(&store, &execution(1, "p")).await;
    for (command, step, item, attempt) in [
        ("1:a:1", "a", None, 1),
        ("1:a:1", "a", None, 2),
        ("1:b:2", "b", Some(0), 1),
        ("1:b:3", "b", Some(1), 1),
    ] {
        let text = format!("{step} {item:?} {attempt}");
        let log = AttemptLog {
            command_id: command.to_owned(),
            step: step.to_owned(),
            item,
            attempt,
            ..log(1, &[&text])
        };
        append(&store, &log).await;
    }
    let found = async |step: Option<&str>, attempt, item| {
        let filter = LogFilter {
            step: step.map(str::to_owned),
            attempt,
            item,
        };
        let read = store
            .log_lines(1, &filter, LogPosition::default(), 10)
            .await;
        read.unwrap()
            .0
            .into_iter()
            .map(|line| line.text)
            .collect::<Vec<_>>()
    };
    assert_eq!(found(Some("a"), None, None).await, ["a None 1", "a None 2"]);
    assert_eq!(found(Some("a"), Some(2), None).await, ["a None 2"]);
    assert_eq!(found(None, None, Some(1)).await, ["b Some(1) 1"]);
    assert_eq!(found(Some("b"), Some(1), Some(0)).await, ["b Some(0) 1"]);
}

#[tokio::test]
async fn lines_of_an_execution_that_does_not_exist_are_not_kept() {
    let (_folder, store) = new_store().await;
    insert(&store, &execution(1, "p")).await;
    let log = log(1, &["one"]);
    let unknown = store.append_logs(&[(1, &log), (2, &log)], LIMIT).await;
    assert_eq!(unknown.unwrap(), [2]);
    assert_eq!(texts(&store, "0-0", 10).await.0, ["one"]);
}
