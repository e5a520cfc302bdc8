//! A small disk under a data folder, to be filled up and emptied again. Linux, as root.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::Home;

/// The file that takes the room.
const BALLAST: &str = "ballast";

/// Bytes written at a time while the disk is filled.
const BLOCK: [u8; 4096] = [0; 4096];

/// A file system of its own, mounted on a data folder until it is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one of so many MiB on the data folder of `home`; `None` if this process
    /// may not.
    ///
    /// # Panics
    /// When it may and it does not work.
    #[must_use]
    pub fn under(home: &Home, mebibytes: u32) -> Option<Self> {
        let folder = home.data();
        fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("no data folder: {error}"));
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m,mode=700"), "tmpfs"])
            .arg(&folder)
            .output();
        let output = mount.unwrap_or_else(|error| panic!("no mount on this system: {error}"));
        if output.status.success() {
            return Some(Self { folder });
        }
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        let forbidden = why.contains("ermission") || why.contains("superuser");
        assert!(forbidden, "cannot mount a small disk: {why}");
        None
    }

    /// Takes all the room that is left.
    ///
    /// # Panics
    /// When that fails for another reason than that there is none.
    pub fn fill(&self) {
        let file = File::options().create(true).append(true).open(self.ballast());
        let mut file = file.unwrap_or_else(|error| panic!("no ballast: {error}"));
        loop {
            match file.write(&BLOCK) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return,
                Err(error) => panic!("cannot fill the disk: {error}"),
            }
        }
    }

    /// Gives the room back.
    ///
    /// # Panics
    /// When it was not taken.
    pub fn empty(&self) {
        let removed = fs::remove_file(self.ballast());
        removed.unwrap_or_else(|error| panic!("cannot remove the ballast: {error}"));
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join(BALLAST)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A process that was just killed may hold a file for a moment: then the disk
        // goes when it does.
        let unmounted = |options: &[&str], folder: &Path| {
            Command::new("umount").args(options).arg(folder).status().is_ok_and(|s| s.success())
        };
        if !unmounted(&[], &self.folder) && !unmounted(&["--lazy"], &self.folder) {
            eprintln!("{} is still mounted", self.folder.display());
        }
    }
}
