//! Policy rules and retries of a task, in each of their forms.

use noetl_yaml::{Node, Value};

use super::super::document::noun;
use super::super::task::{Backoff, Retry, Rule, RuleAction};
use super::keys;
use super::reader::Reader;
use super::route::WHEN;
use crate::path;

impl Reader<'_> {
    /// Reads `spec.policy.rules`.
    pub(super) fn rules(&mut self, policy: &Node, path: &str) -> Vec<Rule> {
        let mut rules = Vec::new();
        for (index, node) in self
            .list(policy, "rules", &path::key(path, "rules"))
            .iter()
            .enumerate()
        {
            let path = format!("{path}.rules[{index}]");
            let when = self.condition(node, &WHEN, &path);
            let body = node.get("else").unwrap_or(node);
            let then = body
                .get("then")
                .or_else(|| node.get("then"))
                .unwrap_or(body);
            for (node, path) in [
                (node, path.clone()),
                (then, path::key(&path, "then").into_owned()),
            ] {
                self.check_keys(node, &path, &keys::RULE, false);
            }
            let action = match self.text(then, "do", &path).as_deref() {
                Some("continue") | None => RuleAction::Continue,
                Some("break") => RuleAction::Break,
                Some("fail") => RuleAction::Fail,
                Some("retry") => RuleAction::Retry(self.retry(then, &path, 3, 1.0)),
                Some("jump") => match self.text(then, "to", &path) {
                    Some(to) => RuleAction::Jump { to },
                    None => {
                        let place = self.place(then, &path);
                        self.fail(
                            place,
                            "`do: jump` has no `to`",
                            "add `to: TASK` with the name of a task of this pipeline",
                        );
                        RuleAction::Fail
                    }
                },
                Some(other) => {
                    let place = self.place(then, &path::key(&path, "do"));
                    let message =
                        format!("`do: {other}` is none of continue, retry, jump, break and fail");
                    self.fail(place, message, "write one of them, such as `do: retry`");
                    RuleAction::Fail
                }
            };
            let set = self.assignments(then, &path);
            rules.push(Rule { when, action, set });
        }
        rules
    }

    /// Reads how often and after what delay, in each of the forms; `attempts` and `delay` are the defaults.
    pub(super) fn retry(&mut self, node: &Node, path: &str, attempts: u32, delay: f64) -> Retry {
        let number = |key: &str| node.get(key).and_then(|node| node.to_json().as_f64());
        let first = |keys: &[&str]| keys.iter().find_map(|key| number(key));
        let whole = match node.value() {
            Value::Number(number) => number.as_f64(),
            _ => first(&["max_attempts", "attempts"])
                .or_else(|| number("max_retries").map(|retries| retries + 1.0)),
        };
        let delay = first(&["delay", "initial_delay"]).unwrap_or(delay);
        let named = node.get("backoff").and_then(Node::as_str);
        let backoff = match (named, first(&["backoff_multiplier", "multiplier"])) {
            (_, Some(factor)) => Backoff::Factor(factor),
            (Some("none" | "fixed" | "constant"), None) => Backoff::None,
            (None, None) => number("backoff").map_or(Backoff::None, Backoff::Factor),
            (Some("linear"), None) => Backoff::Linear,
            (Some("exponential"), None) => Backoff::Factor(2.0),
            (Some(other), None) => {
                let place = self.place(node, &path::key(path, "backoff"));
                let message = format!("backoff `{other}` is none of none, linear and exponential");
                self.fail(
                    place,
                    message,
                    "write one of them, or `backoff_multiplier: 2`",
                );
                Backoff::None
            }
        };
        for key in [
            "max_attempts",
            "attempts",
            "max_retries",
            "delay",
            "initial_delay",
            "max_delay",
        ] {
            if let Some(value) = node
                .get(key)
                .filter(|value| value.to_json().as_f64().is_none())
            {
                let place = self.place(value, &path::key(path, key));
                let message = format!("`{key}` is {}, not a number", noun(value));
                self.fail(place, message, "write a number, such as 3");
            }
        }
        let is_valid = |value: f64| value.is_finite() && value >= 0.0;
        let attempts = whole.unwrap_or(f64::from(attempts));
        if !is_valid(attempts) || !is_valid(delay) {
            let place = self.place(node, path);
            self.fail(
                place,
                "attempts and delays are numbers from 0",
                "write numbers that are not negative, delays in seconds",
            );
        }
        Retry {
            attempts: attempts.clamp(1.0, 1_000_000.0) as u32,
            delay,
            backoff,
            max_delay: number("max_delay")
                .filter(|value| is_valid(*value))
                .unwrap_or(300.0),
        }
    }
}
