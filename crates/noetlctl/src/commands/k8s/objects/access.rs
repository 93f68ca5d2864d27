//! Access: service accounts without rights, network policies, disruption budgets.

use super::api::{
    IntOrString, LabelSelector, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule,
    NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec, PodDisruptionBudget,
    PodDisruptionBudgetSpec, Role, RoleBinding, RoleRef, ServiceAccount, Subject,
};
use super::metadata::{PORT, metadata, pods_of};
use super::{server, worker};
use crate::commands::k8s::values::schema::Values;

const ROLE: &str = "noetl-worker-role";
const BINDING: &str = "noetl-worker-rolebinding";

/// Each Deployment has an account of its own, whose token is not in its pods.
pub(super) fn service_account(values: &Values, app: &str) -> ServiceAccount {
    ServiceAccount {
        automount_service_account_token: false,
        metadata: metadata(values, app, Some(app)),
    }
}

/// Workers need no rights in Kubernetes, so that the role is empty. Operators add rules of their own to it.
pub(super) fn role(values: &Values) -> Role {
    Role {
        metadata: metadata(values, ROLE, Some(worker::NAME)),
        rules: [],
    }
}

pub(super) fn role_binding(values: &Values) -> RoleBinding {
    RoleBinding {
        metadata: metadata(values, BINDING, Some(worker::NAME)),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io",
            kind: "Role",
            name: ROLE,
        },
        subjects: vec![Subject {
            kind: "ServiceAccount",
            name: worker::NAME,
            namespace: values.namespace.clone(),
        }],
    }
}

/// Servers accept connections on their port, and connect only to PostgreSQL and DNS: steps run in workers.
pub(super) fn server_policy(values: &Values) -> NetworkPolicy {
    let from_anywhere = values.node_port.is_some();
    let from_namespace = || {
        vec![NetworkPolicyPeer {
            pod_selector: LabelSelector::default(),
        }]
    };
    let ingress = NetworkPolicyIngressRule {
        from: (!from_anywhere).then(from_namespace),
        ports: vec![port("TCP", PORT)],
    };
    let egress = values.database.secret.as_ref().map(|_| {
        let ports = [("UDP", 53), ("TCP", 53), ("TCP", values.database.port)];
        NetworkPolicyEgressRule {
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
        spec: NetworkPolicySpec {
            pod_selector: pods_of(app),
            policy_types: vec!["Ingress", "Egress"],
            ingress,
            egress,
        },
    }
}

fn port(protocol: &'static str, number: i32) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: number,
        protocol,
    }
}

/// Draining nodes evicts one pod at a time. A pod that is not ready does not block it.
pub(super) fn disruption_budget(values: &Values, app: &str) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: metadata(values, app, Some(app)),
        spec: PodDisruptionBudgetSpec {
            max_unavailable: IntOrString::Int(1),
            selector: pods_of(app),
            unhealthy_pod_eviction_policy: "AlwaysAllow",
        },
    }
}
