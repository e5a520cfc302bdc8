//! Mail that is written into a folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::judge::Entry;
use crate::post::notification;

/// The folder in a data folder.
pub(crate) fn of(data: &Path) -> PathBuf {
    data.join("mail")
}

/// What is wrong with a folder whose server was just killed: messages that have their name
/// and are not whole. What has no name yet is nobody's message.
pub(crate) fn halves(folder: &Path) -> Vec<String> {
    let files = files(folder).into_iter().filter(|path| is_visible(path));
    files.filter_map(|path| message(&path).err()).collect()
}

/// In the end there is one file for each notification, whole, and nothing else.
pub(crate) fn judge(folder: &Path, lists: &[Entry]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for path in files(folder) {
        match message(&path) {
            Ok(id) if seen.insert(id) && is_visible(&path) => {}
            Ok(_) => wrong.push(format!("a message twice: {}", path.display())),
            Err(why) => wrong.push(why),
        }
    }
    let known: BTreeSet<Uuid> = lists.iter().map(|entry| entry.id).collect();
    wrong.extend(known.difference(&seen).map(|id| format!("lost, no file: {id}")));
    wrong.extend(seen.difference(&known).map(|id| format!("a file in nobody's list: {id}")));
    println!("  {} files", seen.len());
    wrong
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).expect("the folder is there");
    files.map(|file| file.expect("a file").path()).collect()
}

fn is_visible(path: &Path) -> bool {
    path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'))
}

/// The notification of a message that is there to its last line.
fn message(path: &Path) -> Result<Uuid, String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let id = text.lines().find_map(|line| line.strip_prefix("Message-ID: "));
    let boundary = text.split_once("boundary=\"").and_then(|(_, rest)| rest.split_once('"'));
    let end = boundary.map(|(boundary, _)| format!("--{boundary}--\r\n"));
    match (id, end) {
        (Some(id), Some(end)) if text.ends_with(&end) => Ok(notification(id)),
        _ => Err(format!("half a message: {}", path.display())),
    }
}
