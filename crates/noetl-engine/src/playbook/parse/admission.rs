//! Conditions under which a step runs.

use noetl_yaml::Node;

use super::super::model::Admission;
use super::reader::Reader;
use super::route::WHEN;

impl Reader<'_> {
    /// Reads `spec.policy.admit.rules`, and the older `when` on the step itself.
    pub(super) fn admissions(&mut self, node: &Node) -> Vec<Admission> {
        let mut admissions = Vec::new();
        if let Some(when) = self.condition(node, &WHEN, "") {
            admissions.push(Admission {
                when: Some(when),
                allow: true,
            });
            admissions.push(Admission {
                when: None,
                allow: false,
            });
        }
        let path = "spec.policy.admit.rules";
        let rules = node
            .get("spec")
            .and_then(|spec| spec.get("policy"))
            .and_then(|policy| policy.get("admit"));
        let Some(rules) = rules else {
            return admissions;
        };
        for (index, rule) in self.list(rules, "rules", path).iter().enumerate() {
            let path = format!("{path}[{index}]");
            let when = self.condition(rule, &WHEN, &path);
            let body = rule.get("else").unwrap_or(rule);
            let then = body.get("then").unwrap_or(body);
            let Some(allow) = then.get("allow").and_then(Node::as_bool) else {
                let place = self.place(rule, &path);
                self.fail(
                    place,
                    "an admission rule has no `allow`",
                    "add `then: {allow: true}`",
                );
                continue;
            };
            admissions.push(Admission { when, allow });
        }
        admissions
    }
}
