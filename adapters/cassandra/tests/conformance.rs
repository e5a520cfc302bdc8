//! Cassandra does what every adapter of its ports must do.

use storage::conformance;

use crate::support::Made;

#[tokio::test(flavor = "multi_thread")]
async fn journal() {
    let made = Made::default();
    conformance::journal::suite(&|| made.fresh()).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn views() {
    let made = Made::default();
    conformance::views::suite_of_rows(&|| made.fresh()).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn journal_writer() {
    let made = Made::default();
    conformance::apart::journal_writer(&|| made.journal()).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_journal() {
    let made = Made::default();
    let cassandra = made.cassandra().await;
    let look = async || cassandra.whole_journal().await.expect("a look");
    conformance::apart::whole_journal(look().await, look).await;
    made.clear().await;
}
