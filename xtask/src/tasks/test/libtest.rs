//! Reads what libtest prints: how many tests passed, and which failed and why.

use super::Count;

/// Takes the output of `cargo test` line by line.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) count: Count,
    /// The test whose output is being read.
    test: Option<String>,
    /// Whether the next line is the message of that test's panic.
    message_follows: bool,
}

impl Reader {
    pub(super) fn take(&mut self, line: &str) {
        if let Some((passed, failed)) = counts(line) {
            self.count.passed += passed;
            self.count.failed += failed;
            self.test = None;
        } else if let Some(test) = line.strip_prefix("---- ") {
            let test = test.strip_suffix(" ----").unwrap_or(test);
            self.test = Some(test.strip_suffix(" stdout").unwrap_or(test).to_owned());
        } else if self.test.is_some() && line.contains(" panicked at ") {
            self.message_follows = true;
        } else if std::mem::take(&mut self.message_follows) {
            // Only the first panic of a test: later ones follow from it.
            if let Some(test) = self.test.take() {
                self.count.failures.push(format!("{test}: {line}"));
            }
        }
    }
}

/// Reads the last line of a test program: `test result: ok. 3 passed; 0 failed; …`.
fn counts(line: &str) -> Option<(u64, u64)> {
    let (_, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |what: &str| {
        let mut parts = numbers.split("; ");
        parts.find_map(|part| part.strip_suffix(what)?.trim().parse().ok())
    };
    Some((number(" passed")?, number(" failed")?))
}

#[cfg(test)]
mod tests {
    use super::Reader;

    #[test]
    fn failed_tests_are_counted_and_named_with_their_first_panic() {
        let mut reader = Reader::default();
        let output = "test server::x ... ok\ntest server::y ... FAILED\n\nfailures:\n\n\
            ---- server::y stdout ----\nprinted\n\
            thread 'server::y' (7) panicked at crates/a.rs:173:9:\nthe answer was 500\nstack backtrace:\n\
            thread 'server::y' (7) panicked at crates/b.rs:1:1:\nlater\n\nfailures:\n    server::y\n\n\
            test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.1s";
        output.lines().for_each(|line| reader.take(line));
        let count = reader.count;
        assert_eq!((count.passed, count.failed), (3, 1));
        assert_eq!(count.failures, ["server::y: the answer was 500"]);
    }
}
