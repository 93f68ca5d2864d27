//! Access: service accounts without rights, network policies, disruption budgets.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata::{PORT, metadata, pods_of};
use super::{server, worker};
use crate::commands::k8s::values::schema::Values;

const ROLE: &str = "noetl-worker-role";
const BINDING: &str = "noetl-worker-rolebinding";

/// Each Deployment has an account of its own, whose token is not in its pods.
pub(super) fn service_account(values: &Values, app: &str) -> ServiceAccount {
    ServiceAccount {
        automount_service_account_token: Some(false),
        metadata: metadata(values, app, Some(app)),
        ..ServiceAccount::default()
    }
}

/// Workers need no rights in Kubernetes, so that the role is empty. Operators add rules of their own to it.
pub(super) fn role(values: &Values) -> Role {
    Role {
        metadata: metadata(values, ROLE, Some(worker::NAME)),
        rules: Some(Vec::new()),
    }
}

pub(super) fn role_binding(values: &Values) -> RoleBinding {
    RoleBinding {
        metadata: metadata(values, BINDING, Some(worker::NAME)),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "Role".to_owned(),
            name: ROLE.to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: worker::NAME.to_owned(),
            namespace: Some(values.namespace.clone()),
            api_group: None,
        }]),
    }
}

/// Servers accept connections on their port, and connect only to PostgreSQL and DNS: steps run in workers.
pub(super) fn server_policy(values: &Values) -> NetworkPolicy {
    let from_anywhere = values.node_port.is_some();
    let from_namespace = || {
        vec![NetworkPolicyPeer {
            pod_selector: Some(LabelSelector::default()),
            ..NetworkPolicyPeer::default()
        }]
    };
    let ingress = NetworkPolicyIngressRule {
        from: (!from_anywhere).then(from_namespace),
        ports: Some(vec![port("TCP", PORT)]),
    };
    let egress = values.database.secret.as_ref().map(|_| {
        let ports = [("UDP", 53), ("TCP", 53), ("TCP", values.database.port)];
        NetworkPolicyEgressRule {
            to: None,
            ports: Some(
                ports
                    .map(|(protocol, number)| port(protocol, number))
                    .into(),
            ),
        }
    });
    policy(
        values,
        server::NAME,
        vec![ingress],
        egress.into_iter().collect(),
    )
}

/// Workers connect to any address, since playbooks name them, and accept no connections.
pub(super) fn worker_policy(values: &Values) -> NetworkPolicy {
    let anywhere = NetworkPolicyEgressRule::default();
    policy(values, worker::NAME, Vec::new(), vec![anywhere])
}

fn policy(
    values: &Values,
    app: &str,
    ingress: Vec<NetworkPolicyIngressRule>,
    egress: Vec<NetworkPolicyEgressRule>,
) -> NetworkPolicy {
    NetworkPolicy {
        metadata: metadata(values, app, Some(app)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pods_of(app)),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(ingress),
            egress: Some(egress),
        }),
    }
}

fn port(protocol: &str, number: i32) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(number)),
        protocol: Some(protocol.to_owned()),
        end_port: None,
    }
}

/// Draining nodes evicts one pod at a time. A pod that is not ready does not block it.
pub(super) fn disruption_budget(values: &Values, app: &str) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: metadata(values, app, Some(app)),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(pods_of(app)),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}
