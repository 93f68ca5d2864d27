//! `noetl k8s`: NoETL in a Kubernetes cluster.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum K8sCommand {
    /// Print the manifests without contacting a cluster
    Render(RenderArgs),
    /// Install NoETL in a cluster, or update it
    Deploy(DeployArgs),
    /// Update NoETL in a cluster and restart its pods
    Redeploy(RedeployArgs),
    /// Show NoETL's pods in a cluster and their nodes
    Status(StatusArgs),
    /// Remove NoETL from a cluster and keep its data
    Remove(RemoveArgs),
    /// Remove NoETL with its data, then deploy it again
    Reset(RedeployArgs),
}

/// How the manifests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// YAML for kubectl, on standard output
    Yaml,
    /// A Helm chart in a folder: the same objects, without settings of its own
    Helm,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The manifests contain no secret: pods read NOETL_API_TOKEN and NOETL_ENCRYPTION_KEY from the Secret\n\
    `noetl-secret`, which `noetl k8s deploy` creates if it is missing.\n\nExamples:\n  \
    noetl k8s render | kubectl apply --server-side --filename -\n  \
    noetl k8s render --image ghcr.io/noetl/noetl:0.1.0@sha256:… --workers 4\n  \
    noetl k8s render --replicas 3 --database-secret noetl-postgres/DATABASE_URL\n  \
    noetl k8s render --values production.yaml --output helm --chart ./noetl-chart\n  \
    noetl k8s render --print-values > production.yaml"
)]
pub(crate) struct RenderArgs {
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    /// Format of the manifests
    #[arg(long, short, value_enum, default_value = "yaml")]
    pub(crate) output: Format,
    /// Folder of the chart
    #[arg(long, value_name = "FOLDER", default_value = "noetl-chart")]
    pub(crate) chart: PathBuf,
    /// Print every key of a values file with its default, and no manifests
    #[arg(long)]
    pub(crate) print_values: bool,
}

/// The values that the manifests are rendered from; a flag overrides the file.
#[derive(Debug, Args)]
pub(crate) struct ValuesArgs {
    /// Image of the server [default: the image of this release]
    #[arg(long, value_name = "REF")]
    pub(crate) image: Option<String>,
    /// Image of the workers [default: --image with -python appended to its tag]
    #[arg(long, value_name = "REF")]
    pub(crate) python_image: Option<String>,
    /// Namespace of all objects [default: noetl]
    #[arg(long, short, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Number of servers; more than one needs --database-secret [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) replicas: Option<i32>,
    /// Minimum number of workers [default: 2]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<i32>,
    /// Secret with the URL of a PostgreSQL database, used instead of SQLite [default key: DATABASE_URL]
    #[arg(long, value_name = "SECRET[/KEY]")]
    pub(crate) database_secret: Option<String>,
    /// Port of every node that leads to the server, such as 30082 [default: none]
    #[arg(long, value_name = "PORT")]
    pub(crate) node_port: Option<i32>,
    /// YAML file with these and more values; `noetl k8s render --print-values` prints one
    #[arg(long, value_name = "FILE")]
    pub(crate) values: Option<PathBuf>,
}

/// The cluster to work on.
#[derive(Debug, Args)]
pub(crate) struct ClusterArgs {
    /// Context of kubectl, which must be the current one [default: kind-noetl]
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Use --context even if another context is the current one
    #[arg(long, requires = "context")]
    pub(crate) any_context: bool,
}

/// How objects are applied and how long the command waits for pods.
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// Seconds to wait for the pods to become ready
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) timeout: u32,
    /// Overwrite fields that another tool has set
    #[arg(long)]
    pub(crate) force_conflicts: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Prints the difference before it changes anything, waits until the pods are ready, and explains why a pod\n\
    does not become ready. It runs kubectl in the context that --context names, and fails if another one is current.\n\nExamples:\n  \
    noetl k8s deploy                                    on the cluster of kind, context kind-noetl\n  \
    noetl k8s deploy --context production --values production.yaml\n  \
    noetl k8s deploy --dry-run                          print the manifests"
)]
pub(crate) struct DeployArgs {
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) apply: ApplyArgs,
    /// Print the manifests without contacting a cluster
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  noetl k8s redeploy --context kind-noetl --image ghcr.io/noetl/noetl:0.1.1\n  \
    noetl k8s reset --context kind-noetl        deletes data and keys"
)]
pub(crate) struct RedeployArgs {
    #[command(flatten)]
    pub(crate) deploy: DeployArgs,
    /// Accepted for old scripts: `noetl build` builds images
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Accepted for old scripts: one image runs on every node
    #[arg(long, value_name = "P")]
    pub(crate) platform: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 1 when NoETL is not installed or a pod is not ready.\n\nExamples:\n  noetl k8s status\n  \
    noetl k8s status --context production --json"
)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Namespace of NoETL
    #[arg(long, short, value_name = "NAME", default_value = "noetl")]
    pub(crate) namespace: String,
    /// Print JSON: deployments and pods with node, architecture and image
    #[arg(long, short)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The volume with the SQLite file, the Secret with the keys, and the namespace are kept.\n\nExamples:\n  \
    noetl k8s remove --context kind-noetl\n  \
    noetl k8s remove --context kind-noetl --delete-data"
)]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Namespace of NoETL
    #[arg(long, short, value_name = "NAME", default_value = "noetl")]
    pub(crate) namespace: String,
    /// Delete the volume and the keys as well, with everything that was stored
    #[arg(long)]
    pub(crate) delete_data: bool,
}
