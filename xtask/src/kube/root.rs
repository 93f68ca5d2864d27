//! Containers that would run as root, by their `runAsUser` or by the user of their image.

use std::collections::BTreeMap;

use noetl_yaml::Node;

use crate::kube::facts::{ImageFacts, PlatformFacts};
use crate::kube::finding::Finding;
use crate::kube::workload::{Container, Workload};

/// Whether a container without `runAsNonRoot` may run as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// Yes: a cluster starts it.
    Allowed,
    /// No: it is a finding.
    Refused,
}

/// Returns a finding for each container that the kubelet would not start because of `runAsNonRoot`, and with
/// [`Root::Refused`] for each that would run as root. Images that are not in `images` have no findings.
pub(crate) fn check(
    workloads: &[Workload],
    images: &BTreeMap<String, ImageFacts>,
    root: Root,
) -> Vec<Finding> {
    let containers = workloads.iter().flat_map(Workload::containers);
    let findings = containers.filter_map(|container| check_container(container, images, root));
    findings.collect()
}

fn check_container(
    container: Container<'_>,
    images: &BTreeMap<String, ImageFacts>,
    root: Root,
) -> Option<Finding> {
    let non_root = setting(container, "runAsNonRoot");
    let non_root = non_root.filter(|(node, _)| node.as_bool() == Some(true));
    if non_root.is_none() && root == Root::Allowed {
        return None;
    }
    if let Some((user, field)) = setting(container, "runAsUser") {
        let message = match non_root {
            Some(_) => "is root, and runAsNonRoot refuses root",
            None => "is root",
        };
        let is_root = user.as_u64() == Some(0);
        return is_root.then(|| container.workload.finding(user, &field, message.to_owned()));
    }
    let image = container.image()?;
    let name = image.text()?;
    let mut platforms = images.get(name)?.platforms.iter();
    let message = platforms.find_map(|platform| {
        let user = refused_user(platform, non_root.is_some())?;
        let architecture = &platform.architecture;
        Some(format!(
            "{name} runs on {architecture} as {user}; give a runAsUser"
        ))
    })?;
    let (node, field) = non_root.unwrap_or_else(|| (image, container.field("image")));
    Some(container.workload.finding(node, &field, message))
}

/// Returns a security setting of the container, or else of its pod, with its path in the pod's spec.
fn setting<'a>(container: Container<'a>, name: &str) -> Option<(&'a Node, String)> {
    let field = format!("securityContext.{name}");
    if let Some(node) = container.node.at(&field) {
        return Some((node, container.field(&field)));
    }
    Some((container.workload.spec.at(&field)?, field))
}

/// Returns the user of an image when it is root. With `runAsNonRoot` it must also be a number, since the kubelet does not
/// read the image's passwd file.
fn refused_user(platform: &PlatformFacts, is_non_root: bool) -> Option<String> {
    let user = platform.user.split(':').next().unwrap_or_default();
    match user.parse::<u64>() {
        Ok(0) => Some("root".to_owned()),
        Err(_) if matches!(user, "" | "root") => Some("root".to_owned()),
        Err(_) if is_non_root => Some(format!("`{user}`, which the kubelet cannot tell from root")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::fixtures::{images, lines, pod};

    /// Returns the findings on a pod with one container, with these security contexts and the user of its image.
    fn check_with(root: Root, pod_context: &str, context: &str, user: &str) -> Vec<String> {
        let workloads = pod(&format!(
            "securityContext: {{{pod_context}}}, containers: [{{image: i:1, securityContext: {{{context}}}}}]"
        ));
        lines(&check(&workloads, &images(&["amd64"], user), root))
    }

    fn refused(pod: &str, container: &str, user: &str) -> Vec<String> {
        check_with(Root::Refused, pod, container, user)
    }

    #[test]
    fn run_as_user_0_is_refused() {
        let of_container = "spec.containers[0].securityContext.runAsUser: is root";
        assert_eq!(refused("", "runAsUser: 0", "65532"), [of_container]);
        let of_pod = "spec.securityContext.runAsUser: is root";
        assert_eq!(refused("runAsUser: 0", "", "65532"), [of_pod]);
        let both = refused("runAsNonRoot: true", "runAsUser: 0", "65532");
        assert_eq!(
            both,
            [format!("{of_container}, and runAsNonRoot refuses root")]
        );
        assert_eq!(refused("runAsUser: 0", "runAsUser: 5", ""), [""; 0]);
    }

    #[test]
    fn image_that_runs_as_root_needs_run_as_user() {
        let finding = "spec.containers[0].image: i:1 runs on amd64 as root; give a runAsUser";
        for user in ["", "0", "0:5", "root"] {
            assert_eq!(refused("", "", user), [finding], "{user:?}");
            assert_eq!(refused("", "runAsUser: 1", user), [""; 0]);
        }
        for user in ["65532:65532", "1", "nonroot"] {
            assert_eq!(refused("", "", user), [""; 0], "{user:?}");
        }
    }

    #[test]
    fn run_as_non_root_needs_a_numeric_user() {
        let non_root = "runAsNonRoot: true";
        for (user, count) in [
            ("65532:65532", 0),
            ("1", 0),
            ("", 1),
            ("0:5", 1),
            ("nonroot", 1),
        ] {
            assert_eq!(refused(non_root, "", user).len(), count, "{user:?}");
            assert_eq!(refused("", non_root, user).len(), count, "{user:?}");
        }
        let named = "spec.securityContext.runAsNonRoot: i:1 runs on amd64 as `nonroot`, which the kubelet cannot tell \
            from root; give a runAsUser";
        assert_eq!(refused(non_root, "", "nonroot"), [named]);
        assert_eq!(refused(non_root, "runAsNonRoot: false", "nonroot"), [""; 0]);
        assert_eq!(refused(non_root, "runAsNonRoot: false", "").len(), 1);
    }

    #[test]
    fn root_is_allowed_unless_the_manifest_refuses_it() {
        for (pod, container, user, count) in [
            ("", "", "", 0),
            ("", "runAsUser: 0", "", 0),
            ("runAsNonRoot: true", "", "", 1),
            ("runAsNonRoot: true", "runAsUser: 0", "1", 1),
        ] {
            let findings = check_with(Root::Allowed, pod, container, user);
            assert_eq!(findings.len(), count, "{pod} {container} {user:?}");
        }
    }
}
