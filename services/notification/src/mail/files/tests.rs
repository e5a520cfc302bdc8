use std::os::unix::fs::PermissionsExt;

use super::*;

const FROM: &str = "EventFlow <events@example.com>";

fn mail(id: u8) -> Mail {
    Mail {
        id: [id; 16],
        to_address: "ann@example.org".to_owned(),
        to_name: None,
        subject: "A place".to_owned(),
        text: "You have a place.\n".to_owned(),
        html: "<p>You have a place.</p>".to_owned(),
        created_at: Timestamp::from_millis(1_764_100_000_007),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_message_is_a_file_named_by_its_time_and_id() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("a/mail");
    let files = Files::new(&dir, FROM).unwrap();
    files.send(&mail(0xab)).await.unwrap();
    files.settle().await.unwrap();
    let name = "20251125T194640.007Z-abababab-abab-abab-abab-abababababab.eml";
    assert_eq!(names(&dir), [name]);
    let file = dir.join(name);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("Message-ID: <abababab-"), "{text}");
    assert!(text.contains("\r\nTo: ann@example.org\r\n"), "{text}");
    assert!(text.ends_with("--=_abababababababababababababababab--\r\n"), "{text}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn knocking_leaves_nothing_behind_and_notices_a_lost_folder() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("mail");
    let files = Files::new(&dir, FROM).unwrap();
    assert_eq!(files.knock().await, Ok(()));
    assert_eq!(names(&dir), Vec::<String>::new());
    fs::remove_dir(&dir).unwrap();
    assert!(matches!(files.knock().await, Err(NotSent::Down(_))));
}

#[tokio::test]
async fn a_repeat_is_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::new(folder.path(), FROM).unwrap();
    files.send(&mail(1)).await.unwrap();
    let before = fs::read(folder.path().join(&names(folder.path())[0])).unwrap();
    files.send(&mail(1)).await.unwrap();
    // And what a crash left behind of one is taken over.
    fs::write(folder.path().join(format!(".{}.part", names(folder.path())[0])), "half").unwrap();
    Files::new(folder.path(), FROM).unwrap().send(&mail(1)).await.unwrap();
    assert_eq!(names(folder.path()).len(), 1);
    assert_eq!(fs::read(folder.path().join(&names(folder.path())[0])).unwrap(), before);
    files.send(&mail(2)).await.unwrap();
    assert_eq!(names(folder.path()).len(), 2);
}

#[tokio::test]
async fn a_folder_that_is_gone_means_down_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("mail");
    let files = Files::new(&dir, FROM).unwrap();
    fs::remove_dir(&dir).unwrap();
    let refused = files.send(&mail(1)).await.unwrap_err();
    assert!(matches!(&refused, NotSent::Down(why) if why.contains("No such file")), "{refused:?}");
    fs::create_dir(&dir).unwrap();
    files.send(&mail(1)).await.unwrap();
    assert_eq!(names(&dir).len(), 1);
}

#[tokio::test]
async fn a_full_disk_means_down_and_leaves_nothing_half() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::new(folder.path(), FROM).unwrap();
    // The device that is always full takes the place of the file to be written.
    let part = format!(".{}.part", file_name([1; 16], mail(1).created_at));
    std::os::unix::fs::symlink("/dev/full", folder.path().join(part)).unwrap();
    let refused = files.send(&mail(1)).await.unwrap_err();
    assert!(matches!(&refused, NotSent::Down(why) if why.contains("No space left")), "{refused:?}");
    assert_eq!(names(folder.path()), [""; 0]);
    files.send(&mail(1)).await.unwrap();
    assert_eq!(names(folder.path()).len(), 1);
}

#[tokio::test]
async fn an_address_that_cannot_be_one_makes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::new(folder.path(), FROM).unwrap();
    let wrong = Mail { to_address: "ann".to_owned(), ..mail(1) };
    assert!(matches!(files.send(&wrong).await, Err(NotSent::Unfit(_))));
    assert_eq!(names(folder.path()), [""; 0]);
}

#[tokio::test]
async fn settling_forgets_what_somebody_took_away_and_reports_what_it_cannot_reach() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("mail");
    let files = Files::new(&dir, FROM).unwrap();
    files.settle().await.unwrap();
    files.send(&mail(1)).await.unwrap();
    assert_eq!(files.folder.unsettled.lock().files.len(), 1);
    fs::remove_file(dir.join(&names(&dir)[0])).unwrap();
    files.settle().await.unwrap();
    assert_eq!(files.folder.unsettled.lock().files.len(), 0);

    files.send(&mail(2)).await.unwrap();
    fs::remove_dir_all(&dir).unwrap();
    assert!(files.settle().await.unwrap_err().contains("durable"));
    // What was lost is to be written again; there is nothing left to settle.
    files.settle().await.unwrap();
}

#[tokio::test]
async fn what_waits_for_settling_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::new(folder.path(), FROM).unwrap();
    files.folder.unsettled.lock().files = vec![PathBuf::from("gone"); UNSETTLED];
    files.send(&mail(1)).await.unwrap();
    assert_eq!(files.folder.unsettled.lock().files.len(), UNSETTLED);
    files.settle().await.unwrap();
}

#[test]
fn a_sender_that_is_no_mailbox_and_a_folder_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Files::new(folder.path(), "nobody").err().unwrap().kind(), ErrorKind::InvalidInput);
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(Files::new(&folder.path().join("file"), FROM).is_err());
}
