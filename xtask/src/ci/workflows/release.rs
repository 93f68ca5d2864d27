//! The workflows that release: at a tag, and every night.

use super::{
    Job, LINUX, MERGE, attest_files, attest_image, built_and_run, download_shards, head, run,
};

/// What a job needs that publishes.
const PERMISSIONS: &[(&str, &str)] = &[
    ("contents", "write"),
    ("packages", "write"),
    ("id-token", "write"),
    ("attestations", "write"),
];

/// The action that installs cosign, which signs `SHA256SUMS` by the identity of the workflow.
const COSIGN: &str = "sigstore/cosign-installer@d58896d6a1865668819e1d91763c7751a165e159  # v3.9.2";

/// Lets git push with the token of the job.
fn sign_in() -> String {
    "      - run: gh auth setup-git\n        env:\n          GH_TOKEN: ${{ github.token }}\n"
        .to_owned()
}

/// Returns a step that publishes. The registries of packages trust the workflow, so that there are no tokens for them.
fn publish(task: &str) -> String {
    format!(
        "      - id: push\n        run: cargo xtask {task}\n        env:\n          \
         GITHUB_TOKEN: ${{{{ secrets.GITHUB_TOKEN }}}}\n          \
         NOETL_CHANNELS_TOKEN: ${{{{ secrets.NOETL_CHANNELS_TOKEN }}}}\n"
    )
}

fn cosign() -> String {
    format!("      - uses: {COSIGN}\n")
}

/// A tag is planned, built, run on each kind of machine, published after people have agreed, and verified as anybody can.
/// A run that was cut off is run again, and goes on.
pub(super) fn release() -> String {
    let on = "  push:\n    tags: [\"v*\"]\n  workflow_dispatch:\n";
    let what = "Releases a tag. A run that was cut off is run again: it goes on where it stopped.";
    let plan = Job {
        history: true,
        ..Job::new("plan", LINUX, 30)
    };
    let mut jobs = vec![plan.steps(&[run("release")])];
    let (built, mut before) = built_and_run();
    jobs.extend(built);
    before.insert(0, "plan".to_owned());
    let publishing = Job {
        permissions: PERMISSIONS,
        environment: Some("release"),
        history: true,
        ..Job::new("publish", LINUX, 120)
    };
    // It packs again, to the same bytes, since a job can only attest what it has made itself.
    jobs.push(publishing.needs(&before).steps(&[
        download_shards(),
        run(MERGE),
        cosign(),
        sign_in(),
        attest_files(),
        publish("release --execute --dist dist"),
        attest_image(),
    ]));
    let published = ["publish".to_owned()];
    let verify = "      - run: cargo xtask release verify \"$GITHUB_REF_NAME\"\n".to_owned();
    jobs.push(
        Job::new("verify", LINUX, 30)
            .needs(&published)
            .steps(&[verify]),
    );
    head("release", what, on, false) + &jobs.join("\n")
}

/// A pre-release every night, by the same code: at GitHub and in the registry of images alone.
pub(super) fn nightly() -> String {
    let on = "  schedule:\n    - cron: \"17 2 * * *\"\n  workflow_dispatch:\n";
    let what = "A pre-release every night; the last seven are kept.";
    let job = Job {
        permissions: PERMISSIONS,
        history: true,
        ..Job::new("nightly", LINUX, 180)
    };
    let who = "      - run: |\n          git config user.name \"github-actions[bot]\"\n          \
        git config user.email \"41898282+github-actions[bot]@users.noreply.github.com\"\n";
    let steps = [
        cosign(),
        sign_in(),
        who.to_owned(),
        publish("release --pre \"nightly.$(date -u +%Y%m%d)\" --execute"),
        publish("release tidy --keep 7 --execute")
            .replace("      - id: push\n        run:", "      - run:"),
    ];
    head("nightly", what, on, false) + &job.steps(&steps)
}
