//! Keys that NoETL does not read. One that is like a known key is a slip of the pen: without it something else runs than
//! was written, so that it is an error. Keys that begin with `x-` are the author's own.

use noetl_yaml::{Entry, Node};

use super::super::distance::distance;
use super::reader::Reader;
use crate::path;

/// A mapping of a playbook whose keys are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    /// What it is called in messages.
    noun: &'static str,
    /// The keys that have a meaning, separated by spaces.
    known: &'static str,
    /// Keys of other versions, which have none here.
    others: &'static str,
    /// The level whose keys may stand here as well.
    also: Option<&'static Level>,
    /// Whether every other key is an error.
    is_closed: bool,
}

impl Level {
    /// Returns the keys that have a meaning.
    pub(super) fn known_keys(&self) -> impl Iterator<Item = &'static str> {
        self.known.split_whitespace()
    }

    /// Returns the keys of other versions, which have none here.
    pub(super) fn other_keys(&self) -> impl Iterator<Item = &'static str> {
        self.others.split_whitespace()
    }

    /// Whether every other key is an error.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }
}

/// The root.
pub(super) const ROOT: Level = Level {
    noun: "a playbook",
    known: "apiVersion kind metadata name path executor workload spec workload_schema workflow workbook keychain \
        on_error",
    others: "version description labels vars variables inputs outputs input output tests test runtime ui \
        schedule triggers environment credentials secrets policy config notes final_step entry_step tags \
        annotations result targets defaults imports steps doc docs status id \
        observability tracing resources",
    also: None,
    is_closed: true,
};

/// A step.
pub(super) const STEP: Level = Level {
    noun: "a step",
    known: "step desc tool args input loop next case set set_ctx set_iter vars spec sink type name auth \
        query command commands code url endpoint method headers params parameters script path \
        return_step database cmds payload timeout timeout_seconds description when with retry on_error",
    others: "label id notes save pass call run output result policy bind data libs",
    also: None,
    is_closed: false,
};

/// A loop.
pub(super) const LOOP: Level = Level {
    noun: "a loop",
    known: "in collection cursor iterator element as spec mode max_in_flight concurrency",
    others: "until enumerate where limit order_by chunk policy pagination",
    also: None,
    is_closed: false,
};

/// An arc, or a rule that leads to steps.
pub(super) const ARC: Level = Level {
    noun: "an arc",
    known: "step target to when cond condition if args input with data set set_ctx set_iter vars then else \
        next arcs spec desc description",
    others: "name label priority id",
    also: None,
    is_closed: false,
};

/// A rule of a policy.
pub(super) const RULE: Level = Level {
    noun: "a rule",
    known: "when cond condition if then else do to set set_ctx set_iter vars max_attempts attempts \
        max_retries delay initial_delay backoff backoff_multiplier multiplier max_delay",
    others: "name desc description reason message result",
    also: None,
    is_closed: false,
};

/// `spec` of a task or a step.
pub(super) const SPEC: Level = Level {
    noun: "a spec",
    known: "policy timeout timeout_seconds timeout_s args input next_mode mode",
    others: "",
    also: Some(&TOOL),
    is_closed: false,
};

/// A tool of any kind. Only slips are reported: each kind has fields of its own, and those of a `noop` are free.
pub(super) const TOOL: Level = Level {
    noun: "a tool",
    known: "name kind args input with spec retry output_select set set_ctx set_iter auth query command \
        commands code url endpoint method headers params parameters script path return_step database \
        cmds payload timeout timeout_seconds credential environment libs source stdin table statement \
        follow_redirects verify_ssl search_path read_only provider format",
    others: "api attach backend body case cmd columns content cwd data db desc description env error field \
        fields file filename files form from function header host import json key keys loop main mapping \
        max_bytes merge message mode module option options output outputs param password paths pool port \
        result results return_result result_step rows scripts secret secrets shell sources sql status \
        storage tables target task_key token type uri urls user value values vars verify version \
        workload codes header_name databases queries statements credentials formats methods providers \
        auths",
    also: None,
    is_closed: false,
};

impl Reader<'_> {
    /// Reports the keys of a mapping that are none of a level. `is_open` is for mappings that have the keys of others as
    /// well, where only what is like a known key is reported.
    pub(super) fn check_keys(&mut self, node: &Node, path: &str, level: &Level, is_open: bool) {
        for Entry { key, value, .. } in node.entries() {
            let is_own = key.starts_with("x-") || key.starts_with("x_");
            let is_in = |keys: &str| keys.split_whitespace().any(|known| *known == **key);
            if is_in(level.known) || is_own {
                continue;
            }
            if let Some(also) = level.also
                && (is_in(also.known) || is_in(also.others))
            {
                continue;
            }
            let place = self.place(value, &path::key(path, key));
            if is_in(level.others) {
                if !is_open {
                    let message = format!("`{key}` has no meaning in {} here", level.noun);
                    self.warn(place, message, None);
                }
                continue;
            }
            let known = level.known.split_whitespace();
            let nearest = known.map(|known| (distance(key, known), known)).min();
            // A short key is like many; one letter of three says nothing.
            let allowed = match key.chars().count() {
                0..=2 => 0,
                3..=5 => 1,
                _ => 2,
            };
            let slip = nearest.filter(|(distance, _)| *distance <= allowed);
            let message = format!("`{key}` is no key of {}", level.noun);
            match slip {
                Some((_, known)) => {
                    self.fail(place, message, &format!("did you mean `{known}`?"));
                }
                None if is_open => {}
                None => {
                    let belongs = STEP.known.split_whitespace().any(|known| known == &**key);
                    let help = match level.is_closed && belongs {
                        true => "it belongs to a step; indent it as the step's other keys",
                        false => "keys of your own begin with `x-`",
                    };
                    match level.is_closed {
                        true => self.fail(place, message, help),
                        false => self.warn(place, message, Some(help)),
                    }
                }
            }
        }
    }

    /// Reads how many seconds an attempt may take, from each place where it may stand; none when nothing limits it.
    pub(super) fn timeout(&mut self, places: &[(Option<&Node>, &str)]) -> Option<f64> {
        for (node, path) in places {
            for key in ["timeout", "timeout_seconds", "timeout_s"] {
                let Some(value) = node.and_then(|node| node.get(key)) else {
                    continue;
                };
                match duration(value) {
                    Some(0.0) => return None,
                    Some(seconds) => return Some(seconds.min(31_536_000.0)),
                    None => {
                        let place = self.place(value, &path::key(path, key));
                        let message = format!("`{key}` is no time");
                        let help = "write seconds, or a number with ms, s, m or h, such as 30s";
                        self.fail(place, message, help);
                        return None;
                    }
                }
            }
        }
        None
    }
}

/// Returns a number of seconds: a number, or text such as `250ms`, `1.5s`, `5m` and `1h`.
fn duration(node: &Node) -> Option<f64> {
    let json = node.to_json();
    if let Some(seconds) = json.as_f64() {
        return (seconds.is_finite() && seconds >= 0.0).then_some(seconds);
    }
    let text = json.as_str()?.trim();
    let end = text.find(|next: char| !next.is_ascii_digit() && next != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let factor = match unit.trim() {
        "ms" => 0.001,
        "" | "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3600.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}
