//! Containers that would run as root: by their own `runAsUser`, or by the user of their image.

use std::collections::BTreeMap;

use noetl_yaml::Node;

use crate::kube::facts::{ImageFacts, PlatformFacts};
use crate::kube::finding::Finding;
use crate::kube::workload::{Container, Workload};

/// What is said of a container that runs as root and has no `runAsNonRoot`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// Nothing: a cluster starts it.
    Allowed,
    /// It is a finding.
    Refused,
}

/// Returns a finding for each container that the kubelet would not start under `runAsNonRoot`, and with
/// [`Root::Refused`] for each that would run as root. The user of an image that is not in `images` is not
/// judged.
pub(crate) fn check(
    workloads: &[Workload],
    images: &BTreeMap<String, ImageFacts>,
    root: Root,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for workload in workloads {
        for container in workload.containers() {
            findings.extend(
                Security {
                    workload,
                    container,
                }
                .check(images, root),
            );
        }
    }
    findings
}

/// A container with the security settings of itself and its pod; its own come first.
struct Security<'a> {
    workload: &'a Workload,
    container: Container<'a>,
}

impl<'a> Security<'a> {
    fn check(&self, images: &BTreeMap<String, ImageFacts>, root: Root) -> Option<Finding> {
        let non_root = self
            .setting("runAsNonRoot")
            .filter(|(node, _)| node.as_bool() == Some(true));
        if non_root.is_none() && root == Root::Allowed {
            return None;
        }
        if let Some((user, field)) = self.setting("runAsUser") {
            let message = match non_root {
                Some(_) => "is root, and runAsNonRoot refuses root",
                None => "is root",
            };
            let is_root = user.as_u64() == Some(0);
            return is_root.then(|| self.finding(user, field, message.to_owned()));
        }
        let image = self.container.image()?;
        let name = image.text()?;
        let facts = images.get(name)?;
        let is_refused = |platform: &&PlatformFacts| match UserOfImage::of(platform) {
            UserOfImage::Root => true,
            UserOfImage::Named(_) => non_root.is_some(),
            UserOfImage::Number => false,
        };
        let platform = facts.platforms.iter().find(is_refused)?;
        let user = match UserOfImage::of(platform) {
            UserOfImage::Named(user) => {
                format!("`{user}`, which the kubelet cannot tell from root")
            }
            UserOfImage::Root | UserOfImage::Number => "root".to_owned(),
        };
        let message = format!(
            "{name} runs on {} as {user}; give a runAsUser",
            platform.architecture
        );
        Some(match non_root {
            Some((node, field)) => self.finding(node, field, message),
            None => self.finding(image, self.container.field(self.workload, "image"), message),
        })
    }

    /// Returns a setting of the container, or else of its pod, with its path.
    fn setting(&self, name: &str) -> Option<(&'a Node, String)> {
        let field = format!("securityContext.{name}");
        let own = self
            .container
            .node
            .get("securityContext")
            .and_then(|context| context.get(name));
        if let Some(node) = own {
            return Some((node, self.container.field(self.workload, &field)));
        }
        let node = self.workload.spec.get("securityContext")?.get(name)?;
        Some((node, format!("{}.{field}", self.workload.path)))
    }

    fn finding(&self, node: &Node, field: String, message: String) -> Finding {
        Finding::of(self.workload, node, field, message)
    }
}

/// The user that an image's config names.
enum UserOfImage<'a> {
    /// No user, 0 or `root`.
    Root,
    /// A number other than 0.
    Number,
    /// A name. The kubelet reads no passwd file, so it may be root to it.
    Named(&'a str),
}

impl<'a> UserOfImage<'a> {
    fn of(platform: &'a PlatformFacts) -> Self {
        match platform.user.split(':').next().unwrap_or_default() {
            "" | "root" => Self::Root,
            user => match user.parse::<u64>() {
                Ok(0) => Self::Root,
                Ok(_) => Self::Number,
                Err(_) => Self::Named(user),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::workload::workloads;

    /// The findings on a pod of one container with this security context, as `field: message`.
    fn judged(pod: &str, container: &str, user: &str) -> Vec<String> {
        judged_with(Root::Refused, pod, container, user)
    }

    fn judged_with(root: Root, pod: &str, container: &str, user: &str) -> Vec<String> {
        let text = format!(
            "kind: Pod\nspec:\n  securityContext: {{{pod}}}\n  \
             containers: [{{image: i:1, securityContext: {{{container}}}}}]\n"
        );
        let platform = PlatformFacts {
            architecture: "amd64".to_owned(),
            user: user.to_owned(),
            ports: Vec::new(),
            env: BTreeMap::new(),
            is_noetl: true,
        };
        let facts = ImageFacts {
            digest: String::new(),
            platforms: vec![platform],
        };
        let workloads = workloads("f.yaml", &noetl_yaml::parse(&text).unwrap());
        let findings = check(
            &workloads,
            &BTreeMap::from([("i:1".to_owned(), facts)]),
            root,
        );
        findings
            .iter()
            .map(|it| format!("{}: {}", it.field, it.message))
            .collect()
    }

    #[test]
    fn a_user_0_of_the_manifest_is_refused() {
        let of_container = "spec.containers[0].securityContext.runAsUser: is root";
        assert_eq!(judged("", "runAsUser: 0", "65532"), [of_container]);
        let of_pod = "spec.securityContext.runAsUser: is root";
        assert_eq!(judged("runAsUser: 0", "", "65532"), [of_pod]);
        assert_eq!(
            judged("runAsNonRoot: true", "runAsUser: 0", "65532"),
            [format!("{of_container}, and runAsNonRoot refuses root")]
        );
        assert_eq!(judged("runAsUser: 0", "runAsUser: 5", ""), [""; 0]);
    }

    #[test]
    fn an_image_that_runs_as_root_needs_a_user() {
        for user in ["", "0", "0:5", "root"] {
            assert_eq!(
                judged("", "", user),
                ["spec.containers[0].image: i:1 runs on amd64 as root; give a runAsUser"],
                "{user:?}"
            );
            assert_eq!(judged("", "runAsUser: 1", user), [""; 0]);
        }
        for user in ["65532:65532", "1", "nonroot"] {
            assert_eq!(judged("", "", user), [""; 0], "{user:?}");
        }
    }

    #[test]
    fn under_run_as_non_root_a_user_must_be_a_number() {
        let non_root = "runAsNonRoot: true";
        for (user, count) in [
            ("65532:65532", 0),
            ("1", 0),
            ("", 1),
            ("0:5", 1),
            ("nonroot", 1),
        ] {
            assert_eq!(judged(non_root, "", user).len(), count, "{user:?}");
            assert_eq!(judged("", non_root, user).len(), count, "{user:?}");
        }
        assert_eq!(
            judged(non_root, "", "nonroot"),
            [
                "spec.securityContext.runAsNonRoot: i:1 runs on amd64 as `nonroot`, which the kubelet cannot \
              tell from root; give a runAsUser"
            ]
        );
        assert_eq!(judged(non_root, "runAsNonRoot: false", "nonroot"), [""; 0]);
        assert_eq!(judged(non_root, "runAsNonRoot: false", "").len(), 1);
    }

    #[test]
    fn root_is_allowed_where_the_manifest_does_not_refuse_it() {
        let count = |pod: &str, container: &str, user: &str| {
            judged_with(Root::Allowed, pod, container, user).len()
        };
        assert_eq!(count("", "", ""), 0);
        assert_eq!(count("", "runAsUser: 0", ""), 0);
        assert_eq!(count("runAsNonRoot: true", "", ""), 1);
        assert_eq!(count("runAsNonRoot: true", "runAsUser: 0", "1"), 1);
    }
}
