//! What the steps of a worker print, on its way to the source: gathered for a moment, and sent in batches.
//!
//! A source that is slow or away slows no step. Lines wait for it up to a bound for each attempt, beyond which the oldest are
//! dropped and counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use noetl_api::log::{AttemptLog, LogEntry, LogStream};
use noetl_engine::Stream;
use noetl_engine::execution::Command;
use tokio::sync::Notify;

use super::backoff::Backoff;
use super::source::Source;
use crate::clock;

/// How long lines are gathered before they are sent.
const GATHER: Duration = Duration::from_millis(200);
/// How long the outcome of a step waits for its last lines to be kept.
const LONGEST_FLUSH: Duration = Duration::from_secs(10);
/// The most bytes of an attempt that wait.
const WAITING: usize = 4 << 20;
/// The most bytes that are sent at once.
const SENT: usize = 2 << 20;

/// An attempt of a command.
type Key = (String, u32);

/// The lines that wait to be sent.
#[derive(Debug, Default)]
pub(super) struct Logs {
    waiting: Mutex<BTreeMap<Key, Waiting>>,
    /// How many batches there were: they are numbered.
    batches: AtomicU32,
    /// There are lines to send.
    arrived: Notify,
    /// A step has ended and waits until its lines are sent.
    hurry: Notify,
    /// Lines have been sent.
    sent: Notify,
}

/// The lines of one attempt that wait.
#[derive(Debug)]
struct Waiting {
    head: AttemptLog,
    lines: VecDeque<LogEntry>,
    bytes: usize,
    /// Whether a batch of it is being sent.
    is_in_flight: bool,
}

/// Takes the lines of one run of a command.
#[derive(Debug, Clone)]
pub struct LogSink {
    logs: Arc<Logs>,
    /// What is the same for all attempts.
    head: Arc<AttemptLog>,
}

impl LogSink {
    /// Takes a line; does not wait.
    pub fn line(&self, attempt: u32, stream: Stream, text: &str) {
        let entry = LogEntry {
            time: clock::now_ms(),
            stream: match stream {
                Stream::Out => LogStream::Stdout,
                Stream::Err => LogStream::Stderr,
                Stream::Note => LogStream::Note,
            },
            text: text.to_owned(),
        };
        let key = (self.head.command_id.clone(), attempt);
        let mut all = self.logs.waiting();
        let waiting = all.entry(key).or_insert_with(|| Waiting {
            head: AttemptLog {
                attempt,
                ..(*self.head).clone()
            },
            lines: VecDeque::new(),
            bytes: 0,
            is_in_flight: false,
        });
        let was_empty = waiting.lines.is_empty();
        waiting.bytes += entry.text.len();
        waiting.lines.push_back(entry);
        while waiting.bytes > WAITING
            && let Some(oldest) = waiting.lines.pop_front()
        {
            waiting.bytes -= oldest.text.len();
            waiting.head.dropped = waiting.head.dropped.saturating_add(1);
        }
        drop(all);
        if was_empty {
            self.logs.arrived.notify_one();
        }
    }
}

impl Logs {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<Key, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what takes the lines of a command that is about to run.
    pub(super) fn sink(self: &Arc<Self>, command: &Command) -> LogSink {
        // Tells runs of the same command apart, also those of other workers.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        LogSink {
            logs: Arc::clone(self),
            head: Arc::new(AttemptLog {
                execution_id: command.execution_id.clone().into(),
                command_id: command.id.clone(),
                step: command.step.clone(),
                item: command.iteration.and_then(|item| u32::try_from(item).ok()),
                attempt: 1,
                run: format!("{}-{}-{number}", clock::now_ms(), std::process::id()),
                batch: 0,
                dropped: 0,
                lines: Vec::new(),
            }),
        }
    }

    /// Waits until the lines of a command that has ended, or of all, are sent, but not for ever.
    pub(super) async fn flush(&self, command_id: Option<&str>) {
        let flushed = async {
            loop {
                // Before the look, so that what is sent meanwhile is not missed.
                let sent = self.sent.notified();
                if !self.have_lines(command_id) {
                    return;
                }
                self.hurry.notify_one();
                sent.await;
            }
        };
        if tokio::time::timeout(LONGEST_FLUSH, flushed).await.is_err() {
            tracing::warn!(
                command = command_id,
                "the step's last lines are not kept yet"
            );
        }
    }

    /// Whether lines of a command wait, or of any command.
    fn have_lines(&self, command_id: Option<&str>) -> bool {
        let Some(command_id) = command_id else {
            return !self.waiting().is_empty();
        };
        let range = (command_id.to_owned(), 0)..=(command_id.to_owned(), u32::MAX);
        self.waiting().range(range).next().is_some()
    }

    /// Takes the next batches.
    fn take(&self) -> Vec<AttemptLog> {
        let mut batches = Vec::new();
        let mut room = SENT;
        for waiting in self.waiting().values_mut() {
            if waiting.lines.is_empty() || room == 0 {
                continue;
            }
            let mut lines = Vec::new();
            while room > 0
                && let Some(line) = waiting.lines.pop_front()
            {
                waiting.bytes -= line.text.len();
                room = room.saturating_sub(line.text.len() + 1);
                lines.push(line);
            }
            waiting.is_in_flight = true;
            waiting.head.batch = self.batches.fetch_add(1, Ordering::Relaxed) + 1;
            batches.push(AttemptLog {
                lines,
                ..waiting.head.clone()
            });
            waiting.head.dropped = 0;
        }
        batches
    }

    /// Notes that batches are sent. Returns whether more lines wait.
    fn has_sent(&self, batches: &[AttemptLog]) -> bool {
        let mut all = self.waiting();
        for batch in batches {
            let key = (batch.command_id.clone(), batch.attempt);
            if let Some(waiting) = all.get_mut(&key) {
                waiting.is_in_flight = false;
                if waiting.lines.is_empty() {
                    all.remove(&key);
                }
            }
        }
        let more = !all.is_empty();
        drop(all);
        self.sent.notify_waiters();
        more
    }

    /// Sends lines as they come, for ever.
    pub(super) async fn send_to<S: Source>(&self, source: &S) {
        loop {
            self.arrived.notified().await;
            // A step that ends does not wait for more lines to gather.
            drop(tokio::time::timeout(GATHER, self.hurry.notified()).await);
            loop {
                let batches = self.take();
                if batches.is_empty() {
                    break;
                }
                let mut backoff = Backoff::default();
                while let Err(error) = source.log(&batches).await {
                    tracing::warn!(%error, "cannot send what steps print; trying again");
                    backoff.wait().await;
                }
                if !self.has_sent(&batches) {
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
