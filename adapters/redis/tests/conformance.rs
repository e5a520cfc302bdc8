//! Redis does what every adapter must do.

use storage::conformance;

use crate::support::Made;

#[tokio::test(flavor = "multi_thread")]
async fn commit() {
    let made = Made::default();
    conformance::commit::suite(&|| made.fresh()).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commit_differential() {
    let made = Made::default();
    conformance::differential::suite(&|| made.fresh()).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn journal() {
    let made = Made::default();
    conformance::journal::suite(&|| made.fresh()).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors() {
    let made = Made::default();
    conformance::apart::cursors(&|| made.fresh()).await;
    made.clear().await;
}
