//! The real binary with a real mail server, killed at every stage of a message's way: people
//! are told everything that became of their places, nothing is lost, and nothing goes out
//! twice but in the one window that SMTP leaves open.
//!
//! The window: the server has read the final dot of a message, and its answer is not yet
//! written down as "sent". A crash in there leaves nobody who knows, so the message goes
//! again under the same `Message-ID`. It is one message wide for each connection in use.
//!
//! Six hundred people have accounts. What they are answered and what is on disk in the end
//! says what each had to be told; their lists and what the mail server took say what they
//! were told. After each kill the mail server's view is held against the notices on disk,
//! which shows exactly what was in the window.

mod drill;
mod folder;
mod judge;
mod post;
mod town;

use std::collections::BTreeSet;
use std::time::Duration;

use harness::eventually::eventually;
use harness::random::Random;
use harness::settings;
use serde_json::json;
use tokio::time::sleep;
use uuid::Uuid;

use drill::{CONNECTIONS, Drill, Kill};
use judge::judge_copies;
use post::Post;

/// How often the server is killed at each of the exact stages.
const TIMES: usize = 3;

/// How often at random moments, with people booking.
const KILLS: usize = 6;

/// People whose notices wait when an exact stage begins: more than there are connections.
const WAITING: usize = 3 * CONNECTIONS;

/// Stages at which the mail server falls silent: before it has taken anything, and after.
const SILENT: [(&str, &str, bool); 4] = [
    ("CONNECT", "silent at the greeting", false),
    ("RCPT", "silent after RCPT", false),
    ("BODY", "in the middle of the message", false),
    ("MESSAGE", "silent after the final dot", true),
];

/// The mail server is watched for so long for messages that it should not get.
const WATCH: Duration = Duration::from_millis(300);

/// Both tests kill, so each wants the machine for itself.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_forgotten_and_copies_come_from_the_one_window() {
    let _alone = ALONE.lock().await;
    let seed = settings::seed();
    println!("seed {seed} (another one by {}=…)", settings::SEED);
    let mut drill = Drill::begin(Some(Post::new().await), Random::new(seed)).await;
    for _ in 0..TIMES {
        for (stage, name, taken) in SILENT {
            kill_while_silent(&mut drill, stage, name, taken).await;
        }
        kill_before_the_mark(&mut drill).await;
    }
    nothing_can_be_marked_for_a_while(&mut drill).await;
    drill.kills_under_traffic(KILLS).await;
    drill.kills_at_crowds().await;

    let (mut wrong, lists) = drill.end().await;
    let taken = drill.post().taken().await;
    print_kills(&drill.kills);
    let under_way: Vec<BTreeSet<Uuid>> =
        drill.kills.iter().map(|kill| kill.under_way.clone()).collect();
    wrong.extend(judge_copies(&taken, &lists, &under_way));
    for kill in drill.kills.iter().filter(|kill| kill.under_way.len() > CONNECTIONS) {
        let (stage, count) = (kill.stage, kill.under_way.len());
        wrong.push(format!("{count} messages in the window of {CONNECTIONS}: {stage}"));
    }
    let distinct: BTreeSet<_> = taken.iter().collect();
    println!("  {} messages, {} of them twice", distinct.len(), taken.len() - distinct.len());
    drill.assert_right(&wrong);
    assert!(taken.len() > distinct.len(), "the window was never met");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_folder_every_message_is_whole_and_there_once() {
    let _alone = ALONE.lock().await;
    let mut drill = Drill::begin(None, Random::new(settings::seed())).await;
    drill.kills_under_traffic(KILLS).await;
    drill.kills_at_crowds().await;
    let (mut wrong, lists) = drill.end().await;
    print_kills(&drill.kills);
    wrong.extend(folder::judge(&folder::of(&drill.data()), &lists));
    drill.assert_right(&wrong);
}

/// Leaves a server that is dead, a mail server that is there, and notices that wait. The
/// kill is one of its own: the mail server was away.
async fn fill_the_queue(drill: &mut Drill) {
    drill.post().shut().await;
    drill.some_book(WAITING).await;
    let notices = drill.notices();
    let waiting = async || (notices.people_waiting() >= WAITING).then_some(());
    eventually("notices wait", waiting).await;
    drill.kill("the mail server is away").await;
    drill.post().open().await;
}

async fn kill_while_silent(drill: &mut Drill, stage: &str, name: &'static str, taken: bool) {
    fill_the_queue(drill).await;
    drill.post().rules(json!([{ "at": stage, "do": "hang" }])).await;
    let before = drill.post().count(stage).await;
    drill.start().await;
    drill.post().wait_for(stage, before + CONNECTIONS as u64).await;
    drill.kill(name).await;
    expect_in_the_window(drill, if taken { CONNECTIONS } else { 0 });
    drill.post().rules(json!([])).await;
    drill.start().await;
}

/// All connections have the answer 250, and nobody else can write on the disk: what is
/// answered cannot be marked. Then the kill.
async fn kill_before_the_mark(drill: &mut Drill) {
    fill_the_queue(drill).await;
    let notices = drill.notices();
    answered_and_locked(drill, &notices).await;
    // A connection that went on to its next message would do so now.
    sleep(WATCH).await;
    drill.kill("after 250, before the mark").await;
    notices.unlock();
    expect_in_the_window(drill, CONNECTIONS);
    drill.start().await;
}

/// Where the stage is exact, so is the window.
fn expect_in_the_window(drill: &mut Drill, expected: usize) {
    let Some(Kill { stage, under_way }) = drill.kills.last() else { return };
    if under_way.len() != expected {
        let found = under_way.len();
        drill.wrong.push(format!("{found} messages in the window instead of {expected}: {stage}"));
    }
}

/// The same without a kill: what is answered and cannot be marked for a while goes out once.
async fn nothing_can_be_marked_for_a_while(drill: &mut Drill) {
    const SAID: &str = "notices cannot be sent";
    fill_the_queue(drill).await;
    let notices = drill.notices();
    let before = drill.home.log().matches(SAID).count();
    answered_and_locked(drill, &notices).await;
    let given_up = async || (drill.home.log().matches(SAID).count() > before).then_some(());
    eventually("the carrier finds that it cannot write", given_up).await;
    notices.unlock();
    // Without a kill in between, so that none explains a copy.
    let taken = drill.post().taken().await;
    let marked = async || {
        let sent = notices.sent();
        taken.iter().all(|id| sent.contains(id)).then_some(())
    };
    eventually("what was answered is marked after all", marked).await;
}

async fn answered_and_locked(drill: &mut Drill, notices: &judge::Notices) {
    drill.post().rules(json!([{ "at": "MESSAGE", "do": "wait" }])).await;
    let (message, answered) =
        (drill.post().count("MESSAGE").await, drill.post().count("ANSWERED").await);
    drill.start().await;
    drill.post().wait_for("MESSAGE", message + CONNECTIONS as u64).await;
    drill.post().rules(json!([])).await;
    notices.lock();
    drill.post().go().await;
    drill.post().wait_for("ANSWERED", answered + CONNECTIONS as u64).await;
}

fn print_kills(kills: &[Kill]) {
    let names: BTreeSet<_> = kills.iter().map(|kill| kill.stage).collect();
    println!("  kills, and messages in the window at each:");
    for name in names {
        let of = kills.iter().filter(|kill| kill.stage == name);
        let windows: Vec<_> = of.map(|kill| kill.under_way.len()).collect();
        println!("    {name:<30} {:>3}  {windows:?}", windows.len());
    }
}
