//! `noetl k8s`: NoETL in a Kubernetes cluster.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum K8sCommand {
    /// Print the manifests; no cluster is asked
    Render(RenderArgs),
    /// Bring NoETL into a cluster, or bring what is there up to date
    Deploy(DeployArgs),
    /// Deploy over what is there; where nothing differs, restart it
    Redeploy(RedeployArgs),
    /// Show what runs in a cluster, and on which nodes
    Status(StatusArgs),
    /// Take NoETL out of a cluster; its data stay
    Remove(RemoveArgs),
    /// Remove NoETL with its data, and deploy it anew
    Reset(RedeployArgs),
}

/// How the manifests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// YAML for kubectl, on standard output
    Yaml,
    /// A Helm chart in a folder: the same objects, with nothing left to choose
    Helm,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Nothing here holds a secret: pods take NOETL_API_TOKEN and NOETL_ENCRYPTION_KEY from the Secret\n\
    `noetl-secret`, which `noetl k8s deploy` makes once.\n\nExamples:\n  \
    noetl k8s render | kubectl apply --server-side --filename -\n  \
    noetl k8s render --image ghcr.io/noetl/noetl:0.1.0@sha256:… --workers 4\n  \
    noetl k8s render --replicas 3 --database-secret noetl-postgres/DATABASE_URL\n  \
    noetl k8s render --values production.yaml --output helm --chart ./noetl-chart\n  \
    noetl k8s render --print-values > production.yaml"
)]
pub(crate) struct RenderArgs {
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    /// How to write them
    #[arg(long, short, value_enum, default_value = "yaml")]
    pub(crate) output: Format,
    /// Folder of the chart
    #[arg(long, value_name = "FOLDER", default_value = "noetl-chart")]
    pub(crate) chart: PathBuf,
    /// Print every value that can be set, with its default, and stop
    #[arg(long)]
    pub(crate) print_values: bool,
}

/// What the manifests are made from; a flag wins over the file.
#[derive(Debug, Args)]
pub(crate) struct ValuesArgs {
    /// Image of the server, as it is given [default: this release's]
    #[arg(long, value_name = "REF")]
    pub(crate) image: Option<String>,
    /// Image of the workers [default: --image with -python behind its tag]
    #[arg(long, value_name = "REF")]
    pub(crate) python_image: Option<String>,
    /// Namespace of everything [default: noetl]
    #[arg(long, short, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Servers; more than one needs --database-secret [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) replicas: Option<i32>,
    /// Workers, at the least [default: 2]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<i32>,
    /// Secret with PostgreSQL's URL, in place of SQLite [default key: DATABASE_URL]
    #[arg(long, value_name = "SECRET[/KEY]")]
    pub(crate) database_secret: Option<String>,
    /// YAML with more of this; `noetl k8s render --print-values` shows all there is
    #[arg(long, value_name = "FILE")]
    pub(crate) values: Option<PathBuf>,
}

/// Which cluster.
#[derive(Debug, Args)]
pub(crate) struct ClusterArgs {
    /// Context of kubectl; must be the current one [default: kind-noetl]
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Go to the named context even though another is the current one
    #[arg(long, requires = "context")]
    pub(crate) any_context: bool,
}

/// How long to wait.
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// Seconds that the pods may take to come up
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) timeout: u32,
    /// Take over fields that another tool has set
    #[arg(long)]
    pub(crate) force_conflicts: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Shows the difference before it changes anything, waits until the pods are up, and when one does not\n\
    come up says why. It talks to the cluster through kubectl, and refuses a cluster that was not named.\n\nExamples:\n  \
    noetl k8s deploy                                    to kind's own cluster, context kind-noetl\n  \
    noetl k8s deploy --context production --values production.yaml\n  \
    noetl k8s deploy --dry-run                          what would be applied"
)]
pub(crate) struct DeployArgs {
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// Print the manifests and stop; no cluster is asked
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  noetl k8s redeploy --context kind-noetl --image ghcr.io/noetl/noetl:0.1.1\n  \
    noetl k8s reset --context kind-noetl        data and keys are gone for good"
)]
pub(crate) struct RedeployArgs {
    #[command(flatten)]
    pub(crate) deploy: DeployArgs,
    /// Accepted for old scripts: `noetl build` makes images
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Accepted for old scripts: one image serves every node
    #[arg(long, value_name = "P")]
    pub(crate) platform: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 1 when something is not up.\n\nExamples:\n  noetl k8s status\n  \
    noetl k8s status --context production --json"
)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Namespace to look into
    #[arg(long, short, value_name = "NAME", default_value = "noetl")]
    pub(crate) namespace: String,
    /// Print JSON: deployments and pods with node, architecture and image
    #[arg(long, short)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Kept are the volume with SQLite's file, the Secret with the keys, and the namespace.\n\nExamples:\n  \
    noetl k8s remove --context kind-noetl\n  \
    noetl k8s remove --context kind-noetl --delete-data"
)]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// Namespace to remove it from
    #[arg(long, short, value_name = "NAME", default_value = "noetl")]
    pub(crate) namespace: String,
    /// Delete the volume and the keys as well: what was stored is gone
    #[arg(long)]
    pub(crate) delete_data: bool,
}
