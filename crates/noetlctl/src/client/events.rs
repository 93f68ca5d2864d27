//! Server-sent events: reads the messages of a `text/event-stream` one by one as they arrive.

use std::io::{self, BufRead};

/// One message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// The kind of message, such as `event` or `status`.
    pub(crate) event: String,
    pub(crate) data: String,
    /// Where a new stream continues after a broken connection.
    pub(crate) id: Option<String>,
}

/// The messages of a stream, until it ends or breaks.
#[derive(Debug)]
pub(crate) struct Messages<R> {
    reader: R,
}

impl<R: BufRead> Messages<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader }
    }

    /// Returns the next message, or `None` at the end. A message that the end cuts off is dropped.
    fn read(&mut self) -> io::Result<Option<Message>> {
        let mut message = Message::default();
        let mut line = String::new();
        loop {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                if !message.data.is_empty() {
                    message.data.pop();
                    return Ok(Some(message));
                }
                message = Message::default();
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut message.event),
                "id" => message.id = Some(value.to_owned()),
                "data" => {
                    message.data.push_str(value);
                    message.data.push('\n');
                }
                // Comments, which keep the connection alive, and `retry`.
                _ => {}
            }
        }
    }
}

impl<R: BufRead> Iterator for Messages<R> {
    type Item = io::Result<Message>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_messages_are_read() {
        let text = ": hello\n\nevent: event\nid: 7\ndata: {\"a\":\ndata: 1}\n\nretry: 5\r\ndata:x\r\n\r\nevent: cut\ndata: off";
        let messages: Vec<Message> = Messages::new(text.as_bytes()).map(Result::unwrap).collect();
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].event, "event");
        assert_eq!(messages[0].id.as_deref(), Some("7"));
        assert_eq!(messages[0].data, "{\"a\":\n1}");
        assert_eq!(
            (messages[1].event.as_str(), messages[1].data.as_str()),
            ("", "x")
        );
    }
}
