//! Readers of a child's output: they keep its beginning, and forward its lines to the host.

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::Instant;

use super::call::Call;
use crate::host::{Host, Stream};

/// A longer line is forwarded in pieces, so that output without line breaks is forwarded as well.
const LINE_LIMIT: usize = 64 * 1024;

/// Reads one output stream of a child.
pub(super) struct OutputReader<R> {
    /// None after the end of the stream.
    pipe: Option<R>,
    /// The stream as which lines are forwarded to the host; none does not forward them.
    forward_as: Option<Stream>,
    kept: Vec<u8>,
    /// The most bytes that are kept.
    limit: usize,
    dropped_bytes: usize,
    /// The beginning of a line that has not ended.
    line: Vec<u8>,
    chunk: Vec<u8>,
}

impl<R: AsyncRead + Unpin> OutputReader<R> {
    pub(super) fn new(pipe: Option<R>, forward_as: Option<Stream>, limit: usize) -> Self {
        Self {
            pipe,
            forward_as,
            kept: Vec::new(),
            limit,
            dropped_bytes: 0,
            line: Vec::new(),
            chunk: vec![0; 16 * 1024],
        }
    }

    /// Whether the stream has not ended.
    pub(super) fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Waits for output, reads it and returns the time. Dropping the future loses no output.
    pub(super) async fn read(&mut self, call: &Call<'_>, host: &dyn Host) -> Instant {
        let Some(pipe) = &mut self.pipe else {
            return Instant::now();
        };
        match pipe.read(&mut self.chunk).await {
            Ok(count) if count > 0 => self.take_chunk(count, call, host),
            // A pipe that cannot be read counts as ended.
            _ => self.pipe = None,
        }
        Instant::now()
    }

    /// Keeps and forwards the first `count` bytes of the chunk.
    fn take_chunk(&mut self, count: usize, call: &Call<'_>, host: &dyn Host) {
        let kept = count.min(self.limit.saturating_sub(self.kept.len()));
        self.kept.extend_from_slice(&self.chunk[..kept]);
        self.dropped_bytes += count - kept;
        let Some(stream) = self.forward_as else {
            return;
        };
        for piece in self.chunk[..count].split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.line.len() >= LINE_LIMIT {
                forward_line(&mut self.line, stream, call, host);
            }
        }
    }

    /// Forwards the rest of the last line and returns the text that was kept.
    pub(super) fn finish(mut self, call: &Call<'_>, host: &dyn Host) -> String {
        if let Some(stream) = self.forward_as
            && !self.line.is_empty()
        {
            forward_line(&mut self.line, stream, call, host);
        }
        let mut text = String::from_utf8_lossy(&self.kept).into_owned();
        if self.dropped_bytes > 0 {
            text.push_str(&format!("\n… {} bytes more\n", self.dropped_bytes));
        }
        text
    }
}

fn forward_line(line: &mut Vec<u8>, stream: Stream, call: &Call<'_>, host: &dyn Host) {
    let text = String::from_utf8_lossy(line);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    host.output_line(
        call.place,
        call.attempt,
        stream,
        text.strip_suffix('\r').unwrap_or(text),
    );
    line.clear();
}
