//! Common causes of a pod that does not become ready, found in the messages of kubelet, scheduler, admission
//! and the pod's log.

const PULL: &str = "check the image's name, whether nodes reach the registry, and imagePullSecrets in the values file";
const RESOURCES: &str =
    "no node has enough free resources: request less under `resources` in the values file";

/// Texts in messages, and the help for them. The first that is found counts.
const HELPS: &[(&str, &str)] = &[
    (
        "ErrImageNeverPull",
        "the node does not have the image: load it there, such as with `kind load docker-image`",
    ),
    ("ImagePullBackOff", PULL),
    ("ErrImagePull", PULL),
    ("InvalidImageName", "check the image's name"),
    (
        "couldn't find key",
        "the Secret lacks a key that the pods need; `noetl k8s deploy` creates a complete one if there is none",
    ),
    (
        "secret \"",
        "the Secret does not exist; you create the one for PostgreSQL yourself",
    ),
    (
        "runAsNonRoot",
        "the image's user is root or a name; the user of NoETL's image is 65532",
    ),
    (
        "violates PodSecurity",
        "the namespace accepts restricted pods only, and another tool has changed these pods",
    ),
    (
        "exceeded quota",
        "the namespace's quota is used up: request less under `resources` in the values file",
    ),
    (
        "OOMKilled",
        "the container needs more memory: raise limits.memory in the values file",
    ),
    (
        "unbound immediate PersistentVolumeClaims",
        "nothing provides the volume: name a class under `storage` in the values file",
    ),
    (
        "node affinity/selector",
        "no node has the labels of nodeSelector in the values file",
    ),
    ("Insufficient ", RESOURCES),
    (
        "this server's store",
        "the store was created with another key: put that key into the Secret",
    ),
    (
        "the store",
        "the server cannot open its store; its log has the reason",
    ),
];

/// Returns help for the first known cause in the messages.
pub(super) fn help_for(messages: &str) -> Option<&'static str> {
    let found = HELPS.iter().find(|(sign, _)| messages.contains(sign));
    found.map(|(_, help)| *help)
}

/// Returns help for an image that does not run on the node's architecture.
pub(super) fn help_for_platform(
    messages: &str,
    image: &str,
    architecture: Option<&str>,
) -> Option<String> {
    let architecture = architecture.unwrap_or("the node's architecture");
    if messages.contains("no match for platform") || messages.contains("no matching manifest") {
        return Some(format!(
            "{image} has nothing for linux/{architecture}: build it for every node with `cargo xtask image --platforms linux/amd64,linux/arm64 --push`"
        ));
    }
    messages.contains("exec format error").then(|| {
        format!(
            "the program in {image} is not for linux/{architecture}: `cargo xtask image check {image}` finds where it is wrong"
        )
    })
}
